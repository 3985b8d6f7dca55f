package audit

import (
	"fmt"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// TrialBalance is the sum of all postings per book.
type TrialBalance map[domain.Book]domain.Credits

// Sum adds all books: zero unless credits were created or destroyed.
func (t TrialBalance) Sum() domain.Credits {
	var sum domain.Credits
	for _, amount := range t {
		sum += amount
	}
	return sum
}

func (t *TrialBalance) add(other TrialBalance) {
	if *t == nil {
		*t = TrialBalance{}
	}
	for book, amount := range other {
		(*t)[book] += amount
	}
}

// reservation is what the audit remembers of one: not its slices, only how it stands.
type reservation struct {
	amount  domain.Credits
	expired bool
}

// books folds the accounts and generations of one shard. What has ended is forgotten, so the memory that an audit takes
// grows with the accounts, not with what they did.
type books struct {
	accounts     map[string]*account.State
	generations  map[string]generation.State
	reservations map[domain.ReservationID]*reservation
	made, begun  int64 // reservations and generations
	balance      TrialBalance
}

func newBooks() *books {
	return &books{
		accounts: map[string]*account.State{}, generations: map[string]generation.State{},
		reservations: map[domain.ReservationID]*reservation{}, balance: TrialBalance{},
	}
}

// see folds one event and returns what is wrong with it. A fold that panics on a history that no decider would have
// made is a finding, too.
func (b *books) see(owner domain.AccountID, at eventstore.StreamVersion, e domain.Event) (wrong []string) {
	defer func() {
		if r := recover(); r != nil {
			wrong = append(wrong, fmt.Sprintf("cannot be folded: %v", r))
		}
	}()
	if p, ok := e.(domain.Posted); ok {
		wrong = append(wrong, b.post(p)...)
	}
	wrong = append(wrong, b.reserve(e)...)
	account, isAccount := strings.CutPrefix(at.Stream, eventstore.AccountStream(""))
	switch {
	case isAccount && account == string(owner):
		return append(wrong, b.foldAccount(at.Stream, e)...)
	case isAccount:
		return append(wrong, "it stands in the stream of another account")
	default:
		return append(wrong, b.foldGeneration(at, e)...)
	}
}

func (b *books) post(p domain.Posted) []string {
	postings := p.Postings()
	for _, posting := range postings {
		b.balance[posting.Book] += posting.Amount
	}
	if sum := domain.Sum(postings); sum != 0 {
		return []string{fmt.Sprintf("its postings add up to %d", sum)}
	}
	return nil
}

func (b *books) foldAccount(stream string, e domain.Event) []string {
	state := b.accounts[stream]
	if state == nil {
		state = account.Initial()
	}
	if _, opens := e.(account.Opened); opens == state.Exists() {
		return []string{"an account begins with being opened, once"}
	}
	state = account.Evolve(state, e)
	b.accounts[stream] = state
	if err := account.Check(state); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// foldGeneration forgets a generation that has ended. It began with its first event, so whatever comes later, even
// another beginning, is found.
func (b *books) foldGeneration(at eventstore.StreamVersion, e domain.Event) []string {
	if !isGeneration(e) {
		return nil
	}
	state, open := b.generations[at.Stream]
	_, begins := e.(generation.Requested)
	switch {
	case begins != (at.Version == 1):
		return []string{"a generation begins with being requested, once"}
	case !begins && !open:
		return []string{"the generation had ended"}
	case begins:
		b.begun++
	}
	state = generation.Evolve(state, e)
	b.generations[at.Stream] = state
	if state.Status.Final() {
		delete(b.generations, at.Stream)
	}
	if err := generation.Check(state); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func isGeneration(e domain.Event) bool {
	switch e.(type) {
	case generation.Requested, generation.Claimed, generation.LeaseExtended, generation.Requeued, generation.Completed,
		generation.Failed, generation.Cancelled, generation.Expired:
		return true
	}
	return false
}
