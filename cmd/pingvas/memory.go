package main

import (
	"os"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// heapBallast is memory that is never touched, so that it costs none. The garbage collector takes it for live, and so
// runs after every 64 MiB instead of after every few: a third of the processor time of a busy ledger was garbage
// collection, of a heap of 10 MiB. Whoever sets GOGC has it as it was.
const heapBallast = 64 << 20

// ballastBytes is the size of the ballast of a process with this environment.
func ballastBytes() int64 {
	if os.Getenv("GOGC") != "" {
		return 0
	}
	return heapBallast
}

// newBallast returns the ballast, which is to be kept.
func newBallast() []byte {
	ballast := make([]byte, ballastBytes())
	untouch(ballast)
	return ballast
}

// liveHeapMetric tells the bytes of the heap after the last collection, the ballast included.
const liveHeapMetric = "go_gc_heap_live_bytes"

func newMemoryMetrics() prometheus.Collector {
	live := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}
	return collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(live))
}
