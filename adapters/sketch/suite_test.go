package sketch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/generate/enginetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Suite{
		Open: func(t *testing.T) generate.Engine {
			e, err := New(Config{Models: []string{model}, Pace: time.Second}) // 6 ms a step at this size
			require.NoError(t, err)
			return e
		},
		Model: model, Width: 64, Height: 96, Steps: 4, Guidance: 7, Scheduler: "euler", NegativePrompt: true,
		LoRAs: []string{"one", "two"}, Controls: []string{"canny", "depth"},
	})
}
