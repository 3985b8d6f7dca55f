package crash

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if config, ok := os.LookupEnv(hostEnv); ok {
		os.Exit(runHost(config))
	}
	goleak.VerifyTestMain(m)
}
