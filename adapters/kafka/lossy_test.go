package kafka

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lossy are connections that break on command: after a request was sent whole and answered, or in the middle of it.
type lossy struct {
	net.Conn
	swallow, cut *atomic.Bool
}

var errBroken = errors.New("the connection is broken")

// requestMin is more than any request has that carries no records.
const requestMin = 2000

// Write sends half of a long request, if that is its fate.
func (c lossy) Write(b []byte) (int, error) {
	if len(b) < requestMin || !c.cut.CompareAndSwap(true, false) {
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:len(b)/2])
	_ = c.Conn.Close()
	return n, errBroken
}

// Read waits for the answer and loses it, if that is its fate.
func (c lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.swallow.CompareAndSwap(true, false) {
		_ = c.Conn.Close()
		return 0, errBroken
	}
	return n, err
}

// Records are long enough to make batches longer than other requests.
func batchOf(first, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		number := Header{Key: "n", Value: []byte(strconv.Itoa(first + i))}
		records[i] = Record{Value: make([]byte, requestMin), Headers: []Header{number}}
	}
	return records
}

func TestBrokenConnectionsMakeNoDuplicatesAndNoGaps(t *testing.T) {
	t.Parallel()
	const batches, perBatch = 60, 3
	p := newProducer(t)
	var swallow, cut atomic.Bool
	p.cluster.transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return lossy{conn, &swallow, &cut}, err
	}
	p.cluster.transport.CloseIdleConnections() // those were not ours
	ordered, err := NewOrderedPublisher(p.cluster, PublisherConfig{})
	require.NoError(t, err)
	for i := range batches {
		swallow.Store(i%3 == 1)
		cut.Store(i%3 == 2)
		last, err := ordered.PublishBatch(t.Context(), p.to.topic, p.to.partition, batchOf(i*perBatch, perBatch))
		require.NoError(t, err)
		require.EqualValues(t, (i+1)*perBatch-1, last)
	}
	require.Len(t, ordered.producers, 1)
	require.EqualValues(t, batches*perBatch, ordered.producers[p.to].next.sequence, "one producer id all the time")

	reader, err := NewPartitionReader(p.cluster, ReaderConfig{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next := 0
	require.NoError(t, reader.ReadPartitions(ctx, p.to.topic, func(int) int64 { return FirstOffset },
		func(_ context.Context, _ int, records []Record) error {
			for _, r := range records {
				require.Equal(t, strconv.Itoa(next), string(r.Headers[0].Value))
				next++
			}
			if next == batches*perBatch {
				cancel()
			}
			return nil
		}))
	require.EqualValues(t, batches*perBatch, p.end(t))
}
