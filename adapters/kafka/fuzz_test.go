package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A record becomes a message and a record again without losing what it says, and what a foreign producer says of the
// transport is not believed.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), "ce_id", []byte("3:1"), int64(1))
	f.Add([]byte(nil), []byte(nil), "kafka_partition", []byte("7"), int64(-1))
	f.Add([]byte("key"), []byte(nil), "", []byte("\xff"), int64(1<<62))
	f.Fuzz(func(t *testing.T, key, value []byte, name string, header []byte, millis int64) {
		in := Record{
			Topic: "t", Partition: 1, Offset: 2, Time: time.UnixMilli(millis), Key: key, Value: value,
			Headers: []Header{{Key: name, Value: header}},
		}
		msg := in.message()
		require.Equal(t, "1", msg.Metadata.Get(MetadataSourcePartition))
		require.Equal(t, "2", msg.Metadata.Get(MetadataSourceOffset))
		require.Empty(t, msg.Metadata.Get(MetadataPartition))
		require.Equal(t, len(key) > 0 && len(value) == 0, msg.Metadata.Get(MetadataTombstone) == "true")

		out, err := toKafkaGo("t", msg)
		require.NoError(t, err)
		require.Equal(t, string(key), string(out.Key))
		require.Equal(t, string(value), string(out.Value))
		for _, h := range out.Headers {
			require.False(t, strings.HasPrefix(h.Key, transportPrefix))
			if h.Key == name && (name != MetadataID || len(header) > 0) {
				require.Equal(t, string(header), string(h.Value))
			}
		}
	})
}

// A partition is a number from 0 or refused.
func FuzzPartition(f *testing.F) {
	for _, seed := range []string{"", "0", "-1", "+1", "2147483648", "1e3", " 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		msg := Record{}.message()
		msg.Metadata.Set(MetadataPartition, text)
		out, err := toKafkaGo("t", msg)
		if err == nil {
			require.GreaterOrEqual(t, out.WriterData.(int), 0)
		}
	})
}
