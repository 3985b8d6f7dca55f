package main

import (
	"os"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Ballast is memory that is never touched, so that it costs none. The garbage collector takes it for live, and so runs
// each time that as much again was allocated, instead of after every few MiB: a third of the processor time of a busy
// ledger was garbage collection, of a heap of 10 MiB. Whoever sets GOGC has it as it was.
const (
	heapBallast = 64 << 20 // of every process
	// apiBallast comes on top of it in a process that serves nothing but the API. It collects a quarter as often, and
	// may have 300 MiB resident under full load.
	apiBallast = 192 << 20
)

// ballastBytes is how much of a ballast a process with this environment has.
func ballastBytes(wanted int) int {
	if os.Getenv("GOGC") != "" {
		return 0
	}
	return wanted
}

// newBallast returns a ballast, which is to be kept.
func newBallast(wanted int) []byte {
	ballast := make([]byte, ballastBytes(wanted))
	untouch(ballast)
	return ballast
}

// liveHeapMetric tells the bytes of the heap after the last collection, the ballast included.
const liveHeapMetric = "go_gc_heap_live_bytes"

func newMemoryMetrics() prometheus.Collector {
	live := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}
	return collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(live))
}
