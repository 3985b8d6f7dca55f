package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pingvas/pingvas/adapters/invokeai"
)

// serverObserver turns what an image server does into metrics.
type serverObserver struct {
	loads    *prometheus.HistogramVec
	queue    *prometheus.GaugeVec
	memory   *prometheus.GaugeVec
	recycled prometheus.Counter
}

var _ invokeai.Observer = (*serverObserver)(nil)

func newServerObserver(registry prometheus.Registerer) *serverObserver {
	o := &serverObserver{
		loads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pingvas_engine_model_load_seconds", Help: "Time of loading a part of a model.",
			Buckets: prometheus.ExponentialBuckets(0.1, 2, 12),
		}, []string{"base", "part"}),
		queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pingvas_engine_queue_items", Help: "Items in the queue of the image server.",
		}, []string{"status"}),
		memory: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pingvas_engine_memory_bytes", Help: "Memory of the image server; 0 where it is not known.",
		}, []string{"of"}),
		recycled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pingvas_engine_recycled_total", Help: "How often a restart of the image server was asked for.",
		}),
	}
	registry.MustRegister(o.loads, o.queue, o.memory, o.recycled)
	return o
}

// ModelLoaded implements invokeai.Observer.
func (o *serverObserver) ModelLoaded(base, part string, took time.Duration) {
	o.loads.WithLabelValues(base, part).Observe(took.Seconds())
}

// Queue implements invokeai.Observer.
func (o *serverObserver) Queue(waiting, running int) {
	o.queue.WithLabelValues("waiting").Set(float64(waiting))
	o.queue.WithLabelValues("running").Set(float64(running))
}

// Memory implements invokeai.Observer.
func (o *serverObserver) Memory(resident, cached int64) {
	o.memory.WithLabelValues("process").Set(float64(resident))
	o.memory.WithLabelValues("models").Set(float64(cached))
}

// Recycled implements invokeai.Observer.
func (o *serverObserver) Recycled(string) { o.recycled.Inc() }
