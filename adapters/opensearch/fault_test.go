package opensearch_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/adapters/opensearch/opensearchtest"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
)

func errorAs(err error, target **search.RejectedError) bool { return errors.As(err, target) }

func contains(images []domain.ImageID, image domain.ImageID) bool {
	return slices.Contains(images, image)
}

// outages are ways in which a server is away for a while.
var outages = map[string]opensearchtest.Fault{
	"too many requests":   {Status: http.StatusTooManyRequests},
	"a bad gateway":       {Status: http.StatusBadGateway},
	"unavailable":         {Status: http.StatusServiceUnavailable},
	"a gateway timeout":   {Status: http.StatusGatewayTimeout},
	"cut before":          {Cut: true},
	"cut after":           {Cut: true, Done: true},
	"some too many":       {ItemStatus: http.StatusTooManyRequests},
	"some shards missing": {ItemStatus: http.StatusServiceUnavailable},
}

// A short outage of any kind is waited for, and nothing is lost or done twice.
func TestAShortOutageIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, fault := range outages {
		for _, kind := range []string{"_bulk", "_refresh", "_alias", ""} {
			if fault.ItemStatus != 0 && kind != "_bulk" {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				server := opensearchtest.Start(t, opensearchtest.Options{Nori: true})
				o := &observer{}
				cfg := to(server)
				cfg.Observer = o
				engine := ready(t, cfg)
				fault := fault
				fault.Kind, fault.Times = kind, 2
				server.Break(fault)
				require.NoError(t, engine.Index(t.Context(), documents(20)))
				require.Equal(t, 20, count(t, engine))
				if kind == "_bulk" {
					require.Positive(t, o.retried.Load(), "back-pressure is told")
				}
			})
		}
	}
}

// An outage that outlasts the tries is an error, of the server and not of a document, and sending all of it again
// mends it.
func TestALongOutageIsAnError(t *testing.T) {
	t.Parallel()
	for name, fault := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := opensearchtest.Start(t, opensearchtest.Options{})
			engine := ready(t, to(server))
			fault := fault
			fault.Kind = "_bulk"
			server.Break(fault)
			err := engine.Index(t.Context(), documents(20))
			var rejected *search.RejectedError
			require.Error(t, err)
			require.False(t, errorAs(err, &rejected))
			server.Mend()
			require.NoError(t, engine.Index(t.Context(), documents(20)))
			require.Equal(t, 20, count(t, engine))
		})
	}
}

func TestADocumentThatIsRefusedIsNamed(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := ready(t, to(server))
	docs := documents(20)
	poison := opensearchtest.Fault{Kind: "_bulk", Reject: string(docs[7].Image)}
	busy := poison
	busy.ItemStatus, busy.Times = http.StatusTooManyRequests, 1
	server.Break(busy)
	server.Break(poison)
	var rejected *search.RejectedError
	require.ErrorAs(t, engine.Index(t.Context(), docs), &rejected)
	require.Equal(t, docs[7].Image, rejected.Image)
}

func TestAnIncompleteAnswerIsAnError(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := ready(t, to(server))
	require.NoError(t, engine.Index(t.Context(), documents(3)))
	for _, fault := range []opensearchtest.Fault{
		{TimedOut: true}, {Failed: 1}, {Rubbish: true}, {Status: http.StatusForbidden},
	} {
		fault.Kind, fault.Times = "_search", 1
		server.Break(fault)
		_, err := engine.Search(t.Context(), search.Query{Account: account, Limit: 1})
		require.Error(t, err)
		require.Equal(t, 3, count(t, engine))
	}
	server.Break(opensearchtest.Fault{Kind: "_search", Status: http.StatusServiceUnavailable, Times: 2})
	require.Equal(t, 3, count(t, engine), "a short outage is waited for")
	server.Break(opensearchtest.Fault{Kind: "_bulk", Rubbish: true, Times: 1})
	require.Error(t, engine.Index(t.Context(), documents(1)))
}

// indexed is what the engine finds of each account of a history.
func indexed(t *testing.T, engine *opensearch.Engine, h *projectiontest.History) map[domain.ImageID]bool {
	t.Helper()
	all := map[domain.ImageID]bool{}
	for _, c := range h.Accounts {
		result, err := engine.Search(t.Context(), search.Query{Account: c.ID, Limit: 1000})
		require.NoError(t, err)
		for _, image := range result.Images {
			all[image] = true
		}
	}
	return all
}

// The view fills an index through all kinds of outages, while events come in: its checkpoint never passes what was
// acknowledged, nothing is parked, and at the end the index holds the rows.
func TestTheViewSurvivesOutages(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{Nori: true})
	engine := open(t, to(server))
	h := projectiontest.NewHistory(t, 11, 3)
	h.Play(200)
	cfg := projections.Config{
		Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: projectiontest.Database(t), Projection: search.New(engine), Page: 20,
	}
	stop := projectiontest.Live(t, cfg)
	long := 8 // more than the tries of one write
	for _, fault := range outages {
		fault.Kind, fault.Times = "_bulk", long
		server.Break(fault)
		h.Play(40)
		projectiontest.WaitAll(t, cfg)
		long = 2
	}
	stop()
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	requireRows(t, cfg, engine, h)
	var parked int
	require.NoError(t, cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM projections.dead_letters`).Scan(&parked))
	require.Zero(t, parked)
}

func requireRows(t *testing.T, cfg projections.Config, engine *opensearch.Engine, h *projectiontest.History) {
	t.Helper()
	var images []string
	projectiontest.AsOwner(t, cfg.Pool, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT array_agg(image) FROM search_v1_b1.documents`).Scan(&images)
	})
	found := indexed(t, engine, h)
	require.NotEmpty(t, images)
	require.Len(t, found, len(images))
	for _, image := range images {
		require.True(t, found[domain.ImageID(image)], image)
	}
}

// A document that the server refuses for good is parked, with its cause, and the rest goes on.
func TestAPoisonousDocumentIsParked(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := open(t, to(server))
	h := projectiontest.NewHistory(t, 12, 3)
	h.Play(300)
	var poison domain.ImageID
	for _, c := range h.Accounts {
		if len(c.Images) > 0 {
			poison = c.Images[0].ID
		}
	}
	server.Break(opensearchtest.Fault{Kind: "_bulk", Reject: string(poison)})
	cfg := projections.Config{
		Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: projectiontest.Database(t), Projection: search.New(engine),
	}
	projectiontest.CatchUp(t, cfg)
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	found := indexed(t, engine, h)
	require.False(t, found[poison])
	generation, _, err := poison.Split()
	require.NoError(t, err)
	for image := range found { // what its event made besides may be there without its row
		if other, _, err := image.Split(); err == nil && other == generation {
			delete(found, image)
		}
	}
	var rows int
	projectiontest.AsOwner(t, cfg.Pool, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM search_v1_b1.documents`).Scan(&rows)
	})
	require.Len(t, found, rows)
	var cause string
	require.NoError(t, cfg.Pool.QueryRow(t.Context(), `SELECT failure FROM projections.dead_letters LIMIT 1`).Scan(&cause))
	require.Contains(t, cause, string(poison))
	require.Contains(t, cause, "mapper_parsing_exception")
}
