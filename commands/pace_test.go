package commands_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/commands"
)

func TestPaceFollowsWhatIsMeasured(t *testing.T) {
	t.Parallel()
	var pace commands.Pace
	require.EqualValues(t, 9000, pace.Refine("sdxl-1.0", 9000), "nothing is known")
	for range 100 {
		pace.Learn("sdxl-1.0", 9000, 4500)
	}
	require.InDelta(t, 4500, pace.Refine("sdxl-1.0", 9000), 10)
	require.EqualValues(t, 9000, pace.Refine("flux-dev", 9000), "each model has its own")
	pace.Learn("nobody-has-it", 1, 1000)
	require.EqualValues(t, 100, pace.Refine("nobody-has-it", 100))
	var none *commands.Pace
	none.Learn("sdxl-1.0", 1, 2)
	require.EqualValues(t, 7, none.Refine("sdxl-1.0", 7))
}

// However odd the measurements, an estimate stays within a factor of four of the price book's, and positive.
func TestPaceIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var pace commands.Pace
		for range rapid.IntRange(0, 50).Draw(t, "jobs") {
			pace.Learn("flux-dev", rapid.Int64().Draw(t, "expected"), rapid.Int64().Draw(t, "measured"))
		}
		millis := rapid.Int64Range(1, 1<<40).Draw(t, "millis")
		refined := pace.Refine("flux-dev", millis)
		require.Positive(t, refined)
		require.LessOrEqual(t, refined, 4*millis)
		require.GreaterOrEqual(t, refined, millis/4)
	})
}
