package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/queries"
	"github.com/pingvas/pingvas/web"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/dispatch"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/settle"
)

// now is the clock of the commands: UTC, in the microseconds that Postgres keeps.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// newQueries answers from the read models. The engine is nil for roles that do not search.
func (p *parts) newQueries(engine search.Engine, signal *projections.Signal) (*queries.Service, error) {
	key, err := derive(p.master, "cursors")
	if err != nil {
		return nil, err
	}
	return queries.New(queries.Config{
		Pool: p.readers, Ledger: p.store, Engine: engine, Signal: signal, CursorKey: key, Observer: p.observer,
	})
}

// newAPI makes the API, without its listener.
func (p *parts) newAPI(s apiSettings, q *queries.Service, hub *api.Hub) (*api.Server, error) {
	key, err := derive(p.master, "quotes")
	if err != nil {
		return nil, err
	}
	quotes, err := commands.NewQuotes(key)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Ledger: p.ledger, Quotes: quotes, Queries: q, Keys: apiKeys{p.vault}, Pictures: apiPictures{p.pictures},
		Store: p.store, Codec: p.codec, Hub: hub, Outage: postgres.Away, Ready: p.checks(),
		WorkerTokens: s.WorkerTokens, AdminTokens: s.AdminTokens, Now: now, NewID: api.NewIDs(now).New,
		Log: p.log, Metrics: p.metrics, Web: webApp(), PublicURL: s.PublicURL, PictureOrigins: p.pictureOrigins,
	})
}

func webApp() fs.FS {
	app, built := web.Files()
	if !built {
		return nil
	}
	return app
}

// checks are what must work before the API may get requests.
func (p *parts) checks() []api.Check {
	return []api.Check{
		{Name: "postgres", Ready: p.pool.Ping},
		{Name: "kafka", Ready: kafka.NewAdmin(p.kafka).Ping},
		{Name: "pictures", Ready: p.pictures.Ping},
		{Name: "read models", Ready: p.viewsLive},
		{Name: "read models at the head", Ready: p.viewsRun, Advisory: true},
	}
}

// origin returns the scheme and host of a URL.
func origin(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func apiRole(server *api.Server, listener net.Listener) role {
	return role{"api", func(ctx context.Context) error { return server.Serve(ctx, listener) }}
}

func (p *parts) outboxRole(ctx context.Context) (role, error) {
	checkpoints := outbox.NewPostgres(p.pool)
	if err := checkpoints.Setup(ctx); err != nil {
		return role{}, err
	}
	ordered, err := kafka.NewOrderedPublisher(p.kafka, kafka.PublisherConfig{})
	if err != nil {
		return role{}, err
	}
	o, err := outbox.New(outbox.Config{
		Ledger: p.store, Publisher: ledgerPublisher{ordered}, Checkpoints: checkpoints, Leadership: checkpoints,
		Tails: ledgerTails{kafka.NewAdmin(p.kafka)}, Metrics: outboxObserver{p.observer}, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"outbox", o.Run}, nil
}

func (p *parts) dispatchRole(q *queries.Service) (role, error) {
	publisher, err := p.newPublisher()
	if err != nil {
		return role{}, err
	}
	d, err := dispatch.New(dispatch.Config{
		Ledger: p.store, Jobs: openJobs{q}, Publisher: publisher, Offers: broadcast(p.kafka), Pools: pools(),
		Feed: p.feed, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"dispatch", d.Run}, nil
}

// newPublisher returns a publisher that closes with the parts.
func (p *parts) newPublisher() (*kafka.Publisher, error) {
	publisher, err := kafka.NewPublisher(p.kafka, kafka.PublisherConfig{})
	if err != nil {
		return nil, err
	}
	p.onClose(func() {
		if err := publisher.Close(); err != nil {
			p.log.Error("a publisher did not close cleanly", "error", err)
		}
	})
	return publisher, nil
}

func (p *parts) settleRole() (role, error) {
	publisher, err := p.newPublisher()
	if err != nil {
		return role{}, err
	}
	subscriber, err := kafka.NewSubscriber(p.kafka, kafka.SubscriberConfig{Group: settle.Group})
	if err != nil {
		return role{}, err
	}
	settler, err := settle.New(settle.Config{Ledger: p.ledger, Now: now, Observe: p.observer.settled})
	if err != nil {
		return role{}, err
	}
	router, err := workers.NewRouter(workers.Config{DeadLetters: publisher, Log: p.log})
	if err != nil {
		return role{}, err
	}
	if err := router.Add(settler.Handler(subscriber)); err != nil {
		return role{}, err
	}
	return role{"settle", router.Run}, nil
}

// systemRole does the system's own work. It needs Kafka and the picture store, and nothing of the ledger.
func (p *parts) systemRole() (role, error) {
	publisher, err := p.newPublisher()
	if err != nil {
		return role{}, err
	}
	subscriber, err := kafka.NewSubscriber(p.kafka, kafka.SubscriberConfig{Group: cleanup.ObjectsGroup})
	if err != nil {
		return role{}, err
	}
	router, err := workers.NewRouter(workers.Config{DeadLetters: publisher, Log: p.log})
	if err != nil {
		return role{}, err
	}
	if err := router.Add(cleanup.RemoveObjects(p.pictures, subscriber)); err != nil {
		return role{}, err
	}
	return role{"work system", router.Run}, nil
}

func (p *parts) scheduleRole(q *queries.Service) (role, error) {
	sweeper, err := cleanup.New(cleanup.Config{
		Schedule: due{q}, Ledger: p.ledger, Now: now, Observe: p.observer.swept, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"schedule", sweeper.Run}, nil
}

// workerRole needs Kafka and the internal API, and nothing of the ledger.
func (p *parts) workerRole(s workerSettings) (role, error) {
	engine, err := newEngine(s)
	if err != nil {
		return role{}, err
	}
	claims, err := generate.NewService(generate.ServiceConfig{BaseURL: strings.TrimSuffix(s.APIURL, "/"), Token: s.Token})
	if err != nil {
		return role{}, err
	}
	publisher, err := p.newPublisher()
	if err != nil {
		return role{}, err
	}
	name := s.Name
	if name == "" {
		name = workerName()
	}
	w, err := generate.New(generate.Config{
		Worker: name, Pool: pricing.PoolGPU, Engine: engine, Claims: claims, Offers: broadcast(p.kafka),
		Publisher: publisher, Slots: s.Slots, Grace: s.Grace, Observe: p.observer.attempted, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"work gpu", w.Run}, nil
}

// openJobs lets the dispatcher begin from the view of generations.
type openJobs struct{ q *queries.Service }

// OpenJobs implements dispatch.Jobs.
func (o openJobs) OpenJobs(ctx context.Context) ([]dispatch.Job, []int64, error) {
	at, err := o.q.JobsPosition(ctx)
	if err != nil {
		return nil, nil, err
	}
	positions := make([]int64, len(at))
	for i, p := range at {
		positions[i] = p.Pos
	}
	var jobs []dispatch.Job
	for {
		var last domain.GenerationID
		if len(jobs) > 0 {
			last = jobs[len(jobs)-1].Offer.Generation
		}
		page, err := o.q.OpenJobs(ctx, last)
		if err != nil {
			return nil, nil, err
		}
		for _, j := range page {
			jobs = append(jobs, dispatch.Job{Offer: offerOf(j), Running: j.Status == generation.StatusRunning})
		}
		if len(page) < queries.JobsMax {
			return jobs, positions, nil
		}
	}
}

func offerOf(j queries.OpenJob) generation.Offer {
	return generation.Offer{
		Generation: j.Generation, Account: eventstore.HashAccount(j.Account).String(), Pool: j.Pool, Tier: j.Tier,
		Model: j.Model, Attempt: j.Attempt, EstimateMillis: j.EstimateMS, Enqueued: j.EnqueuedAt,
	}
}

// due lets the sweeper know from the views what time has ended.
type due struct{ q *queries.Service }

// Due implements cleanup.Schedule.
func (d due) Due(ctx context.Context, at time.Time) (cleanup.Due, error) {
	found, err := d.q.Due(ctx, at)
	if err != nil {
		return cleanup.Due{}, fmt.Errorf("ask what is due: %w", err)
	}
	jobs := func(list []queries.DueJob) []cleanup.DueJob {
		out := make([]cleanup.DueJob, len(list))
		for i, j := range list {
			out[i] = cleanup.DueJob(j)
		}
		return out
	}
	return cleanup.Due{Leases: jobs(found.Leases), Deadlines: jobs(found.Deadlines), Accounts: found.Accounts}, nil
}
