package commands

import (
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/settlement"
	"github.com/pingvas/pingvas/eventstore"
)

// Ended is how a generation ended and what it cost.
type Ended struct {
	Generation domain.GenerationID `json:"generation"`
	Status     generation.Status   `json:"status"`
	Settled    domain.Credits      `json:"settled"`
	Released   domain.Credits      `json:"released"`
	Waived     domain.Credits      `json:"waived,omitempty"`
}

// settle ends the reservation of a generation that has just ended, by the policy that its request was made under.
// A generation that goes on is left alone.
func (w *work) settle(at time.Time) (Ended, error) {
	g := w.generation.state
	out := Ended{Generation: g.Request.Generation, Status: g.Status}
	if !g.Status.Final() {
		return out, nil
	}
	policy, charge, err := w.charge()
	if err != nil {
		return out, err
	}
	before := len(w.pending)
	if charge == 0 {
		err = w.onAccount(account.Release{
			Reservation: g.Request.Reservation, Reason: string(g.Status), Policy: policy.Version, At: at,
		})
	} else {
		err = w.onAccount(account.Settle{
			Reservation: g.Request.Reservation, Charge: charge, Policy: policy.Version, At: at,
		})
	}
	if domain.CodeOf(err) == domain.CodeAlreadyEnded {
		// The reservation expired so long ago that the account has forgotten it: the generation still ends.
		out.Waived = charge
		return out, nil
	}
	for _, e := range w.pending[before:] {
		out.add(e)
	}
	return out, err
}

// standing returns how a generation that a command has not changed stands. If it has ended, it cost what the policy
// says.
func (w *work) standing() (Ended, error) {
	g := w.generation.state
	out := Ended{Generation: g.Request.Generation, Status: g.Status}
	if !g.Status.Final() {
		return out, nil
	}
	_, charge, err := w.charge()
	if err != nil {
		return out, err
	}
	out.Settled, out.Released = charge, g.Request.Reserved-charge
	return out, nil
}

// charge returns what a generation that has ended costs, by the policy that its request was made under.
func (w *work) charge() (settlement.Policy, domain.Credits, error) {
	g := w.generation.state
	policy, err := settlement.ByVersion(g.Request.Policy)
	if err != nil {
		return policy, 0, err
	}
	return policy, policy.Charge(g.Outcome(), g.Request.Reserved), nil
}

func (o *Ended) add(e domain.Event) {
	switch e := e.(type) {
	case account.CreditsSettled:
		o.Settled += account.Total(e.Charged)
		o.Released += account.Total(e.Returned)
		o.Waived += e.Waived
	case account.CreditsReleased:
		o.Released += account.Total(e.Slices)
	}
}

// endStreams are the streams that ending a generation decides on.
func endStreams(c Caller, id domain.GenerationID) []string {
	return []string{eventstore.AccountStream(c.Account), eventstore.GenerationStream(id)}
}

// own returns CodeNotFound unless the generation is the caller's.
func (w *work) own(c Caller) error {
	if w.generation.state.Request.Account != c.Account {
		return domain.Errorf(domain.CodeNotFound, "there is no such generation")
	}
	return nil
}
