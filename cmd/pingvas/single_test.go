package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3dev"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/internal/porttest"
)

// runner is a command that runs until its context ends.
type runner interface {
	Run(ctx context.Context, log *slog.Logger) error
}

// Every role as a program of its own, with nothing in common but the given Postgres, Kafka and S3.
func TestRolesRunAlone(t *testing.T) {
	t.Parallel()
	systems, err := startEmbedded(t.Context(), pgtest.DataDir(t), devPorts{}, quiet())
	require.NoError(t, err)
	t.Cleanup(systems.close)
	addr := porttest.Addr(t)
	ledger := ledgerSettings{DatabaseURL: systems.DatabaseURL, MasterKey: systems.master}
	brokers := kafkaSettings{Brokers: systems.Brokers}
	pictures := pictureSettings{
		Endpoint: systems.S3Endpoint, Region: s3dev.Region, Bucket: "pictures",
		AccessKey: systems.s3Access, SecretKey: systems.s3Secret,
	}
	base := outboxCmd{ledger, brokers, processSettings{}}
	migration := migrateCmd{ledger, brokers, pictures, 3}
	require.NoError(t, migration.Run(t.Context(), quiet()))
	require.NoError(t, migration.Run(t.Context(), quiet()), "again")

	stop := runAll(t,
		&apiCmd{ledger, brokers, pictures, apiSettings{
			Addr: addr, WorkerTokens: []string{systems.worker}, SearchDir: filepath.Join(t.TempDir(), "search"),
		}, searchSettings{}},
		&base, &projectCmd{outboxCmd: base}, &dispatchCmd{base}, &settleCmd{base},
		&scheduleCmd{ledger, processSettings{}, digestSettings{DigestEvery: time.Hour}},
		&workSystemCmd{brokers, pictures, processSettings{}},
		&workGPUCmd{brokers, workerSettings{
			APIURL: "http://" + addr, Token: systems.worker, Slots: 2, Grace: time.Second,
			engineSettings: engineSettings{Engine: engineSketch}, Probes: "127.0.0.1:0",
		}, processSettings{}},
	)
	awaitReady(t, "http://"+addr)
	var out bytes.Buffer
	require.NoError(t, demo(t).drive(t.Context(), "http://"+addr, &out), out.String())
	stop()

	verify := verifyCmd{toolSettings{DatabaseURL: ledger.DatabaseURL, MasterKey: ledger.MasterKey}, true}
	require.NoError(t, verify.Run(t.Context(), quiet()))
}

// runAll runs the commands until the returned function is called; all of them must then end without an error.
func runAll(t *testing.T, commands ...runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	errs := make(chan error, len(commands))
	for _, c := range commands {
		all.Go(func() {
			if err := c.Run(ctx, quiet()); err != nil {
				errs <- fmt.Errorf("%T: %w", c, err)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func awaitReady(t *testing.T, url string) {
	t.Helper()
	probe := http.Client{Timeout: time.Second}
	require.Eventually(t, func() bool {
		response, err := probe.Get(url + "/ready")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	}, readyMax, 20*time.Millisecond)
}
