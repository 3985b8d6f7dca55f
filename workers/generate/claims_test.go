package generate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/workers/generate"
)

func TestTheContractOfTheInternalAPI(t *testing.T) {
	t.Parallel()
	fence := generate.Fence{Generation: "gen_1", Account: "00000000000000aa", Attempt: 2}
	until := time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)
	for _, c := range []struct {
		name, path, body string
		status           int
		answer           string
		call             func(*testing.T, *generate.Service)
	}{
		{
			name: "claim", path: "/internal/claims", status: http.StatusOK,
			body: `{"worker":"w","pool":"gpu","candidates":[{"generation":"gen_1","account_hash":"00000000000000aa"}]}`,
			answer: `{"job":{"generation":"gen_1","account_hash":"00000000000000aa","attempt":2,
"spec":{"operation":"text_to_image","model":"m","prompt":"p","negative_prompt":"n","width":8,"height":16,"steps":4,
"guidance":1.5,"scheduler":"s","seed":7,"count":1,"tags":["t"]},
"estimate_ms":5000,"lease_until":"2026-11-01T02:03:04Z","requested_at":"2026-11-01T02:03:00Z",
"uploads":[{"key":"k","url":"u","headers":{"A":"b"},"thumbnail_key":"tk","thumbnail_url":"tu",
"thumbnail_headers":{}}]}}`,
			call: func(t *testing.T, s *generate.Service) {
				candidates := []generate.Candidate{{Generation: "gen_1", Account: "00000000000000aa"}}
				job, ok, err := s.Claim(t.Context(), generate.Bid{Worker: "w", Pool: "gpu", Candidates: candidates})
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, fence, job.Fence)
				require.Equal(t, until, job.LeaseUntil)
				require.Equal(t, 16, job.Spec.Height)
				require.Equal(t, "n", job.Spec.NegativePrompt)
				require.Equal(t, uint32(7), job.Spec.Seed)
				require.Equal(t, generate.Upload{
					Key: "k", URL: "u", Headers: map[string]string{"A": "b"}, ThumbnailKey: "tk", ThumbnailURL: "tu",
					ThumbnailHeaders: map[string]string{},
				}, job.Uploads[0])
			},
		},
		{
			name: "no job", path: "/internal/claims", body: `{"worker":"","pool":"","candidates":null}`,
			status: http.StatusOK, answer: `{"job":null}`,
			call: func(t *testing.T, s *generate.Service) {
				_, ok, err := s.Claim(t.Context(), generate.Bid{})
				require.NoError(t, err)
				require.False(t, ok)
			},
		},
		{
			name: "lease", path: "/internal/generations/gen_1/lease",
			body: `{"account_hash":"00000000000000aa","attempt":2}`, status: http.StatusOK,
			answer: `{"lease_until":"2026-11-01T02:03:04Z"}`,
			call: func(t *testing.T, s *generate.Service) {
				at, err := s.Extend(t.Context(), fence)
				require.NoError(t, err)
				require.Equal(t, until, at)
			},
		},
		{
			name: "stale lease", path: "/internal/generations/gen_1/lease",
			body: `{"account_hash":"00000000000000aa","attempt":2}`, status: http.StatusConflict,
			answer: `{"code":"stale-attempt","title":"Stale","status":409}`,
			call: func(t *testing.T, s *generate.Service) {
				_, err := s.Extend(t.Context(), fence)
				require.Equal(t, domain.CodeStaleAttempt, domain.CodeOf(err))
			},
		},
		{
			name: "trouble behind the API", path: "/internal/generations/gen_1/lease",
			body: `{"account_hash":"00000000000000aa","attempt":2}`, status: http.StatusServiceUnavailable,
			answer: `{"code":"not-found"}`,
			call: func(t *testing.T, s *generate.Service) {
				_, err := s.Extend(t.Context(), fence)
				require.Equal(t, domain.CodeInternal, domain.CodeOf(err))
				require.NotContains(t, err.Error(), "secret")
			},
		},
		{
			name: "something else answers", path: "/internal/claims", body: `{"worker":"","pool":"","candidates":null}`,
			status: http.StatusNotFound, answer: `<html>`,
			call: func(t *testing.T, s *generate.Service) {
				_, _, err := s.Claim(t.Context(), generate.Bid{})
				require.Equal(t, domain.CodeInternal, domain.CodeOf(err))
			},
		},
		{
			name: "hand back", path: "/internal/generations/gen_1/hand-back",
			body: `{"account_hash":"00000000000000aa","attempt":2,"cause":"handed_back"}`, status: http.StatusNoContent,
			call: func(t *testing.T, s *generate.Service) {
				require.NoError(t, s.HandBack(t.Context(), fence, "handed_back"))
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != c.path || string(body) != c.body ||
					r.Header.Get("Authorization") != "Bearer secret" {
					t.Errorf("%s %s %s %v", r.Method, r.URL, body, err)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			defer server.Close()
			s, err := generate.NewService(generate.ServiceConfig{
				BaseURL: server.URL + "/", Token: "secret", Client: server.Client(),
			})
			require.NoError(t, err)
			c.call(t, s)
		})
	}
	_, err := generate.NewService(generate.ServiceConfig{BaseURL: "pingvas"})
	require.ErrorContains(t, err, "URL")
	require.ErrorContains(t, err, "token")
}
