package eventstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
)

const carol domain.AccountID = "acc_01k00000000000000000000003" // her key was erased

// Whatever a stored event says, it is read or refused; what is read means the same after writing it again.
func FuzzDecode(f *testing.F) {
	codec, _ := newCodec(f)
	meta, err := json.Marshal(eventstore.Metadata{Account: alice})
	require.NoError(f, err)
	for _, typ := range catalog.Events() {
		data, err := codec.Encode(context.Background(), alice, typ.Deref(typ.New()))
		require.NoError(f, err)
		f.Add(typ.Name, data, meta)
		f.Add(typ.Name, []byte(`{"at":1,"spec":{"prompt":"sealed:v1:x"},"name":"clear"}`), []byte(`{"account":"`+carol+`"}`))
	}
	data, err := codec.Encode(context.Background(), alice, requested())
	require.NoError(f, err)
	f.Add(requested().EventName(), data, meta)
	f.Add("account.unknown.v9", []byte("{"), []byte("null"))
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		stored := eventstore.Envelope{Type: name, Data: data, Metadata: metadata}
		e, err := codec.Decode(t.Context(), stored)
		if err != nil {
			require.Nil(t, e)
			return
		}
		again, err := codec.Encode(t.Context(), alice, e)
		require.NoError(t, err)
		back, err := codec.Decode(t.Context(), eventstore.Envelope{Type: name, Data: again, Metadata: meta})
		require.NoError(t, err)
		require.Equal(t, text(t, e), text(t, back))
	})
}

func text(t *testing.T, e domain.Event) string {
	t.Helper()
	b, err := json.Marshal(e)
	require.NoError(t, err)
	return string(b)
}

// Every event comes back as it was put in, for its account alone, and its personal data is never stored in the clear.
func FuzzEventsComeBack(f *testing.F) {
	codec, _ := newCodec(f)
	for i := range len(catalog.Events()) {
		f.Add(bytes.Repeat([]byte{byte(i), 1, 200, 7}, 400))
	}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		typ := rapid.SampledFrom(catalog.Events()).Draw(t, "type")
		pointer := typ.New()
		fill(t, reflect.ValueOf(pointer).Elem())
		e := typ.Deref(pointer)
		data, err := codec.Encode(t.Context(), alice, e)
		require.NoError(t, err)
		meta := `{"account":"` + string(alice) + `"}`
		back, err := codec.Decode(t.Context(), eventstore.Envelope{Type: typ.Name, Data: data, Metadata: []byte(meta)})
		require.NoError(t, err)
		require.Equal(t, e, back)

		secrets := personal(reflect.ValueOf(e))
		for _, secret := range secrets {
			require.NotContains(t, string(data), secret)
		}
		meta = `{"account":"` + string(bob) + `"}`
		_, err = codec.Decode(t.Context(), eventstore.Envelope{Type: typ.Name, Data: data, Metadata: []byte(meta)})
		require.Equal(t, len(secrets) == 0, err == nil)
	}))
}

// secretMark makes personal data recognizable: no other field holds it.
const secretMark = "☃"

// fill draws a value for v and everything in it.
func fill(t *rapid.T, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "time")).UTC()
		v.Set(reflect.ValueOf(at))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
			if v.Type().Field(i).Tag.Get("pii") != "" && v.Field(i).String() != "" {
				v.Field(i).SetString(secretMark + v.Field(i).String())
			}
		}
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.ReplaceAll(rapid.String().Draw(t, "text"), secretMark, ""))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "float"))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, "number")))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "number"))
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// personal returns the texts of an event that must be sealed.
func personal(v reflect.Value) []string {
	var found []string
	for i := range v.NumField() {
		field := v.Field(i)
		if v.Type().Field(i).Tag.Get("pii") != "" && field.String() != "" {
			found = append(found, field.String())
		}
		if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
			found = append(found, personal(field)...)
		}
	}
	return found
}

// Two events have the same canonical bytes only if they are the same, however the borders of their fields move.
func FuzzCanonicalBytes(f *testing.F) {
	f.Add(uint16(3), uint16(3), int64(1), int64(1), []byte("account-acc_1account.opened.v1{}{}"), uint32(0x0d1f21),
		uint32(0x0d1f22))
	f.Add(uint16(0), uint16(1), int64(1), int64(2), []byte{0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'}, uint32(0x010203),
		uint32(0x020202))
	f.Fuzz(func(t *testing.T, shard1, shard2 uint16, version1, version2 int64, all []byte, cut1, cut2 uint32) {
		one, other := cut(all, cut1, version1), cut(all, cut2, version2)
		same := shard1 == shard2 && version1 == version2 && one.Stream == other.Stream && one.Type == other.Type &&
			bytes.Equal(one.Data, other.Data) && bytes.Equal(one.Metadata, other.Metadata)
		first := eventstore.AppendCanonical(nil, int(shard1), one)
		second := eventstore.AppendCanonical(nil, int(shard2), other)
		require.Equal(t, same, bytes.Equal(first, second))
		require.Equal(t, same, eventstore.LeafHash(int(shard1), one) == eventstore.LeafHash(int(shard2), other))
	})
}

// cut makes an event of a text by cutting it at three places.
func cut(all []byte, places uint32, version int64) eventstore.NewEvent {
	at := make([]int, 3)
	for i := range at {
		at[i] = int(places>>(8*i)&0xff) % (len(all) + 1)
	}
	slices.Sort(at)
	return eventstore.NewEvent{
		Stream: string(all[:at[0]]), Type: string(all[at[0]:at[1]]), Version: version, Data: all[at[1]:at[2]],
		Metadata: all[at[2]:],
	}
}

// What is published is what is read; anything else in the headers is refused, or says the same in other words.
func FuzzFromWire(f *testing.F) {
	const noon = "2026-11-22T12:00:00.000001Z"
	f.Add("3:1042", "7", noon, "account-acc_1", "account.opened.v1", []byte(`{}`), `{"account":"acc_1"}`, "", true)
	f.Add("0:0", "-1", "2026-11-22T12:00:00+01:00", "", "", []byte(nil), "", strings.Repeat("AB", 32), true)
	f.Add("1:2", "", noon, "", "", []byte("x"), "\xff", "zz", false)
	f.Fuzz(func(
		t *testing.T, id, version, at, subject, name string, value []byte, metadata, chain string, honest bool,
	) {
		headers := map[string]string{
			eventstore.HeaderID: id, eventstore.HeaderVersion: version, eventstore.HeaderTime: at,
			eventstore.HeaderSubject: subject, eventstore.HeaderType: name, eventstore.HeaderMetadata: metadata,
			eventstore.HeaderLeaf: eventstore.Hash{}.String(), eventstore.HeaderChain: chain,
		}
		if position, err := eventstore.ParsePosition(id); err == nil && honest {
			var n int64
			_ = json.Unmarshal([]byte(version), &n) // a version that is no number is refused anyway
			headers[eventstore.HeaderLeaf] = eventstore.LeafHash(position.Shard, eventstore.NewEvent{
				Stream: subject, Version: n, Type: name, Data: value, Metadata: []byte(metadata),
			}).String()
		}
		e, err := eventstore.FromWire(func(name string) string { return headers[name] }, value)
		if err != nil {
			require.Zero(t, e)
			return
		}
		require.True(t, honest)
		again := e.Headers()
		back, err := eventstore.FromWire(func(name string) string { return again[name] }, value)
		require.NoError(t, err)
		require.True(t, e.RecordedAt.Equal(back.RecordedAt))
		back.RecordedAt = e.RecordedAt
		require.Equal(t, e, back)
	})
}

func FuzzParseAccountHash(f *testing.F) {
	for _, seed := range []string{
		"", "0000000000000000", "ffffffffffffffff", "FFFFFFFFFFFFFFFF", "+123456789012345", "１",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hash, err := eventstore.ParseAccountHash(text)
		if err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			return
		}
		require.Equal(t, text, hash.String())
		shard := hash.Shard(eventstore.ShardsMax)
		require.True(t, shard >= 0 && shard < eventstore.ShardsMax)
	})
}
