package pgserver

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// ownerEnv makes this test binary the owner of a server in the named folder, for tests that kill an owner.
const ownerEnv = "PGSERVER_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		ownServer(dir)
		return
	}
	goleak.VerifyTestMain(m)
}
