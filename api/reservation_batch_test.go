package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
)

// batch runs commands at once.
func (c customer) batch(key string, commands ...map[string]any) answer {
	c.f.t.Helper()
	return c.call(http.MethodPost, "/v1/reservations:batch", map[string]any{"commands": commands},
		headerOf("Idempotency-Key", key))
}

func reserving(amount int) map[string]any {
	return map[string]any{"reserve": map[string]any{"amount": amount}}
}

func TestBatchAnswersEachCommand(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	held, other := c.reserve("hold-1", 40), c.reserve("hold-2", 10)
	settle := map[string]any{"settle": map[string]any{"reservation": held.ID, "amount": 15}}
	all := []map[string]any{
		reserving(51), // one too much
		settle,
		settle,        // it has ended
		reserving(75), // what the settlement gave back is there
		{"release": map[string]any{"reservation": other.ID}},
		reserving(11),
	}
	before := f.heads()
	r := c.batch("batch-1", all...)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.NotEmpty(t, r.header.Get("Pingvas-Position"))
	var out gen.ReservationResults
	r.decode(t, &out)
	require.Len(t, out.Results, len(all))
	require.Equal(t, "insufficient-credits", out.Results[0].Problem.Code)
	require.EqualValues(t, 402, out.Results[0].Problem.Status)
	require.EqualValues(t, 50, *out.Results[0].Problem.Available)
	require.Equal(t, gen.EndedReservation{ID: held.ID, Settled: 15, Released: 25}, *out.Results[1].Ended)
	require.Equal(t, "not-found", out.Results[2].Problem.Code)
	require.EqualValues(t, 75, out.Results[3].Reserved.Amount)
	require.Equal(t, gen.EndedReservation{ID: other.ID, Released: 10}, *out.Results[4].Ended)
	require.Equal(t, "insufficient-credits", out.Results[5].Problem.Code)
	require.EqualValues(t, 10, c.free())

	after := f.heads()
	require.NotEqual(t, before, after)
	again := c.batch("batch-1", all...)
	require.Equal(t, r.body, again.body, "to the byte")
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, r.header.Get("Pingvas-Position"), again.header.Get("Pingvas-Position"))
	require.Equal(t, after, f.heads())
	require.Equal(t, "idempotency-mismatch", c.batch("batch-1", reserving(1)).code(t))
}

func TestBatchIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	before := f.heads()
	many := make([]map[string]any, 501)
	for i := range many {
		many[i] = reserving(1)
	}
	made := "res_01k00000000000000000000000"
	for name, commands := range map[string][]map[string]any{
		"none":    {},
		"many":    many,
		"nothing": {{}},
		"two":     {{"reserve": map[string]any{"amount": 1}, "release": map[string]any{"reservation": made}}},
		"unknown": {{"grant": map[string]any{"amount": 1}}},
		"amount":  {reserving(1), reserving(0)},
		"id":      {{"release": map[string]any{"reservation": "res_1"}}},
	} {
		require.Equal(t, "invalid-request", c.batch("k-"+name, commands...).code(t), name)
	}
	require.Equal(t, before, f.heads())
	var out gen.ReservationResults
	theirs := map[string]any{"reservation": c.reserve("hold", 1).ID}
	f.open("bob").batch("k", map[string]any{"release": theirs}).decode(t, &out)
	require.Equal(t, "not-found", out.Results[0].Problem.Code)
}

func TestLargestBatch(t *testing.T) {
	t.Parallel()
	c := newFixture(t).open("alice")
	many := make([]map[string]any, 500)
	use := map[string]any{"model": "mine", "operation": "upscale"}
	for i := range many { // with every field there is
		many[i] = map[string]any{"reserve": map[string]any{"amount": 1, "use": use, "expires_in": 60}}
	}
	var out gen.ReservationResults
	c.batch("all", many...).decode(t, &out)
	require.Len(t, out.Results, 500)
	for i, r := range out.Results {
		if i < 4 { // the plan's slots
			require.EqualValues(t, 1, r.Reserved.Amount)
			continue
		}
		require.Equal(t, "concurrency-limit", r.Problem.Code)
		require.EqualValues(t, 4, *r.Problem.Limit)
	}
}
