package cleanup

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
)

// How the sweeper works.
const (
	EveryDefault = time.Second
	// batch bounds what is done of each kind in one round.
	batch = 200
	// restAfter is how long something rests that was swept: the view needs a moment to see it, and what fails for good
	// must not keep others from their turn.
	restAfter    = 10 * time.Second
	sweepTimeout = 10 * time.Second
)

// actor is who the ledger says has swept.
const actor = "system"

// Swept is what one round has done, for metrics.
type Swept struct{ Leases, Deadlines, Accounts, Failed int }

// Config is what a Sweeper needs.
type Config struct {
	Schedule Schedule
	Ledger   Ledger
	// Every is the time between rounds; 0 means EveryDefault.
	Every time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is told of every round; nil means nobody is.
	Observe func(Swept)
	Log     *slog.Logger
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Schedule == nil || c.Ledger == nil {
		errs = append(errs, errors.New("cleanup: a schedule and a ledger are required"))
	}
	if c.Every < 0 {
		errs = append(errs, errors.New("cleanup: the time between rounds is negative"))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("cleanup: no logger"))
	}
	return errors.Join(errs...)
}

// Sweeper goes through what is due, round by round.
type Sweeper struct {
	cfg     Config
	resting map[string]time.Time // until when
}

// New returns a sweeper that has not started.
func New(c Config) (*Sweeper, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Every == 0 {
		c.Every = EveryDefault
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Swept) {}
	}
	return &Sweeper{cfg: c, resting: make(map[string]time.Time)}, nil
}

// Run sweeps until ctx ends, then returns nil. What fails is logged and tried again in a later round.
func (s *Sweeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.cfg.Every)
	defer ticker.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("a round of the sweeper failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Sweep does one round. It is not for concurrent use. It returns an error if it cannot be known what is due.
func (s *Sweeper) Sweep(ctx context.Context) error {
	now := s.cfg.Now()
	for key, until := range s.resting {
		if !until.After(now) {
			delete(s.resting, key)
		}
	}
	due, err := s.cfg.Schedule.Due(ctx, now)
	if err != nil {
		return err
	}
	var swept Swept
	for _, t := range s.awake(s.tasks(due, now, &swept)) {
		if ctx.Err() != nil {
			return nil
		}
		s.do(ctx, t, &swept)
		s.resting[t.key] = now.Add(restAfter)
	}
	s.cfg.Observe(swept)
	return nil
}

// task is one thing to make visible.
type task struct {
	key    string // unique among all kinds
	count  *int   // in Swept, where the kind is counted
	caller commands.Caller
	run    func(context.Context, commands.Caller) error
}

// tasks returns everything that is due.
func (s *Sweeper) tasks(due Due, now time.Time, swept *Swept) []task {
	var tasks []task
	add := func(kind, id string, count *int, owner domain.AccountID, run func(context.Context, commands.Caller) error) {
		tasks = append(tasks, task{kind + " " + id, count, commands.Caller{Account: owner, Actor: actor}, run})
	}
	for _, j := range due.Leases {
		add("lease", string(j.Generation), &swept.Leases, j.Account, func(ctx context.Context, c commands.Caller) error {
			_, err := s.cfg.Ledger.EndLease(ctx, c, j.Generation, now)
			return err
		})
	}
	for _, j := range due.Deadlines {
		add("deadline", string(j.Generation), &swept.Deadlines, j.Account,
			func(ctx context.Context, c commands.Caller) error {
				_, err := s.cfg.Ledger.ExpireGeneration(ctx, c, j.Generation, now)
				return err
			})
	}
	for _, id := range due.Accounts {
		add("account", string(id), &swept.Accounts, id, func(ctx context.Context, c commands.Caller) error {
			_, err := s.cfg.Ledger.ExpireDue(ctx, c, now)
			return err
		})
	}
	return tasks
}

// awake returns the tasks that do not rest, at most batch of each kind.
func (s *Sweeper) awake(tasks []task) []task {
	var awake []task
	chosen := make(map[*int]int)
	for _, t := range tasks {
		if _, rests := s.resting[t.key]; !rests && chosen[t.count] < batch {
			awake = append(awake, t)
			chosen[t.count]++
		}
	}
	return awake
}

func (s *Sweeper) do(ctx context.Context, t task, swept *Swept) {
	bounded, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	err := t.run(bounded, t.caller)
	switch code := domain.CodeOf(err); {
	case err == nil:
		*t.count++
	case code == domain.CodeAlreadyEnded, code == domain.CodeNotFound:
		// The view was late.
	case ctx.Err() != nil:
		// The sweeper was told to stop, which is no failure of the sweep.
	default:
		swept.Failed++
		s.cfg.Log.Error("a sweep failed, it is tried again", slog.String("of", t.key), slog.Any("error", err))
	}
}
