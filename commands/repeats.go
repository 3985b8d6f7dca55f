package commands

import (
	"slices"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of looking keys up before commands are decided.
const (
	// lookFirst is for how many commands of an appender an account counts as repeating itself after one that did.
	lookFirst = batchMax
	// repeatersMax is how many accounts that repeat themselves mean that any account may.
	repeatersMax = 16
)

// repeats tells whose keys to look up before they are decided: those of the accounts that have lately used a key again
// which was recorded long ago. So one account that does is no matter of the others. But where many do, as after an
// outage, each would be decided in vain once, with all that is in its batch: then everybody's keys are looked up.
type repeats struct {
	commands  int // that were asked about
	repeaters []repeater
}

// repeater is an account that has used a key again, the last to do so last.
type repeater struct {
	account domain.AccountID
	until   int // up to which command it counts
}

// likely reports whether to look the key of the account's next command up first.
func (r *repeats) likely(account domain.AccountID) bool {
	r.commands++
	for len(r.repeaters) > 0 && r.repeaters[0].until < r.commands {
		r.repeaters = r.repeaters[1:]
	}
	return len(r.repeaters) == repeatersMax || r.find(account) >= 0
}

// note notes that the account has used a key again.
func (r *repeats) note(account domain.AccountID) {
	if i := r.find(account); i >= 0 {
		r.repeaters = slices.Delete(r.repeaters, i, i+1)
	} else if len(r.repeaters) == repeatersMax {
		r.repeaters = r.repeaters[1:]
	}
	r.repeaters = append(r.repeaters, repeater{account, r.commands + lookFirst})
}

func (r *repeats) find(account domain.AccountID) int {
	return slices.IndexFunc(r.repeaters, func(p repeater) bool { return p.account == account })
}
