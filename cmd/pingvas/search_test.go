package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/opensearch/opensearchtest"
	"github.com/pingvas/pingvas/adapters/s3dev"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/internal/porttest"
)

// With a search server any number of API processes search: one process fills the index, and each of them finds what
// was made through another. The server is away when they start, which keeps nobody from starting.
func TestSeveralAPIsSearchOneServer(t *testing.T) {
	t.Parallel()
	systems, err := startEmbedded(t.Context(), pgtest.DataDir(t), devPorts{}, quiet())
	require.NoError(t, err)
	t.Cleanup(systems.close)
	ledger := ledgerSettings{DatabaseURL: systems.DatabaseURL, MasterKey: systems.master}
	brokers := kafkaSettings{Brokers: systems.Brokers}
	pictures := pictureSettings{
		Endpoint: systems.S3Endpoint, Region: s3dev.Region, Bucket: "pictures",
		AccessKey: systems.s3Access, SecretKey: systems.s3Secret,
	}
	migration := migrateCmd{ledger, brokers, pictures, 2}
	require.NoError(t, migration.Run(t.Context(), quiet()))

	server := opensearchtest.Start(t, opensearchtest.Options{Nori: true, User: "u", Password: "p", TLS: true})
	server.Break(opensearchtest.Fault{Status: http.StatusServiceUnavailable})
	searching := searchSettings{
		URLs: []string{server.URL}, User: "u", Password: "p", Prefix: "pv", Shards: 1,
		CA: filepath.Join(t.TempDir(), "ca.pem"),
	}
	require.NoError(t, os.WriteFile(searching.CA, server.CA, 0o600))
	base := outboxCmd{ledger, brokers, processSettings{}}
	commands := []runner{
		&base, &projectCmd{outboxCmd: base, searchSettings: searching}, &dispatchCmd{base}, &settleCmd{base},
	}
	addrs := []string{porttest.Addr(t), porttest.Addr(t)}
	for _, addr := range addrs {
		serving := apiSettings{Addr: addr, WorkerTokens: []string{systems.worker}, SearchDir: "not used"}
		commands = append(commands, &apiCmd{ledger, brokers, pictures, serving, searching})
	}
	commands = append(commands, &workGPUCmd{brokers, workerSettings{
		APIURL: "http://" + addrs[0], Token: systems.worker, Slots: 2, Grace: time.Second,
		engineSettings: engineSettings{Engine: engineSketch}, Probes: "127.0.0.1:0",
	}, processSettings{}})
	runAll(t, commands...)
	for _, addr := range addrs {
		awaitReady(t, "http://"+addr)
	}
	server.Mend()
	for _, addr := range addrs {
		require.Eventually(t, func() bool { return server.Answers("pv") }, readyMax, 20*time.Millisecond)
		var out bytes.Buffer
		require.NoError(t, demo(t).drive(t.Context(), "http://"+addr, &out), out.String())
	}
}

func TestSearchSettings(t *testing.T) {
	t.Parallel()
	require.Empty(t, searchSettings{User: "ignored without a server"}.errors())
	urls := []string{"https://search.example.com"}
	require.Empty(t, searchSettings{URLs: urls, User: "u", Password: "p"}.errors())
	for _, wrong := range []searchSettings{
		{URLs: []string{"search:9200"}}, {URLs: urls, User: "u"}, {URLs: urls, CA: "no such file"}, {URLs: urls, Shards: -1},
	} {
		require.NotEmpty(t, wrong.errors())
	}
}

func TestSearchMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	o := newSearchObserver(registry)
	o.Retried(3)
	o.Korean(true)
	require.InDelta(t, 1, testutil.ToFloat64(o.nori), 0)
	o.Korean(false)
	require.InDelta(t, 0, testutil.ToFloat64(o.nori), 0)
	require.InDelta(t, 3, testutil.ToFloat64(o.retried), 0)
}
