package simulation

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/dispatch"
)

// fact is an event as the simulation reads it: with the fields of all types at once.
type fact struct {
	shard   int
	pos     int64
	stream  string
	version int64
	name    string // without the version
	owner   string

	Generation  string    `json:"generation"`
	Reservation string    `json:"reservation"`
	Grant       string    `json:"grant"`
	Amount      int64     `json:"amount"`
	Reserved    int64     `json:"reserved"`
	Waived      int64     `json:"waived"`
	Repays      int64     `json:"repays_line"`
	Slices      []part    `json:"slices"`
	Charged     []part    `json:"charged"`
	Returned    []part    `json:"returned"`
	Late        bool      `json:"late"`
	Attempt     int       `json:"attempt"`
	Worker      string    `json:"worker"`
	Stage       string    `json:"stage"`
	Cause       string    `json:"cause"`
	Pool        string    `json:"pool"`
	Tier        string    `json:"tier"`
	Estimate    int64     `json:"estimate_ms"`
	At          time.Time `json:"at"`
	Effective   time.Time `json:"effective_at"`
	Expires     time.Time `json:"expires_at"`
	Deadline    time.Time `json:"deadline"`
	LeaseUntil  time.Time `json:"lease_until"`
	Images      []struct {
		Key string `json:"key"`
	} `json:"images"`
	Spec struct {
		Model string `json:"model"`
		Count int64  `json:"count"`
	} `json:"spec"`
	Limits struct {
		Slots int   `json:"slots"`
		Line  int64 `json:"credit_line"`
	} `json:"limits"`
}

// part is a slice of a grant.
type part struct {
	Grant  string `json:"grant"`
	Amount int64  `json:"amount"`
}

func readFact(e eventstore.Envelope) (fact, error) {
	f := fact{shard: e.Shard, pos: e.Pos, stream: e.Stream, version: e.Version, name: strings.TrimSuffix(e.Type, ".v1")}
	meta, err := e.Meta()
	if err != nil {
		return f, err
	}
	f.owner = string(meta.Account)
	return f, json.Unmarshal(e.Data, &f)
}

// running is a job as the view knows it.
type running struct {
	fact  // of the request
	taken bool
	until time.Time
	tries int
}

// view is a read model of what is open and due. While it is stalled it does not look at the record.
type view struct {
	w       *world
	stalled bool
	facts   []fact
	pos     []int64
	jobs    map[string]*running
	holds   map[string]*fact // open reservations
	grants  map[string]*fact // that will expire
}

func newView(w *world, shards int) *view {
	return &view{
		w: w, pos: make([]int64, shards), jobs: map[string]*running{}, holds: map[string]*fact{}, grants: map[string]*fact{},
	}
}

// catchUp folds what is new.
func (v *view) catchUp() {
	if v.stalled {
		return
	}
	for shard := range v.pos {
		if v.pos[shard] == v.w.heads[shard] {
			continue
		}
		page, err := v.w.store.ReadShard(context.Background(), shard, v.pos[shard], eventstore.ReadMax)
		if err != nil {
			v.w.fault("read the record: " + err.Error())
			return
		}
		for _, e := range page {
			f, err := readFact(e)
			if err != nil {
				v.w.fault("read " + e.Position().String() + ": " + err.Error())
			}
			v.pos[shard] = e.Pos
			v.facts = append(v.facts, f)
			v.fold(&f)
		}
	}
}

func (v *view) fold(f *fact) {
	j := v.jobs[f.Generation]
	switch f.name {
	case "generation.requested":
		v.jobs[f.Generation] = &running{fact: *f, tries: 1}
	case "generation.completed", "generation.failed", "generation.cancelled", "generation.expired":
		delete(v.jobs, f.Generation)
	case "account.credits_reserved":
		v.holds[f.Reservation] = f
	case "account.credits_settled", "account.credits_released", "account.reservation_expired":
		delete(v.holds, f.Reservation)
	case "account.credits_granted":
		if !f.Expires.IsZero() {
			v.grants[f.Grant] = f
		}
	case "account.grant_expired":
		delete(v.grants, f.Grant)
	}
	if hold := v.holds[f.Reservation]; hold != nil && f.name == "account.reservation_extended" {
		hold.Expires = f.Expires
	}
	if j == nil {
		return
	}
	switch f.name {
	case "generation.claimed", "generation.lease_extended":
		j.taken, j.until, j.tries = true, f.LeaseUntil, f.Attempt
	case "generation.requeued":
		j.taken, j.until, j.tries = false, time.Time{}, f.Attempt
	}
}

// Due implements cleanup.Schedule.
func (v *view) Due(_ context.Context, now time.Time) (cleanup.Due, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.catchUp()
	var due cleanup.Due
	for _, id := range slices.Sorted(maps.Keys(v.jobs)) {
		j := v.jobs[id]
		row := cleanup.DueJob{Generation: domain.GenerationID(id), Account: domain.AccountID(j.owner)}
		if j.taken && !j.until.After(now) {
			due.Leases = append(due.Leases, row)
		}
		if !j.Deadline.After(now) && !j.until.After(now) {
			due.Deadlines = append(due.Deadlines, row)
		}
	}
	accounts := map[string]bool{}
	for _, rows := range []map[string]*fact{v.holds, v.grants} {
		for _, f := range rows {
			if !f.Expires.After(now) {
				accounts[f.owner] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		due.Accounts = append(due.Accounts, domain.AccountID(id))
	}
	return due, nil
}

// jobsPort is the view as a dispatcher reaches it.
type jobsPort struct {
	w *world
	l *life
}

// OpenJobs implements dispatch.Jobs.
func (p jobsPort) OpenJobs(ctx context.Context) ([]dispatch.Job, []int64, error) {
	t := p.w.enter(ctx, &call{by: p.l, kind: "open jobs", class: reading})
	var jobs []dispatch.Job
	var positions []int64
	err := p.w.apply(t, func() error {
		v := p.w.view
		// The positions are asked for before the jobs, which may be newer.
		p.l.heads = nil
		positions = slices.Clone(v.pos)
		v.catchUp()
		for _, j := range slices.SortedFunc(maps.Values(v.jobs), func(a, b *running) int {
			return cmp.Compare(a.Generation, b.Generation)
		}) {
			jobs = append(jobs, dispatch.Job{Running: j.taken, Offer: generation.Offer{
				Generation: domain.GenerationID(j.Generation), Pool: j.Pool, Tier: domain.Tier(j.Tier), Model: j.Spec.Model,
				Account: eventstore.HashAccount(domain.AccountID(j.owner)).String(), Attempt: j.tries,
				EstimateMillis: j.Estimate, Enqueued: j.At,
			}})
		}
		return nil
	})
	return jobs, positions, err
}

// rest says why the world is not at rest, or nothing.
func (w *world) rest() string {
	w.view.catchUp()
	for _, c := range w.customers {
		if !c.left {
			return "a customer waits"
		}
	}
	if n := len(w.view.jobs); n > 0 {
		return strconv.Itoa(n) + " generations have not ended: " + slices.Min(slices.Collect(maps.Keys(w.view.jobs)))
	}
	if n := len(w.view.holds); n > 0 {
		return strconv.Itoa(n) + " reservations have not ended: " + slices.Min(slices.Collect(maps.Keys(w.view.holds)))
	}
	if open := w.bus.open(); len(open) > 0 {
		return "offers are open that are no jobs: " + strings.Join(open, " ")
	}
	if !w.bus.results.settled() {
		return "results were not settled"
	}
	for shard, head := range w.heads {
		if w.bus.published(shard) != head {
			return "shard " + strconv.Itoa(shard) + " was not published up to its head"
		}
	}
	return ""
}
