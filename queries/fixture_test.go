package queries_test

import (
	"crypto/sha256"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/gallery"
	"github.com/pingvas/pingvas/projections/generations"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
	"github.com/pingvas/pingvas/projections/statement"
	"github.com/pingvas/pingvas/projections/usage"
	"github.com/pingvas/pingvas/queries"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a history, its views and the service over them.
type fixture struct {
	*projectiontest.History
	pool    *pgxpool.Pool
	engine  *searchtest.Memory
	signal  *projections.Signal
	service *queries.Service
}

// newFixture plays a history and brings all views to its end.
func newFixture(t *testing.T, seed uint64, steps int) *fixture {
	t.Helper()
	f := &fixture{
		History: projectiontest.NewHistory(t, seed, 4), pool: projectiontest.Database(t), engine: &searchtest.Memory{},
		signal: &projections.Signal{},
	}
	f.Play(steps)
	key := sha256.Sum256([]byte("key"))
	var err error
	f.service, err = queries.New(queries.Config{
		Pool: f.pool, Ledger: f.Ledger, Engine: f.engine, Signal: f.signal, CursorKey: key[:],
	})
	require.NoError(t, err)
	f.catchUp(t, f.views()...)
	return f
}

func (f *fixture) views() []projections.Projection {
	return []projections.Projection{
		balance.New(), statement.New(), generations.New(), gallery.New(), usage.New(), search.New(f.engine),
	}
}

func (f *fixture) config(view projections.Projection) projections.Config {
	return projections.Config{
		Ledger: f.Ledger, Decoder: f.Ledger.Codec, Pool: f.pool, Projection: view, Strict: true, Signal: f.signal,
	}
}

func (f *fixture) catchUp(t *testing.T, views ...projections.Projection) {
	t.Helper()
	for _, view := range views {
		projectiontest.CatchUp(t, f.config(view))
	}
	id, err := f.engine.ID(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.engine.Swap(t.Context(), id))
}

func (f *fixture) read(c *projectiontest.Customer) queries.Read { return queries.Read{Account: c.ID} }

// head is the position after everything that the account has done.
func (f *fixture) head(t *testing.T, c *projectiontest.Customer) eventstore.Position {
	t.Helper()
	heads, err := f.Ledger.Heads(t.Context())
	require.NoError(t, err)
	shard := eventstore.ShardOf(c.ID, projectiontest.Shards)
	return eventstore.Position{Shard: shard, Pos: heads[shard].Pos}
}

func requireCode(t *testing.T, want domain.Code, err error) {
	t.Helper()
	require.Equal(t, want, domain.CodeOf(err), "%v", err)
}

func requireInvalid(t *testing.T, field string, err error) {
	t.Helper()
	var refused *domain.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, domain.CodeInvalid, refused.Code)
	require.Equal(t, field, refused.Field)
}

// all reads a list page by page and checks that no page is longer than it may be.
func all[T any](t *testing.T, limit int, page func(p queries.Page) ([]T, string, error)) []T {
	t.Helper()
	var list []T
	next := ""
	for {
		part, after, err := page(queries.Page{Cursor: next, Limit: limit})
		require.NoError(t, err)
		require.LessOrEqual(t, len(part), limit)
		list, next = append(list, part...), after
		if next == "" {
			return list
		}
		require.Len(t, part, limit, "only the last page is short")
	}
}
