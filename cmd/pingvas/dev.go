package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/pingvas/pingvas/adapters/s3dev"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/projections"
)

// devShards is the number of shards of a new development ledger.
const devShards = 16

// readyMax bounds the time until everything answers.
const (
	readyMax   = time.Minute
	readyEvery = 20 * time.Millisecond
)

// devPorts are the ports of an instance; 0 takes a free one.
type devPorts struct {
	Addr     string `name:"addr" env:"PINGVAS_ADDR" default:"127.0.0.1:8080" help:"Address of the API and the web app."`
	Postgres int    `name:"postgres-port" env:"PINGVAS_POSTGRES_PORT" default:"0" help:"Port of the private Postgres; 0 takes a free one."`
	Kafka    int    `name:"kafka-port" env:"PINGVAS_KAFKA_PORT" default:"0" help:"Port of the embedded Kafka; 0 takes a free one."`
	S3       int    `name:"s3-port" env:"PINGVAS_S3_PORT" default:"0" help:"Port of the embedded S3; 0 takes a free one."`
}

// devCmd is `pingvas dev`.
type devCmd struct {
	Data string `env:"PINGVAS_DATA" default:".pingvas" help:"Data folder. A second start goes on where the first stopped."`
	devPorts
	Slots int           `env:"PINGVAS_WORKER_SLOTS" default:"1" help:"Jobs at once."`
	Grace time.Duration `env:"PINGVAS_WORKER_GRACE" default:"20s" help:"How long a job may go on after Ctrl-C; else it is handed back."`
	engineSettings
}

// Run implements the command.
func (c *devCmd) Run(ctx context.Context, log *slog.Logger) error {
	start := time.Now()
	running, ended, err := c.startReady(ctx, log)
	if err != nil {
		return err
	}
	fmt.Printf("pingvas is ready after %s: %s\n", time.Since(start).Round(time.Millisecond), running.url)
	if webApp() == nil {
		fmt.Println("This binary was built without the web app (make build needs npm). The API is described at /docs.")
	}
	fmt.Printf("data in %s, verify it with: pingvas audit verify --data %q\n", running.dir, c.Data)
	return <-ended
}

// startReady starts an instance, runs it until ctx ends, and returns when everything answers. The channel gets what the
// run came to.
func (c *devCmd) startReady(ctx context.Context, log *slog.Logger) (*devInstance, chan error, error) {
	running, err := c.start(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- running.run(ctx) }()
	return running, ended, running.ready(ctx, ended)
}

// devInstance is a started instance whose roles do not run yet.
type devInstance struct {
	*embedded
	parts  *parts
	url    string
	log    *slog.Logger
	stages [][]role
}

// start brings up the embedded parts and makes all roles.
func (c *devCmd) start(ctx context.Context, log *slog.Logger) (*devInstance, error) {
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	err = check(checkWork(c.Slots, c.Grace), c.engineSettings.errors(), checkHostPort("PINGVAS_ADDR", c.Addr))
	if err != nil {
		return nil, err
	}
	e, err := startEmbedded(ctx, dir, c.devPorts, log)
	if err != nil {
		return nil, err
	}
	d := &devInstance{embedded: e, parts: newParts(log), log: log}
	if err := d.make(ctx, c); err != nil {
		d.parts.close()
		e.close()
		return nil, err
	}
	return d, nil
}

func (d *devInstance) make(ctx context.Context, c *devCmd) error {
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Addr, err)
	}
	d.url = "http://" + listener.Addr().String()
	d.APIURL = d.url
	if err := d.connect(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := d.makeRoles(ctx, c, listener); err != nil {
		return errors.Join(err, listener.Close())
	}
	return d.publish()
}

// connect opens the shared parts on the embedded systems.
func (d *devInstance) connect(ctx context.Context) error {
	if err := migrate(ctx, d.DatabaseURL, devShards); err != nil {
		return err
	}
	if err := d.parts.openLedger(ctx, ledgerSettings{DatabaseURL: d.DatabaseURL, MasterKey: d.master}); err != nil {
		return err
	}
	if err := d.parts.openKafka(ctx, kafkaSettings{Brokers: d.Brokers, Replicas: 1}, "dev"); err != nil {
		return err
	}
	err := d.parts.openPictures(ctx, pictureSettings{
		Endpoint: d.S3Endpoint, Region: s3dev.Region, Bucket: "pingvas", AccessKey: d.s3Access, SecretKey: d.s3Secret,
	})
	if err != nil {
		return err
	}
	return d.parts.pictures.EnsureBucket(ctx)
}

// makeRoles makes the stages in the order in which they stop.
func (d *devInstance) makeRoles(ctx context.Context, c *devCmd, listener net.Listener) error {
	p, signal, hub := d.parts, &projections.Signal{}, api.NewHub()
	worker, err := p.workerRoles(workerSettings{
		APIURL: d.url, Token: d.worker, Slots: c.Slots, Grace: c.Grace, engineSettings: c.engineSettings,
	})
	if err != nil {
		return err
	}
	engine, searchRoles, err := p.openBleve(ctx, filepath.Join(d.dir, "search"), signal)
	if err != nil {
		return err
	}
	q, err := p.newQueries(engine, signal)
	if err != nil {
		return err
	}
	server, err := p.newAPI(apiSettings{WorkerTokens: []string{d.worker}, AdminTokens: []string{d.admin}}, q, hub)
	if err != nil {
		return err
	}
	views, err := p.viewRoles(signal)
	if err != nil {
		return err
	}
	rest := append(append(views, searchRoles...), role{"feed", p.feed.Run}, p.topicsRole(1))
	rest = append(rest, p.feedHub(hub)...)
	for _, make := range []func() (role, error){
		func() (role, error) { return p.outboxRole(ctx) },
		func() (role, error) { return p.dispatchRole(q) },
		p.settleRole,
		p.systemRole,
		func() (role, error) { return p.scheduleRole(q) },
	} {
		r, err := make()
		if err != nil {
			return err
		}
		rest = append(rest, r)
	}
	rest = append(rest, d.database, p.digestRole(digestEveryDefault))
	d.stages = [][]role{worker, {apiRole(server, listener)}, rest}
	return p.setupViews(ctx)
}

// run runs all roles until ctx ends, and then stops everything.
func (d *devInstance) run(ctx context.Context) error {
	defer d.embedded.close()
	defer d.parts.close()
	err := runStages(ctx, d.log, d.stages...)
	d.log.Info("pingvas has stopped")
	return err
}

// ready waits until the API says that everything works.
func (d *devInstance) ready(ctx context.Context, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if isReady(ctx, d.url) {
			return nil
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("pingvas ended before it was ready"), err)
		case <-ctx.Done():
			return fmt.Errorf("wait until everything is ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// probeMax bounds one question whether an instance is ready.
const probeMax = time.Second

// isReady asks the instance at a URL once.
func isReady(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ready", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
