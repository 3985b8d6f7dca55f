package generation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

func TestTopicNamesNeverChange(t *testing.T) {
	t.Parallel()
	require.Equal(t, "pingvas.jobs.gpu.enterprise", generation.OfferTopic("gpu", domain.TierEnterprise))
	require.Equal(t, "pingvas.results", generation.TopicResults)
	require.Equal(t, "pingvas.progress", generation.TopicProgress)
}

func TestInputsAreTheSourceThenThoseOfTheControls(t *testing.T) {
	t.Parallel()
	require.Empty(t, generation.Spec{}.Inputs())
	source, control := generation.Input{Key: "a"}, generation.Input{Key: "b"}
	spec := generation.Spec{Controls: []generation.Control{{Input: control}, {Input: source}}}
	require.Equal(t, []generation.Input{control, source}, spec.Inputs())
	spec.Source = &source
	require.Equal(t, []generation.Input{source, control, source}, spec.Inputs())
}
