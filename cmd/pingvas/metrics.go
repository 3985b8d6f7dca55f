package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/queries"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/settle"
)

// observer turns what runners and the outbox tell into metrics.
type observer struct {
	applied, parked, stopped *prometheus.CounterVec
	lag                      *prometheus.GaugeVec
	published, failed        *prometheus.CounterVec
	backlog, age             *prometheus.GaugeVec
	attempts                 *prometheus.HistogramVec
	results, sweeps          *prometheus.CounterVec
	waits                    *prometheus.HistogramVec
}

var (
	_ projections.Observer = (*observer)(nil)
	_ queries.Observer     = (*observer)(nil)
	_ outbox.Metrics       = outboxObserver{}
)

func newObserver(registry prometheus.Registerer) *observer {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pingvas_" + name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "pingvas_" + name, Help: help}, labels)
		registry.MustRegister(g)
		return g
	}
	return &observer{
		applied:   counter("view_events_total", "Events that a view has passed.", "view", "shard"),
		parked:    counter("view_parked_total", "Events that a view could not apply and parked.", "view"),
		stopped:   counter("view_stopped_total", "Tries at an event that a view cannot apply: an alarm.", "view", "shard"),
		lag:       gauge("view_lag_events", "Events that a view is behind its shard.", "view", "shard"),
		published: counter("outbox_events_total", "Events that the broker has acknowledged.", "shard"),
		failed:    counter("outbox_failures_total", "Failed tries to publish.", "shard"),
		backlog:   gauge("outbox_lag_events", "Events that are not published yet.", "shard"),
		age:       gauge("outbox_lag_seconds", "Age of the oldest event that is not published yet.", "shard"),
		attempts:  newAttempts(registry),
		waits:     newWaits(registry),
		results:   counter("results_total", "Results of workers by what became of them.", "outcome"),
		sweeps:    counter("swept_total", "What the sweeper has made visible.", "kind"),
	}
}

func newAttempts(registry prometheus.Registerer) *prometheus.HistogramVec {
	attempts := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pingvas_attempt_seconds", Help: "Time of attempts at jobs by how they ended.",
		Buckets: prometheus.ExponentialBuckets(0.5, 2, 12),
	}, []string{"outcome"})
	registry.MustRegister(attempts)
	return attempts
}

func newWaits(registry prometheus.Registerer) *prometheus.HistogramVec {
	waits := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pingvas_read_wait_seconds", Help: "How long reads waited for their min_position, and whether it came.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 12),
	}, []string{"stale"})
	registry.MustRegister(waits)
	return waits
}

// Waited implements queries.Observer.
func (o *observer) Waited(took time.Duration, stale bool) {
	o.waits.WithLabelValues(strconv.FormatBool(stale)).Observe(took.Seconds())
}

func (o *observer) attempted(outcome generate.Outcome, took time.Duration) {
	o.attempts.WithLabelValues(string(outcome)).Observe(took.Seconds())
}

func (o *observer) settled(outcome settle.Outcome) { o.results.WithLabelValues(string(outcome)).Inc() }

func (o *observer) swept(s cleanup.Swept) {
	o.sweeps.WithLabelValues("lease").Add(float64(s.Leases))
	o.sweeps.WithLabelValues("deadline").Add(float64(s.Deadlines))
	o.sweeps.WithLabelValues("account").Add(float64(s.Accounts))
	o.sweeps.WithLabelValues("failed").Add(float64(s.Failed))
}

// Applied implements projections.Observer.
func (o *observer) Applied(view string, shard, events int) {
	o.applied.WithLabelValues(view, strconv.Itoa(shard)).Add(float64(events))
}

// Stopped implements projections.Observer.
func (o *observer) Stopped(view string, shard int, _ error) {
	o.stopped.WithLabelValues(view, strconv.Itoa(shard)).Inc()
}

// Parked implements projections.Observer.
func (o *observer) Parked(view string, _ int, _ int64) { o.parked.WithLabelValues(view).Inc() }

// outboxObserver gives the outbox's Lag a home: both ports have a method of that name.
type outboxObserver struct{ *observer }

// Lag implements projections.Observer.
func (o *observer) Lag(view string, shard int, events int64) {
	o.lag.WithLabelValues(view, strconv.Itoa(shard)).Set(float64(events))
}

// Lag implements outbox.Metrics.
func (o outboxObserver) Lag(shard int, events int64, age time.Duration) {
	o.backlog.WithLabelValues(strconv.Itoa(shard)).Set(float64(events))
	o.age.WithLabelValues(strconv.Itoa(shard)).Set(age.Seconds())
}

// Published implements outbox.Metrics.
func (o outboxObserver) Published(shard, events int) {
	o.published.WithLabelValues(strconv.Itoa(shard)).Add(float64(events))
}

// Failed implements outbox.Metrics.
func (o outboxObserver) Failed(shard int, _ error) {
	o.failed.WithLabelValues(strconv.Itoa(shard)).Inc()
}
