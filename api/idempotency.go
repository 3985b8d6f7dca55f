package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// The headers of idempotent calls.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
)

// openKeyBytesMin is the least length of the key that opens an account: there is no account yet that could own it.
const openKeyBytesMin = 16

// parseKey reads an Idempotency-Key: a structured-field string in double quotes (RFC 8941, section 3.3.3), or the same
// characters bare. It returns invalid-request for anything else.
func parseKey(header string) (string, error) {
	key := header
	if strings.HasPrefix(header, `"`) {
		var ok bool
		if key, ok = unquote(header); !ok {
			return "", invalidField(headerKey, "is not a quoted string")
		}
	} else if strings.Contains(header, `"`) {
		return "", invalidField(headerKey, "has a quote in the middle")
	}
	if key == "" || len(key) > eventstore.KeyBytesMax || strings.ContainsFunc(key, notPrintable) {
		return "", invalidField(headerKey,
			fmt.Sprintf("must be 1 to %d printable ASCII characters", eventstore.KeyBytesMax))
	}
	return key, nil
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// idempotency returns the caller's key with the hash of the request: SHA-256 over method, route, account and the JSON
// of the decoded parts (path parameters and body), each after its length. Re-encoding the decoded body makes order of
// fields, white space and spelling of numbers irrelevant.
func idempotency(ctx context.Context, method, header string, parts ...any) (*commands.Idempotency, error) {
	key, err := parseKey(header)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	var room [requestBytes]byte
	hashed := appendField(room[:0], method)
	hashed = appendField(hashed, c.route)
	hashed = appendField(hashed, c.who.Account)
	for _, part := range parts {
		encoded, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("encode a request to hash it: %w", err)
		}
		hashed = appendField(hashed, encoded)
	}
	return &commands.Idempotency{Key: key, RequestHash: eventstore.HashRequest(hashed)}, nil
}

// requestBytes is how much most requests hash at most: that is put together on the stack.
const requestBytes = 512

func appendField[T ~string | ~[]byte](b []byte, field T) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(field))), field...)
}

// accountFor derives the id of the account that a key opens, so that a retry finds the same account.
func accountFor(key string) domain.AccountID {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base32, 5 bits a character
	const characters = 26
	sum := sha256.Sum256([]byte("open-account:" + key))
	id := make([]byte, characters)
	for i := range id {
		bit := i * 5
		window := uint16(sum[bit/8])<<8 | uint16(sum[bit/8+1])
		id[i] = alphabet[window>>(11-bit%8)&31]
	}
	return domain.AccountID(domain.PrefixAccount + string(id))
}
