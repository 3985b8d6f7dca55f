package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
)

// badValues are sent in the place of every field and every parameter.
var badValues = []string{
	`null`, `true`, `"x"`, `""`, `-1`, `0`, `1.5`, `1e3`, `1e999`, `-1e999`, `9223372036854775808`, `-9223372036854775809`,
	`4294967296`, `2147483648`, `[]`, `{}`, `[[[]]]`, `{"a":{"b":1}}`, `"\u0000"`, `"\ud800"`, `"../../etc/passwd"`,
	`"acc_01k00000000000000000000000"`, `"gen_01k00000000000000000000000"`, `"enterprise"`, `"no-such-model"`,
	`"'; DROP TABLE events; --"`, `"*:*"`, `"` + strings.Repeat("a", 5000) + `"`,
	`[` + strings.Repeat(`"t",`, 200) + `"t"]`,
}

// badBodies are sent to every operation that takes a body.
func badBodies() [][]byte {
	return [][]byte{
		nil, []byte(" "), []byte("null"), []byte("[]"), []byte(`"text"`), []byte("1"), []byte("{"), []byte("}"),
		[]byte(`{"a"`), []byte(`{"a":}`), []byte(`{} {}`), []byte(`{}x`), []byte(`{'a':1}`), []byte(`{"a":1,}`),
		[]byte("{\"prompt\":\"\xff\xfe\"}"), []byte("\xef\xbb\xbf{}"), []byte(`{"nonsense":1}`), []byte(`{"__proto__":{}}`),
		[]byte(`{"credits":1000000,"tier":"enterprise","account":"acc_01k00000000000000000000000"}`),
		[]byte(`{"model":"a","model":"b"}`), []byte(`{"Model":"flux-schnell","prompt":"x"}`),
		[]byte(strings.Repeat("[", 100_000)), []byte(strings.Repeat(`{"a":`, 100_000)),
		[]byte(strings.Repeat("[", 20) + strings.Repeat("]", 20)),
		[]byte(`{"name":"` + strings.Repeat("a", 2<<20) + `"}`),
		[]byte(`{"tags":[` + strings.Repeat(`"a",`, 250_000) + `"a"]}`),
	}
}

// badCase is one request that must be refused, or at least change nothing.
type badCase struct {
	name, method, path string
	body               any
	header             http.Header
	// harmless is true where the value may happen to be valid: then only the promise to never break is checked.
	harmless bool
}

func badCases(doc *openapi3.T) []badCase {
	var out []badCase
	for path, item := range doc.Paths.Map() {
		ids := strings.NewReplacer("{key}", "key_01k00000000000000000000000",
			"{generation}", "gen_01k00000000000000000000000", "{image}", "img_01k00000000000000000000000_0",
			"{reservation}", "res_01k00000000000000000000000",
			"{board}", "brd_01k00000000000000000000000", "{search}", "sch_01k00000000000000000000000", "{month}", "2026-11")
		for method, op := range item.Operations() {
			base := badCase{method: method, path: ids.Replace(path), header: headerOf("Idempotency-Key", "a-key-of-16-bytes")}
			if op.RequestBody != nil {
				base.body = "{}"
				out = append(out, badBodyCases(base, op)...)
			}
			for _, list := range []openapi3.Parameters{item.Parameters, op.Parameters} {
				for _, p := range list {
					out = append(out, badParameterCases(base, path, p.Value)...)
				}
			}
			for _, query := range []string{"nonsense=1", "%zz=1", "limit=1&limit=2", "min_position=1:1&min_position=1:2", ";"} {
				c := base
				c.name, c.path = "query "+query, c.path+"?"+query
				out = append(out, c)
			}
		}
	}
	return out
}

func badBodyCases(base badCase, op *openapi3.Operation) []badCase {
	var out []badCase
	for i, body := range badBodies() {
		c := base
		c.name, c.body = fmt.Sprintf("body %d", i), body
		out = append(out, c)
	}
	for _, kind := range []string{"", "text/plain", "application/xml", "application/json; charset=latin1", ";;"} {
		c := base
		c.name, c.header = "type "+kind, c.header.Clone()
		c.header["Content-Type"] = []string{kind}
		out = append(out, c)
	}
	good := map[string]string{"model": `"flux-schnell"`, "prompt": `"x"`, "amount": `1`, "name": `"n"`, "query": `{}`,
		"filter": `{}`, "action": `{"favourite":true}`}
	schema := op.RequestBody.Value.Content.Get("application/json").Schema.Value
	for field := range schema.Properties {
		for _, value := range badValues {
			fields := []string{fmt.Sprintf("%q:%s", field, value)}
			for _, name := range schema.Required {
				if name != field {
					fields = append(fields, fmt.Sprintf("%q:%s", name, good[name]))
				}
			}
			c := base
			c.name, c.body, c.harmless = field+"="+value, "{"+strings.Join(fields, ",")+"}", true
			c.header = headerOf("Idempotency-Key", "")
			out = append(out, c)
		}
	}
	return out
}

func badParameterCases(base badCase, template string, p *openapi3.Parameter) []badCase {
	var out []badCase
	more := []string{"\xff", "a\x00b", "2026-02-31", "99999999999999999999", "1:", ":1", "-1:-1", "%"}
	for _, value := range slices.Concat(badValues, more) {
		var text string
		if json.Unmarshal([]byte(value), &text) != nil {
			text = value
		}
		c := base
		c.name, c.harmless = p.In+" "+p.Name+"="+value, true
		switch p.In {
		case openapi3.ParameterInQuery:
			c.path += "?" + url.Values{p.Name: {text}}.Encode()
		case openapi3.ParameterInPath:
			c.path = strings.ReplaceAll(template, "{"+p.Name+"}", url.PathEscape(text))
		case openapi3.ParameterInHeader:
			c.header = headerOf(p.Name, strings.Map(headerRune, text))
		}
		out = append(out, c)
	}
	return out
}

// headerRune drops what no client can send in a header.
func headerRune(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// Whatever is sent: a problem of the catalogue, never a status of 500 or more, never a panic, and nothing appended.
func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	known := map[string]bool{}
	for _, k := range api.Kinds() {
		known[string(k.Code)] = true
	}
	cases := badCases(contractOf(t))
	require.Greater(t, len(cases), 1000)
	for i, bad := range cases {
		if key := bad.header["Idempotency-Key"]; len(key) == 1 && key[0] == "" {
			bad.header = headerOf("Idempotency-Key", fmt.Sprintf("a-key-of-its-own-%d", i))
		}
		before := f.heads()
		r := c.call(bad.method, bad.path, bad.body, bad.header)
		what := fmt.Sprintf("%s %s %s: %d %s", bad.method, bad.path, bad.name, r.status, r.body)
		require.Less(t, r.status, 500, what)
		if r.status < 400 && bad.harmless {
			continue
		}
		require.GreaterOrEqual(t, r.status, 400, what)
		p := r.problem(t)
		require.True(t, known[p.Code], what)
		require.Equal(t, before, f.heads(), what)
	}
	require.NotContains(t, f.log.String(), `"panic"`)
}

func TestRefusalsSayWhichFieldIsWrong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	key := headerOf("Idempotency-Key", "k")
	const generations, quotes = "/v1/generations", "/v1/quotes"
	for _, test := range []struct {
		name, path, body, code, pointer string
	}{
		{"unknown", generations, `{"model":"flux-dev","prompt":"x","nonsense":1}`, "", "/nonsense"},
		{"missing", generations, `{"model":"flux-dev"}`, "", "/prompt"},
		{"type", generations, `{"model":"flux-dev","prompt":7}`, "", "/prompt"},
		{"item", generations, `{"model":"flux-dev","prompt":"x","tags":[1]}`, "", "/tags/0"},
		{"overflow", generations, `{"model":"flux-dev","prompt":"x","steps":99999999999}`, "", "/steps"},
		{"exponent", generations, `{"model":"flux-dev","prompt":"x","steps":1e1}`, "", "/steps"},
		{"infinite", generations, `{"model":"flux-dev","prompt":"x","guidance":1e999}`, "", "/guidance"},
		{"nul", generations, `{"model":"flux-dev","prompt":"a\u0000"}`, "", "/prompt"},
		{"twice", quotes, `{"model":"flux-dev","model":"flux-dev"}`, "", "/model"},
		{"domain", quotes, `{"model":"flux-dev","width":7}`, "unsupported-by-model", "/width"},
		{"controls", quotes, `{"model":"flux-dev","control_count":1}`, "unsupported-by-model", "/control_count"},
		{"negative", generations, `{"model":"flux-dev","prompt":"x","negative_prompt":"y"}`, "unsupported-by-model",
			"/negative_prompt"},
		{"weights", generations, `{"model":"sdxl-1.0","prompt":"((((cat"}`, "unsupported-by-model", "/prompt"},
		{"operators", generations, `{"model":"sdxl-1.0","prompt":"(\"a\",\"b\").and(1,2,3)"}`, "unsupported-by-model",
			"/prompt"},
		{"too long", generations, `{"model":"sdxl-1.0","prompt":"` + strings.Repeat("a", 10_000) + `"}`, "", "/prompt"},
		{"control characters", generations, `{"model":"sdxl-1.0","prompt":"a\u001b[31m"}`, "", "/prompt"},
		{"LoRA", generations, `{"model":"sdxl-1.0","prompt":"x","loras":[{"key":"flux-realism"}]}`, "unsupported-by-model",
			"/loras/0/key"},
		{"two inputs", generations, `{"model":"sdxl-1.0","prompt":"x","source":{}}`, "", "/source"},
		{"upload type", "/v1/uploads", `{"content_type":"image/svg+xml","bytes":1}`, "", "/content_type"},
		{"upload size", "/v1/uploads", `{"content_type":"image/png","bytes":99999999}`, "", "/bytes"},
		{"model", quotes, `{"model":"x"}`, "model-unavailable", "/model"},
		{"quote", generations, `{"model":"flux-dev","prompt":"x","quote":"q1.a.b"}`, "", "/quote"},
		{"query", "/v1/images?limit=0", ``, "", "limit"},
		{"format", "/v1/balance?at=yesterday", ``, "", "at"},
		{"position", "/v1/balance?min_position=99999:1", ``, "", "min_position"},
		{"parameter", "/v1/balance?when=now", ``, "", "when"},
		{"path", "/v1/images/x", ``, "", "image"},
	} {
		method, body := "GET", any(nil)
		if test.body != "" {
			method, body = "POST", test.body
		}
		p := c.call(method, test.path, body, key).problem(t)
		require.Equal(t, cmp.Or(test.code, "invalid-request"), p.Code, test.name)
		require.NotNil(t, p.Errors, test.name)
		require.Equal(t, test.pointer, (*p.Errors)[0].Pointer, "%s: %v", test.name, *p.Errors)
	}
}

func TestHugeBodiesAndForeignTypesHaveTheirOwnCodes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	huge := `{"model":"` + strings.Repeat("a", 2<<20) + `"}`
	require.Equal(t, "payload-too-large", c.call("POST", "/v1/quotes", huge).problem(t).Code)
	form := headerOf("Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, "unsupported-media-type", c.call("POST", "/v1/quotes", "model=x", form).problem(t).Code)
	zipped := headerOf("Content-Encoding", "gzip")
	require.Equal(t, "unsupported-media-type", c.call("POST", "/v1/quotes", "{}", zipped).problem(t).Code)
	missing := c.call("POST", "/v1/generations", map[string]any{"model": "flux-dev", "prompt": "x"}).problem(t)
	require.Equal(t, "invalid-request", missing.Code)
	require.Equal(t, "Idempotency-Key", (*missing.Errors)[0].Pointer)
}
