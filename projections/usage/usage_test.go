package usage_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestView(t *testing.T) {
	t.Parallel()
	projectiontest.Run(t, func() projections.Projection { return usage.New() })
}
