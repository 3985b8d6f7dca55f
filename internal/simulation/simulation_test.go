package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed alone and tell all that happens, with -v also if nothing is wrong")
	seedsFlag = flag.Int("seeds", seedsUsual, "how many seeds to run")
	fromFlag  = flag.Uint64("from", 1, "the first seed")
)

// gcPercent trades memory for time: a world lives for milliseconds.
const gcPercent = 800

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(gcPercent)
	// On one processor goroutines that may run at once do so in an order of their own, and a seed decides everything. On
	// more, two appenders of a process may come in either order.
	runtime.GOMAXPROCS(1)
	goleak.VerifyTestMain(m)
}

// outcome is what one run of a seed came to.
type outcome struct {
	wrong []string
	hash  uint64
	lines []string
	took  time.Duration // of virtual time
	turns int
}

// run runs one seed.
func run(t *testing.T, seed uint64, broken bugs, text bool) outcome {
	t.Helper()
	var out outcome
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(seed, broken)
		require.NoError(t, err)
		w.trace.text = text
		w.addProcesses()
		w.addCustomers()
		w.prepare()
		w.run()
		w.close()
		time.Sleep(time.Second) // an appender may still be giving way to others
		o := newOracle()
		w.judge(o)
		out = outcome{append(w.wrong, o.wrong...), w.trace.hash, w.trace.lines, time.Since(w.started), w.turns}
	})
	return out
}

func newWorld(seed uint64, broken bugs) (*world, error) {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), bugs: broken, arrived: make(chan struct{}, 1),
		handed: map[job]string{}, log: slog.New(slog.DiscardHandler), started: time.Now(),
		trace: trace{hash: fnvOffset, start: time.Now()},
	}
	w.plan = newPlan(w.rng)
	if w.bugs.plan != nil {
		w.bugs.plan(&w.plan)
	}
	var err error
	if w.store, err = memory.New(memory.Config{Shards: w.plan.shards, Now: time.Now}); err != nil {
		return nil, err
	}
	if w.codec, err = eventstore.NewCodec(catalog.Events(), oneKey{}); err != nil {
		return nil, err
	}
	w.heads = make([]int64, w.plan.shards)
	w.bus, w.view = newBus(w, w.plan.shards), newView(w, w.plan.shards)
	return w, nil
}

// close ends everything. From now on no use of a port does anything.
func (w *world) close() {
	w.mu.Lock()
	w.closed = true
	calls := w.calls
	w.calls = nil
	for _, l := range w.lives {
		l.dead = true
	}
	w.mu.Unlock()
	for _, c := range calls {
		c.turn <- turn{fate: gone}
	}
	for _, l := range w.lives {
		l.cancel()
		<-l.over
	}
	for _, c := range w.customers {
		<-c.over
	}
	synctest.Wait()
}

// judge has the oracle read everything.
func (w *world) judge(o *oracle) {
	w.view.catchUp()
	for _, f := range w.view.facts {
		o.see(f)
		w.trace.add(f.stream + f.name)
	}
	if len(w.wrong) == 0 { // else it is known that something has not ended
		o.settle()
	}
	o.promises(w)
	for got, who := range w.handed {
		ok := slices.ContainsFunc(w.view.facts, func(f fact) bool {
			return f.name == "generation.claimed" && job{f.Generation, f.Attempt} == got && f.Worker == who
		})
		if !ok {
			w.fault(fmt.Sprintf("attempt %d at %s was handed to %s and is not recorded", got.attempt, got.generation, who))
		}
	}
	for _, r := range w.bus.dead {
		w.fault("a dead letter: " + string(r.value))
	}
	for shard, head := range w.heads {
		if last := w.bus.published(shard); last != head && len(w.wrong) == 0 {
			w.fault(fmt.Sprintf("shard %d was published up to %d of %d", shard, last, head))
		}
	}
}

// recorded returns what the store has under an idempotency key.
func (w *world) recorded(account domain.AccountID, key string) (string, string, eventstore.Position, error) {
	asked := eventstore.OutcomeKey{Account: account, Key: key}
	found, err := w.store.Outcomes(context.Background(), []eventstore.OutcomeKey{asked})
	out, there := found[asked]
	if err != nil || !there {
		return "", "", out.Position, errors.Join(err, errors.New("it is not there"))
	}
	if out.Body == nil {
		result, err := told(out.Events)
		return "", result, out.Position, err
	}
	var body struct {
		Result  json.RawMessage `json:"result"`
		Refusal struct {
			Code string `json:"code"`
		} `json:"refusal"`
	}
	err = json.Unmarshal(out.Body, &body)
	return body.Refusal.Code, string(body.Result), out.Position, err
}

// told returns the answer to a reservation as its event tells it.
func told(events []eventstore.Envelope) (string, error) {
	var said struct {
		Reservation string          `json:"reservation"`
		Slices      json.RawMessage `json:"slices"`
		Expires     string          `json:"expires_at"`
	}
	i := slices.IndexFunc(events, func(e eventstore.Envelope) bool { return e.Type == "account.credits_reserved.v1" })
	if i < 0 {
		return "", errors.New("its events do not tell it")
	}
	if err := json.Unmarshal(events[i].Data, &said); err != nil {
		return "", err
	}
	text, err := json.Marshal(said)
	return string(text), err
}

// report fails a test because of a seed.
func report(t *testing.T, seed uint64, out outcome) {
	t.Helper()
	const most = 12
	wrong := out.wrong
	if len(wrong) > most {
		wrong = append(wrong[:most:most], fmt.Sprintf("and %d more", len(wrong)-most))
	}
	t.Errorf("seed %d:\n  %s\nto see all of it: go test ./internal/simulation -run TestSeeds -seed=%d -v", seed,
		strings.Join(wrong, "\n  "), seed)
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		out := run(t, *seedFlag, bugs{}, true)
		fmt.Fprintln(os.Stdout, strings.Join(out.lines, "\n"))
		if len(out.wrong) > 0 {
			report(t, *seedFlag, out)
		}
		return
	}
	const failedMax = 5
	for n, failed := 0, 0; n < *seedsFlag && failed < failedMax; n++ {
		seed := *fromFlag + uint64(n)
		if out := run(t, seed, bugs{}, false); len(out.wrong) > 0 {
			failed++
			report(t, seed, out)
		}
	}
}

// TestReplay holds that a seed decides everything: run again, it does the same. A goroutine that has run for 10 ms, or
// whose machine was busy for as long, goes behind the others, which no seed decides: so there is more than one try.
func TestReplay(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		return
	}
	const seeds, tries = 300, 4
	for seed := uint64(1); seed <= seeds; seed++ {
		before, same := run(t, seed, bugs{}, false), false
		for n := 1; n < tries && !same; n++ {
			again := run(t, seed, bugs{}, false)
			same = again.hash == before.hash && again.turns == before.turns
			before = again
		}
		if !same {
			t.Errorf("seed %d: something else each time, %x after %d turns at last", seed, before.hash, before.turns)
		}
	}
}
