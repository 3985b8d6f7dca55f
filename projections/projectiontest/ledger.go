package projectiontest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// Shards is the number of shards of a test ledger.
const Shards = 3

// Ledger is a record in memory that events are put into without any check.
type Ledger struct {
	Codec *eventstore.Codec

	mu       sync.Mutex
	shards   [Shards][]eventstore.Envelope
	versions map[string]int64
	down     error
}

var _ projections.Ledger = (*Ledger)(nil)

// NewLedger returns an empty ledger that knows all events of the catalogue.
func NewLedger(t testing.TB) *Ledger {
	t.Helper()
	codec, err := eventstore.NewCodec(catalog.Events(), keys{})
	require.NoError(t, err)
	return &Ledger{Codec: codec, versions: map[string]int64{}}
}

// keys derives the data key of an account from its id.
type keys struct{}

// Key implements eventstore.Keyring.
func (keys) Key(_ context.Context, account domain.AccountID) ([]byte, error) {
	sum := sha256.Sum256([]byte(account))
	return sum[:], nil
}

// Fact is an event and the stream it belongs to.
type Fact struct {
	Stream string
	Event  domain.Event
}

// Append records facts of one account.
func (l *Ledger) Append(t testing.TB, account domain.AccountID, facts ...Fact) {
	t.Helper()
	for _, f := range facts {
		data, err := l.Codec.Encode(t.Context(), account, f.Event)
		require.NoError(t, err)
		l.AppendRaw(t, account, eventstore.NewEvent{Stream: f.Stream, Type: f.Event.EventName(), Data: data})
	}
}

// AppendRaw records an event that is encoded already; its version and metadata are filled in.
func (l *Ledger) AppendRaw(t testing.TB, account domain.AccountID, e eventstore.NewEvent) eventstore.Position {
	t.Helper()
	meta, err := json.Marshal(eventstore.Metadata{Account: account, Command: "test"})
	require.NoError(t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	shard := eventstore.ShardOf(account, Shards)
	l.versions[e.Stream]++
	envelope := eventstore.Envelope{
		Shard: shard, Pos: int64(len(l.shards[shard])) + 1, Stream: e.Stream, Version: l.versions[e.Stream],
		Type: e.Type, Data: e.Data, Metadata: meta, RecordedAt: time.Unix(0, 0).UTC(),
	}
	l.shards[shard] = append(l.shards[shard], envelope)
	return envelope.Position()
}

// Fail makes every read return this error until it is called with nil.
func (l *Ledger) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

// Shards implements projections.Ledger.
func (l *Ledger) Shards() int { return Shards }

// ReadShard implements projections.Ledger.
func (l *Ledger) ReadShard(
	ctx context.Context, shard int, after int64, limit int,
) ([]eventstore.Envelope, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil || l.down != nil {
		return nil, firstOf(err, l.down)
	}
	all := l.shards[shard]
	from := min(after, int64(len(all)))
	return slices.Clone(all[from:min(from+int64(limit), int64(len(all)))]), nil
}

// Heads implements projections.Ledger.
func (l *Ledger) Heads(ctx context.Context) ([]eventstore.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil || l.down != nil {
		return nil, firstOf(err, l.down)
	}
	heads := make([]eventstore.Head, Shards)
	for i := range heads {
		heads[i].Pos = int64(len(l.shards[i]))
	}
	return heads, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
