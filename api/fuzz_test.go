package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"", `""`, `"a"`, "a", `"a\"b"`, `"a`, `"a"b`, "a b", `"\\"`, `"\`, "\x00", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, err := parseKey(header)
		if err != nil {
			require.Equal(t, string(domain.CodeInvalid), problemOf(err).Code)
			return
		}
		require.NoError(t, eventstore.CheckKey(key))
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		again, err := parseKey(quoted)
		require.NoError(t, err)
		require.Equal(t, key, again)
		require.NoError(t, accountFor(key).Check())
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"a":1}`, `{"a":1,"a":2}`, "1e999", `"\u0000"`, "[[", `{"a":[{"b":"c"}]}`, "{}{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		have, err := readJSON(body)
		if err != nil {
			require.Equal(t, string(domain.CodeInvalid), problemOf(err).Code)
			return
		}
		want, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		require.NoError(t, err)
		require.Equal(t, want, have)
	})
}

// Whatever a body decodes to, its canonical form is stable: decoding and encoding it again changes nothing.
func FuzzDecodeBody(f *testing.F) {
	for _, seed := range []string{
		`{"model":"flux-dev","prompt":"x"}`, `{"seed":1,"tags":["a"],"guidance":1.5}`, `{"tags":null}`, `[]`, `{"x":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		in, err := decodeBody[gen.GenerationRequest](r)
		if err != nil {
			var own *refusal
			require.True(t, errors.As(err, &own), err)
			return
		}
		first, err := json.Marshal(in)
		require.NoError(t, err)
		var again gen.GenerationRequest
		require.NoError(t, json.Unmarshal(first, &again))
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

// A header that names a version is read as that version or refused at its name.
func FuzzVersionHeaders(f *testing.F) {
	for _, seed := range []string{"", "*", "0", `"0"`, `"-1"`, "+7", `"007"`, `W/"1"`, "9223372036854775808", `"`, "１"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		seen, err := parseEventID(&header)
		if err != nil {
			require.Equal(t, string(domain.CodeInvalid), problemOf(err).Code)
		}
		require.GreaterOrEqual(t, seen, int64(0))
		version, err := parseIfMatch(&header)
		switch {
		case err != nil:
			require.Equal(t, string(domain.CodeInvalid), problemOf(err).Code)
			require.Nil(t, version)
		case version == nil:
			require.Equal(t, "*", header)
		default:
			require.Equal(t, *versionTag(*version), header)
		}
	})
}

func TestKeysAreReadBareAndQuoted(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"8e03978e-40d5-43e8-bc93-6894a57f9324":   "8e03978e-40d5-43e8-bc93-6894a57f9324",
		`"8e03978e-40d5-43e8-bc93-6894a57f9324"`: "8e03978e-40d5-43e8-bc93-6894a57f9324",
		`"a \"b\" \\c"`:                          `a "b" \c`,
		"a b,c;d=e":                              "a b,c;d=e",
	} {
		key, err := parseKey(header)
		require.NoError(t, err, header)
		require.Equal(t, want, key)
	}
	for _, header := range []string{
		"", `""`, `"a`, `a"b`, `"a"b`, `"a";p=1`, `"\n"`, "a\x7f", "é", strings.Repeat("a", 256),
	} {
		_, err := parseKey(header)
		require.Error(t, err, header)
	}
}

func TestAccountOfAKeyIsTheSameForEver(t *testing.T) {
	t.Parallel()
	id := accountFor("8e03978e-40d5-43e8-bc93-6894a57f9324")
	require.Equal(t, domain.AccountID("acc_b6rzd65bhb2yxvrc2m4gbvn16k"), id)
}
