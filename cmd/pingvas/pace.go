package main

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/golang-lru/v2"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// expectedMax bounds the open jobs whose expected time is remembered; the oldest are forgotten.
const expectedMax = 10_000

// paceKeeper learns from the feed of events how long jobs take. What it has missed it does not learn, and a restart
// begins anew with the price book's estimates.
type paceKeeper struct {
	pace     *commands.Pace
	expected *lru.Cache[string, expected]
}

// expected is what the price book says of one job.
type expected struct {
	model  string
	millis int64 // of each picture
}

func newPaceKeeper(pace *commands.Pace) (*paceKeeper, error) {
	cache, err := lru.New[string, expected](expectedMax)
	return &paceKeeper{pace, cache}, err
}

// see takes one event. Only the fields that are not sealed are read.
func (k *paceKeeper) see(e eventstore.Envelope) {
	switch e.Type {
	case generation.Requested{}.EventName():
		var r struct {
			Spec pricing.Terms `json:"spec"`
		}
		if json.Unmarshal(e.Data, &r) != nil || r.Spec.Count < 1 {
			return
		}
		if price, err := pricing.Current().Price(r.Spec); err == nil {
			k.expected.Add(e.Stream, expected{r.Spec.Model, price.Millis / int64(r.Spec.Count)})
		}
	case generation.Completed{}.EventName():
		var c struct {
			Images []struct{} `json:"images"`
			Millis int64      `json:"gpu_ms"`
		}
		if known, ok := k.expected.Get(e.Stream); ok && json.Unmarshal(e.Data, &c) == nil {
			k.pace.Learn(known.model, known.millis*int64(len(c.Images)), c.Millis)
		}
		k.expected.Remove(e.Stream)
	default:
		if strings.HasPrefix(e.Type, "generation.") && ends(e.Type) {
			k.expected.Remove(e.Stream)
		}
	}
}

func ends(eventType string) bool {
	switch eventType {
	case generation.Failed{}.EventName(), generation.Cancelled{}.EventName(), generation.Expired{}.EventName():
		return true
	}
	return false
}
