package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pingvas/pingvas/adapters/kfake"
	"github.com/pingvas/pingvas/adapters/pgserver"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

// instanceFile in the data folder tells tools how to reach the running instance.
const instanceFile = "instance.json"

// stopMax bounds the stop of one embedded part.
const stopMax = 15 * time.Second

// instance is what instanceFile holds. It grants access to the whole ledger, so only its owner may read it.
type instance struct {
	DatabaseURL string   `json:"database_url"`
	Brokers     []string `json:"kafka_brokers"`
	S3Endpoint  string   `json:"s3_endpoint"`
	APIURL      string   `json:"api_url"`
	Process     int      `json:"process"`
}

// embedded are the outside systems of one data folder, run by this process.
type embedded struct {
	instance
	dir                string
	master, worker     string
	admin              string
	s3Access, s3Secret string

	// database fails when the private Postgres ends by itself.
	database role
	closers  []func()
}

// startEmbedded locks the data folder and starts Postgres, Kafka and S3 on it.
func startEmbedded(ctx context.Context, dir string, ports devPorts, log *slog.Logger) (*embedded, error) {
	e := &embedded{dir: dir}
	if err := e.start(ctx, ports, log); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *embedded) start(ctx context.Context, ports devPorts, log *slog.Logger) error {
	if err := os.MkdirAll(e.dir, 0o711); err != nil { // the database's own user must be able to pass through
		return fmt.Errorf("create the data folder: %w", err)
	}
	lock, err := lockFolder(e.dir)
	if err != nil {
		return err
	}
	e.onClose(func() { _ = lock.Close() })
	if err := e.secrets(); err != nil {
		return err
	}
	if err := e.startPostgres(ctx, ports.Postgres, log); err != nil {
		return err
	}
	if err := e.startKafka(ports.Kafka, log); err != nil {
		return err
	}
	return e.startS3(ports.S3)
}

func (e *embedded) secrets() error {
	var errs []error
	for name, secret := range map[string]*string{
		"master.key": &e.master, "worker.token": &e.worker, "admin.token": &e.admin,
		"s3.access": &e.s3Access, "s3.secret": &e.s3Secret,
	} {
		var err error
		*secret, err = secretFile(e.dir, name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *embedded) startPostgres(ctx context.Context, port int, log *slog.Logger) error {
	server, err := startPostgres(ctx, e.dir, port, log)
	if err != nil {
		return err
	}
	e.DatabaseURL = server.URL("postgres")
	e.database = role{"postgres", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-server.Done():
			return errors.New("the private Postgres has ended; its log is in the data folder")
		}
	}}
	e.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopMax)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			log.Error("Postgres did not stop cleanly", "error", err)
		}
	})
	return nil
}

func startPostgres(ctx context.Context, dir string, port int, log *slog.Logger) (*pgserver.Server, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	server, err := pgserver.Start(ctx, pgserver.Config{
		DataDir: filepath.Join(dir, "postgres"), CacheDir: filepath.Join(cache, "pingvas"), Port: port, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the private Postgres (or give DATABASE_URL to the single roles): %w", err)
	}
	return server, nil
}

func (e *embedded) startKafka(port int, log *slog.Logger) error {
	broker, err := kfake.New(kfake.Config{
		DataDir: filepath.Join(e.dir, "kafka"), Port: port, Trimmed: trimmed(), Logger: log,
	})
	if err != nil {
		return fmt.Errorf("start the embedded Kafka: %w", err)
	}
	e.Brokers = []string{broker.Addr()}
	e.onClose(broker.Close)
	return nil
}

func (e *embedded) startS3(port int) error {
	server, err := s3dev.Start(s3dev.Config{
		DataDir: filepath.Join(e.dir, "pictures"), Addr: fmt.Sprintf("127.0.0.1:%d", port),
		AccessKey: e.s3Access, SecretKey: e.s3Secret,
	})
	if err != nil {
		return fmt.Errorf("start the embedded S3: %w", err)
	}
	e.S3Endpoint = server.Endpoint()
	e.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopMax)
		defer cancel()
		_ = server.Close(ctx) // whatever is cut off was not acknowledged
	})
	return nil
}

// publish writes the instance file, and removes it at the end.
func (e *embedded) publish() error {
	e.Process = os.Getpid()
	text, err := json.MarshalIndent(e.instance, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the instance file: %w", err)
	}
	path := filepath.Join(e.dir, instanceFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the instance file: %w", err)
	}
	e.onClose(func() { _ = os.Remove(path) })
	return nil
}

func (e *embedded) onClose(f func()) { e.closers = append(e.closers, f) }

func (e *embedded) close() {
	for i := len(e.closers) - 1; i >= 0; i-- {
		e.closers[i]()
	}
	e.closers = nil
}
