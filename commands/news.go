package commands

import (
	"context"
	"slices"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// news is an event that somebody else has appended.
type news struct {
	use
	version int64
	event   domain.Event // nil if it is too much trouble to decode
}

// decode makes news of what was missed, by batch. Only events of accounts, of which many commands come, are worth it:
// others may be sealed, and their keys would have to be fetched.
func (a *appender) decode(out []eventstore.Appended) [][]news {
	all := make([][]news, len(out))
	for i, o := range out {
		for _, e := range o.Missed {
			n := news{use: use{stream: e.Stream}, version: e.Version}
			if meta, err := e.Meta(); err == nil {
				n.account = meta.Account
			}
			if e.Stream == eventstore.AccountStream(n.account) && !a.ledger.codec.Seals(e.Type) {
				if event, err := a.ledger.codec.Decode(context.Background(), e); err == nil {
					n.event = event
				}
			}
			all[i] = append(all[i], n)
		}
	}
	return all
}

// learn folds an event into the state that is kept of its stream, or has it loaded anew. What the open batch has
// decided on the older state is decided anew.
func (a *appender) learn(n news) {
	e := a.states.find(n.use)
	switch {
	case e == nil:
		return
	case !e.loaded: // nobody knows whether the event is in what is being read
		e.asOf = 0
		return
	}
	if u := a.open.byOwner[n.account]; u != nil && u.decidedOn(e) {
		a.void(u)
	}
	switch at := e.state.at().Version; {
	case e.dead || n.version <= at:
	case n.event != nil && n.version == at+1:
		e.state.fold(n.version, n.event)
	default:
		a.states.bury(e)
	}
}

func (u *unit) decidedOn(e *entry) bool {
	return !u.void && slices.ContainsFunc(u.uses, func(s used) bool { return s.entry == e })
}
