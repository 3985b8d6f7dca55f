package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/workers/cleanup"
)

// world is a view that always shows the same, and a ledger that counts.
type world struct {
	due   cleanup.Due
	away  int // how many rounds the view will fail
	errs  map[string]error
	calls map[string]int
	swept []cleanup.Swept
}

func newWorld() *world { return &world{errs: map[string]error{}, calls: map[string]int{}} }

func (w *world) Due(context.Context, time.Time) (cleanup.Due, error) {
	if w.away--; w.away >= 0 {
		return cleanup.Due{}, errors.New("away")
	}
	return w.due, nil
}

func (w *world) call(c commands.Caller, what string) error {
	if c.Actor != "system" || c.Account == "" {
		return fmt.Errorf("caller %+v", c)
	}
	w.calls[what]++
	return w.errs[what]
}

func (w *world) EndLease(
	_ context.Context, c commands.Caller, id domain.GenerationID, _ time.Time,
) (commands.Receipt[commands.Ended], error) {
	return commands.Receipt[commands.Ended]{}, w.call(c, "lease "+string(id))
}

func (w *world) ExpireGeneration(
	_ context.Context, c commands.Caller, id domain.GenerationID, _ time.Time,
) (commands.Receipt[commands.Ended], error) {
	return commands.Receipt[commands.Ended]{}, w.call(c, "deadline "+string(id))
}

func (w *world) ExpireDue(_ context.Context, c commands.Caller, _ time.Time) (commands.Receipt[int], error) {
	return commands.Receipt[int]{}, w.call(c, "account "+string(c.Account))
}

func (w *world) run(t *testing.T, d time.Duration) {
	t.Helper()
	s, err := cleanup.New(cleanup.Config{
		Schedule: w, Ledger: w, Observe: func(s cleanup.Swept) { w.swept = append(w.swept, s) },
		Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	time.Sleep(d)
	cancel()
	require.NoError(t, <-done)
}

func jobs(n int) []cleanup.DueJob {
	due := make([]cleanup.DueJob, n)
	for i := range due {
		due[i] = cleanup.DueJob{Generation: domain.GenerationID(fmt.Sprint(i)), Account: "a"}
	}
	return due
}

func TestEachKindBecomesItsCommandAndThenRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.due = cleanup.Due{Leases: jobs(1), Deadlines: jobs(2), Accounts: []domain.AccountID{"a"}}
		w.errs["deadline 0"] = errors.New("away")
		w.errs["deadline 1"] = domain.Errorf(domain.CodeAlreadyEnded, "ended")
		w.run(t, 9500*time.Millisecond)
		require.Equal(t, map[string]int{"lease 0": 1, "deadline 0": 1, "deadline 1": 1, "account a": 1}, w.calls)
		require.Equal(t, cleanup.Swept{Leases: 1, Accounts: 1, Failed: 1}, w.swept[0])
		require.Len(t, w.swept, 10)
		w.run(t, 10500*time.Millisecond)
		require.Equal(t, 3, w.calls["deadline 0"], "what failed is tried again")
	})
}

func TestARoundIsBoundedAndWhatRestsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.due.Leases = jobs(900)
		w.run(t, 4500*time.Millisecond)
		require.Equal(t, 200, w.swept[0].Leases)
		require.Len(t, w.calls, 900)
	})
}

func TestTheSweeperOutlivesItsView(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.away, w.due.Leases = 5, jobs(1)
		w.run(t, 7500*time.Millisecond)
		require.Equal(t, 1, w.calls["lease 0"])
	})
}
