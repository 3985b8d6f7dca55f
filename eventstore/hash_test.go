package eventstore_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/eventstore"
)

// sample's hashes below were computed by a program in another language from the text of AppendCanonical's comment.
func sample() eventstore.NewEvent {
	return eventstore.NewEvent{
		Stream: "account-acc_1", Version: 2, Type: "account.opened.v1",
		Data: []byte(`{"name":"펭귄"}`), Metadata: []byte(`{}`),
	}
}

func TestHashesAreTheSameForEver(t *testing.T) {
	t.Parallel()
	require.Equal(t, "01"+"00000003"+"0000000d"+"6163636f756e742d6163635f31"+"0000000000000002"+
		"00000011"+"6163636f756e742e6f70656e65642e7631"+"00000011"+"7b226e616d65223a22ed8eadeab784227d"+"00000002"+"7b7d",
		hex.EncodeToString(eventstore.AppendCanonical(nil, 3, sample())))
	leaf := eventstore.LeafHash(3, sample())
	require.Equal(t, "2d2430053c136f30fb40401e5bc3fe8193bd0e88af6e67906a646c4388f43a19", leaf.String())
	first := eventstore.ChainHash(eventstore.Hash{}, 1, leaf)
	require.Equal(t, "a8fe8c662c931d1170805ac01bd0faf8d3aa3858526cc0590bc8b0a4bfcb6a6a", first.String())
	second := eventstore.ChainHash(first, 2, leaf)
	require.Equal(t, "85104bb4bb59aec432109439edf1f5466b9c76b95e0a7b72cfd79f1e47443696", second.String())
}

func TestCanonicalBytesAreAppended(t *testing.T) {
	t.Parallel()
	want := append([]byte("before"), eventstore.AppendCanonical(nil, 1, sample())...)
	require.Equal(t, want, eventstore.AppendCanonical([]byte("before"), 1, sample()))
}

func TestRecordedEventHasTheHashOfTheNewOne(t *testing.T) {
	t.Parallel()
	e := sample()
	recorded := eventstore.Envelope{
		Shard: 3, Pos: 9, Stream: e.Stream, Version: e.Version, Type: e.Type, Data: e.Data, Metadata: e.Metadata,
	}
	require.Equal(t, eventstore.LeafHash(3, e), eventstore.LeafHash(3, recorded.New()))
}

// TestCanonicalBytesTellEventsApart reads the bytes back: an encoding that can be undone gives no two events the same.
func TestCanonicalBytesTellEventsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\x00\x01a{}"))))
		shard := rapid.IntRange(0, eventstore.ShardsMax-1).Draw(t, "shard")
		e := eventstore.NewEvent{
			Stream: text.Draw(t, "stream"), Version: rapid.Int64Min(1).Draw(t, "version"), Type: text.Draw(t, "type"),
			Data:     rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
			Metadata: rapid.SliceOf(rapid.Byte()).Draw(t, "metadata"),
		}
		gotShard, got, err := decodeCanonical(eventstore.AppendCanonical(nil, shard, e))
		require.NoError(t, err)
		require.Equal(t, shard, gotShard)
		require.Equal(t, e, got)
	})
}

func decodeCanonical(b []byte) (int, eventstore.NewEvent, error) {
	var short error
	take := func(n uint64) []byte {
		if uint64(len(b)) < n {
			short = errors.New("the bytes end too soon")
			return make([]byte, 8)
		}
		head := b[:n:n]
		b = b[n:]
		return head
	}
	field := func() []byte { return take(uint64(binary.BigEndian.Uint32(take(4)))) }
	if take(1)[0] != 1 {
		return 0, eventstore.NewEvent{}, errors.New("another format")
	}
	shard := int(binary.BigEndian.Uint32(take(4)))
	e := eventstore.NewEvent{Stream: string(field())}
	e.Version = int64(binary.BigEndian.Uint64(take(8)))
	e.Type, e.Data, e.Metadata = string(field()), field(), field()
	if len(b) > 0 {
		return 0, eventstore.NewEvent{}, errors.New("bytes are left")
	}
	return shard, e, short
}

func TestChainCoversEverything(t *testing.T) {
	t.Parallel()
	leaf, other := eventstore.LeafHash(3, sample()), eventstore.LeafHash(4, sample())
	require.NotEqual(t, leaf, other)
	seen := map[eventstore.Hash]bool{}
	for _, previous := range []eventstore.Hash{{}, leaf, other} {
		for _, pos := range []int64{1, 2, 1 << 32} {
			for _, l := range []eventstore.Hash{leaf, other} {
				seen[eventstore.ChainHash(previous, pos, l)] = true
			}
		}
	}
	require.Len(t, seen, 18)
}

func BenchmarkLeafHash(b *testing.B) {
	for _, size := range []int{256, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			e := eventstore.NewEvent{
				Stream: "account-acc_01k00000000000000000000001", Version: 1, Type: "account.credits_reserved.v1",
				Data: make([]byte, size), Metadata: make([]byte, 128),
			}
			b.ReportAllocs()
			for b.Loop() {
				eventstore.LeafHash(1, e)
			}
		})
	}
}
