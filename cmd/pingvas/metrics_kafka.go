package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/workers"
)

// kafkaMetrics are what operators are to be alarmed by; docs/operations.md says how.
type kafkaMetrics struct {
	leads                       *prometheus.GaugeVec
	lost, messages, offsetsLost *prometheus.CounterVec
}

func newKafkaMetrics(registry prometheus.Registerer) *kafkaMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pingvas_" + name, Help: help}, labels)
	}
	m := &kafkaMetrics{
		leads: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pingvas_outbox_leads", Help: "1 where this process publishes the shard: an alarm if nobody does.",
		}, []string{"shard"}),
		lost: counter("outbox_lost_total", "Events that the topic had lost: an alarm.", "shard"),
		messages: counter("messages_total", "Deliveries of messages by handler and outcome: handled, failed (and tried "+
			"again), dead_letter: an alarm.", "handler", "outcome"),
		offsetsLost: counter("kafka_offsets_lost_total", "Times that records were gone before they were read, or a topic "+
			"was deleted and created: an alarm.", "topic", "group"),
	}
	registry.MustRegister(m.leads, m.lost, m.messages, m.offsetsLost)
	return m
}

// handled is told of every delivery.
func (m *kafkaMetrics) handled(h workers.Handled) {
	outcome := "handled"
	switch {
	case h.Poisoned:
		outcome = "dead_letter"
	case h.Err != nil:
		outcome = "failed"
	}
	m.messages.WithLabelValues(h.Handler, outcome).Inc()
}

func (m *kafkaMetrics) offsetLost(l kafka.OffsetLoss) {
	m.offsetsLost.WithLabelValues(l.Topic, l.Group).Inc()
}

// Leads implements outbox.Metrics. Who does not lead a shard does not know how far behind it is.
func (o outboxObserver) Leads(shard int, leads bool) {
	label := strconv.Itoa(shard)
	if leads {
		o.leads.WithLabelValues(label).Set(1)
		return
	}
	o.leads.WithLabelValues(label).Set(0)
	o.backlog.DeleteLabelValues(label)
	o.age.DeleteLabelValues(label)
}

// Lost implements outbox.Metrics.
func (o outboxObserver) Lost(shard int, events int64) {
	o.lost.WithLabelValues(strconv.Itoa(shard)).Add(float64(events))
}
