package catalog_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/settlement"
)

var update = flag.Bool("update", false, "write the goldens that are missing; it never changes one that is there")

const updateCommand = "go test ./domain/catalog -run TestGoldens -update"

// TestGoldens holds the JSON of every event to what was once recorded: it must still be read, and written again byte
// for byte. A golden is never edited. What it cannot express is a new version of the event.
func TestGoldens(t *testing.T) {
	t.Parallel()
	require.NoError(t, os.MkdirAll("testdata", 0o750))
	known := map[string]bool{}
	for _, typ := range catalog.Events() {
		path := filepath.Join("testdata", typ.Name+".json")
		known[path] = true
		t.Run(typ.Name, func(t *testing.T) {
			golden, err := os.ReadFile(path)
			if os.IsNotExist(err) && *update {
				golden = indent(t, example(typ))
				err = os.WriteFile(path, golden, 0o600)
			}
			require.NoError(t, err, "write the missing golden with: %s", updateCommand)

			e, err := domaintest.DecodeEvent(catalog.Events(), typ.Name, golden)
			require.NoError(t, err)
			require.Equal(t, string(golden), string(indent(t, e)), "the JSON of a recorded event never changes")
			require.NotContains(t, string(golden), ": null")
			if posted, ok := e.(domain.Posted); ok {
				require.NotEmpty(t, posted.Postings())
				require.Zero(t, domain.Sum(posted.Postings()), "the postings must sum to zero")
			}
		})
	}
	files, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	for _, file := range files {
		require.True(t, known[file], "%s has no event type: a wire name is never removed", file)
	}
}

func indent(t *testing.T, e domain.Event) []byte {
	t.Helper()
	data, err := json.Marshal(e)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, data, "", "  "))
	b.WriteByte('\n')
	return b.Bytes()
}

// example returns an event with a value in every field, none of them twice where that is possible.
func example(typ domain.EventType) domain.Event {
	e := typ.New()
	new(filler).fill(reflect.ValueOf(e).Elem(), "")
	return typ.Deref(e)
}

type filler struct{ n int64 }

// fill sets v, which belongs to the field of this name, to the next example value.
func (f *filler) fill(v reflect.Value, field string) {
	f.n++
	if value, ok := fixed(v.Type()); ok {
		v.Set(reflect.ValueOf(value))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
			v.Set(reflect.ValueOf(at.Add(time.Duration(f.n) * time.Hour)))
			return
		}
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0), field)
	case reflect.String:
		v.SetString("example of " + strings.ToLower(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	case reflect.Uint32:
		v.SetUint(uint64(f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(f.n)
	default:
		panic("no example of a " + v.Type().String())
	}
}

// fixed returns the example of a type whose values have a form of their own.
func fixed(typ reflect.Type) (any, bool) {
	const ulid = "01kcy7zpg0000000000000000"
	for _, value := range []any{
		domain.AccountID("acc_" + ulid + "1"), domain.GenerationID("gen_" + ulid + "2"),
		domain.ReservationID("res_" + ulid + "3"), domain.GrantID("grt_" + ulid + "4"),
		domain.ImageID("img_" + ulid + "2_0"), domain.KeyID("key_" + ulid + "5"),
		domain.BoardID("brd_" + ulid + "6"), domain.SearchID("sch_" + ulid + "7"),
		domain.TierPro, account.SourceTopUp, settlement.StageRunning,
	} {
		if reflect.TypeOf(value) == typ {
			return value, true
		}
	}
	return nil, false
}
