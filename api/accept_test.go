package api

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/api/gen"
)

// schemasOf returns the schemas of all bodies and parameters of the contract, by a name.
func schemasOf(t testing.TB) map[string]*schema {
	t.Helper()
	doc, err := gen.GetSpec()
	require.NoError(t, err)
	out := map[string]*schema{}
	for name, o := range newContract(doc).operations {
		if o.body != nil {
			out[name+" body"] = o.body
		}
		for _, p := range o.parameters {
			out[name+" "+p.in+" "+p.name] = p.schema
		}
	}
	return out
}

// An acceptor must never say yes where the validator says no. Values are drawn along the schema, with bounds hit,
// passed and missed, names left out and made up, and types mixed up.
func TestWhatIsAcceptedIsValid(t *testing.T) {
	all := schemasOf(t)
	names := slices.Sorted(maps.Keys(all))
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 { // 10,000 values in all
			s := all[rapid.SampledFrom(names).Draw(t, "schema")]
			value := drawValue(t, s.full)
			if s.accept.accepts(value) {
				accepted++
				require.NoError(t, s.full.Validate(value), "%v", value)
			}
		}
	})
	require.Positive(t, accepted)
}

// The same for the bytes of bodies, which may also be no JSON, or JSON that readJSON refuses.
func TestWhatIsAcceptedOfABodyIsValid(t *testing.T) {
	all := schemasOf(t)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool {
		return !strings.HasSuffix(name, " body")
	})
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			s := all[rapid.SampledFrom(names).Draw(t, "schema")]
			body := drawBody(t, s)
			if s.accept.acceptsBody(body) {
				accepted++
				value, err := readJSON(body)
				require.NoError(t, err, "%q", body)
				require.NoError(t, s.full.Validate(value), "%q", body)
			}
		}
	})
	require.Positive(t, accepted)
}

// drawBody draws the bytes of a value, often with something in them that they should not have, or need not.
func drawBody(t *rapid.T, s *schema) []byte {
	body, err := json.Marshal(drawValue(t, s.full))
	require.NoError(t, err)
	insert := rapid.SampledFrom([]string{
		"", "", "", " ", "x", "1", `"`, ",", "}", "]", `\\`, `\u0061`, `\u0000`, "\x00", "\xff", strings.Repeat("[", 33),
		`"amount":1,`, `"name":"x",`, `"name":"x","name":"y",`, `"n\u0061me":"x",`,
	}).Draw(t, "insert")
	at := rapid.IntRange(0, len(body)).Draw(t, "at")
	if rapid.Bool().Draw(t, "at the beginning") {
		at = min(1, len(body))
	}
	return slices.Concat(body[:at], []byte(insert), body[at:])
}

// A keyword that an acceptor does not know makes requests slower without a word, so it is known where that is so.
func TestWhatAnAcceptorDoesNotUnderstand(t *testing.T) {
	var not []string
	for name, s := range schemasOf(t) {
		if s.accept == nil {
			not = append(not, name)
		}
	}
	require.ElementsMatch(t, []string{"POST /v1/images:bulk body", "GET /v1/usage query group_by"}, not)
}

// Bodies that are right do not reach the validator.
func TestUsualBodiesAreAccepted(t *testing.T) {
	all := schemasOf(t)
	for name, body := range map[string]string{
		"POST /v1/accounts body":                          `{"name":"Ada"}`,
		"POST /v1/reservations body":                      `{"amount":10,"use":{"model":"m"},"expires_in":3600}`,
		"POST /v1/reservations/{reservation}/settle body": `{"amount":0}`,
		"POST /v1/generations body": `{"model":"flux-dev","prompt":"고양이","width":512,"height":512,` +
			`"steps":20,` +
			`"count":2,"seed":4294967295,"guidance":3.5,"tags":["a"]}`,
		"POST /v1/quotes body":             `{"model":"flux-dev","count":1}`,
		"POST /v1/reservations:batch body": `{"commands":[{"reserve":{"amount":1}}]}`,
	} {
		value, err := readJSON([]byte(body))
		require.NoError(t, err)
		require.Contains(t, all, name)
		require.NoError(t, all[name].full.Validate(value), body)
		require.True(t, all[name].accept.acceptsBody([]byte(body)), body)
	}
}

// drawValue draws a value that the schema may or may not allow.
func drawValue(t *rapid.T, s *jsonschema.Schema) any {
	if s.Ref != nil {
		s = s.Ref
	}
	kinds := []string{"string", "integer", "number", "object", "array", "boolean", "null"}
	if s.Types != nil && rapid.IntRange(0, 9).Draw(t, "type") > 0 {
		kinds = s.Types.ToStrings()
	} else if s.Properties != nil {
		kinds = []string{"object"}
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "string":
		return drawText(t, s)
	case "integer":
		return drawNumber(t, s, []string{"", ".0", ".5", "e0", "00"})
	case "number":
		return drawNumber(t, s, []string{"", ".0", ".5", ".00000000000000001", "e-1"})
	case "object":
		return drawObject(t, s)
	case "array":
		out := []any{}
		for range rapid.IntRange(0, or(s.MinItems)+2).Draw(t, "items") {
			if s.Items2020 != nil {
				out = append(out, drawValue(t, s.Items2020))
			}
		}
		return out
	case "boolean":
		return rapid.Bool().Draw(t, "bool")
	}
	return nil
}

func drawText(t *rapid.T, s *jsonschema.Schema) string {
	options := []string{"", "a", "ü", "2026-11-22T12:00:00Z", "2026-11-22", "10", strings.Repeat("é", or(s.MinLength)),
		strings.Repeat("é", or(s.MaxLength)), strings.Repeat("é", or(s.MaxLength)+1), strings.Repeat("a", or(s.MaxLength)),
		"grt_" + strings.Repeat("0", 26)}
	if s.Enum != nil {
		for _, value := range s.Enum.Values {
			text, _ := value.(string)
			options = append(options, text)
		}
	}
	return rapid.SampledFrom(options).Draw(t, "text")
}

func drawNumber(t *rapid.T, s *jsonschema.Schema, tails []string) json.Number {
	options := []string{"0", "1", "-1", "9007199254740993", "123456789012345678901234567890"}
	for _, bound := range []*big.Rat{s.Minimum, s.Maximum} {
		if bound != nil && bound.IsInt() {
			for _, by := range []int64{-1, 0, 1} {
				options = append(options, new(big.Int).Add(bound.Num(), big.NewInt(by)).String())
			}
		}
	}
	number := rapid.SampledFrom(options).Draw(t, "number") + rapid.SampledFrom(tails).Draw(t, "tail")
	if !json.Valid([]byte(number)) { // as 000
		return "0"
	}
	return json.Number(number)
}

func drawObject(t *rapid.T, s *jsonschema.Schema) map[string]any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if rapid.IntRange(0, 4).Draw(t, name) > 1 || slices.Contains(s.Required, name) && rapid.Bool().Draw(t, "given") {
			out[name] = drawValue(t, s.Properties[name])
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "more") == 0 {
		out["unknown"] = true
	}
	return out
}
