package main

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/adapters/s3dev"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/internal/kafkatest"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/internal/porttest"
)

// convergeMax is far above what a wiped cluster needs.
const convergeMax = 2 * time.Minute

// city is everything outside of the roles, and how to start them.
type city struct {
	*embedded
	addr     string
	ledger   ledgerSettings
	brokers  kafkaSettings
	pictures pictureSettings
	search   string
}

func newCity(t *testing.T) *city {
	t.Helper()
	systems, err := startEmbedded(t.Context(), pgtest.DataDir(t), devPorts{}, quiet())
	require.NoError(t, err)
	t.Cleanup(systems.close)
	c := &city{
		embedded: systems, addr: porttest.Addr(t), search: filepath.Join(t.TempDir(), "search"),
		ledger:  ledgerSettings{DatabaseURL: systems.DatabaseURL, MasterKey: systems.master},
		brokers: kafkaSettings{Brokers: kafkatest.Own(t)},
		pictures: pictureSettings{
			Endpoint: systems.S3Endpoint, Region: s3dev.Region, Bucket: "pictures",
			AccessKey: systems.s3Access, SecretKey: systems.s3Secret,
		},
	}
	migration := migrateCmd{c.ledger, c.brokers, c.pictures, 3}
	require.NoError(t, migration.Run(t.Context(), quiet()))
	return c
}

// start runs all roles, the worker only if it is wanted.
func (c *city) start(t *testing.T, worker bool) (stop func()) {
	t.Helper()
	base := outboxCmd{c.ledger, c.brokers, processSettings{}}
	roles := []runner{
		&apiCmd{c.ledger, c.brokers, c.pictures, apiSettings{
			Addr: c.addr, WorkerTokens: []string{c.worker}, SearchDir: c.search,
		}, searchSettings{}},
		&base, &projectCmd{outboxCmd: base}, &dispatchCmd{base}, &settleCmd{base},
		&scheduleCmd{c.ledger, processSettings{}, digestSettings{DigestEvery: time.Hour}},
		&workSystemCmd{c.brokers, c.pictures, processSettings{}},
	}
	if worker {
		roles = append(roles, &workGPUCmd{c.brokers, workerSettings{
			APIURL: "http://" + c.addr, Token: c.embedded.worker, Slots: 2, Grace: time.Second,
			engineSettings: engineSettings{Engine: engineSketch}, Probes: "127.0.0.1:0",
		}, processSettings{}})
	}
	stop = runAll(t, roles...)
	awaitReady(t, "http://"+c.addr)
	return stop
}

// Every topic is deleted, once while nothing runs and jobs are open, and once while everything runs. Nobody does
// anything about it but start the roles: the open jobs are done, new ones too, and the topic holds the whole ledger.
func TestEverythingComesBackAfterAllTopicsWereDeleted(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	ctx, cancel := context.WithTimeout(t.Context(), convergeMax)
	defer cancel()
	var out bytes.Buffer
	customer, api := demo(t), newClient("http://"+c.addr)
	stop := c.start(t, true)
	require.NoError(t, customer.drive(ctx, api.url, &out), out.String())
	stop()

	stop = c.start(t, false)
	require.NoError(t, customer.openAccount(ctx, api, &out), out.String())
	open, err := customer.request(ctx, api, &out)
	require.NoError(t, err, out.String())
	stop()
	kafkatest.Wipe(t, c.brokers.Brokers)
	stop = c.start(t, true)
	require.NoError(t, api.watch(ctx, open.Links.Events, printFrame(api, &out)))
	done, err := customer.picture(ctx, api, open.Links.Self, &out)
	require.NoError(t, err, out.String())
	require.NoError(t, customer.find(ctx, api, done, &out), out.String())
	c.requireWholeLedger(t)

	kafkatest.Wipe(t, c.brokers.Brokers)
	require.NoError(t, customer.drive(ctx, api.url, &out), out.String())
	c.requireWholeLedger(t)
	stop()

	verify := verifyCmd{toolSettings{DatabaseURL: c.ledger.DatabaseURL, MasterKey: c.ledger.MasterKey}, true}
	require.NoError(t, verify.Run(t.Context(), quiet()))
}

// requireWholeLedger waits until the topic holds every event of the ledger.
func (c *city) requireWholeLedger(t *testing.T) {
	t.Helper()
	p := newParts(quiet())
	defer p.close()
	require.NoError(t, p.openLedger(t.Context(), c.ledger))
	require.NoError(t, p.connectKafka(t.Context(), c.brokers, "test")) // creates no topics
	require.Eventually(t, func() bool {
		_, err := kafka.NewAdmin(p.kafka).Lag(t.Context(), "none", eventstore.Topic)
		return err == nil
	}, convergeMax, 100*time.Millisecond)
	heads, err := p.store.Heads(t.Context())
	require.NoError(t, err)
	missing := map[eventstore.Position]bool{}
	for shard, h := range heads {
		for pos := int64(1); pos <= h.Pos; pos++ {
			missing[eventstore.Position{Shard: shard, Pos: pos}] = true
		}
	}
	require.NotEmpty(t, missing)
	reader, err := kafka.NewPartitionReader(p.kafka, kafka.ReaderConfig{})
	require.NoError(t, err)
	ctx, done := context.WithTimeout(t.Context(), convergeMax)
	defer done()
	var mu sync.Mutex
	require.NoError(t, reader.ReadPartitions(ctx, eventstore.Topic, func(int) int64 { return kafka.FirstOffset },
		func(_ context.Context, _ int, records []kafka.Record) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range records {
				e, err := eventstore.FromWire(header(r), r.Value)
				if err != nil {
					return err
				}
				delete(missing, e.Position())
			}
			if len(missing) == 0 {
				done()
			}
			return nil
		}))
	require.Empty(t, missing)
}
