package settle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers"
)

// Group is the consumer group that shares the results.
const Group = "pingvas.settle"

// Outcome is what became of a result, for metrics.
type Outcome string

// The outcomes.
const (
	OutcomeCompleted  Outcome = "completed"
	OutcomeFailed     Outcome = "failed"
	OutcomeHandedBack Outcome = "handed_back"
	OutcomeStale      Outcome = "stale" // came too late and changed nothing
	OutcomeInvalid    Outcome = "invalid"
)

// Config is what a Settler needs.
type Config struct {
	Ledger Ledger
	// Now gives the time of the decisions; the workers' clocks are not trusted. Nil means time.Now.
	Now func() time.Time
	// Observe is told what became of results, by several at a time; nil means nobody is.
	Observe func(Outcome)
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	if c.Ledger == nil {
		return errors.New("settle: no ledger")
	}
	return nil
}

// Settler handles results.
type Settler struct{ cfg Config }

// New returns a Settler.
func New(c Config) (*Settler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Outcome) {}
	}
	return &Settler{cfg: c}, nil
}

// Handler returns the settler as a handler of a workers.Router. The subscriber must be a member of Group that delivers
// again until it is acknowledged: a result must not be dropped while the ledger is away.
func (s *Settler) Handler(subscriber message.Subscriber) workers.Handler {
	return workers.Handler{
		Name: "settle", Topic: generation.TopicResults, Subscriber: subscriber, Handle: s.Handle,
	}
}

// Handle settles one result. It returns nil when the ledger has answered, and an error marked as poison for what is
// no result.
func (s *Settler) Handle(ctx context.Context, msg *message.Message) error {
	var r generation.Result
	if err := json.Unmarshal(msg.Payload, &r); err != nil {
		return s.invalid(fmt.Errorf("decode a result: %w", err))
	}
	hash, err := eventstore.ParseAccountHash(r.Account)
	if err == nil {
		err = r.Generation.Check()
	}
	if err != nil {
		return s.invalid(err)
	}
	owner, err := s.cfg.Ledger.Owner(ctx, commands.Candidate{Generation: r.Generation, Account: hash})
	if err != nil {
		return s.answered(OutcomeStale, err)
	}
	if err := check(r, owner); err != nil {
		return s.invalid(fmt.Errorf("the result of %s, attempt %d: %w", r.Generation, r.Attempt, err))
	}
	caller := commands.Caller{Account: owner, Actor: r.Worker, Correlation: workers.Correlation(msg)}
	outcome, err := s.settle(ctx, caller, r)
	return s.answered(outcome, err)
}

func (s *Settler) settle(ctx context.Context, c commands.Caller, r generation.Result) (Outcome, error) {
	now := s.cfg.Now()
	switch f := r.Failure; {
	case f == nil:
		_, err := s.cfg.Ledger.CompleteGeneration(ctx, c, r.Generation, generation.Complete{
			Attempt: r.Attempt, Images: r.Images, Engine: r.Engine, EngineVersion: r.EngineVersion,
			GPUMillis: r.GPUMillis, At: now,
		})
		return OutcomeCompleted, err
	case f.Retry:
		_, err := s.cfg.Ledger.HandBackGeneration(ctx, c, r.Generation, generation.HandBack{
			Attempt: r.Attempt, Cause: f.Cause, At: now,
		})
		return OutcomeHandedBack, err
	default:
		_, err := s.cfg.Ledger.FailGeneration(ctx, c, r.Generation, generation.Fail{
			Attempt: r.Attempt, Blocked: f.Blocked, Cause: f.Cause, At: now,
		})
		return OutcomeFailed, err
	}
}

// answered turns the ledger's answer into that of the handler.
func (s *Settler) answered(outcome Outcome, err error) error {
	switch domain.CodeOf(err) {
	case "":
		s.cfg.Observe(outcome)
		return nil
	case domain.CodeStaleAttempt, domain.CodeAlreadyEnded, domain.CodeNotFound:
		s.cfg.Observe(OutcomeStale)
		return nil
	case domain.CodeInvalid:
		return s.invalid(err)
	default:
		return err
	}
}

func (s *Settler) invalid(err error) error {
	s.cfg.Observe(OutcomeInvalid)
	return workers.Poison(err)
}
