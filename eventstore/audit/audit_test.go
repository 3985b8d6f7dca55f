package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/audit"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

const owner domain.AccountID = "acc_01k00000000000000000000001"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type oneKey struct{}

func (oneKey) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

// history is an account that was granted 100, reserved 30 and was charged 20 of them.
func history() []domain.Event {
	slice := func(n domain.Credits) []account.Slice { return []account.Slice{{Grant: "g", Amount: n}} }
	return []domain.Event{
		account.Opened{Account: owner, Plan: "free", Tier: domain.TierFree, Limits: account.Limits{Slots: 4}, At: noon},
		account.CreditsGranted{Grant: "g", Source: account.SourcePlan, Amount: 100, Effective: noon, At: noon},
		account.CreditsReserved{
			Reservation: "r", Generation: "x", Amount: 30, Slices: slice(30), Expires: noon.Add(time.Hour), At: noon,
		},
		account.CreditsSettled{Reservation: "r", Generation: "x", Charged: slice(20), Returned: slice(10), At: noon},
	}
}

// tampered is a store whose reads were changed on the way.
type tampered struct {
	eventstore.Store
	change func([]eventstore.Envelope) []eventstore.Envelope
	head   func(*eventstore.Head)
}

func (s tampered) ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error) {
	page, err := s.Store.ReadShard(ctx, shard, after, limit)
	if s.change != nil {
		page = s.change(page)
	}
	return page, err
}

func (s tampered) Heads(ctx context.Context) ([]eventstore.Head, error) {
	heads, err := s.Store.Heads(ctx)
	if s.head != nil {
		s.head(&heads[0])
	}
	return heads, err
}

func verify(t *testing.T, events []domain.Event, wrap func(*tampered)) audit.Report {
	t.Helper()
	store, err := memory.New(memory.Config{Shards: 1, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	meta, err := json.Marshal(eventstore.Metadata{Account: owner, Command: "test"})
	require.NoError(t, err)
	unit := eventstore.Unit{Account: owner}
	for i, e := range events {
		data, err := codec.Encode(t.Context(), owner, e)
		require.NoError(t, err)
		unit.Events = append(unit.Events, eventstore.NewEvent{
			Stream: eventstore.AccountStream(owner), Version: int64(i + 1), Type: e.EventName(), Data: data, Metadata: meta,
		})
	}
	results, err := storetest.Append(t.Context(), store, 0, unit)
	require.NoError(t, err)
	require.Equal(t, eventstore.StatusAppended, results[0].Status)
	read := tampered{Store: store}
	if wrap != nil {
		wrap(&read)
	}
	report, err := audit.Verify(t.Context(), audit.Config{Store: read, Codec: codec})
	require.NoError(t, err)
	return report
}

func TestSoundLedger(t *testing.T) {
	t.Parallel()
	report := verify(t, history(), nil)
	require.True(t, report.Sound(), report.Findings)
	require.EqualValues(t, 4, report.Events)
	require.EqualValues(t, 1, report.Accounts)
	require.EqualValues(t, 1, report.Reservations)
	require.EqualValues(t, 20, report.Balance[domain.BookConsumed])
	require.EqualValues(t, -100, report.Balance[domain.BookIssuance])
}

func TestProgressReachesTheEnd(t *testing.T) {
	t.Parallel()
	var last [2]int64
	store, err := memory.New(memory.Config{Shards: 2, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	report, err := audit.Verify(t.Context(), audit.Config{
		Store: store, Codec: codec, Progress: func(done, total int64) { last = [2]int64{done, total} },
	})
	require.NoError(t, err)
	require.True(t, report.Sound())
	require.Equal(t, [2]int64{}, last, "an empty ledger has nothing to replay")
}

// at changes the event at a position.
func at(pos int64, change func(*eventstore.Envelope)) func(*tampered) {
	return func(s *tampered) {
		s.change = func(page []eventstore.Envelope) []eventstore.Envelope {
			for i := range page {
				if page[i].Pos == pos {
					change(&page[i])
				}
			}
			return page
		}
	}
}

func TestTamperingIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		wrap func(*tampered)
		want string // position and the beginning of the text
	}{
		"data": {
			at(2, func(e *eventstore.Envelope) { e.Data = []byte(`{"grant":"g","amount":900}`) }),
			"0:2 account.credits_granted.v1 has chain hash",
		},
		"metadata": {
			at(3, func(e *eventstore.Envelope) { e.Metadata = []byte(`{"account":"` + owner + `"}`) }),
			"0:3 account.credits_reserved.v1 has chain hash",
		},
		"type": {
			at(1, func(e *eventstore.Envelope) { e.Type = "account.vanished.v1" }),
			"0:1 account.vanished.v1 has chain hash",
		},
		"rehashed": {
			func(s *tampered) { s.change = rehash }, "0:3 account.credits_reserved.v1 has chain hash",
		},
		"version": {
			at(3, func(e *eventstore.Envelope) { e.Version = 9 }), "0:3 account.credits_reserved.v1 has chain hash",
		},
		"head": {
			func(s *tampered) { s.head = func(h *eventstore.Head) { h.Chain[0] ^= 1 } }, "0:4 the head of the shard",
		},
		"cut tail": {
			func(s *tampered) { s.head = func(h *eventstore.Head) { h.Pos = 6 } }, "0:5 events 5 to 6 are missing",
		},
		"hole": {func(s *tampered) {
			s.change = func(page []eventstore.Envelope) []eventstore.Envelope {
				return append(page[:1:1], page[min(2, len(page)):]...)
			}
		}, "0:2 events 2 to 2 are missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := verify(t, history(), c.wrap)
			require.False(t, report.Sound())
			require.NotEmpty(t, report.Findings)
			require.Contains(t, report.Findings[0].String(), c.want)
		})
	}
}

// rehash is what someone does who may write to the table: change an event and its hash.
func rehash(page []eventstore.Envelope) []eventstore.Envelope {
	e := &page[1]
	e.Data = []byte(`{"grant":"g","amount":900,"at":"2026-03-01T12:00:00Z"}`)
	e.Chain = eventstore.ChainHash(page[0].Chain, e.Pos, eventstore.LeafHash(e.Shard, e.New()))
	return page
}

func TestWrongHistoryIsFound(t *testing.T) {
	t.Parallel()
	slice := []account.Slice{{Grant: "g", Amount: 30}}
	cases := map[string]struct {
		more []domain.Event
		want string
	}{
		"ended twice": {
			[]domain.Event{account.CreditsReleased{Reservation: "r", Slices: slice, At: noon}}, "has ended before",
		},
		"never made": {
			[]domain.Event{account.CreditsReleased{Reservation: "q", Slices: slice, At: noon}}, "was never made",
		},
		"made twice": {
			[]domain.Event{
				account.CreditsReserved{Reservation: "q", Amount: 30, Slices: slice, At: noon},
				account.CreditsReserved{Reservation: "q", Amount: 30, Slices: slice, At: noon},
			}, "a second time",
		},
		"slices differ": {
			[]domain.Event{account.CreditsReserved{Reservation: "q", Amount: 31, Slices: slice, At: noon}}, "has slices of 30",
		},
		"overdrawn": {
			[]domain.Event{account.GrantExpired{Grant: "g", Amount: 500, At: noon}}, "grant g has -420 available",
		},
		"unknown grant": {
			[]domain.Event{account.GrantExpired{Grant: "nobody", Amount: 1, At: noon}}, "cannot be folded",
		},
		"opened twice": {[]domain.Event{history()[0]}, "begins with being opened, once"},
		"late without expiry": {
			[]domain.Event{account.CreditsSettled{Reservation: "r", Late: true, At: noon}}, "without having expired",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := verify(t, append(history(), c.more...), nil)
			require.False(t, report.Sound())
			require.Contains(t, fmt.Sprint(report.Findings), c.want)
			require.EqualValues(t, 4+len(c.more), report.Findings[0].Position.Pos)
		})
	}
}

func TestAnEventInAnotherAccountsStreamIsFound(t *testing.T) {
	t.Parallel()
	report := verify(t, history(), at(4, func(e *eventstore.Envelope) { e.Stream += "0" }))
	require.Contains(t, fmt.Sprint(report.Findings), "0:4 account.credits_settled.v1 of "+string(owner)+
		": it stands in the stream of another account")
}
