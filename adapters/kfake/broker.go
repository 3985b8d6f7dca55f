package kfake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

const maxPort = 65535

// segmentBytes is how large a file of a partition gets where topics are trimmed. A file is deleted when all that it
// holds has gone, so this is also what a trimmed partition takes at most beyond what is kept.
const segmentBytes = 2 << 20

// stateLogBytes is how large the logs of groups and producers get before the broker writes them anew. It reads them
// into memory for that, and answers nobody meanwhile: its own default is 10 MiB.
const stateLogBytes = 1 << 20

// Config says where the embedded broker listens and keeps its data.
type Config struct {
	// DataDir is the folder for topics, group offsets and producer ids. It is created when missing. Empty keeps
	// everything in memory.
	DataDir string
	// Port on 127.0.0.1; 0 takes a free one. A broker whose clients survive its restart needs a fixed port.
	Port int
	// SyncWrites flushes every batch to the disk before it is acknowledged: survives a power loss, about ten times
	// slower. It has no meaning without DataDir.
	SyncWrites bool
	// Trimmed are the topics of which only the newest records are kept.
	Trimmed []Trimmed
	// Logger receives warnings and errors of the broker. Required.
	Logger *slog.Logger
}

// Validate reports every invalid field at once.
func (c Config) Validate() error {
	var errs []error
	if c.Port < 0 || c.Port > maxPort {
		errs = append(errs, fmt.Errorf("port %d is outside 0..%d", c.Port, maxPort))
	}
	if c.SyncWrites && c.DataDir == "" {
		errs = append(errs, errors.New("sync writes need a data folder"))
	}
	for _, t := range c.Trimmed {
		errs = append(errs, t.validate())
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("logger is required"))
	}
	return errors.Join(errs...)
}

// Broker is a running embedded Kafka broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	log     *slog.Logger
	trimmed []Trimmed
	stop    context.CancelFunc // of the trimming
	ended   sync.WaitGroup     // it has
}

// New starts a broker and returns once it accepts connections. It fails when the configuration is invalid, the port
// is taken, or the data folder cannot be read.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded kafka config: %w", err)
	}
	settings := map[string]string{"state.log.compact.bytes": strconv.Itoa(stateLogBytes)}
	if len(cfg.Trimmed) > 0 {
		settings["log.segment.bytes"] = strconv.Itoa(segmentBytes)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(cfg.Port), kfake.WithLogger(logger{cfg.Logger}), kfake.BrokerConfigs(settings),
	}
	if cfg.DataDir != "" {
		opts = append(opts, kfake.DataDir(cfg.DataDir))
	}
	if cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start embedded kafka: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Broker{cluster: cluster, addr: cluster.ListenAddrs()[0], log: cfg.Logger, trimmed: cfg.Trimmed, stop: stop}
	if len(b.trimmed) > 0 {
		b.ended.Go(func() { b.trimming(ctx) })
	}
	return b, nil
}

// Addr returns the address of the broker as host:port, for a client's list of brokers.
func (b *Broker) Addr() string { return b.addr }

// Close writes the state to the data folder, if there is one, and stops the broker. It is safe to call twice.
func (b *Broker) Close() {
	b.stop()
	b.ended.Wait() // a closed cluster answers no question
	b.cluster.Close()
}

// logger passes on what an operator may have to act upon; kfake's info level is one line per request.
type logger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded kafka: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded kafka: " + fmt.Sprintf(format, args...))
	default:
	}
}
