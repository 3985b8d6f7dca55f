package settlement

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// Terminal is how a generation ended.
type Terminal string

// The terminal states.
const (
	Succeeded Terminal = "succeeded"
	Failed    Terminal = "failed"
	Blocked   Terminal = "blocked" // refused by the content filter
	Cancelled Terminal = "cancelled"
	Expired   Terminal = "expired" // not done within its deadline
)

// Stage is how far the generation had come when it ended.
type Stage string

// The stages.
const (
	StageQueued  Stage = "queued"
	StageRunning Stage = "running"
)

// Basis is a share of the reserved credits in ten-thousandths.
type Basis int

// whole is a share of everything.
const whole Basis = 10_000

// Rule is one row of the policy.
type Rule struct {
	Terminal Terminal `json:"terminal"`
	Stage    Stage    `json:"stage"`
	// Share of the credits reserved for each image that counts: delivered images when it succeeded, else all.
	Share Basis  `json:"share_basis_points"`
	Why   string `json:"why"`
}

// Policy is one version of the table. A version never changes once it is used.
type Policy struct {
	Version string `json:"version"`
	Rules   []Rule `json:"rules"`
}

// Current returns the policy in force.
func Current() Policy {
	return Policy{Version: "2026-11-01", Rules: []Rule{
		{Succeeded, StageRunning, whole, "Every delivered image is charged at its quoted price, missing ones are not."},
		{Failed, StageQueued, 0, "What we could not make is not charged."},
		{Failed, StageRunning, 0, "What we could not make is not charged."},
		{Blocked, StageQueued, 0, "A refused request is not charged."},
		{Blocked, StageRunning, 0, "A refused result is not charged."},
		{Cancelled, StageQueued, 0, "Nothing was computed yet."},
		{Cancelled, StageRunning, whole / 2, "A worker was already computing it for you."},
		{Expired, StageQueued, 0, "It was not started in time."},
		{Expired, StageRunning, 0, "It was not finished in time."},
	}}
}

// ByVersion returns the policy with this version, which a request was made under.
func ByVersion(version string) (Policy, error) {
	if p := Current(); p.Version == version {
		return p, nil
	}
	return Policy{}, fmt.Errorf("there is no settlement policy %q", version)
}

// Outcome is the end of one generation.
type Outcome struct {
	Terminal  Terminal
	Stage     Stage
	Requested int // images asked for, at least 1
	Delivered int // images delivered
}

// Charge returns how many of the reserved credits are charged, rounded down in the customer's favour.
// It panics for an outcome that the policy has no rule for: Current has a rule for each.
func (p Policy) Charge(o Outcome, reserved domain.Credits) domain.Credits {
	for _, r := range p.Rules {
		if r.Terminal == o.Terminal && r.Stage == o.Stage {
			counted := o.Requested
			if o.Terminal == Succeeded {
				counted = min(o.Delivered, o.Requested)
			}
			perImage := reserved / domain.Credits(o.Requested)
			base := perImage * domain.Credits(counted)
			if counted == o.Requested {
				base = reserved
			}
			return share(base, r.Share)
		}
	}
	panic(fmt.Sprintf("settlement: no rule for %s while %s", o.Terminal, o.Stage))
}

// share rounds down. It divides first, because the product of MaxCredits and a whole share overflows.
func share(amount domain.Credits, basis Basis) domain.Credits {
	const parts = domain.Credits(whole)
	return amount/parts*domain.Credits(basis) + amount%parts*domain.Credits(basis)/parts
}
