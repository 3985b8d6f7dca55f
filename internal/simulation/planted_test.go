package simulation

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/workers/settle"
)

// bugs are mistakes that are planted to see whether they are found. The zero value is none.
type bugs struct {
	plan      func(*plan)
	inStore   func(eventstore.Store) eventstore.Store
	inSettle  func(settle.Ledger, *world) settle.Ledger
	inRecords func(topic string, records []*record) []*record
}

func (b bugs) store(s eventstore.Store) eventstore.Store {
	if b.inStore == nil {
		return s
	}
	return b.inStore(s)
}

func (b bugs) settle(l settle.Ledger, w *world) settle.Ledger {
	if b.inSettle == nil {
		return l
	}
	return b.inSettle(l, w)
}

func (b bugs) records(topic string, records []*record) []*record {
	if b.inRecords == nil {
		return records
	}
	return b.inRecords(topic, records)
}

// appendFunc is a broken Store.Append on a store that works.
type appendFunc func(context.Context, eventstore.Store, int, []eventstore.Unit) ([]eventstore.Result, error)

// brokenStore is a store with a broken Append.
type brokenStore struct {
	eventstore.Store
	broken appendFunc
}

// Append implements eventstore.Store.
func (s brokenStore) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	out := make([]eventstore.Appended, len(batches))
	for i, b := range batches {
		results, err := s.broken(ctx, s.Store, b.Shard, b.Units)
		if err != nil {
			return nil, err
		}
		out[i].Results = results // the heads stay unknown
	}
	return out, nil
}

// vain is a store that hides what others have appended, so that a process takes old states for true.
type vain struct{ eventstore.Store }

// Append implements eventstore.Store.
func (s vain) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	heads, err := s.Heads(ctx)
	if err != nil {
		return nil, err
	}
	batches = slices.Clone(batches)
	for i, b := range batches {
		if b.Known != nil {
			batches[i].Known = &heads[b.Shard]
		}
	}
	return s.Store.Append(ctx, batches)
}

// deaf is a store of whose news a process hears how much there was, and no more.
type deaf struct{ eventstore.Store }

// Append implements eventstore.Store.
func (s deaf) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	out, err := s.Store.Append(ctx, batches)
	for _, a := range out {
		for i := range a.Missed {
			a.Missed[i].Stream = "account-of-nobody"
		}
	}
	return out, err
}

func inAppend(broken appendFunc) bugs {
	return bugs{inStore: func(s eventstore.Store) eventstore.Store { return brokenStore{s, broken} }}
}

// forgetful records no answers.
func forgetful(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	units = slices.Clone(units)
	for i := range units {
		units[i].Outcomes = nil
	}
	return storetest.Append(ctx, s, shard, units...)
}

// answersLater records the events first and their answers in another transaction.
func answersLater(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	results, err := forgetful(ctx, s, shard, units)
	if err != nil {
		return nil, err
	}
	answers := slices.Clone(units)
	for i := range answers {
		answers[i].Events, answers[i].Reads = nil, nil
		answers[i].Outcomes = slices.Clone(answers[i].Outcomes)
		for j := range answers[i].Outcomes {
			answers[i].Outcomes[j].Events = 0
		}
	}
	_, err = storetest.Append(ctx, s, shard, answers...)
	return results, err
}

// again does what was done before once more.
func again(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	results, err := storetest.Append(ctx, s, shard, units...)
	for i := range results {
		if results[i].Status == eventstore.StatusDuplicate {
			more, err := forgetful(ctx, s, shard, units[i:i+1])
			if err != nil {
				return nil, err
			}
			results[i] = more[0]
		}
	}
	return results, err
}

// careless appends to streams that have moved on.
func careless(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	results, err := storetest.Append(ctx, s, shard, units...)
	for i := range results {
		if results[i].Status != eventstore.StatusConflict || len(units[i].Events) == 0 {
			continue
		}
		u := units[i]
		u.Reads, u.Events = nil, slices.Clone(u.Events)
		next := map[string]int64{}
		for j := range u.Events {
			e := &u.Events[j]
			if next[e.Stream] == 0 {
				page, err := s.ReadStreams(ctx, shard, []eventstore.StreamVersion{{Stream: e.Stream}}, eventstore.ReadMax)
				if err != nil {
					return nil, err
				}
				next[e.Stream] = int64(len(page))
			}
			next[e.Stream]++
			e.Version = next[e.Stream]
		}
		more, err := storetest.Append(ctx, s, shard, u)
		if err != nil {
			return nil, err
		}
		results[i] = more[0]
	}
	return results, err
}

// lossy now and then says that something was recorded which was not.
func lossy(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	heads, err := s.Heads(ctx)
	if err != nil || len(units[0].Events) == 0 || heads[shard].Pos%7 != 3 {
		return storetest.Append(ctx, s, shard, units...)
	}
	results := make([]eventstore.Result, len(units))
	for i := range results {
		results[i] = eventstore.Result{Status: eventstore.StatusAppended, First: heads[shard].Pos + 1}
	}
	return results, nil
}

// inPieces records all events of a unit but the last, and then the last.
func inPieces(
	ctx context.Context, s eventstore.Store, shard int, units []eventstore.Unit,
) ([]eventstore.Result, error) {
	if len(units) != 1 || len(units[0].Events) < 2 {
		return storetest.Append(ctx, s, shard, units...)
	}
	first, last := units[0], units[0]
	n := len(first.Events) - 1
	first.Events, first.Outcomes = first.Events[:n], nil
	last.Events, last.Reads = last.Events[n:], nil
	results, err := storetest.Append(ctx, s, shard, first)
	if err != nil || results[0].Status != eventstore.StatusAppended {
		return results, err
	}
	last.Outcomes = slices.Clone(last.Outcomes)
	for i := range last.Outcomes {
		last.Outcomes[i].Events = min(last.Outcomes[i].Events, 1)
	}
	_, err = storetest.Append(ctx, s, shard, last)
	return results, err
}

// fenceless settles every result as if it came from the attempt that runs.
type fenceless struct {
	settle.Ledger
	w *world
}

// CompleteGeneration implements settle.Ledger.
func (f fenceless) CompleteGeneration(
	ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.Complete,
) (commands.Receipt[commands.Ended], error) {
	f.w.mu.Lock()
	if j := f.w.view.jobs[string(id)]; j != nil {
		in.Attempt = j.tries
	}
	f.w.mu.Unlock()
	return f.Ledger.CompleteGeneration(ctx, c, id, in)
}

// dropped leaves out the records that are to be dropped.
func dropped(drop func(topic string, r *record) bool) bugs {
	return bugs{inRecords: func(topic string, records []*record) []*record {
		return slices.DeleteFunc(slices.Clone(records), func(r *record) bool { return drop(topic, r) })
	}}
}

// TestPlantedBugsAreFound holds that the simulation can fail: each of these mistakes is found by an early seed.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		return
	}
	const seeds = 2000
	for name, c := range map[string]struct {
		planted bugs
		says    string
	}{
		"no answer is recorded":                  {inAppend(forgetful), "another request"},
		"answers are recorded after the events":  {inAppend(answersLater), "two answers"},
		"a repeated command is done again":       {inAppend(again), "two answers"},
		"the version of a stream is not checked": {inAppend(careless), ""},
		"what was acknowledged is lost":          {inAppend(lossy), ""},
		"a process thinks that it knows the head": {
			bugs{inStore: func(s eventstore.Store) eventstore.Store { return vain{s} }}, "",
		},
		"what others have appended is not heard": {
			bugs{inStore: func(s eventstore.Store) eventstore.Store { return deaf{s} }}, "",
		},
		"a unit is recorded in pieces": {inAppend(inPieces), ""},
		"the fence of a result is ignored": {
			bugs{inSettle: func(l settle.Ledger, w *world) settle.Ledger { return fenceless{l, w} }},
			"of another attempt",
		},
		"a published event is dropped": {dropped(func(topic string, r *record) bool {
			return topic == eventstore.Topic && strings.HasSuffix(r.headers[eventstore.HeaderID], ":9")
		}), "not published"},
		"a withdrawn offer stays": {dropped(func(topic string, r *record) bool {
			return strings.HasPrefix(topic, "pingvas.jobs.") && len(r.value) == 0
		}), "offers are open"},
		"nobody sweeps": {bugs{plan: func(p *plan) { p.sweepers = 0 }}, "have not ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= seeds; seed++ {
				out := run(t, seed, c.planted, false)
				if slices.ContainsFunc(out.wrong, func(text string) bool { return strings.Contains(text, c.says) }) {
					t.Logf("found by seed %d: %s", seed, out.wrong[0])
					return
				}
			}
			t.Errorf("not found by %d seeds", seeds)
		})
	}
}
