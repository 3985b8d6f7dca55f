package generation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// imagesMax is the number of images that the tests ask for.
const imagesMax = 3

func id[I ~string](prefix string, n int) I { return I(fmt.Sprintf("%s%026d", prefix, n)) }

func request() generation.Request {
	return generation.Request{
		Generation: id[domain.GenerationID]("gen_", 1), Account: id[domain.AccountID]("acc_", 1),
		Spec: generation.Spec{Terms: pricing.Terms{Count: imagesMax}, Prompt: "a pelican"},
		Tier: domain.TierPro, Reserved: 100, Deadline: epoch.Add(24 * time.Hour), At: epoch,
	}
}

func images(n int) []generation.Image {
	out := make([]generation.Image, n)
	for i := range out {
		out[i].Image = domain.NewImageID(request().Generation, i)
	}
	return out
}

// laws drives a generation and a plain second telling of its rules with the same random commands.
type laws struct {
	*domaintest.Scenario[generation.State, generation.Command]
	now     time.Time
	status  generation.Status
	attempt int
	// failures are the attempts that were not handed back.
	failures int
	lease    time.Time
}

func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := &laws{
			Scenario: domaintest.Given(t, generation.Decider()), now: epoch, status: generation.StatusQueued, attempt: 1,
		}
		l.When(generation.Claim{At: epoch}).Refused(domain.CodeNotFound)
		l.When(request()).Then(generation.Requested(request()))
		t.Repeat(map[string]func(*rapid.T){
			"": l.check,
			"time": func(t *rapid.T) {
				l.now = l.now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "hours")) * time.Hour)
			},
			"request": func(*rapid.T) { l.When(request()).Refused(domain.CodeConflict) },
			"claim":   l.claim,
			"extend":  l.extend,
			"hand back": func(t *rapid.T) {
				attempt := l.anyAttempt(t)
				cause := rapid.SampledFrom([]string{generation.CauseHandedBack, "out_of_memory"}).Draw(t, "cause")
				l.When(generation.HandBack{Attempt: attempt, Cause: cause, At: l.now})
				l.fenced(attempt, func() { l.requeue(cause != generation.CauseHandedBack) })
			},
			"end lease": l.endLease,
			"complete":  l.complete,
			"fail":      l.fail,
			"cancel": func(t *rapid.T) {
				l.When(generation.Cancel{At: l.now})
				if l.status == generation.StatusCancelled { // again: nothing changes
					l.Refused("")
					require.Empty(t, l.Events())
					return
				}
				l.unlessEnded(func() { l.end(generation.StatusCancelled) })
			},
			"expire": l.expire,
		})
	})
}

// anyAttempt is mostly the current one.
func (l *laws) anyAttempt(t *rapid.T) int {
	return rapid.SampledFrom([]int{l.attempt, l.attempt, l.attempt, l.attempt - 1, l.attempt + 1}).Draw(t, "attempt")
}

func (l *laws) lasting(t *rapid.T) time.Time {
	return l.now.Add(time.Duration(rapid.IntRange(-1, 6).Draw(t, "lease")) * time.Hour)
}

// unlessEnded expects a refusal of every command after the end, else what then says.
func (l *laws) unlessEnded(then func()) {
	if l.status.Final() {
		l.Refused(domain.CodeAlreadyEnded)
		return
	}
	then()
}

func (l *laws) fenced(attempt int, then func()) {
	l.unlessEnded(func() {
		if l.status != generation.StatusRunning || attempt != l.attempt {
			l.Refused(domain.CodeStaleAttempt)
			return
		}
		then()
	})
}

func (l *laws) accepted(t domaintest.T, name string) {
	require.NoError(t, l.Err())
	require.Len(t, l.Events(), 1)
	require.Equal(t, name, l.Events()[0].EventName())
}

func (l *laws) end(status generation.Status) {
	l.Refused("")
	l.status, l.lease = status, time.Time{}
}

func (l *laws) requeue(failed bool) {
	l.Refused("")
	if failed {
		l.failures++
	}
	if l.failures == 3 {
		l.end(generation.StatusFailed)
		return
	}
	l.attempt++
	l.status, l.lease = generation.StatusQueued, time.Time{}
}

func (l *laws) claim(t *rapid.T) {
	lease := l.lasting(t)
	worker := rapid.SampledFrom([]string{"w1", "w2", "w3", ""}).Draw(t, "worker")
	l.When(generation.Claim{Worker: worker, LeaseUntil: lease, At: l.now})
	l.unlessEnded(func() {
		switch {
		case l.status == generation.StatusRunning, !l.now.Before(request().Deadline):
			l.Refused(domain.CodeConflict)
		case worker == "" || !lease.After(l.now):
			l.Refused(domain.CodeInvalid)
		default:
			l.accepted(t, "generation.claimed.v1")
			l.status, l.lease = generation.StatusRunning, lease
		}
	})
}

func (l *laws) extend(t *rapid.T) {
	attempt, lease := l.anyAttempt(t), l.lasting(t)
	l.When(generation.ExtendLease{Attempt: attempt, LeaseUntil: lease, At: l.now})
	l.fenced(attempt, func() {
		if !lease.After(l.lease) {
			l.Then()
			return
		}
		l.accepted(t, "generation.lease_extended.v1")
		l.lease = lease
	})
}

func (l *laws) endLease(*rapid.T) {
	l.When(generation.EndLease{At: l.now})
	l.unlessEnded(func() {
		if l.status != generation.StatusRunning || l.now.Before(l.lease) {
			l.Then()
			return
		}
		l.requeue(true)
	})
}

func (l *laws) complete(t *rapid.T) {
	attempt, n := l.anyAttempt(t), rapid.IntRange(0, imagesMax+1).Draw(t, "images")
	l.When(generation.Complete{Attempt: attempt, Images: images(n), At: l.now})
	l.fenced(attempt, func() {
		if n < 1 || n > imagesMax {
			l.Refused(domain.CodeInvalid)
			return
		}
		l.accepted(t, "generation.completed.v1")
		l.end(generation.StatusSucceeded)
	})
}

func (l *laws) fail(t *rapid.T) {
	attempt, blocked := l.anyAttempt(t), rapid.Bool().Draw(t, "blocked")
	l.When(generation.Fail{Attempt: attempt, Blocked: blocked, Cause: "engine", At: l.now})
	l.fenced(attempt, func() {
		l.accepted(t, "generation.failed.v1")
		if blocked {
			l.end(generation.StatusBlocked)
			return
		}
		l.end(generation.StatusFailed)
	})
}

func (l *laws) expire(t *rapid.T) {
	l.When(generation.Expire{At: l.now})
	l.unlessEnded(func() {
		if l.now.Before(request().Deadline) || l.now.Before(l.lease) {
			l.Then()
			return
		}
		l.accepted(t, "generation.expired.v1")
		l.end(generation.StatusExpired)
	})
}

func (l *laws) check(t *rapid.T) {
	s := l.State()
	require.Equal(t, l.status, s.Status)
	require.Equal(t, l.attempt, s.Attempt)
	require.Equal(t, min(l.failures, generation.FailuresMax-1), s.Failures, "the last failure ends the job")
	require.Equal(t, l.lease, s.LeaseUntil)

	ends, attempt := 0, 1
	for _, e := range l.History() {
		switch e := e.(type) {
		case generation.Completed, generation.Failed, generation.Cancelled, generation.Expired:
			ends++
		case generation.Requeued:
			require.Equal(t, attempt+1, e.Attempt)
			attempt = e.Attempt
		case generation.Claimed:
			require.Equal(t, attempt, e.Attempt)
		}
	}
	require.Equal(t, s.Status.Final(), ends == 1)
	require.LessOrEqual(t, ends, 1, "a generation ends once")

	again, err := domaintest.Recode(generation.Events(), l.History()...)
	require.NoError(t, err)
	require.Equal(t, s, generation.Decider().Fold(generation.Initial(), again...), "JSON must not change the fold")
	l.checkOutcome(t, s)
}

// checkOutcome holds that the settlement policy has an answer to every end.
func (l *laws) checkOutcome(t *rapid.T, s generation.State) {
	if !s.Status.Final() {
		require.Panics(t, func() { s.Outcome() })
		return
	}
	charge := settlement.Current().Charge(s.Outcome(), 100)
	require.GreaterOrEqual(t, charge, domain.Credits(0))
	require.LessOrEqual(t, charge, domain.Credits(100))
	require.Equal(t, len(s.Images) == imagesMax, charge == 100, "the full price is for the full delivery")
}
