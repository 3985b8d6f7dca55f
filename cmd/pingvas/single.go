package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/projections"
)

// single runs the roles of one process that works on given systems.
func single(
	ctx context.Context, log *slog.Logger, process processSettings, open func(*parts) ([][]role, error),
) error {
	p := newParts(log)
	defer p.close()
	stages, err := open(p)
	if err != nil {
		return err
	}
	if process.MetricsAddr != "" {
		metrics, err := p.metricsRole(process)
		if err != nil {
			return err
		}
		stages = append(stages, []role{metrics})
	}
	log.InfoContext(ctx, "started")
	err = runStages(ctx, log, stages...)
	log.InfoContext(ctx, "stopped")
	return err
}

// apiCmd is `pingvas api`.
type apiCmd struct {
	ledgerSettings
	kafkaSettings
	pictureSettings
	apiSettings
	searchSettings
}

// Run implements the command.
func (c *apiCmd) Run(ctx context.Context, log *slog.Logger) error {
	err := check(c.ledgerSettings.errors(), c.kafkaSettings.errors(), c.pictureSettings.errors(), c.apiSettings.errors(),
		c.searchSettings.errors())
	if err != nil {
		return err
	}
	return single(ctx, log, processSettings{}, func(p *parts) ([][]role, error) { return c.open(ctx, p) })
}

func (c *apiCmd) open(ctx context.Context, p *parts) ([][]role, error) {
	p.leaseMin, p.ballast = c.LeaseMin, newBallast(apiBallast)
	if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
		return nil, err
	}
	if err := p.openKafka(ctx, c.kafkaSettings, "api"); err != nil {
		return nil, err
	}
	if err := p.openPictures(ctx, c.pictureSettings); err != nil {
		return nil, err
	}
	signal, hub := &projections.Signal{}, api.NewHub()
	engine, searchRoles, err := p.openSearch(ctx, c.searchSettings, c.SearchDir, signal)
	if err != nil {
		return nil, err
	}
	q, err := p.newQueries(engine, nil)
	if err != nil {
		return nil, err
	}
	if err := p.setupViews(ctx); err != nil {
		return nil, err
	}
	server, err := p.newAPI(c.apiSettings, q, hub)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Addr, err)
	}
	rest := append(p.feedHub(hub), role{"feed", p.feed.Run}, role{"keep views", p.keepViews})
	rest = append(rest, searchRoles...)
	return [][]role{{apiRole(server, listener)}, rest}, nil
}

// outboxCmd is `pingvas outbox`.
type outboxCmd struct {
	ledgerSettings
	kafkaSettings
	processSettings
}

// Run implements the command.
func (c *outboxCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.ledgerAndKafka(ctx, log, "outbox", func(p *parts) ([]role, error) {
		r, err := p.outboxRole(ctx)
		return []role{r, p.topicsRole(c.Replicas)}, err
	})
}

// ledgerAndKafka runs roles that need both.
func (c *outboxCmd) ledgerAndKafka(
	ctx context.Context, log *slog.Logger, name string, makeRoles func(*parts) ([]role, error),
) error {
	if err := check(c.ledgerSettings.errors(), c.kafkaSettings.errors(), c.processSettings.errors()); err != nil {
		return err
	}
	return single(ctx, log, c.processSettings, func(p *parts) ([][]role, error) {
		if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
			return nil, err
		}
		if err := p.openKafka(ctx, c.kafkaSettings, name); err != nil {
			return nil, err
		}
		roles, err := makeRoles(p)
		return [][]role{roles}, err
	})
}

// projectCmd is `pingvas project`.
type projectCmd struct {
	outboxCmd
	searchSettings
}

// Run implements the command.
func (c *projectCmd) Run(ctx context.Context, log *slog.Logger) error {
	if err := check(c.ledgerSettings.errors(), c.kafkaSettings.errors(), c.searchSettings.errors()); err != nil {
		return err
	}
	return c.ledgerAndKafka(ctx, log, "project", func(p *parts) ([]role, error) {
		roles, err := p.viewRoles(nil)
		if err != nil {
			return nil, err
		}
		searching, err := p.fillServer(c.searchSettings)
		return append(append(roles, searching...), role{"feed", p.feed.Run}), err
	})
}

// dispatchCmd is `pingvas dispatch`.
type dispatchCmd struct{ outboxCmd }

// Run implements the command.
func (c *dispatchCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.ledgerAndKafka(ctx, log, "dispatch", func(p *parts) ([]role, error) {
		q, err := p.newQueries(nil, nil)
		if err != nil {
			return nil, err
		}
		r, err := p.dispatchRole(q)
		return []role{r, {"feed", p.feed.Run}, {"keep views", p.keepViews}}, err
	})
}

// settleCmd is `pingvas settle`.
type settleCmd struct{ outboxCmd }

// Run implements the command.
func (c *settleCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.ledgerAndKafka(ctx, log, "settle", func(p *parts) ([]role, error) {
		r, err := p.settleRole()
		return []role{r}, err
	})
}

// scheduleCmd is `pingvas schedule`.
type scheduleCmd struct {
	ledgerSettings
	processSettings
	digestSettings
}

// Run implements the command.
func (c *scheduleCmd) Run(ctx context.Context, log *slog.Logger) error {
	err := check(c.ledgerSettings.errors(), c.processSettings.errors(), c.digestSettings.errors())
	if err != nil {
		return err
	}
	return single(ctx, log, c.processSettings, func(p *parts) ([][]role, error) {
		if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
			return nil, err
		}
		q, err := p.newQueries(nil, nil)
		if err != nil {
			return nil, err
		}
		r, err := p.scheduleRole(q)
		return [][]role{{r, {"keep views", p.keepViews}, p.digestRole(c.DigestEvery)}}, err
	})
}

// workCmd is `pingvas work`.
type workCmd struct {
	System workSystemCmd `cmd:"" help:"Do the system's own work: remove the files of deleted images."`
	GPU    workGPUCmd    `cmd:"" name:"gpu" help:"Make pictures. Needs no database: it claims jobs through the internal API."`
}

// workGPUCmd is `pingvas work gpu`.
type workGPUCmd struct {
	kafkaSettings
	workerSettings
	processSettings
}

// Run implements the command.
func (c *workGPUCmd) Run(ctx context.Context, log *slog.Logger) error {
	if err := check(c.kafkaSettings.errors(), c.workerSettings.errors(), c.processSettings.errors()); err != nil {
		return err
	}
	return single(ctx, log, c.processSettings, func(p *parts) ([][]role, error) {
		if err := p.openKafka(ctx, c.kafkaSettings, "work-gpu"); err != nil {
			return nil, err
		}
		roles, err := p.workerRoles(c.workerSettings)
		return [][]role{roles}, err
	})
}

// workSystemCmd is `pingvas work system`.
type workSystemCmd struct {
	kafkaSettings
	pictureSettings
	processSettings
}

// Run implements the command.
func (c *workSystemCmd) Run(ctx context.Context, log *slog.Logger) error {
	if err := check(c.kafkaSettings.errors(), c.pictureSettings.errors(), c.processSettings.errors()); err != nil {
		return err
	}
	return single(ctx, log, c.processSettings, func(p *parts) ([][]role, error) {
		if err := p.openKafka(ctx, c.kafkaSettings, "work-system"); err != nil {
			return nil, err
		}
		if err := p.openPictures(ctx, c.pictureSettings); err != nil {
			return nil, err
		}
		r, err := p.systemRole()
		return [][]role{{r}}, err
	})
}

// migrateCmd is `pingvas migrate`.
type migrateCmd struct {
	ledgerSettings
	kafkaSettings
	pictureSettings
	Shards int `env:"PINGVAS_SHARDS" default:"16" help:"Shards of a new ledger, 1 to 256. They never change."`
}

// Run implements the command.
func (c *migrateCmd) Run(ctx context.Context, log *slog.Logger) error {
	var errs []error
	if c.Shards < 1 || c.Shards > shardsMax {
		errs = append(errs, fmt.Errorf("PINGVAS_SHARDS is %d and must be between 1 and %d", c.Shards, shardsMax))
	}
	err := check(c.ledgerSettings.errors(), c.kafkaSettings.errors(), c.pictureSettings.errors(), errs)
	if err != nil {
		return err
	}
	p := newParts(log)
	defer p.close()
	if err := migrate(ctx, c.DatabaseURL, c.Shards); err != nil {
		return err
	}
	if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
		return err
	}
	if err := p.setupViews(ctx); err != nil {
		return err
	}
	if err := p.openKafka(ctx, c.kafkaSettings, "migrate"); err != nil {
		return err
	}
	if err := p.openPictures(ctx, c.pictureSettings); err != nil {
		return err
	}
	if err := p.pictures.EnsureBucket(ctx); err != nil {
		return err
	}
	log.InfoContext(ctx, "the ledger, the topics and the bucket are there", "shards", p.store.Shards())
	return nil
}
