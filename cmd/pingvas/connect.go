package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/vault"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/projections"
)

// poolConnsMax bounds the connections of one process to the ledger, and again to the read models.
const poolConnsMax = 32

// readConnsMax bounds the connections that answer questions. More than a few for each processor answer no more of them,
// and let each wait longer: 64 clients on two processors had a p99 of 19 ms with 32 connections and 8 ms with 8.
func readConnsMax() int32 { return int32(min(max(8, 4*runtime.NumCPU()), poolConnsMax)) }

// parts are what the roles of one process share. Each is there if the role asked for it.
type parts struct {
	log      *slog.Logger
	metrics  *prometheus.Registry
	observer *observer

	pool *pgxpool.Pool
	// views connects as the application's role, which sees nothing in the read models until it takes on another.
	views *pgxpool.Pool
	// readers does, too, for questions: few connections, which all of them share.
	readers *pgxpool.Pool
	store   *postgres.Store
	vault   *vault.Vault
	codec   *eventstore.Codec
	ledger  *commands.Ledger
	master  []byte
	// leaseMin is for the ledger of a role that gives leases; zero means the default.
	leaseMin time.Duration

	searchServer *opensearch.Engine // nil with the embedded index

	// pace is what the feed has taught about how long models take.
	pace *commands.Pace

	kafka    *kafka.Cluster
	feed     *feed
	pictures *s3.Client
	// pictureOrigins are where browsers load pictures from.
	pictureOrigins []string

	closers []func()
	ballast []byte
}

func newParts(log *slog.Logger) *parts {
	p := &parts{log: log, metrics: prometheus.NewRegistry(), pace: &commands.Pace{}}
	p.observer = newObserver(p.metrics)
	p.metrics.MustRegister(newMemoryMetrics(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

// close lets go of everything, the newest first.
func (p *parts) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
}

func (p *parts) onClose(f func()) { p.closers = append(p.closers, f) }

// openLedger connects to a migrated ledger.
func (p *parts) openLedger(ctx context.Context, s ledgerSettings) error {
	var err error
	if p.master, err = s.master(); err != nil {
		return err
	}
	if p.pool, err = openPool(ctx, s.DatabaseURL, "", poolConnsMax); err != nil {
		return err
	}
	p.onClose(p.pool.Close)
	if p.views, err = openPool(ctx, s.DatabaseURL, projections.RoleApp, poolConnsMax); err != nil {
		return fmt.Errorf("reach the read models (has `pingvas migrate` run?): %w", err)
	}
	p.onClose(p.views.Close)
	if p.readers, err = openPool(ctx, s.DatabaseURL, projections.RoleApp, readConnsMax()); err != nil {
		return err
	}
	p.onClose(p.readers.Close)
	if p.store, err = postgres.Open(ctx, postgres.Config{Pool: p.pool}); err != nil {
		return fmt.Errorf("open the ledger (has `pingvas migrate` run?): %w", err)
	}
	wrapping, err := derive(p.master, "data keys")
	if err != nil {
		return err
	}
	if p.vault, err = vault.New(vault.Config{Pool: p.pool, MasterKey: wrapping}); err != nil {
		return err
	}
	if p.codec, err = eventstore.NewCodec(catalog.Events(), p.vault); err != nil {
		return err
	}
	p.ledger, err = commands.New(commands.Config{
		Store: p.store, Codec: p.codec, Snapshots: p.store, StateBytes: s.StateCache << 20, LeaseMin: p.leaseMin,
	})
	return err
}

// openPool connects as the login of the URL, or as a role that it may take on.
func openPool(ctx context.Context, url, role string, conns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL cannot be read") // pgx's text would hold the password
	}
	config.MaxConns = conns
	if role == "" {
		postgres.ByIndex(config)
	} else {
		projections.As(config, role)
	}
	postgres.WaitForCancelled(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to Postgres at %s:%d: %w", config.ConnConfig.Host, config.ConnConfig.Port, err)
	}
	return pool, nil
}

// migrate creates what is missing in the database.
func migrate(ctx context.Context, url string, shards int) error {
	if err := postgres.Migrate(ctx, url, shards); err != nil {
		return err
	}
	pool, err := openPool(ctx, url, "", poolConnsMax)
	if err != nil {
		return err
	}
	defer pool.Close()
	return errors.Join(vault.Migrate(ctx, pool), projections.Migrate(ctx, pool))
}

// openKafka connects to the brokers and creates the topics that are missing.
func (p *parts) openKafka(ctx context.Context, s kafkaSettings, role string) error {
	if err := p.connectKafka(ctx, s, role); err != nil {
		return err
	}
	return p.ensureTopics(ctx, s.Replicas)
}

// connectKafka connects to the brokers.
func (p *parts) connectKafka(ctx context.Context, s kafkaSettings, role string) error {
	config := kafka.Config{Brokers: s.Brokers, ClientID: "pingvas-" + role, Logger: p.log}
	var err error
	if config.TLS, err = s.tls(); err != nil {
		return err
	}
	if config.SASL, err = s.sasl(); err != nil {
		return err
	}
	if p.kafka, err = kafka.New(config); err != nil {
		return err
	}
	p.onClose(p.kafka.Close)
	if err := kafka.NewAdmin(p.kafka).Ping(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	p.feed, err = newFeed(p.kafka, p.log)
	return err
}

// tls returns nil for plain text.
func (s kafkaSettings) tls() (*tls.Config, error) {
	if !s.TLS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("read KAFKA_TLS_CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("KAFKA_TLS_CA holds no certificate")
		}
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("read KAFKA_TLS_CERT and KAFKA_TLS_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (s kafkaSettings) sasl() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "plain":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, nil
}

// openPictures connects to the picture store.
func (p *parts) openPictures(ctx context.Context, s pictureSettings) error {
	var err error
	p.pictures, err = s3.New(ctx, s3.Config{
		Endpoint: s.Endpoint, PublicEndpoint: s.Public, Region: s.Region, Bucket: s.Bucket,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, PathStyle: s.Endpoint != "",
	})
	for _, url := range []string{s.Endpoint, s.Public} {
		if o := origin(url); o != "" {
			p.pictureOrigins = append(p.pictureOrigins, o)
		}
	}
	return err
}

// workerName names this process in the ledger.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
