package opensearch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/adapters/opensearch/opensearchtest"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
)

func TestMain(m *testing.M) {
	// Connections to a server that cut them end a little later.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"))
}

// realServer names a server that the tests use beside the stub, where one is given.
const realServer = "OPENSEARCH_URL"

// observer remembers what it was told.
type observer struct {
	nori    atomic.Bool
	asked   atomic.Int64
	retried atomic.Int64
}

func (o *observer) Retried(writes int) { o.retried.Add(int64(writes)) }
func (o *observer) Korean(nori bool)   { o.asked.Add(1); o.nori.Store(nori) }

// open returns an engine with indexes of its own, which are removed after the test.
func open(t testing.TB, cfg opensearch.Config) *opensearch.Engine {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = "test-" + strings.ToLower(rand.Text())
	}
	engine, err := opensearch.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(engine.Close)
	return engine
}

// ready returns an engine whose empty index answers.
func ready(t testing.TB, cfg opensearch.Config) *opensearch.Engine {
	t.Helper()
	engine := open(t, cfg)
	require.NoError(t, engine.Clear(context.Background()))
	require.NoError(t, engine.Swap(context.Background(), id(t, engine)))
	return engine
}

func id(t testing.TB, e *opensearch.Engine) string {
	t.Helper()
	id, err := e.ID(context.Background())
	require.NoError(t, err)
	return id
}

func to(s *opensearchtest.Server) opensearch.Config { return opensearch.Config{URLs: []string{s.URL}} }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]opensearchtest.Options{
		"OpenSearch":                 {Nori: true},
		"OpenSearch without Nori":    {},
		"OpenSearch as 7.10":         {Version: "7.10.2"},
		"Elasticsearch":              {Elasticsearch: true, Nori: true},
		"Elasticsearch without Nori": {Elasticsearch: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := opensearchtest.Start(t, o)
			searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, to(server)) },
				searchtest.Promise{Morphemes: o.Nori})
		})
	}
	if url := os.Getenv(realServer); url != "" {
		t.Run("the real server", func(t *testing.T) {
			t.Parallel()
			testReal(t, opensearch.Config{
				URLs: []string{url}, User: os.Getenv("OPENSEARCH_USER"), Password: os.Getenv("OPENSEARCH_PASSWORD"),
				APIKey: os.Getenv("OPENSEARCH_API_KEY"),
			})
		})
	}
}

func testReal(t *testing.T, cfg opensearch.Config) {
	o := &observer{}
	cfg.Observer = o
	require.NoError(t, open(t, cfg).Inspect(t.Context()))
	t.Logf("the server has Nori: %v", o.nori.Load())
	searchtest.Run(t, func(t *testing.T) search.Engine {
		engine := open(t, cfg)
		t.Cleanup(func() { require.NoError(t, engine.Drop(context.Background())) })
		return engine
	}, searchtest.Promise{Morphemes: o.nori.Load()})
}

const account domain.AccountID = "acc_00000000000000000000000001"

func documents(n int) []search.Document {
	docs := make([]search.Document, n)
	for i := range docs {
		docs[i] = search.Document{
			Image: domain.ImageID(fmt.Sprintf("img_%026d_0", i)), Account: account, Prompt: "a cat", Model: "m", Version: 1,
			CreatedAt: time.Unix(int64(i), 0), Tags: []string{"t"},
		}
	}
	return docs
}

func count(t testing.TB, e *opensearch.Engine) int {
	t.Helper()
	result, err := e.Search(context.Background(), search.Query{Account: account, Limit: 1})
	require.NoError(t, err)
	return int(result.Total)
}

func TestWhatIsLeftBehindIsRemoved(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{Nori: true})
	engine := ready(t, to(server))
	for range 3 {
		require.NoError(t, engine.Clear(t.Context()))
		require.Len(t, server.Indices(), 2, "the one that answers and the one that is built")
	}
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	require.Len(t, server.Indices(), 1)
	require.NoError(t, engine.Drop(t.Context()))
	require.Empty(t, server.Indices())
	require.NoError(t, engine.Drop(t.Context()), "again")
}

// Any number of processes may use the same indexes: what one writes and swaps, all see.
func TestProcessesShareAnIndex(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{Nori: true})
	cfg := to(server)
	cfg.Prefix = "shared"
	writer, reader := ready(t, cfg), open(t, cfg)
	require.NoError(t, writer.Index(t.Context(), documents(3)))
	require.Equal(t, 3, count(t, reader))
	require.Equal(t, id(t, writer), id(t, reader))
	require.NoError(t, writer.Clear(t.Context()))
	require.NoError(t, writer.Index(t.Context(), documents(2)))
	require.Equal(t, 3, count(t, reader))
	require.NoError(t, writer.Swap(t.Context(), id(t, writer)))
	require.Equal(t, 2, count(t, reader))
}

func TestWithoutAnIndexNothingIsAnswered(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := open(t, to(server))
	_, err := engine.Search(t.Context(), search.Query{Account: account, Limit: 1})
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	require.Error(t, engine.Index(t.Context(), documents(1)))
	require.Empty(t, server.Indices(), "the server makes none up")
}

func TestALostIndexIsNoticed(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := ready(t, to(server))
	before := id(t, engine)
	server.Lose()
	require.NotEqual(t, before, id(t, engine))
	var rejected *search.RejectedError
	err := engine.Index(t.Context(), documents(1))
	require.Error(t, err)
	require.False(t, errorAs(err, &rejected), "no document is at fault")
}

// An index of another mapping belongs to another version of the program, and this one leaves it alone.
func TestAnIndexOfAnotherMappingIsAnother(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	cfg := to(server)
	cfg.Prefix = "pv"
	engine := ready(t, cfg)
	before := id(t, engine)
	server.Rename(before, strings.Replace(before, "-m1-", "-m0-", 1))
	require.NotEqual(t, before, id(t, engine))
	require.NotContains(t, []string{before}, id(t, engine))
	require.Error(t, engine.Index(t.Context(), documents(1)))
	require.Zero(t, count(t, engine), "what answered still answers")
	require.NoError(t, engine.Clear(t.Context()))
	require.NoError(t, engine.Index(t.Context(), documents(1)))
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	require.Equal(t, 1, count(t, engine))
	require.Len(t, server.Indices(), 1)
}

func TestMissingNoriIsSaidLoudly(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	var said bytes.Buffer
	o := &observer{}
	cfg := to(server)
	cfg.Log, cfg.Observer = slog.New(slog.NewTextHandler(&said, nil)), o
	engine := ready(t, cfg)
	require.Contains(t, said.String(), "NO NORI")
	require.EqualValues(t, 1, o.asked.Load())
	require.False(t, o.nori.Load())
	require.Contains(t, id(t, engine), "-cjk-")
	said.Reset()
	require.NoError(t, engine.Inspect(t.Context()))
	require.Contains(t, said.String(), "NO NORI", "at every start")

	server.InstallNori()
	said.Reset()
	require.NoError(t, engine.Inspect(t.Context()))
	require.Contains(t, said.String(), "rebuild")
	require.True(t, o.nori.Load())
	require.NoError(t, engine.Index(t.Context(), documents(1)), "the index stays as it is")
	require.NoError(t, engine.Clear(t.Context()))
	require.Contains(t, id(t, engine), "-nori-")
	require.NoError(t, engine.Index(t.Context(), documents(1)))
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	said.Reset()
	require.NoError(t, engine.Inspect(t.Context()))
	require.Empty(t, said.String())
}

// Whatever answers there, nothing is sent to it but the question what it is, unless it is a right one.
func TestWrongServersAreRefused(t *testing.T) {
	t.Parallel()
	info := func(distribution, number string) string {
		return fmt.Sprintf(`{"version":{"distribution":%q,"number":%q}}`, distribution, number)
	}
	for name, answer := range map[string]struct{ product, body string }{
		"a web server":                    {"", "<html>hello</html>"},
		"another JSON API":                {"", "{}"},
		"a list":                          {"", "[]"},
		"OpenSearch 1":                    {"", info("opensearch", "1.3.20")},
		"Elasticsearch 7":                 {"Elasticsearch", info("", "7.17.29")},
		"an Elasticsearch without a mark": {"", info("", "8.19.7")},
		"another mark":                    {"Elastic", info("", "8.19.7")},
		"another distribution":            {"", info("opendistro", "2.19.6")},
		"no number":                       {"Elasticsearch", info("", "x.y")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var others atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/" {
					others.Add(1)
				}
				if answer.product != "" {
					w.Header().Set("X-Elastic-Product", answer.product)
				}
				_, _ = w.Write([]byte(answer.body))
			}))
			t.Cleanup(server.Close)
			engine := open(t, opensearch.Config{URLs: []string{server.URL}})
			var wrong *opensearch.WrongServerError
			require.ErrorAs(t, engine.Ping(t.Context()), &wrong)
			require.ErrorAs(t, engine.Clear(t.Context()), &wrong)
			_, err := engine.Search(t.Context(), search.Query{Account: account, Limit: 1})
			require.ErrorAs(t, err, &wrong)
			require.Zero(t, others.Load())
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]opensearchtest.Options{
		"user": {User: "u", Password: "p", TLS: true}, "key": {APIKey: "a-key", Elasticsearch: true, TLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := opensearchtest.Start(t, o)
			cfg := to(server)
			cfg.CA, cfg.User, cfg.Password, cfg.APIKey = server.CA, o.User, o.Password, o.APIKey
			engine := ready(t, cfg)
			require.NoError(t, engine.Index(t.Context(), documents(1)))
			require.Equal(t, 1, count(t, engine))

			wrong := cfg
			if wrong.APIKey = "another"; wrong.User != "" {
				wrong.APIKey, wrong.Password = "", "another"
			}
			require.ErrorContains(t, open(t, wrong).Ping(t.Context()), "401")
			cfg.CA = nil
			require.ErrorContains(t, open(t, cfg).Ping(t.Context()), "certificate")
		})
	}
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	urls := []string{"https://search.example.com"}
	for name, cfg := range map[string]opensearch.Config{
		"no URL": {}, "no scheme": {URLs: []string{"search:9200"}}, "user in the URL": {URLs: []string{"http://u:p@search"}},
		"half a user": {URLs: urls, User: "u"}, "two ways": {URLs: urls, User: "u", Password: "p", APIKey: "k"},
		"prefix": {URLs: urls, Prefix: "A_b"}, "wildcard": {URLs: urls, Prefix: "a*"},
		"shards": {URLs: urls, Shards: opensearch.ShardsMax + 1}, "CA": {URLs: urls, CA: []byte("none")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := opensearch.Open(cfg)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "u:p")
		})
	}
}

// Writers that want to be seen share refreshes, and none is told it is seen before it is.
func TestRefreshesAreShared(t *testing.T) {
	t.Parallel()
	server := opensearchtest.Start(t, opensearchtest.Options{})
	engine := ready(t, to(server))
	docs := documents(40)
	server.Requests()
	var all sync.WaitGroup
	for i := range docs {
		all.Go(func() {
			if err := engine.Index(t.Context(), docs[i:i+1]); err != nil {
				t.Error(err)
				return
			}
			result, err := engine.Search(t.Context(), search.Query{Account: account, Limit: 100})
			if err != nil || !contains(result.Images, docs[i].Image) {
				t.Errorf("what was written is not seen: %v", err)
			}
		})
	}
	all.Wait()
	refreshes := 0
	for _, request := range server.Requests() {
		if request == "POST _refresh" {
			refreshes++
		}
	}
	require.Positive(t, refreshes)
	require.LessOrEqual(t, refreshes, len(docs))
	// While an index is built nobody looks at it.
	require.NoError(t, engine.Clear(t.Context()))
	server.Requests()
	require.NoError(t, engine.Index(t.Context(), docs))
	require.NotContains(t, server.Requests(), "POST _refresh")
}
