package queries

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

const (
	// cursorMACBytes is how much of the HMAC a cursor carries.
	cursorMACBytes = 16
	// cursorBytesMax is the longest cursor that is looked at.
	cursorBytesMax = 1024
)

// sealCursor returns a token for a place in the list that the filter describes. The filter is signed with the place and
// not in the token: a cursor opens for the question, the account and the filters it was given for, and for no other.
func (s *Service) sealCursor(filter []any, place ...any) string {
	body := encode(place)
	return base64.RawURLEncoding.EncodeToString(append(s.sign(filter, body), body...))
}

// openCursor scans the place into the pointers, or returns CodeInvalid.
func (s *Service) openCursor(cursor string, filter []any, place ...any) error {
	refused := domain.FieldErrorf("cursor", "is not one that was given for this list and these filters")
	if len(cursor) > cursorBytesMax {
		return refused
	}
	token, err := base64.RawURLEncoding.DecodeString(cursor)
	// The decoder passes over line breaks and spare bits: compared with itself, a place has one cursor only.
	if err != nil || len(token) < cursorMACBytes || base64.RawURLEncoding.EncodeToString(token) != cursor {
		return refused
	}
	mac, body := token[:cursorMACBytes], token[cursorMACBytes:]
	if !hmac.Equal(mac, s.sign(filter, body)) || json.Unmarshal(body, &place) != nil {
		return refused
	}
	return nil
}

func (s *Service) sign(filter []any, body []byte) []byte {
	mac := hmac.New(sha256.New, s.cfg.CursorKey)
	// A JSON list ends where it ends, so filter and body cannot be mistaken for each other.
	_, _ = mac.Write(encode(filter))
	_, _ = mac.Write(body)
	return mac.Sum(nil)[:cursorMACBytes]
}

// encode panics for what JSON cannot say, which is a mistake of this package.
func encode(list []any) []byte {
	b, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("queries: encode a cursor: %v", err))
	}
	return b
}
