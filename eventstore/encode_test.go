package eventstore_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
)

// What is hashed must not depend on who writes it.
func TestEventsAreWrittenAsByTheLibrary(t *testing.T) {
	t.Parallel()
	codec, _ := newCodec(t)
	var types []domain.EventType
	for _, typ := range catalog.Events() {
		if !codec.Seals(typ.Name) {
			types = append(types, typ)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		pointer := typ.New()
		fill(t, reflect.ValueOf(pointer).Elem())
		vary(t, reflect.ValueOf(pointer).Elem())
		want, wantErr := json.Marshal(pointer)
		got, err := codec.Encode(t.Context(), alice, typ.Deref(pointer))
		require.Equal(t, wantErr == nil, err == nil)
		require.Equal(t, string(want), string(got))
	})
}

// vary makes some of a value what events rarely are: empty, not plain, or of a strange time.
func vary(t *rapid.T, v reflect.Value) {
	usual := rapid.IntRange(0, 3).Draw(t, "usual") > 0
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		if !usual {
			zone := time.FixedZone("", rapid.IntRange(-25*3600, 25*3600).Draw(t, "offset"))
			at := time.Unix(rapid.Int64Range(-1<<37, 1<<38).Draw(t, "second"), rapid.Int64Range(0, 1e9).Draw(t, "nano"))
			v.Set(reflect.ValueOf(rapid.SampledFrom([]time.Time{{}, at.UTC(), at.In(zone)}).Draw(t, "time")))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			vary(t, v.Field(i))
		}
	case usual:
		if v.Kind() == reflect.String {
			v.SetString(rapid.StringMatching(`[ -~]*`).Draw(t, "text"))
		}
	case v.Kind() == reflect.Slice && rapid.Bool().Draw(t, "empty"):
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	default:
		v.SetZero()
	}
}

// The events that come often are worth it.
func TestCodecEncodesTheUsualEventsItself(t *testing.T) {
	t.Parallel()
	codec, _ := newCodec(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	parts := []account.Slice{{Grant: "grt_1", Amount: 3}, {Grant: account.LineGrant, Amount: 7}}
	for _, e := range []domain.Event{
		account.CreditsReserved{Reservation: "res_1", Amount: 10, Slices: parts, PriceBook: "metered", Expires: at, At: at},
		account.CreditsSettled{Reservation: "res_1", Charged: parts, Policy: "metered", At: at},
		account.CreditsReleased{Reservation: "res_1", Slices: parts, Reason: "released", Policy: "metered", At: at},
	} {
		require.True(t, codec.Encodes(e), e.EventName())
	}
	require.False(t, codec.Encodes(account.CreditsReleased{Reason: `"`, At: at}), "it is not plain")
}

func BenchmarkEncode(b *testing.B) {
	codec, err := eventstore.NewCodec(catalog.Events(), nil)
	require.NoError(b, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	var e domain.Event = account.CreditsReserved{
		Reservation: "res_01k00000000000000000000001", Amount: 10, PriceBook: "metered", Expires: at.Add(time.Hour), At: at,
		Slices: []account.Slice{{Grant: "grt_01k00000000000000000000001", Amount: 10}},
		Use:    account.Use{Model: "sdxl-1.0", Operation: "text_to_image"},
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err = codec.Encode(b.Context(), alice, e)
	}
	require.NoError(b, err)
}
