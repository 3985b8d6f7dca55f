package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
)

// errNoKey is the one answer to every call without a valid key.
var errNoKey = &refusal{code: codeUnauthenticated, detail: "the call carries no valid key"}

// authenticate finds out whose request it is, or answers "unauthenticated".
func (s *Server) authenticate(r *http.Request) error {
	secret, ok := bearer(r)
	if !ok {
		return errNoKey
	}
	who, err := s.keys.Authenticate(r.Context(), secret)
	if errors.Is(err, ErrUnknownKey) {
		return errNoKey
	}
	if err != nil {
		return err
	}
	callOf(r.Context()).who = who
	return nil
}

// bearer returns the secret in the Authorization header (RFC 6750).
func bearer(r *http.Request) (string, bool) {
	list := r.Header.Values("Authorization")
	if len(list) != 1 {
		return "", false
	}
	scheme, secret, ok := strings.Cut(list[0], " ")
	return secret, ok && strings.EqualFold(scheme, "Bearer") && secret != ""
}

// tokens are secrets that open a part of the internal API, as hashes, so that comparing takes the same time for all.
type tokens [][sha256.Size]byte

func newTokens(secrets []string) tokens {
	out := make(tokens, len(secrets))
	for i, s := range secrets {
		out[i] = sha256.Sum256([]byte(s))
	}
	return out
}

func (t tokens) check(r *http.Request) error {
	secret, _ := bearer(r)
	sum := sha256.Sum256([]byte(secret))
	found := 0
	for _, known := range t {
		found |= subtle.ConstantTimeCompare(known[:], sum[:])
	}
	if secret == "" || found == 0 {
		return errNoKey
	}
	return nil
}
