package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/pingvas/pingvas/eventstore"
)

// trace remembers what happened: always as a hash, and as text for a single seed.
type trace struct {
	hash  uint64
	text  bool
	lines []string
	start time.Time
}

// FNV-1a, 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *trace) add(text string) {
	h := t.hash
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	t.hash = h
}

func (t *trace) number(n int64) {
	for range 8 {
		t.hash = (t.hash ^ uint64(n&0xff)) * fnvPrime
		n >>= 8
	}
}

// call notes that a call got its turn.
func (t *trace) call(at time.Time, c *call, f fate) {
	t.number(int64(at.Sub(t.start)))
	t.add(c.by.String())
	t.add(c.kind)
	t.add(c.key)
	t.number(int64(f))
	if t.text {
		t.line(c.by.String(), strings.TrimSpace(c.kind+" "+c.key+" "+c.whose)+fates[f])
	}
}

// note notes what the world does to a process.
func (t *trace) note(who, what string) {
	t.number(int64(time.Since(t.start)))
	t.add(who)
	t.add(what)
	if t.text {
		t.line(who, what)
	}
}

// detail is text only.
func (t *trace) detail(words ...string) {
	if t.text {
		t.lines = append(t.lines, "                              "+strings.Join(words, " "))
	}
}

func (t *trace) line(who, what string) {
	at := fmt.Sprintf("%12.6f", time.Since(t.start).Seconds())
	t.lines = append(t.lines, fmt.Sprintf("%s %-12s %s", at, who, what))
}

// appended notes what became of units.
func (t *trace) appended(l *life, units []eventstore.Unit, results []eventstore.Result) {
	for i, u := range units {
		if i < len(results) {
			t.number(int64(results[i].Status))
			t.number(results[i].First)
		}
		for _, e := range u.Events {
			t.add(e.Stream)
			t.number(e.Version)
			t.add(e.Type)
		}
		for _, o := range u.Outcomes {
			t.add(o.Key)
		}
		if t.text {
			t.unit(l, u, results[min(i, len(results)-1)])
		}
	}
}

func (t *trace) unit(l *life, u eventstore.Unit, r eventstore.Result) {
	status := map[eventstore.Status]string{
		eventstore.StatusAppended: "recorded", eventstore.StatusConflict: "conflict", eventstore.StatusDuplicate: "duplicate",
	}
	t.detail("unit of", string(u.Account), "by", l.String()+":", status[r.Status])
	for i, e := range u.Events {
		t.detail(fmt.Sprintf("  %d %s@%d %s %s", r.First+int64(i), e.Stream, e.Version, e.Type, e.Data))
	}
	for _, o := range u.Outcomes {
		t.detail("  answer to", o.Key, string(o.Body))
	}
}
