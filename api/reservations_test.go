package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// reserve holds credits and returns the reservation.
func (c customer) reserve(key string, amount int) gen.Reservation {
	c.f.t.Helper()
	r := c.call(http.MethodPost, "/v1/reservations", map[string]any{"amount": amount}, headerOf("Idempotency-Key", key))
	require.Equal(c.f.t, http.StatusCreated, r.status, r.body)
	var out gen.Reservation
	r.decode(c.f.t, &out)
	return out
}

// end settles or releases a reservation.
func (c customer) end(id, how, key string, body any) answer {
	c.f.t.Helper()
	return c.call(http.MethodPost, "/v1/reservations/"+id+"/"+how, body, headerOf("Idempotency-Key", key))
}

// free returns what the customer may reserve now.
func (c customer) free() domain.Credits {
	c.f.t.Helper()
	stream := eventstore.StreamVersion{Stream: eventstore.AccountStream(c.id)}
	events, err := c.f.store.ReadStreams(c.f.t.Context(), eventstore.ShardOf(c.id, shards),
		[]eventstore.StreamVersion{stream}, eventstore.ReadMax)
	require.NoError(c.f.t, err)
	state := account.Initial()
	for _, e := range events {
		event, err := c.f.codec.Decode(c.f.t.Context(), e)
		require.NoError(c.f.t, err)
		state = account.Evolve(state, event)
	}
	return state.Spendable(account.Use{}, c.f.clock.now())
}

func TestReservationIsSettledInPartOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	body := map[string]any{"amount": 40, "use": map[string]any{"model": "mine", "operation": "upscale"}, "expires_in": 60}
	first := c.call("POST", "/v1/reservations", body, headerOf("Idempotency-Key", "hold-1"))
	require.Equal(t, http.StatusCreated, first.status, first.body)
	require.NotEmpty(t, first.header.Get("Pingvas-Position"))
	var made gen.Reservation
	first.decode(t, &made)
	require.EqualValues(t, 40, made.Amount)
	require.Len(t, made.Slices, 1)
	require.EqualValues(t, 40, made.Slices[0].Amount)
	require.Equal(t, "upscale", *made.Use.Operation)
	require.Equal(t, f.clock.now().Add(time.Minute), made.ExpiresAt)
	require.EqualValues(t, 60, c.free())

	f.clock.move(time.Second)
	again := c.call("POST", "/v1/reservations", body, headerOf("Idempotency-Key", "hold-1"))
	require.Equal(t, first.body, again.body, "to the byte")
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.EqualValues(t, 60, c.free())

	settled := c.end(made.ID, "settle", "settle-1", map[string]any{"amount": 15})
	require.JSONEq(t, `{"id":"`+made.ID+`","settled":15,"released":25,"waived":0}`, settled.body)
	require.EqualValues(t, 85, c.free())
	require.Equal(t, settled.body, c.end(made.ID, "settle", "settle-1", map[string]any{"amount": 15}).body)
	require.Equal(t, "idempotency-mismatch", c.end(made.ID, "settle", "settle-1", map[string]any{"amount": 9}).code(t))
	require.Equal(t, "not-found", c.end(made.ID, "settle", "settle-2", map[string]any{"amount": 15}).code(t))
	require.Equal(t, "not-found", c.end(made.ID, "release", "release-1", nil).code(t))
	require.EqualValues(t, 85, c.free())
}

func TestReservationIsReleased(t *testing.T) {
	t.Parallel()
	c := newFixture(t).open("alice")
	made := c.reserve("hold-1", 40)
	r := c.end(made.ID, "release", "release-1", nil)
	require.JSONEq(t, `{"id":"`+made.ID+`","settled":0,"released":40,"waived":0}`, r.body)
	require.EqualValues(t, 100, c.free())
	require.Equal(t, "not-found", c.end(made.ID, "settle", "settle-1", map[string]any{"amount": 1}).code(t))
}

// A reservation holds for a quarter of an hour if nothing else is said. A late settlement takes what is still there.
func TestReservationExpires(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	late, forgotten := c.reserve("hold-1", 60), c.reserve("hold-2", 40)
	require.Zero(t, c.free())
	f.clock.move(15*time.Minute - time.Microsecond)
	require.Zero(t, c.free())
	f.clock.move(time.Microsecond)
	require.EqualValues(t, 100, c.free())
	c.reserve("hold-3", 70)
	r := c.end(late.ID, "settle", "settle-1", map[string]any{"amount": 50})
	require.JSONEq(t, `{"id":"`+late.ID+`","settled":30,"released":0,"waived":20}`, r.body)
	r = c.end(forgotten.ID, "release", "release-1", nil)
	require.JSONEq(t, `{"id":"`+forgotten.ID+`","settled":0,"released":0,"waived":0}`, r.body)
}

func TestReservationIsRefused(t *testing.T) {
	t.Parallel()
	c := newFixture(t).open("alice")
	post := func(path, key string, body any) gen.Problem {
		return c.call("POST", path, body, headerOf("Idempotency-Key", key)).problem(t)
	}
	much := post("/v1/reservations", "much", map[string]any{"amount": 101})
	require.Equal(t, "insufficient-credits", much.Code)
	require.EqualValues(t, 100, *much.Available)
	for _, body := range []map[string]any{
		{}, {"amount": 0}, {"amount": -1}, {"amount": 1, "expires_in": 0}, {"amount": 1, "expires_in": 86401},
		{"amount": 1, "use": map[string]any{"model": ""}}, {"amount": 1, "use": map[string]any{"prompt": "x"}},
		{"amount": 1, "reservation": "res_01k00000000000000000000000"},
	} {
		require.Equal(t, "invalid-request", post("/v1/reservations", "bad", body).Code, "%v", body)
	}
	made := c.reserve("hold-1", 40)
	require.Equal(t, "invalid-request",
		post("/v1/reservations/"+made.ID+"/settle", "more", map[string]any{"amount": 41}).Code)
	for _, key := range []string{"hold-2", "hold-3", "hold-4"} {
		c.reserve(key, 1)
	}
	require.Equal(t, "concurrency-limit", post("/v1/reservations", "hold-5", map[string]any{"amount": 1}).Code)
}

// Whoever could end the reservation of a generation would get its pictures for nothing.
func TestReservationOfAGenerationIsNotItsOwnersToEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase-1").ID
	stream := eventstore.StreamVersion{Stream: eventstore.GenerationStream(domain.GenerationID(id))}
	events, err := f.store.ReadStreams(t.Context(), eventstore.ShardOf(c.id, shards),
		[]eventstore.StreamVersion{stream}, 1)
	require.NoError(t, err)
	asked, err := f.codec.Decode(t.Context(), events[0])
	require.NoError(t, err)
	held := string(asked.(generation.Requested).Reservation)

	before, free := f.heads(), c.free()
	require.Equal(t, "not-found", c.end(held, "release", "release-1", nil).code(t))
	require.Equal(t, "not-found", c.end(held, "settle", "settle-1", map[string]any{"amount": 0}).code(t))
	require.Equal(t, before, f.heads())
	c.finish(id)
	require.Equal(t, free, c.free(), "it was charged what it had reserved")
	require.NotEqual(t, domain.Credits(100), free)
}
