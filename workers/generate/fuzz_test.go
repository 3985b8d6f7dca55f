package generate

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// The book takes an offer under the key of its job and drops everything else on the topic.
func FuzzOffer(f *testing.F) {
	const id = "gen_00000000000000000000000001"
	whole, err := json.Marshal(generation.Offer{Generation: id, Tier: domain.TierPro, Model: "m", Attempt: 1})
	require.NoError(f, err)
	f.Add(id, whole)
	f.Add("another", whole)
	f.Add("", []byte("{}"))
	f.Add("", []byte(`{"tier":"free"}`))
	f.Add(id, []byte(`{"generation":"`+id+`","tier":"gold"}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		b := newBook(slog.New(slog.DiscardHandler))
		b.Put("topic", key, value)
		b.CaughtUp()
		var o generation.Offer
		_ = json.Unmarshal(value, &o)
		open := b.open(time.Now(), map[string]bool{o.Model: true})
		require.LessOrEqual(t, len(open), 1)
		for _, offer := range open {
			require.Equal(t, key, string(offer.Generation))
			require.NoError(t, offer.Tier.Check())
		}
		b.Delete("topic", key)
		require.Empty(t, b.open(time.Now(), map[string]bool{o.Model: true}))
	})
}

// An answer is a refusal with a code, or trouble on the way: never both, and never nothing.
func FuzzProblem(f *testing.F) {
	f.Add(http.StatusConflict, []byte(`{"code":"conflict","title":"Conflict"}`))
	f.Add(http.StatusBadGateway, []byte(`{"code":"conflict"}`))
	f.Add(http.StatusNotFound, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		err := problem(status, text)
		require.Error(t, err)
		var refused *domain.Error
		if errors.As(err, &refused) {
			require.Less(t, status, http.StatusInternalServerError)
			require.NotEmpty(t, refused.Code)
		}
	})
}
