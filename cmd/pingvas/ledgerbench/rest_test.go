package ledgerbench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countingServer speaks what the naive server does and remembers what is held.
type countingServer struct {
	mu       sync.Mutex
	held     map[string]bool
	reserves map[string]int // by connection
	ended    int
	faults   []string
}

func (s *countingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in naiveRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.faults = append(s.faults, err.Error())
	case r.URL.Path == "/reserve":
		in.ID = "hold of " + in.ID
		s.held[in.ID] = true
		s.reserves[r.RemoteAddr]++
	case !s.held[in.ID]:
		s.faults = append(s.faults, "not held: "+in.ID)
	default:
		delete(s.held, in.ID)
		s.ended++
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"id": in.ID})
}

// crews are both ways in which the clients of a target can work.
func crews(t *testing.T, target REST, clients int) map[string]crew {
	t.Helper()
	cheap, err := crewOf(t.Context(), target, clients)
	require.NoError(t, err)
	goroutines, err := connect(t.Context(), target, clients)
	require.NoError(t, err)
	all := map[string]crew{"cheap": cheap, "goroutines": goroutines}
	t.Cleanup(func() {
		for _, c := range all {
			require.NoError(t, c.close())
		}
	})
	return all
}

// Every client keeps its one connection for all rounds, and ends what it holds before it goes on.
func TestRESTCrews(t *testing.T) {
	t.Parallel()
	const clients, rounds = 8, 3
	for _, name := range []string{"cheap", "goroutines"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counting := &countingServer{held: map[string]bool{}, reserves: map[string]int{}}
			server := httptest.NewServer(counting)
			t.Cleanup(server.Close)
			crew := crews(t, NaiveREST(server.Listener.Addr().String()), clients)[name]
			w := Workload{Accounts: 10, Clients: clients, Spread: Uniform, Round: 20 * time.Millisecond}
			sent := 0
			for range rounds {
				pairs, took, err := w.run(t.Context(), crew)
				require.NoError(t, err)
				require.GreaterOrEqual(t, pairs, int64(clients))
				require.GreaterOrEqual(t, took, w.Round)
				sent += int(pairs)
			}
			require.Empty(t, counting.faults)
			require.Empty(t, counting.held)
			require.Equal(t, sent, counting.ended)
			require.Len(t, counting.reserves, clients)
		})
	}
}

// An answer that is not a good one ends the round with what was wrong.
func TestRESTAnswersAreChecked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ answer, want string }{
		"refused":    {"HTTP/1.1 409 Conflict\r\nContent-Length: 7\r\n\r\nno more", "reserve: answer 409: no more"},
		"no length":  {"HTTP/1.1 200 OK\r\n\r\n{}", "reserve: an answer has no length, or is too long"},
		"too long":   {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n{}", "no length, or is too long"},
		"no hold":    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "reserve: the answer names no hold: {}"},
		"not HTTP":   {"220\r\n", "reserve: not an HTTP answer"},
		"cut short":  {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "read the body of an answer: unexpected EOF"},
		"no answer":  {"", "reserve: read an answer: EOF"},
		"bad length": {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "reserve: read the length of an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				_, _ = fmt.Fprint(conn, tc.answer)
				_ = conn.Close()
			}))
			t.Cleanup(server.Close)
			w := Workload{Accounts: 1, Clients: 2, Spread: Hot, Round: time.Minute}
			for kind, crew := range crews(t, NaiveREST(server.Listener.Addr().String()), w.Clients) {
				_, _, err := w.run(t.Context(), crew)
				require.ErrorContains(t, err, tc.want, kind)
			}
		})
	}
}

// An answer may come in any pieces.
func TestRESTAnswersInPieces(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("x", 2*wireBufferSize)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := fmt.Sprintf(`{"id":"%s"}`, id)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		for _, piece := range []string{body[:3], body[3:9], body[9:]} {
			_, _ = fmt.Fprint(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(server.Close)
	for kind, crew := range crews(t, NaiveREST(server.Listener.Addr().String()), 2) {
		var mu sync.Mutex
		var holds []string
		crew.each(func(c Client) {
			hold, err := c.Reserve(t.Context(), 0, "any")
			mu.Lock()
			defer mu.Unlock()
			assert.NoError(t, err, kind)
			holds = append(holds, hold)
		})
		require.Equal(t, []string{id, id}, holds, kind)
	}
}
