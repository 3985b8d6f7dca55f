package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

func TestThePaceIsLearntFromTheFeed(t *testing.T) {
	t.Parallel()
	pace := &commands.Pace{}
	keeper, err := newPaceKeeper(pace)
	require.NoError(t, err)
	tell := func(stream string, e domain.Event) {
		data, err := json.Marshal(e)
		require.NoError(t, err)
		keeper.see(eventstore.Envelope{Stream: stream, Type: e.EventName(), Data: data})
	}
	asked := generation.Requested{Spec: generation.Spec{Terms: pricing.Terms{
		Operation: pricing.OperationTextToImage, Model: "sdxl-1.0", Width: 1024, Height: 1024, Steps: 30, Count: 2,
	}}}
	made := generation.Completed{Images: make([]generation.Image, 2), GPUMillis: 36_000} // twice the price book's
	for range 50 {
		tell("generation-1", asked)
		tell("generation-1", made)
	}
	require.InDelta(t, 18_000, pace.Refine("sdxl-1.0", 9000), 200)
	before := pace.Refine("sdxl-1.0", 9000)
	tell("generation-2", made) // its request was missed
	tell("generation-3", asked)
	tell("generation-3", generation.Cancelled{})
	tell("generation-3", made)
	keeper.see(eventstore.Envelope{Type: made.EventName(), Data: []byte("{")})
	require.Equal(t, before, pace.Refine("sdxl-1.0", 9000))
}
