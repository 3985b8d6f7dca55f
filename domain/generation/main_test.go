package generation_test

import (
	"testing"

	"github.com/pingvas/pingvas/domain/domaintest"
)

func TestMain(m *testing.M) { domaintest.Main(m) }
