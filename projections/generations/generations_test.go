package generations_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/generations"
	"github.com/pingvas/pingvas/projections/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestView(t *testing.T) {
	t.Parallel()
	projectiontest.Run(t, func() projections.Projection { return generations.New() })
}
