package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/pricing"
)

// A token is read as the quote that it was made of, and any other text is refused at its field.
func FuzzQuoteToken(f *testing.F) {
	quotes, err := NewQuotes(bytes.Repeat([]byte{7}, QuoteKeyBytesMin))
	require.NoError(f, err)
	quote := pricing.Quote{
		ID: "q", Account: "acc_1", Terms: pricing.Terms{Model: "m", Count: 1}, Credits: 4,
		Expires: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
	token, err := quotes.Token(quote)
	require.NoError(f, err)
	for _, seed := range []string{
		token, token + "=", token + "\n", "q1." + token, token[:len(token)-1], "", ".", "q1..", "q2.e30.x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := quotes.Read(text)
		if text == token {
			require.NoError(t, err)
			require.Equal(t, quote, got)
			return
		}
		var refused *domain.Error
		require.ErrorAs(t, err, &refused, "another text must not pass as the token")
		require.Equal(t, domain.CodeInvalid, refused.Code)
		require.Equal(t, "/quote", refused.Field)
		require.Zero(t, got)
	})
}

// A recorded outcome is read as what was answered; what is no outcome is an error and never a panic.
func FuzzRecordedOutcome(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"result":{"N":1}}`, `{"refusal":{"code":"conflict","msg":"twice","detail":{"a":[1]}}}`,
		`{"result":{"N":"x"}}`, `{"refusal":null,"result":null}`, `{"refusal":{"detail":null}}`, `{"refusal":{}}`,
	} {
		f.Add([]byte(seed))
	}
	type answer struct{ N int }
	f.Fuzz(func(t *testing.T, body []byte) {
		result, err := readOutcome[answer](body)
		var refused *domain.Error
		if err != nil && !errors.As(err, &refused) {
			return
		}
		again, err := json.Marshal(outcomeOf(result, refused))
		require.NoError(t, err)
		second, err := readOutcome[answer](again)
		if refused == nil {
			require.NoError(t, err)
			require.Equal(t, result, second)
			return
		}
		var same *domain.Error
		require.ErrorAs(t, err, &same)
		require.Equal(t, refused.Code, same.Code)
		require.Equal(t, refused.Msg, same.Msg)
		require.Equal(t, refused.Field, same.Field)
		if refused.Detail != nil {
			require.JSONEq(t, string(refused.Detail.(json.RawMessage)), string(same.Detail.(json.RawMessage)))
		}
	})
}
