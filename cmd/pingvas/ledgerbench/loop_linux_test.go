package ledgerbench

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that falls silent ends the round.
func TestLoopLosesPatience(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	crew, err := NaiveREST(server.Listener.Addr().String()).crew(t.Context(), 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, crew.close()) })
	crew.(*loop).patience = time.Millisecond
	_, _, err = Workload{Accounts: 1, Clients: 2, Spread: Hot, Round: time.Minute}.run(t.Context(), crew)
	require.ErrorContains(t, err, "no answer in 1ms")
}
