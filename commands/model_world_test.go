package commands_test

import (
	"maps"
	"slices"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
)

// world is all that belongs to one account, as the model knows it.
type world struct {
	account domain.AccountID
	exists  bool
	books   books
	granted map[domain.GrantID]bool
	jobs    map[domain.GenerationID]job
	images  map[domain.ImageID]marks
}

// job is a generation.
type job struct {
	in       commands.RequestGeneration
	price    pricing.Price
	book     string
	status   generation.Status
	attempt  int
	failures int
	lease    time.Time
	images   int
	computed bool // a worker had begun when it ended
}

// marks are what the customer did to an image.
type marks struct {
	tags      []string // nil: those of the request
	favourite bool
	rating    int
	deleted   bool
	version   int64
}

// refused is why the model says no.
type refused struct {
	code   domain.Code
	detail string // JSON
}

func no(code domain.Code) *refused { return &refused{code: code} }

// verdict is what the model answers to a command.
type verdict struct {
	result any
	no     *refused
	events int // caused
}

// agrees reports whether a process has answered as the model does.
func (v verdict) agrees(r reply) bool {
	if v.no != nil {
		return r.Code == v.no.code && r.Detail == v.no.detail
	}
	return r.Code == "" && r.Result == text(v.result)
}

func (v verdict) String() string {
	if v.no != nil {
		return string(v.no.code) + " " + v.no.detail
	}
	return text(v.result)
}

func newWorld(id domain.AccountID) *world {
	return &world{
		account: id, granted: map[domain.GrantID]bool{}, jobs: map[domain.GenerationID]job{},
		images: map[domain.ImageID]marks{},
	}
}

// trial is a command on its way: changes that are kept only if it is not refused.
type trial struct {
	*world
	step
	next    *books
	exists  bool
	granted map[domain.GrantID]bool
	job     *job
	image   domain.ImageID
	marks   *marks
	events  int // of the job and the image
}

// ask says what a command would be answered now. Nothing changes.
func (w *world) ask(s step) (verdict, *trial) {
	t := &trial{world: w, step: s, next: w.books.clone(), exists: w.exists}
	result, refused := t.do()
	if refused != nil {
		return verdict{no: refused}, nil
	}
	return verdict{result: result, events: t.events + t.next.events}, t
}

// keep makes what a command has changed the truth.
func (w *world) keep(t *trial) {
	t.next.tidy()
	w.books, w.exists = *t.next, t.exists
	maps.Copy(w.granted, t.granted)
	if t.job != nil {
		w.jobs[t.job.in.Generation] = *t.job
	}
	if t.marks != nil {
		w.images[t.image] = *t.marks
	}
}

func (t *trial) do() (any, *refused) {
	switch {
	case t.Open != nil:
		return t.open()
	case t.Image != nil:
		return t.markImage()
	case t.Delete != nil:
		return t.deleteImage()
	case t.Job != nil:
		return t.onJob()
	case t.Many != nil:
		return t.many(), nil
	case !t.exists:
		return nil, no(domain.CodeNotFound)
	case t.Plan != nil:
		plan, _ := pricing.PlanByKey(*t.Plan)
		t.next.changePlan(plan.Key, plan.Slots, plan.CreditLine)
		return plan, nil
	case t.Grant != nil:
		t.granted = map[domain.GrantID]bool{t.Grant.Grant: true}
		return commands.Granted{Grant: t.Grant.Grant, Amount: t.Grant.Amount},
			t.next.grant(*t.Grant, t.world.granted[t.Grant.Grant])
	case t.Expire != nil:
		t.next.age(t.Expire.At)
		return t.next.events, nil
	case t.Request != nil:
		return t.request()
	}
	return t.one(commands.ReservationCommand{Reserve: t.Reserve, Settle: t.Settle, Release: t.Release})
}

func (t *trial) open() (any, *refused) {
	if t.exists {
		return nil, no(domain.CodeConflict)
	}
	free, _ := pricing.PlanByKey(pricing.PlanFree)
	t.exists = true
	t.next.changePlan(free.Key, free.Slots, free.CreditLine)
	grant := account.GrantCredits{
		Grant: t.Open.Grant, Priority: account.PriorityUsual, Amount: free.Credits, Effective: t.At, At: t.At,
	}
	t.granted = map[domain.GrantID]bool{grant.Grant: true}
	limits := account.Limits{Slots: free.Slots, CreditLine: free.CreditLine}
	return commands.OpenedAccount{
		Account: t.account(), Plan: free.Key, Tier: free.Tier, Limits: limits, Credits: free.Credits, At: t.At,
	}, t.next.grant(grant, false)
}

func (t *trial) account() domain.AccountID { return t.world.account }

// many runs several commands, each on what those before it have left.
func (t *trial) many() []commands.ReservationResult {
	out := make([]commands.ReservationResult, len(t.Many))
	for i, c := range t.Many {
		before, events := *t.next.clone(), t.next.events
		result, refused := t.one(c)
		if refused != nil {
			before.events = events
			*t.next = before
			out[i].Refusal = &commands.Refusal{Code: refused.code, Detail: []byte(refused.detail)}
			if refused.detail == "" {
				out[i].Refusal.Detail = nil
			}
		}
		switch r := result.(type) {
		case commands.Reserved:
			out[i].Reserved = &r
		case commands.EndedReservation:
			out[i].Ended = &r
		}
	}
	return out
}

// one reserves, settles or releases.
func (t *trial) one(c commands.ReservationCommand) (any, *refused) {
	var id domain.ReservationID
	var end ending
	var refused *refused
	switch {
	case !t.exists:
		return nil, no(domain.CodeNotFound)
	case c.Reserve != nil:
		parts, refused := t.next.reserve(*c.Reserve)
		if refused != nil {
			return nil, refused
		}
		return commands.Reserved{Reservation: c.Reserve.Reservation, Slices: parts, Expires: c.Reserve.Expires}, nil
	case c.Settle != nil:
		if id = c.Settle.Reservation; t.ofJob(id) {
			return nil, no(domain.CodeAlreadyEnded)
		}
		end, refused = t.next.settle(id, c.Settle.Charge, c.Settle.At)
	default:
		if id = c.Release.Reservation; t.ofJob(id) {
			return nil, no(domain.CodeAlreadyEnded)
		}
		end, refused = t.next.release(id, c.Release.At)
	}
	if refused != nil {
		return nil, refused
	}
	return commands.EndedReservation{
		Reservation: id, Settled: end.settled, Released: end.released, Waived: end.waived,
	}, nil
}

func (t *trial) ofJob(id domain.ReservationID) bool {
	for _, holds := range [][]hold{t.next.open, t.next.lapsed} {
		if h := find(holds, id); h != nil {
			return h.job != ""
		}
	}
	return false
}

func (t *trial) request() (any, *refused) {
	in := *t.Request
	book := pricing.Current()
	price, err := book.Price(in.Spec.Terms)
	if err != nil {
		return nil, no(domain.CodeOf(err))
	}
	deadline := in.At.Add(commands.JobDeadline)
	const grace = 15 * time.Minute
	parts, refused := t.next.reserve(account.Reserve{
		Reservation: in.Reservation, Generation: in.Generation, Amount: price.Credits,
		Use: account.Use{Model: in.Spec.Model, Operation: in.Spec.Operation}, Expires: deadline.Add(grace), At: in.At,
	})
	if refused != nil {
		return nil, refused
	}
	if _, ok := t.jobs[in.Generation]; ok {
		return nil, no(domain.CodeConflict)
	}
	t.job = &job{in: in, price: price, book: book.Version, status: generation.StatusQueued, attempt: 1}
	t.events++
	return commands.RequestedGeneration{
		Generation: in.Generation, Reservation: in.Reservation, Terms: in.Spec.Terms, Guidance: in.Spec.Guidance,
		Scheduler: in.Spec.Scheduler, Seed: in.Spec.Seed, Tags: in.Spec.Tags, Credits: price.Credits, Slices: parts,
		PriceBook: book.Version, Policy: settlement.Current().Version, Deadline: deadline, At: in.At,
	}, nil
}

func (t *trial) picture(id domain.ImageID) (j job, m marks, ok bool) {
	maker, index, err := id.Split()
	j, ok = t.jobs[maker]
	if err != nil || !ok || index >= j.images {
		return j, m, false
	}
	m = t.images[id]
	if m.tags == nil {
		m.tags = j.in.Spec.Tags
		return j, m, true
	}
	return j, m, true
}

func (t *trial) markImage() (any, *refused) {
	in := *t.Image
	_, m, ok := t.picture(in.Image)
	if !ok {
		return nil, no(domain.CodeNotFound)
	}
	if in.Version != nil && *in.Version != m.version {
		return nil, no(domain.CodePreconditionFailed)
	}
	if m.deleted {
		return nil, no(domain.CodeNotFound)
	}
	if in.Tags != nil && !slices.Equal(*in.Tags, m.tags) {
		m.tags = *in.Tags
		m.version++
		t.events++
	}
	if in.Favourite != nil && *in.Favourite != m.favourite {
		m.favourite = *in.Favourite
		m.version++
		t.events++
	}
	if in.Rating != nil && *in.Rating != m.rating {
		m.rating = *in.Rating
		m.version++
		t.events++
	}
	t.image, t.marks = in.Image, &m
	return commands.ImageMarks{
		Tags: append([]string{}, m.tags...), Favourite: m.favourite, Rating: m.rating, Version: m.version,
	}, nil
}

func (t *trial) deleteImage() (any, *refused) {
	_, m, ok := t.picture(*t.Delete)
	if !ok {
		return nil, no(domain.CodeNotFound)
	}
	if !m.deleted {
		m.deleted = true
		m.version++
		t.events++
	}
	t.image, t.marks = *t.Delete, &m
	return commands.DeletedImage{Image: *t.Delete}, nil
}
