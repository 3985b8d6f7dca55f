package kfake_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kfake"
)

const (
	trimmedTopic = "trimmed"
	written      = 20
	newest       = 5
)

func TestTrimmedTopicsAreChecked(t *testing.T) {
	t.Parallel()
	err := kfake.Config{Trimmed: []kfake.Trimmed{{}, {Topic: "some"}}, Logger: quiet()}.Validate()
	require.ErrorContains(t, err, "name is required")
	require.ErrorContains(t, err, "some: newest 0")
}

// What every group has read goes, but for the newest records; what one of them has not read stays.
func TestTrimKeepsWhatAGroupHasNotRead(t *testing.T) {
	t.Parallel()
	cfg := kfake.Config{
		DataDir: t.TempDir(), Logger: quiet(),
		Trimmed: []kfake.Trimmed{{Topic: trimmedTopic, Newest: newest, Groups: []string{"quick", "slow"}}},
	}
	broker, err := kfake.New(cfg)
	require.NoError(t, err)
	write(t, broker, trimmedTopic, written)

	for _, step := range []struct {
		group     string
		committed int64
		start     int64
	}{
		{"quick", written, 0}, // the other one has read nothing
		{"slow", 1, 1},
		{"slow", 7, 7},
		{"slow", 3, 7}, // one that goes back finds what is still there
		{"slow", written, written - newest},
	} {
		commit(t, broker, step.group, step.committed)
		require.NoError(t, broker.Trim())
		require.Equal(t, step.start, logStart(t, broker, trimmedTopic), "after %s has read %d", step.group, step.committed)
	}
	require.NoError(t, broker.Trim())
	require.Equal(t, int64(written-newest), logStart(t, broker, trimmedTopic))

	cfg.Port = port(t, broker)
	broker.Close()
	broker, err = kfake.New(cfg)
	require.NoError(t, err)
	defer broker.Close()
	require.Equal(t, int64(written-newest), logStart(t, broker, trimmedTopic), "over a restart")
	conn := leader(t, broker, trimmedTopic)
	msg, err := conn.ReadMessage(1 << 20)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(written-newest), string(msg.Value))
}

func TestTrimLeavesOtherTopicsAlone(t *testing.T) {
	t.Parallel()
	broker, err := kfake.New(kfake.Config{
		Trimmed: []kfake.Trimmed{{Topic: trimmedTopic, Newest: newest}, {Topic: "missing", Newest: 1}}, Logger: quiet(),
	})
	require.NoError(t, err)
	defer broker.Close()
	write(t, broker, trimmedTopic, written)
	write(t, broker, "other", written)
	require.NoError(t, broker.Trim())
	require.Equal(t, int64(written-newest), logStart(t, broker, trimmedTopic))
	require.Zero(t, logStart(t, broker, "other"))
}

// write creates a topic of one partition and writes records to it, one at a time.
func write(t *testing.T, broker *kfake.Broker, topic string, records int) {
	t.Helper()
	conn, err := kafkago.DialContext(t.Context(), "tcp", broker.Addr())
	require.NoError(t, err)
	require.NoError(t, conn.CreateTopics(kafkago.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}))
	require.NoError(t, conn.Close())
	conn = leader(t, broker, topic)
	for i := range records {
		_, err := conn.WriteMessages(kafkago.Message{Value: []byte(strconv.Itoa(i))})
		require.NoError(t, err)
	}
}

func leader(t *testing.T, broker *kfake.Broker, topic string) *kafkago.Conn {
	t.Helper()
	conn, err := kafkago.DialLeader(t.Context(), "tcp", broker.Addr(), topic, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func logStart(t *testing.T, broker *kfake.Broker, topic string) int64 {
	t.Helper()
	first, err := leader(t, broker, topic).ReadFirstOffset()
	require.NoError(t, err)
	return first
}

// commit commits for a group that nobody is a member of.
func commit(t *testing.T, broker *kfake.Broker, group string, offset int64) {
	t.Helper()
	transport := &kafkago.Transport{Dial: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(broker.Addr()), Transport: transport}
	res, err := client.OffsetCommit(context.WithoutCancel(t.Context()), &kafkago.OffsetCommitRequest{
		GroupID: group, GenerationID: -1,
		Topics: map[string][]kafkago.OffsetCommit{trimmedTopic: {{Offset: offset}}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Topics[trimmedTopic][0].Error)
}
