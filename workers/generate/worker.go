package generate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
)

// Defaults and pauses of a worker.
const (
	GraceDefault = 20 * time.Second
	SlotsMax     = 64
	// lookEvery is how often a free slot looks at the list without being told of a change.
	lookEvery = time.Second
	// refusedFor is how long jobs rest that were asked for in vain: they are taken, or their account is busy.
	refusedFor = 2 * time.Second
	// Pauses after the service or the broker failed.
	retryFirst = 500 * time.Millisecond
	retryMax   = 10 * time.Second
)

// Outcome is how an attempt ended, for metrics.
type Outcome string

// The outcomes.
const (
	OutcomeCompleted  Outcome = "completed"
	OutcomeFailed     Outcome = "failed"
	OutcomeLost       Outcome = "lost" // the job was not the worker's any more
	OutcomeHandedBack Outcome = "handed_back"
)

// Config is what a Worker needs.
type Config struct {
	// Worker names the worker in the ledger. Required.
	Worker string
	// Pool is whose jobs the worker does. Required.
	Pool   string
	Engine Engine
	Claims Claims
	// Offers reads the topics of open jobs.
	Offers workers.Broadcast
	// Publisher takes results and progress. It stays the caller's to close, after Run has returned.
	Publisher message.Publisher
	// Slots is how many jobs run at once; 0 means 1.
	Slots int
	// Grace is how long a job may go on after the worker was told to shut down; 0 means GraceDefault.
	Grace time.Duration
	// Draining closes when the machine will be taken away: it has the effect of Run's context ending. May be nil.
	Draining <-chan struct{}
	// Uploads makes the uploads; nil means a client of our own. Each try has a timeout in any case.
	Uploads *http.Client
	// Observe is told how attempts ended, by several slots at a time; nil means nobody is.
	Observe func(outcome Outcome, took time.Duration)
	// Log is required. It never gets a prompt or a URL that may be written to.
	Log *slog.Logger
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Worker == "" || c.Pool == "" {
		errs = append(errs, errors.New("generate: a worker needs a name and a pool"))
	}
	if c.Engine == nil || c.Claims == nil || c.Offers == nil || c.Publisher == nil {
		errs = append(errs, errors.New("generate: a worker needs an engine, claims, offers and a publisher"))
	}
	if c.Slots < 0 || c.Slots > SlotsMax {
		errs = append(errs, fmt.Errorf("generate: %d slots, at most %d", c.Slots, SlotsMax))
	}
	if c.Grace < 0 {
		errs = append(errs, fmt.Errorf("generate: a grace of %s", c.Grace))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("generate: no logger"))
	}
	return errors.Join(errs...)
}

// Worker takes jobs from a pool and does them.
type Worker struct {
	cfg    Config
	book   *book
	engine *readiness
	// helpers are the goroutines beside the slots.
	helpers sync.WaitGroup

	// choosing guards history and is held over a claim, so that two slots never ask for the same jobs.
	choosing sync.Mutex
	history  History
}

// New returns a worker that has not started.
func New(c Config) (*Worker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Slots == 0 {
		c.Slots = 1
	}
	if c.Grace == 0 {
		c.Grace = GraceDefault
	}
	if c.Uploads == nil {
		c.Uploads = &http.Client{Timeout: uploadTimeout}
	}
	return &Worker{cfg: c, book: newBook(c.Log), engine: &readiness{engine: c.Engine}}, nil
}

// Run works until ctx ends or Draining closes, then shuts down as the package says and returns nil.
func (w *Worker) Run(ctx context.Context) error {
	draining, drain := context.WithCancel(ctx)
	defer drain()
	w.helpers.Go(func() {
		select {
		case <-w.cfg.Draining:
			drain()
		case <-draining.Done():
		}
	})
	w.helpers.Go(func() { w.follow(draining) })
	var slots sync.WaitGroup
	for range w.cfg.Slots {
		slots.Go(func() {
			for {
				job, ok := w.next(draining)
				if !ok {
					return
				}
				w.run(draining, job)
			}
		})
	}
	slots.Wait()
	w.helpers.Wait()
	return nil
}

// follow keeps the book. Where reading fails the book is emptied and read anew.
func (w *Worker) follow(draining context.Context) {
	var topics []string
	for _, tier := range domain.Tiers() {
		topics = append(topics, generation.OfferTopic(w.cfg.Pool, tier))
	}
	for wait := retryFirst; ; wait = min(2*wait, retryMax) {
		err := workers.Follow(draining, w.cfg.Offers, topics, w.book)
		if draining.Err() != nil {
			return
		}
		w.book.reset()
		w.cfg.Log.Error("the list of open jobs is read again", slog.Duration("retry_in", wait), slog.Any("error", err))
		if !workers.Pause(draining, wait) {
			return
		}
	}
}

// next waits for a job. It returns false when the worker shuts down.
func (w *Worker) next(draining context.Context) (Assignment, bool) {
	wait := retryFirst
	for draining.Err() == nil {
		job, ok, err := w.claim(draining)
		if ok {
			return job, true
		}
		if err != nil {
			w.cfg.Log.Error("no job could be claimed", slog.Duration("retry_in", wait), slog.Any("error", err))
			if !workers.Pause(draining, wait) {
				break
			}
			wait = min(2*wait, retryMax)
			continue
		}
		wait = retryFirst
		w.await(draining)
	}
	return Assignment{}, false
}

// await waits for a change of the list, and a bounded time.
func (w *Worker) await(draining context.Context) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-draining.Done():
	case <-w.book.changed:
	case <-timer.C:
	}
}

// claim asks for the best of the open jobs. A claim that is under way is not interrupted by the shutdown, since the
// answer may be a job.
func (w *Worker) claim(draining context.Context) (Assignment, bool, error) {
	w.choosing.Lock()
	defer w.choosing.Unlock()
	if draining.Err() != nil {
		return Assignment{}, false, nil
	}
	now := time.Now()
	models, loaded, err := w.engine.accepts(draining, now)
	if err != nil {
		return Assignment{}, false, fmt.Errorf("ask the engine: %w", err)
	}
	open := w.book.open(now, models)
	if len(open) == 0 {
		return Assignment{}, false, nil
	}
	w.history.CatchUp(open)
	wanted := Order(Scene{Offers: open, Now: now, Model: loaded, Limit: CandidatesMax}, w.history)
	bid := Bid{Worker: w.cfg.Worker, Pool: w.cfg.Pool, Candidates: candidates(wanted)}
	job, ok, err := w.cfg.Claims.Claim(context.WithoutCancel(draining), bid)
	if err != nil {
		return Assignment{}, false, err
	}
	w.learn(wanted, job, ok)
	return job, ok, nil
}

// learn draws the conclusions from an answer: the candidates before the one that was won are not open.
func (w *Worker) learn(wanted []generation.Offer, job Assignment, won bool) {
	now := time.Now()
	for i, o := range wanted {
		if won && o.Generation == job.Generation {
			w.history.Take(o, now)
			w.book.take(o.Generation)
			wanted = wanted[:i]
			break
		}
	}
	w.book.refused(wanted, now.Add(refusedFor))
}

func candidates(offers []generation.Offer) []Candidate {
	out := make([]Candidate, len(offers))
	for i, o := range offers {
		out[i] = Candidate{Generation: o.Generation, Account: o.Account}
	}
	return out
}
