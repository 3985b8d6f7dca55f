package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// toolSettings say on which ledger a tool works.
type toolSettings struct {
	Data        string `help:"Data folder of pingvas dev, running or not." default:".pingvas" env:"PINGVAS_DATA"`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"Postgres of the ledger; wins over the data folder."`
	MasterKey   string `name:"master-key" env:"PINGVAS_MASTER_KEY" help:"The ledger's master key, with --database-url."`
}

// open connects to the ledger. The returned function lets go of it.
func (c toolSettings) open(ctx context.Context, log *slog.Logger) (*parts, func(), error) {
	settings, closeLedger, err := c.ledger(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	p := newParts(log)
	done := func() {
		p.close()
		closeLedger()
	}
	if err = check(settings.errors()); err == nil {
		err = p.openLedger(ctx, settings)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return p, done, nil
}

// ledger finds the ledger: by settings, else the running instance of the data folder, else its private Postgres.
func (c toolSettings) ledger(ctx context.Context, log *slog.Logger) (ledgerSettings, func(), error) {
	nothing := func() {}
	if c.DatabaseURL != "" {
		return ledgerSettings{DatabaseURL: c.DatabaseURL, MasterKey: c.MasterKey}, nothing, nil
	}
	if _, err := os.Stat(filepath.Join(c.Data, "postgres")); errors.Is(err, fs.ErrNotExist) {
		return ledgerSettings{}, nothing, fmt.Errorf("there is no ledger in %s: give --data or --database-url", c.Data)
	}
	master, err := secretFile(c.Data, "master.key")
	if err != nil {
		return ledgerSettings{}, nothing, err
	}
	lock, err := lockFolder(c.Data)
	if errors.Is(err, errInUse) {
		running, err := readInstance(c.Data)
		return ledgerSettings{DatabaseURL: running.DatabaseURL, MasterKey: master}, nothing, err
	}
	if err != nil {
		return ledgerSettings{}, nothing, err
	}
	server, err := startPostgres(ctx, c.Data, 0, log)
	if err != nil {
		return ledgerSettings{}, nothing, errors.Join(err, lock.Close())
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMax)
		defer cancel()
		_ = server.Stop(ctx)
		_ = lock.Close()
	}
	return ledgerSettings{DatabaseURL: server.URL("postgres"), MasterKey: master}, stop, nil
}

func readInstance(dir string) (instance, error) {
	var running instance
	text, err := os.ReadFile(filepath.Join(dir, instanceFile))
	if err != nil {
		return running, fmt.Errorf("read how to reach the running instance: %w", err)
	}
	if err := json.Unmarshal(text, &running); err != nil {
		return running, fmt.Errorf("read how to reach the running instance: %w", err)
	}
	return running, nil
}
