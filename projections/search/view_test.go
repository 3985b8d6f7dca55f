package search_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestView(t *testing.T) {
	t.Parallel()
	projectiontest.Run(t, func() projections.Projection { return search.New(&searchtest.Memory{}) })
}

// rowsAreIndexed checks that the engine holds the documents of the view and nothing else.
func rowsAreIndexed(t *testing.T, cfg projections.Config, engine *searchtest.Memory) {
	t.Helper()
	schema := projectiontest.Schema(t, cfg.Pool, cfg.Projection)
	var docs []search.Document
	projectiontest.AsOwner(t, cfg.Pool, func(tx pgx.Tx) (err error) {
		// Query reports its error through the rows.
		rows, _ := tx.Query(t.Context(), `SELECT image, account, prompt, negative, tags, model, width, height, seed,
			created_at, favourite, version FROM `+schema+`.documents`)
		docs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[search.Document])
		return err
	})
	indexed := engine.Documents()
	require.Len(t, indexed, len(docs))
	require.NotEmpty(t, docs)
	for _, d := range docs {
		require.Equal(t, d, indexed[d.Image])
	}
}

func config(t *testing.T, engine search.Engine) (projections.Config, *projectiontest.History) {
	h := projectiontest.NewHistory(t, 7, 3)
	h.Play(400)
	return projections.Config{
		Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: projectiontest.Database(t), Projection: search.New(engine),
		Signal: &projections.Signal{}, Page: 50,
	}, h
}

func TestTheEngineHoldsTheRows(t *testing.T) {
	t.Parallel()
	engine := &searchtest.Memory{}
	cfg, h := config(t, engine)
	projectiontest.CatchUp(t, cfg)
	rowsAreIndexed(t, cfg, engine)
	h.Play(400)
	projectiontest.CatchUp(t, cfg)
	rowsAreIndexed(t, cfg, engine)
}

func TestALostIndexIsBuiltAgain(t *testing.T) {
	t.Parallel()
	engine := &searchtest.Memory{}
	cfg, _ := config(t, engine)
	projectiontest.CatchUp(t, cfg)
	engine.Lose()
	projectiontest.CatchUp(t, cfg)
	rowsAreIndexed(t, cfg, engine)
}

// In a rolling restart a second process comes with an index of its own. It takes the view over, and the first one
// stands aside: if both went on, each index would miss what the other got.
func TestTheViewFollowsOneIndexOnly(t *testing.T) {
	t.Parallel()
	first, second := &searchtest.Memory{}, &searchtest.Memory{}
	cfg, h := config(t, first)
	stopFirst := projectiontest.Live(t, cfg)
	projectiontest.WaitAll(t, cfg)
	second.Lose()
	second.Lose() // so that its id is not that of the first
	other := cfg
	other.Projection = search.New(second)
	stopSecond := projectiontest.Live(t, other)
	for range 20 {
		h.Play(20)
		projectiontest.WaitAll(t, other)
	}
	stopSecond()
	stopFirst()
	rowsAreIndexed(t, other, second)
}

func TestAnotherDatabaseClearsTheIndex(t *testing.T) {
	t.Parallel()
	engine := &searchtest.Memory{}
	cfg, _ := config(t, engine)
	projectiontest.CatchUp(t, cfg)
	cfg.Pool = projectiontest.Database(t)
	projectiontest.CatchUp(t, cfg)
	rowsAreIndexed(t, cfg, engine)
}

func TestAnEngineThatIsDownParksNothing(t *testing.T) {
	t.Parallel()
	engine := &searchtest.Memory{}
	cfg, _ := config(t, engine)
	require.NoError(t, projections.Setup(t.Context(), cfg.Pool, cfg.Projection, projectiontest.Shards))
	engine.Fail(errors.New("out of order"))
	require.Error(t, projections.Setup(t.Context(), cfg.Pool, cfg.Projection, projectiontest.Shards))
	engine.Fail(nil)
	stop := projectiontest.Live(t, cfg)
	engine.Fail(errors.New("out of order"))
	engine.Fail(nil)
	projectiontest.WaitAll(t, cfg)
	stop()
	rowsAreIndexed(t, cfg, engine)
	var parked int
	err := cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM projections.dead_letters`).Scan(&parked)
	require.NoError(t, err)
	require.Zero(t, parked)
}
