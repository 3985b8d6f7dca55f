// Package kafkatest gives tests a broker: those of KAFKA_BROKERS, else one in this process.
package kafkatest

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kfake"
)

// wipeMax bounds the deletion of topics.
const wipeMax = 30 * time.Second

// Real reports whether the brokers are real ones, which all tests share.
func Real() bool { return os.Getenv("KAFKA_BROKERS") != "" }

// Shared returns brokers on which other tests may have topics, too.
func Shared(t testing.TB) []string {
	t.Helper()
	if Real() {
		return strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	}
	broker, err := kfake.New(kfake.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return []string{broker.Addr()}
}

// alone is held by the test that has the real brokers for itself. Packages must be tested one after the other.
var alone sync.Mutex

// Own returns brokers without topics, for a test that uses the names of the product. With real brokers such tests
// wait for each other, and whatever is there is deleted.
func Own(t testing.TB) []string {
	t.Helper()
	addrs := Shared(t)
	if Real() {
		alone.Lock()
		t.Cleanup(alone.Unlock)
		Wipe(t, addrs)
	}
	return addrs
}

// Wipe deletes every topic, and returns when they are gone.
func Wipe(t testing.TB, addrs []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wipeMax)
	defer cancel()
	transport := &kafkago.Transport{MetadataTTL: time.Second / 10}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(addrs...), Transport: transport}
	for {
		names := topics(t, addrs[0])
		if len(names) == 0 {
			return
		}
		res, err := client.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: names})
		require.NoError(t, err)
		require.Len(t, res.Errors, len(names))
		select {
		case <-ctx.Done():
			require.FailNow(t, "topics were not deleted in time", names)
		case <-time.After(wipeMax / 1000):
		}
	}
}

// topics asks the broker itself, because a pooled client answers from its cache.
func topics(t testing.TB, addr string) []string {
	t.Helper()
	conn, err := kafkago.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	parts, err := conn.ReadPartitions()
	require.NoError(t, err)
	seen := map[string]bool{}
	var names []string
	for _, p := range parts {
		if !seen[p.Topic] && !strings.HasPrefix(p.Topic, "__") {
			seen[p.Topic] = true
			names = append(names, p.Topic)
		}
	}
	return names
}
