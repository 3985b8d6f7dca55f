package commands_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/audit"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/internal/pgtest"
)

var (
	stepsFlag = flag.Int("steps", stepsUsual, "how many commands TestModel sends")
	seedFlag  = flag.Uint64("seed", 0, "draws the commands of TestModel; 0 draws a seed")
)

// The size of the model test.
const (
	modelProcesses = 2
	modelClients   = 64
	modelShards    = 3
	modelRounds    = 5 // between two, a process ends and another one begins, or all snapshots go
	contextOps     = 8 // commands before a problem that are told
)

// TestModel has many clients send random commands to two processes on one database and compares every answer and the
// ledger with a model: see check.
func TestModel(t *testing.T) {
	t.Parallel()
	migrate := func(ctx context.Context, url string) error { return postgres.Migrate(ctx, url, modelShards) }
	pool := pgtest.New(t, pgtest.Schema{Hash: postgres.MigrationHash() + "-model", Migrate: migrate})
	url := pool.Config().ConnString()
	c := newCrowd(drawSeed())
	children := make([]*child, modelProcesses)
	for i := range children {
		children[i] = spawn(t, url)
		c.processes = append(c.processes, children[i])
	}
	defer func() {
		for _, p := range children {
			p.stop(t)
		}
	}()
	for round := range modelRounds {
		if round > 0 {
			_, err := pool.Exec(t.Context(), "DELETE FROM ledger.snapshots")
			require.NoError(t, err)
			n := round % modelProcesses
			children[n].stop(t)
			children[n] = spawn(t, url)
			c.processes[n] = children[n]
		}
		c.round(round, modelClients, (*stepsFlag+modelRounds-1)/modelRounds)
	}
	sent := time.Since(c.began)
	store, err := postgres.Open(t.Context(), postgres.Config{Pool: pool})
	require.NoError(t, err)
	c.compare(t, store)
	c.report(t, sent)
	c.demand(t)
}

func drawSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return rand.Uint64()
}

// compare audits the ledger and compares what happened to each account with the model.
func (c *crowd) compare(t *testing.T, store eventstore.Store) {
	t.Helper()
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for _, h := range recorded(t, store, c.calls) {
		all.Go(func() error {
			order, _, p := h.check()
			if p == nil {
				return nil
			}
			return fmt.Errorf("account %s: %s\nMuch the same, in other turns of the processes: make model SEED=%d STEPS=%d",
				h.account, h.tell(order, p), c.seed, *stepsFlag)
		})
	}
	require.NoError(t, all.Wait())
}

// recorded sorts the calls and the events of the ledger by account, after an audit.
func recorded(t *testing.T, store eventstore.Store, calls []call) []*history {
	t.Helper()
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	report, err := audit.Verify(t.Context(), audit.Config{Store: store, Codec: codec})
	require.NoError(t, err)
	require.True(t, report.Sound(), report.Findings)
	require.Zero(t, report.Balance.Sum())

	histories := make([]*history, allAccounts)
	for n := range histories {
		histories[n] = &history{account: accountOf(n)}
	}
	for _, one := range calls {
		h := histories[index(one.Account)]
		h.calls = append(h.calls, one)
	}
	for shard := range store.Shards() {
		for after := int64(0); ; {
			page, err := store.ReadShard(t.Context(), shard, after, eventstore.ReadMax)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				event, err := codec.Decode(t.Context(), e)
				require.NoError(t, err)
				meta, err := e.Meta()
				require.NoError(t, err)
				h := histories[index(meta.Account)]
				h.events = append(h.events, done{e, event})
			}
			after = page[len(page)-1].Pos
		}
	}
	return histories
}

// tell says what is wrong and what led to it: the shortest list of commands that shows it by itself, if one does, else
// what happened just before and whatever is about the same thing.
func (h history) tell(order []*op, p *problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.what)
	if p.op != nil {
		fmt.Fprintf(&b, "  %s\n  was answered %v\n  between %s and %s\n", p.op.step, p.op.reply, p.op.called, p.op.returned)
	}
	steps := make([]step, 0, p.at+1)
	for _, o := range order[:min(p.at, len(order))] {
		steps = append(steps, o.step)
	}
	if p.op != nil {
		steps = append(steps, p.op.step)
	}
	if short, why := shorten(steps); why != "" {
		fmt.Fprintf(&b, "These commands alone, one after the other, show it: %s\n", why)
		for _, s := range short {
			fmt.Fprintf(&b, "  %s\n", s)
		}
		return b.String()
	}
	b.WriteString("One after the other the commands do not show it. In the order of the ledger there were before:\n")
	for i, o := range order[:min(p.at, len(order))] {
		related := p.op != nil && o.subject() != "" && o.subject() == p.op.subject()
		if related || i >= p.at-contextOps {
			fmt.Fprintf(&b, "  %d: %s\n     %v, between %s and %s\n", i, o.step, o.reply, o.called, o.returned)
		}
	}
	return b.String()
}

// shorten leaves out commands for as long as the rest, run one after the other, still disagrees with the model, and
// says how it does. It says nothing if they all agree.
func shorten(steps []step) ([]step, string) {
	why := disagree(steps)
	if why == "" {
		return nil, ""
	}
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(steps); {
			fewer := slices.Delete(slices.Clone(steps), at, at+size)
			if again := disagree(fewer); again != "" {
				steps, why = fewer, again
			} else {
				at += size
			}
		}
	}
	return steps, why
}

// disagree runs commands on an empty ledger in memory and says where the model answers otherwise.
func disagree(steps []step) string {
	store, err := memory.New(memory.Config{Shards: 1, Now: func() time.Time { return noon }})
	if err != nil {
		return err.Error()
	}
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	if err != nil {
		return err.Error()
	}
	ledger, err := commands.New(commands.Config{Store: store, Codec: codec})
	if err != nil {
		return err.Error()
	}
	if len(steps) == 0 {
		return ""
	}
	w := newWorld(steps[0].Account)
	for _, s := range steps {
		s.Key = ""
		v, t := w.ask(s)
		if r := s.run(context.Background(), ledger); !v.agrees(r) {
			return fmt.Sprintf("the last is answered %v, the model says %v", r, v)
		}
		if t != nil {
			w.keep(t)
		}
	}
	return ""
}

// report shows what happened.
func (c *crowd) report(t *testing.T, sent time.Duration) {
	t.Helper()
	kinds, codes := map[string]int{}, map[domain.Code]int{}
	replayed, late := 0, 0
	for _, one := range c.calls {
		kinds[one.kind()]++
		codes[one.Code]++
		if one.Replayed {
			replayed++
		}
		if strings.Contains(one.Result, `"waived"`) {
			late++
		}
	}
	t.Logf("seed %d: %d commands in %s, checked in %s, %d replayed, %d waived\n%v\n%v", c.seed, len(c.calls),
		sent.Round(time.Millisecond), (time.Since(c.began) - sent).Round(time.Millisecond), replayed, late, kinds, codes)
}

// demand fails if the commands were too tame to show anything.
func (c *crowd) demand(t *testing.T) {
	t.Helper()
	codes := map[domain.Code]int{}
	replayed := 0
	for _, one := range c.calls {
		codes[one.Code]++
		if one.Replayed {
			replayed++
		}
	}
	for _, code := range []domain.Code{
		"", domain.CodeInsufficientCredits, domain.CodeConcurrencyLimit, domain.CodeConflict, domain.CodeAlreadyEnded,
		domain.CodeStaleAttempt, domain.CodeNotFound, domain.CodeInvalid, domain.CodePreconditionFailed,
		domain.CodeIdempotencyMismatch,
	} {
		require.Positive(t, codes[code], "no command was answered %q", code)
	}
	require.Positive(t, replayed)
}
