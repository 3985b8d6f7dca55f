package kfake_test

import (
	"log/slog"
	"net"
	"strconv"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/kfake"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestConfigValidateReportsEveryField(t *testing.T) {
	t.Parallel()
	err := kfake.Config{Port: -1, SyncWrites: true}.Validate()
	require.ErrorContains(t, err, "port")
	require.ErrorContains(t, err, "data folder")
	require.ErrorContains(t, err, "logger")
}

func TestBrokerListensOnTheLoopbackOnly(t *testing.T) {
	t.Parallel()
	broker, err := kfake.New(kfake.Config{Logger: quiet()})
	require.NoError(t, err)
	defer broker.Close()
	host, _, err := net.SplitHostPort(broker.Addr())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
}

func TestBrokerRefusesATakenPort(t *testing.T) {
	t.Parallel()
	first, err := kfake.New(kfake.Config{Logger: quiet()})
	require.NoError(t, err)
	defer first.Close()
	_, err = kfake.New(kfake.Config{Port: port(t, first), Logger: quiet()})
	require.ErrorContains(t, err, "start embedded kafka")
}

func TestBrokerKeepsItsTopicsAndRecordsOverARestart(t *testing.T) {
	t.Parallel()
	cfg := kfake.Config{DataDir: t.TempDir(), Logger: quiet()}
	broker, err := kfake.New(cfg)
	require.NoError(t, err)
	conn, err := kafkago.DialContext(t.Context(), "tcp", broker.Addr())
	require.NoError(t, err)
	require.NoError(t, conn.CreateTopics(kafkago.TopicConfig{Topic: "kept", NumPartitions: 1, ReplicationFactor: 1}))
	require.NoError(t, conn.Close())
	leader, err := kafkago.DialLeader(t.Context(), "tcp", broker.Addr(), "kept", 0)
	require.NoError(t, err)
	_, err = leader.WriteMessages(kafkago.Message{Value: []byte("one")})
	require.NoError(t, err)
	require.NoError(t, leader.Close())
	cfg.Port = port(t, broker)
	broker.Close()
	broker.Close()

	again, err := kfake.New(cfg)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, broker.Addr(), again.Addr())
	leader, err = kafkago.DialLeader(t.Context(), "tcp", again.Addr(), "kept", 0)
	require.NoError(t, err)
	defer leader.Close()
	msg, err := leader.ReadMessage(1 << 20)
	require.NoError(t, err)
	require.Equal(t, "one", string(msg.Value))
}

func port(t *testing.T, broker *kfake.Broker) int {
	t.Helper()
	_, text, err := net.SplitHostPort(broker.Addr())
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
