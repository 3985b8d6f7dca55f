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
