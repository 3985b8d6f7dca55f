package settle_test

import (
	"encoding/json"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers/settle"
)

// Whatever lies on the topic is a result of its owner's job or a dead letter. It never stops the settler, and no
// pictures but those in the places of this attempt reach the ledger.
func FuzzResult(f *testing.F) {
	for _, r := range []generation.Result{
		completed(), failed(generation.Failure{Cause: "timeout", Retry: true}), failed(generation.Failure{}), {},
	} {
		payload, err := json.Marshal(r)
		require.NoError(f, err)
		f.Add(payload)
	}
	f.Add([]byte("null"))
	f.Add([]byte(`{"images":[{}],"attempt":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		book := &ledger{}
		var outcomes []settle.Outcome
		s, err := settle.New(settle.Config{
			Ledger: book, Now: noon, Observe: func(o settle.Outcome) { outcomes = append(outcomes, o) },
		})
		require.NoError(t, err)
		err = s.Handle(t.Context(), message.NewMessage("id", payload))
		require.Len(t, outcomes, 1)
		require.Equal(t, err != nil, outcomes[0] == settle.OutcomeInvalid)
		require.Equal(t, err == nil, book.told != nil)
		if err != nil {
			require.ErrorContains(t, err, "cannot be handled")
		}
		done, ok := book.told.(generation.Complete)
		require.Equal(t, ok, outcomes[0] == settle.OutcomeCompleted)
		var r generation.Result
		if ok {
			require.NoError(t, json.Unmarshal(payload, &r))
			require.NotEmpty(t, done.Images)
		}
		for i, picture := range done.Images {
			require.Equal(t, generation.ObjectKey(owner, r.Generation, r.Attempt, i), picture.Key)
			require.Equal(t, generation.ThumbnailKey(owner, r.Generation, r.Attempt, i), picture.ThumbnailKey)
		}
	})
}
