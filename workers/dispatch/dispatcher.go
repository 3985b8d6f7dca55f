package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers"
)

// How the dispatcher follows the ledger.
const (
	page         = 1000 // events of one read
	publishBatch = 500  // messages of one publish
	// pollEvery is how often the ledger is looked at without being told of new events by the feed.
	pollEvery = 100 * time.Millisecond
	// refreshEvery is how often the topics are brought in line with the open jobs again. It mends what another dispatcher
	// said that was behind this one and ended: an offer that it withdrew as well as one that nobody would withdraw.
	refreshEvery = time.Minute
	retryFirst   = 200 * time.Millisecond
	retryMax     = 10 * time.Second
)

// Config is what a Dispatcher needs.
type Config struct {
	Ledger    Ledger
	Jobs      Jobs
	Publisher message.Publisher
	// Offers reads the topics of offers at the start, to find those that are not true any more.
	Offers workers.Broadcast
	// Pools are the pools that have topics. Jobs of other pools cannot be offered.
	Pools []string
	// Feed may be nil: then only polling finds new events.
	Feed Feed
	Log  *slog.Logger
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Ledger == nil || c.Jobs == nil || c.Publisher == nil || c.Offers == nil {
		errs = append(errs, errors.New("dispatch: a ledger, jobs, a publisher and offers are required"))
	}
	if len(c.Pools) == 0 {
		errs = append(errs, errors.New("dispatch: no pools"))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("dispatch: no logger"))
	}
	return errors.Join(errs...)
}

// Dispatcher keeps the topics of offers true to the ledger.
type Dispatcher struct {
	cfg    Config
	topics []string
	shards []*shard
}

// shard follows one shard of the ledger. mu is held over reading, applying and publishing.
type shard struct {
	id    int
	mu    sync.Mutex
	pos   int64
	state State
}

// New returns a dispatcher that has not started.
func New(c Config) (*Dispatcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	d := &Dispatcher{cfg: c}
	for _, pool := range c.Pools {
		for _, tier := range domain.Tiers() {
			d.topics = append(d.topics, generation.OfferTopic(pool, tier))
		}
	}
	return d, nil
}

// Run keeps the topics true until ctx ends, then returns nil. After any trouble it starts anew: what it had said by
// then does not matter, since everything is said again.
func (d *Dispatcher) Run(ctx context.Context) error {
	wait := retryFirst
	for {
		started := time.Now()
		err := d.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > retryMax {
			wait = retryFirst
		}
		d.cfg.Log.Error("the dispatcher starts anew", slog.Duration("retry_in", wait), slog.Any("error", err))
		if !workers.Pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// once starts and follows until the first error.
func (d *Dispatcher) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := d.start(ctx); err != nil {
		return err
	}
	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { cancel(d.refresh(ctx)) })
	if d.cfg.Feed != nil {
		loops.Go(func() { d.follow(ctx, cancel) })
	}
	cancel(d.poll(ctx))
	return context.Cause(ctx)
}

// start takes over the jobs from the view, and brings the topics in line with them.
func (d *Dispatcher) start(ctx context.Context) error {
	shown, err := readOffers(ctx, d.cfg.Offers, d.topics)
	if err != nil {
		return fmt.Errorf("read the offers: %w", err)
	}
	jobs, positions, err := d.cfg.Jobs.OpenJobs(ctx)
	if err != nil {
		return fmt.Errorf("read the open jobs: %w", err)
	}
	if len(positions) != d.cfg.Ledger.Shards() {
		return fmt.Errorf("the view knows %d shards of %d", len(positions), d.cfg.Ledger.Shards())
	}
	byShard := make([][]Job, len(positions))
	for _, j := range jobs {
		hash, err := eventstore.ParseAccountHash(j.Offer.Account)
		if err != nil {
			return fmt.Errorf("the open job %s: %w", j.Offer.Generation, err)
		}
		id := hash.Shard(len(positions))
		byShard[id] = append(byShard[id], j)
	}
	d.shards = make([]*shard, len(positions))
	var open []generation.Offer
	for id, pos := range positions {
		d.shards[id] = &shard{id: id, pos: pos, state: NewState(byShard[id])}
		open = append(open, d.shards[id].state.Open()...)
	}
	return d.publish(append(shown.withdraw(open), offers(open)...))
}

// poll applies what is new in the ledger, again and again.
func (d *Dispatcher) poll(ctx context.Context) error {
	for {
		heads, err := d.cfg.Ledger.Heads(ctx)
		if err != nil {
			return err
		}
		for _, s := range d.shards {
			if err := d.catchUp(ctx, s, heads[s.id].Pos); err != nil {
				return err
			}
		}
		if !workers.Pause(ctx, pollEvery) {
			return nil
		}
	}
}

func (d *Dispatcher) catchUp(ctx context.Context, s *shard, head int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pos < head {
		batch, err := d.cfg.Ledger.ReadShard(ctx, s.id, s.pos, page)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return fmt.Errorf("the ledger has nothing after %d:%d, though its head is %d", s.id, s.pos, head)
		}
		if err := d.apply(s, batch); err != nil {
			return err
		}
	}
	return nil
}

// follow takes what the feed brings. Where it ends, polling carries on alone for a while.
func (d *Dispatcher) follow(ctx context.Context, fail context.CancelCauseFunc) {
	handle := func(ctx context.Context, batch []eventstore.Envelope) error {
		if err := d.handle(batch); err != nil {
			fail(err)
		}
		return ctx.Err()
	}
	for wait := retryFirst; ; wait = min(2*wait, retryMax) {
		err := d.cfg.Feed.Follow(ctx, handle)
		if ctx.Err() != nil {
			return
		}
		d.cfg.Log.Warn("the feed of the dispatcher ended; polling goes on", slog.Any("error", err))
		if !workers.Pause(ctx, wait) {
			return
		}
	}
}

// handle applies what follows the position at once, and leaves everything else to poll.
func (d *Dispatcher) handle(batch []eventstore.Envelope) error {
	if len(batch) == 0 || batch[0].Shard < 0 || batch[0].Shard >= len(d.shards) {
		return nil
	}
	s := d.shards[batch[0].Shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	batch = slices.DeleteFunc(slices.Clone(batch), func(e eventstore.Envelope) bool { return e.Pos <= s.pos })
	for i, e := range batch {
		if e.Pos != s.pos+1+int64(i) {
			return nil
		}
	}
	return d.apply(s, batch)
}

// apply folds a batch that follows the position of a locked shard, and says of each job what is true after it. After
// an error the state may be ahead of what was said, so the dispatcher has to start anew.
func (d *Dispatcher) apply(s *shard, batch []eventstore.Envelope) error {
	if len(batch) == 0 {
		return nil
	}
	var says []Publish
	for _, envelope := range batch {
		event, err := decode(envelope)
		if err != nil {
			return err
		}
		if p, ok := s.state.Apply(event); ok {
			says = append(says, p)
		}
	}
	if err := d.publish(newest(says)); err != nil {
		return err
	}
	s.pos = batch[len(batch)-1].Pos
	return nil
}

// refresh reads the topics from time to time, withdraws what is offered and not open, and offers again what is open.
// What another dispatcher has offered that is ahead of this one is withdrawn, too, until this one gets there.
func (d *Dispatcher) refresh(ctx context.Context) error {
	for workers.Pause(ctx, refreshEvery) {
		shown, err := readOffers(ctx, d.cfg.Offers, d.topics)
		if err != nil {
			return fmt.Errorf("read the offers: %w", err)
		}
		if err := d.mend(shown); err != nil {
			return err
		}
	}
	return nil
}

// mend holds all shards, so that nothing is said of a job that is older than what was said of it before.
func (d *Dispatcher) mend(shown *shown) error {
	var open []generation.Offer
	for _, s := range d.shards {
		s.mu.Lock()
		defer s.mu.Unlock()
		open = append(open, s.state.Open()...)
	}
	return d.publish(append(shown.withdraw(open), offers(open)...))
}
