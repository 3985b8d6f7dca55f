package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The price of a request that only the contract's validation works on.
func BenchmarkQuote(b *testing.B) {
	c := newFixture(b).open("alice")
	for b.Loop() {
		r := c.call("POST", "/v1/quotes", `{"model":"flux-dev","width":512,"height":512,"steps":20,"count":2}`)
		require.Equal(b, http.StatusOK, r.status)
	}
}

// The dearest body that is still looked at.
func BenchmarkHostileBody(b *testing.B) {
	c := newFixture(b).open("alice")
	body := `{"model":"flux-dev","prompt":"x","tags":[` + strings.Repeat("1,", 1900) + `1]}`
	for b.Loop() {
		r := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "x"))
		require.Equal(b, http.StatusBadRequest, r.status)
	}
}
