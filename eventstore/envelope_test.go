package eventstore_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

func TestPositionReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := eventstore.Position{
			Shard: rapid.IntRange(0, eventstore.ShardsMax-1).Draw(t, "shard"),
			Pos:   rapid.Int64Min(0).Draw(t, "pos"),
		}
		got, err := eventstore.ParsePosition(p.String())
		require.NoError(t, err)
		require.Equal(t, p, got)
	})
}

func TestParsePosition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]eventstore.Position{
		"0:0": {}, "3:1042": {Shard: 3, Pos: 1042}, "15:9223372036854775807": {Shard: 15, Pos: math.MaxInt64},
	} {
		got, err := eventstore.ParsePosition(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{
		"", ":", "1", "1:", ":1", "1:2:3", "-1:2", "1:-2", "+1:2", "1:+2", "01:2", "1:02", " 1:2", "1:2 ", "1_0:2",
		"0x1:2", "40000:1", "1:9223372036854775808", "a:b", "１:2",
	} {
		_, err := eventstore.ParsePosition(text)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), text)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"3:1042", "0:0", "-1:1", "32768:1", "1:99999999999999999999", "\x00:\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := eventstore.ParsePosition(text)
		if err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			require.Zero(t, p)
			return
		}
		require.Equal(t, text, p.String())
		require.GreaterOrEqual(t, p.Shard, 0)
		require.GreaterOrEqual(t, p.Pos, int64(0))
	})
}

func TestZeroPositionNamesNoEvent(t *testing.T) {
	t.Parallel()
	require.True(t, eventstore.Position{}.IsZero())
	require.False(t, eventstore.Envelope{Shard: 0, Pos: 1}.Position().IsZero())
}

func TestShardOfAnAccountIsTheSameForEver(t *testing.T) {
	t.Parallel()
	const first, second = "acc_00000000000000000000000000", "acc_01jzzzzzzzzzzzzzzzzzzzzzzz"
	require.Equal(t, eventstore.AccountHash(0xca19dc6d5e6070ad), eventstore.HashAccount(first))
	require.Equal(t, eventstore.AccountHash(0x040c1af0a57a192a), eventstore.HashAccount(second))
	for shards, want := range map[int][2]int{1: {0, 0}, 16: {13, 10}, 1024: {173, 298}} {
		require.Equal(t, want[0], eventstore.ShardOf(first, shards))
		require.Equal(t, want[1], eventstore.ShardOf(second, shards))
	}
}

func TestStreamNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "account-acc_1", eventstore.AccountStream("acc_1"))
	require.Equal(t, "generation-gen_1", eventstore.GenerationStream("gen_1"))
	require.Equal(t, "image-img_1_0", eventstore.ImageStream("img_1_0"))
}

func TestMeta(t *testing.T) {
	t.Parallel()
	e := eventstore.Envelope{Metadata: []byte(`{"account":"acc_1","command":"request_generation","actor":"key_1"}`)}
	m, err := e.Meta()
	require.NoError(t, err)
	require.Equal(t, eventstore.Metadata{Account: "acc_1", Command: "request_generation", Actor: "key_1"}, m)
	_, err = eventstore.Envelope{Metadata: []byte(`[]`)}.Meta()
	require.Error(t, err)
}

// What is hashed must not depend on who writes it.
func TestMetadataIsWrittenAsByTheLibrary(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[ -~]*`), rapid.Just("\x00<a>&\"\\\u2028\xff\x7f고"),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		m := eventstore.Metadata{
			Account: domain.AccountID(text.Draw(t, "account")), Command: text.Draw(t, "command"),
			Actor: text.Draw(t, "actor"), Correlation: text.Draw(t, "correlation"),
		}
		want, err := json.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, string(want), string(m.JSON()))
	})
}
