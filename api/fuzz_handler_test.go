package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHandler sends any request as a customer, a worker and an operator. The answer is one that the contract knows:
// never an internal error or a broken connection, and every refusal is a problem.
func FuzzHandler(f *testing.F) {
	fixture := newFixture(f)
	ada := fixture.open("ada-the-customer")
	made := ada.request("a-first-generation")
	image := string(ada.finish(made.ID))
	for _, seed := range []struct{ method, path, query, header, body string }{
		{"POST", "/v1/accounts", "", "Idempotency-Key: 0123456789abcdef0123", `{"name":"x"}`},
		{"GET", "/v1/account", "", "", ""},
		{"POST", "/v1/api-keys", "", "Idempotency-Key: a", `{"name":"x"}`},
		{"DELETE", "/v1/api-keys/key_01k00000000000000000000001", "", "Content-Type: text/plain", "{"},
		{"GET", "/v1/settlement-policy", "x=1", "", ""},
		{"POST", "/v1/quotes", "", "", `{"model":"flux-dev","width":512,"height":1e9,"count":8}`},
		{"POST", "/v1/generations", "", "Idempotency-Key: \"b\"", `{"model":"flux-schnell","prompt":"x","seed":1}`},
		{"POST", "/v1/generations", "", "Idempotency-Key: c", `{"model":"sdxl-1.0","prompt":"x","quote":"q1.e30.AA"}`},
		{"GET", "/v1/generations", "limit=2&cursor=AAAA&status=queued", "", ""},
		{"GET", "/v1/generations/" + made.ID, "min_position=0:1", "If-None-Match: \"1\"", ""},
		{"POST", "/v1/generations/" + made.ID + "/cancel", "", "Idempotency-Key: d", ""},
		{"GET", "/v1/generations/gen_01k00000000000000000000001/events", "", "Last-Event-ID: -1", ""},
		{"GET", "/v1/balance", "min_position=3:99999999999", "", ""},
		{"GET", "/v1/statement", "limit=0&cursor=%ff", "", ""},
		{"GET", "/v1/usage", "from=2026-01-01&to=x", "", ""},
		{"GET", "/v1/images", "tag=a&favourite=maybe", "", ""},
		{"PATCH", "/v1/images/" + image, "", "If-Match: \"1\"", `{"favourite":true,"tags":["a"]}`},
		{"DELETE", "/v1/images/img_x", "", "If-Match: *", ""},
		{"GET", "/v1/images/" + image + "/download", "variant=thumbnail", "Range: bytes=0-", ""},
		{"GET", "/v1/search", "q=%00&tag=a&tag=b&width=99999999999999999999", "", ""},
		{"POST", "/internal/claims", "", "", `{"worker":"w","pool":"gpu","candidates":[{"generation":"gen_"}]}`},
		{"POST", "/internal/generations/" + made.ID + "/lease", "", "", `{"account_hash":"00","attempt":1}`},
		{"POST", "/internal/generations/" + made.ID + "/hand-back", "", "", `{"attempt":1,"cause":"x"}`},
		{"GET", "/internal/backlog", "pool=gpu", "", ""},
		{"POST", "/internal/accounts/acc_1/grants", "", "Idempotency-Key: e", `{"amount":-1}`},
		{"POST", "/internal/accounts/" + string(ada.id) + "/plan", "", "Idempotency-Key: f", `{"plan":"pro"}`},
		{"GET", "/problems/conflict", "", "Accept: text/html", ""},
		{"HEAD", "//v1/../docs", "", "X-Request-Id: \x7f", ""},
	} {
		for who := range 4 {
			f.Add(seed.method, seed.path, seed.query, seed.header, []byte(seed.body), who)
		}
	}
	secrets := []string{"", ada.secret, workerToken, adminToken}
	f.Fuzz(func(t *testing.T, method, path, query, header string, body []byte, who int) {
		if strings.HasSuffix(path, made.ID+"/events") { // a stream lasts until its caller leaves
			return
		}
		r, ok := requestOf(t, method, path, query, body)
		if !ok {
			return
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		if secret := secrets[uint(who)%uint(len(secrets))]; secret != "" {
			r.Header.Set("Authorization", "Bearer "+secret)
		}
		recorder := httptest.NewRecorder()
		fixture.server.Handler().ServeHTTP(recorder, r)
		require.Less(t, recorder.Code, http.StatusInternalServerError, "%s\n%s", recorder.Body, fixture.log)
		if recorder.Code >= http.StatusBadRequest && method != http.MethodHead {
			a := answer{recorder.Code, recorder.Header(), recorder.Body.String(), r}
			require.NotEmpty(t, a.problem(t).Code)
		}
	})
}

// requestOf makes the request as a server would have read it, or reports that no server would have.
func requestOf(t *testing.T, method, path, query string, body []byte) (*http.Request, bool) {
	t.Helper()
	if query != "" {
		path += "?" + query
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://pingvas.test"+path, strings.NewReader(string(body)))
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, false
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	r.Header.Set("Content-Type", "application/json")
	return r, true
}
