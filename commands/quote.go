package commands

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/pricing"
)

// QuoteKeyBytesMin is the least length of the key that quotes are signed with.
const QuoteKeyBytesMin = 32

// quoteVersion begins every quote token.
const quoteVersion = "q1"

// Quotes signs quotes, so that they bind without being stored.
type Quotes struct{ key []byte }

// NewQuotes returns a signer. All processes of one ledger must share the key.
func NewQuotes(key []byte) (*Quotes, error) {
	if len(key) < QuoteKeyBytesMin {
		return nil, fmt.Errorf("the quote key has %d bytes and needs %d", len(key), QuoteKeyBytesMin)
	}
	return &Quotes{key: key}, nil
}

// Token returns the quote as a token that its holder can read but not change: q1.<payload>.<HMAC-SHA256>.
func (q *Quotes) Token(quote pricing.Quote) (string, error) {
	payload, err := json.Marshal(quote)
	if err != nil {
		return "", fmt.Errorf("encode a quote: %w", err)
	}
	body := quoteVersion + "." + base64.RawURLEncoding.EncodeToString(payload)
	return body + "." + q.sign(body), nil
}

// Read returns the quote in a token, or CodeInvalid at /quote for one that was not signed here.
func (q *Quotes) Read(token string) (pricing.Quote, error) {
	quote, err := q.read(token)
	if err != nil {
		return pricing.Quote{}, domain.FieldErrorf("/quote", "is not a quote of ours")
	}
	return quote, nil
}

func (q *Quotes) read(token string) (pricing.Quote, error) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return pricing.Quote{}, errors.New("no signature")
	}
	if !hmac.Equal([]byte(token[at+1:]), []byte(q.sign(token[:at]))) {
		return pricing.Quote{}, errors.New("wrong signature")
	}
	encoded, ok := strings.CutPrefix(token[:at], quoteVersion+".")
	if !ok {
		return pricing.Quote{}, errors.New("another version")
	}
	payload, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return pricing.Quote{}, err
	}
	var quote pricing.Quote
	return quote, json.Unmarshal(payload, &quote)
}

// sign returns the signature as text, and so it is compared: a decoder would pass over line breaks and spare bits.
func (q *Quotes) sign(body string) string {
	h := hmac.New(sha256.New, q.key)
	h.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
