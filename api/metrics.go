package api

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's own.
type metrics struct {
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	// kinds holds the series of each kind of request, since looking them up by their labels takes longer.
	kinds   sync.Map // of requestKind to series
	open    prometheus.Gauge
	streams prometheus.Gauge
	panics  prometheus.Counter
	page    http.Handler
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pingvas_http_requests_total", Help: "Requests by method, route template and status.",
		}, []string{"method", "route", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pingvas_http_request_seconds", Help: "Time to answer, by route template. Streams last as they last.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pingvas_http_requests_open", Help: "Requests being answered.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pingvas_http_streams_open", Help: "Event streams being written.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pingvas_http_panics_total", Help: "Requests that ended in a panic.",
		}),
		page: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.latency, m.open, m.streams, m.panics} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the API: %w", err)
		}
	}
	return m, nil
}

// count counts one answered request. Requests without a route, and methods that HTTP does not have, share one label
// each, so that callers cannot make up new ones.
func (m *metrics) count(method, route string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
	default:
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	s := m.series(requestKind{method, route, status})
	s.requests.Inc()
	s.latency.Observe(took.Seconds())
}

// requestKind is what requests have in common that are counted together.
type requestKind struct {
	method, route string
	status        int
}

// series are what requests of one kind count in.
type series struct {
	requests prometheus.Counter
	latency  prometheus.Observer
}

func (m *metrics) series(k requestKind) series {
	found, ok := m.kinds.Load(k)
	if !ok {
		found, _ = m.kinds.LoadOrStore(k, series{
			m.requests.WithLabelValues(k.method, k.route, strconv.Itoa(k.status)), m.latency.WithLabelValues(k.route),
		})
	}
	return found.(series)
}
