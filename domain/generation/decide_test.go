package generation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/settlement"
)

func TestRequestChecksItsFields(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*generation.Request){
		"generation":    func(c *generation.Request) { c.Generation = "gen_1" },
		"account":       func(c *generation.Request) { c.Account = "" },
		"tier":          func(c *generation.Request) { c.Tier = "gold" },
		"no images":     func(c *generation.Request) { c.Spec.Count = 0 },
		"deadline over": func(c *generation.Request) { c.Deadline = c.At },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := request()
			spoil(&c)
			domaintest.Given(t, generation.Decider()).When(c).Refused(domain.CodeInvalid)
		})
	}
}

func TestOneImageMayBeRequested(t *testing.T) {
	t.Parallel()
	c := request()
	c.Spec.Count, c.Deadline = 1, c.At.Add(1)
	domaintest.Given(t, generation.Decider()).When(c).Then(generation.Requested(c))
}

func TestClaimNeedsAnOpenJob(t *testing.T) {
	t.Parallel()
	deadline := request().Deadline
	s := domaintest.Given(t, generation.Decider(), generation.Requested(request()))
	claim := generation.Claim{Worker: "w", LeaseUntil: deadline.Add(time.Hour), At: deadline}
	s.When(claim).Refused(domain.CodeConflict)
	claim.At, claim.LeaseUntil = deadline.Add(-1), deadline.Add(-1)
	s.When(claim).Refused(domain.CodeInvalid)
	claim.LeaseUntil, claim.Worker = deadline, ""
	s.When(claim).Refused(domain.CodeInvalid)
	claim.Worker = "w"
	s.When(claim)
	require.NoError(t, s.Err())
	s.When(claim).Refused(domain.CodeConflict)
}

// TestDeliveryIsOfTheJob refuses pictures that carry the id of another job, of another place in the delivery, or none.
func TestDeliveryIsOfTheJob(t *testing.T) {
	t.Parallel()
	stranger := id[domain.GenerationID]("gen_", 2)
	for name, wrong := range map[string]domain.ImageID{
		"another job": domain.NewImageID(stranger, 1), "another place": domain.NewImageID(request().Generation, 2),
		"no id": "img_1", "another job and place": domain.NewImageID(stranger, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := domaintest.Given(t, generation.Decider(), generation.Requested(request())).
				When(generation.Claim{Worker: "w", LeaseUntil: epoch.Add(time.Hour), At: epoch})
			delivery := images(2)
			delivery[1].Image = wrong
			s.When(generation.Complete{Attempt: 1, Images: delivery, At: epoch}).Refused(domain.CodeInvalid)
		})
	}
}

// TestLife tells one life of a job with every field of its events.
func TestLife(t *testing.T) {
	t.Parallel()
	gen, at := request().Generation, epoch
	lease := at.Add(time.Minute)
	s := domaintest.Given(t, generation.Decider(), generation.Requested(request()))
	s.When(generation.Claim{Worker: "w1", LeaseUntil: lease, At: at}).
		Then(generation.Claimed{Generation: gen, Attempt: 1, Worker: "w1", LeaseUntil: lease, At: at})
	require.Equal(t, "w1", s.State().Worker)
	s.When(generation.ExtendLease{Attempt: 1, LeaseUntil: lease.Add(1), At: at}).
		Then(generation.LeaseExtended{Generation: gen, Attempt: 1, LeaseUntil: lease.Add(1), At: at})
	s.When(generation.EndLease{At: lease.Add(1)}).
		Then(generation.Requeued{Generation: gen, Attempt: 2, Cause: generation.CauseLeaseExpired, At: lease.Add(1)})
	require.Empty(t, s.State().Worker)
	s.When(generation.Claim{Worker: "w2", LeaseUntil: lease.Add(2), At: at})
	s.When(generation.HandBack{Attempt: 2, Cause: "gpu", At: at}).
		Then(generation.Requeued{Generation: gen, Attempt: 3, Cause: "gpu", At: at})
	s.When(generation.Claim{Worker: "w3", LeaseUntil: lease.Add(2), At: at})
	s.When(generation.Complete{
		Attempt: 3, Images: images(2), Engine: "sketch", EngineVersion: "1", GPUMillis: 7, At: at,
	}).Then(generation.Completed{
		Generation: gen, Account: request().Account, Attempt: 3, Images: images(2), Engine: "sketch", EngineVersion: "1",
		GPUMillis: 7, At: at,
	})
	require.Equal(t, images(2), s.State().Images)
	require.Equal(t, settlement.Outcome{
		Terminal: settlement.Succeeded, Stage: settlement.StageRunning, Requested: 3, Delivered: 2,
	}, s.State().Outcome())
}

// TestEnds shows the event and the outcome of each way to end without pictures.
func TestEnds(t *testing.T) {
	t.Parallel()
	gen, at := request().Generation, request().Deadline
	claimed := generation.Claimed{Generation: gen, Attempt: 1, Worker: "w", LeaseUntil: at}
	second := generation.Requeued{Generation: gen, Attempt: 2, Cause: generation.CauseLeaseExpired}
	last := generation.Requeued{Generation: gen, Attempt: 3, Cause: generation.CauseLeaseExpired}
	failed := generation.Failed{Generation: gen, Attempt: 1, Cause: "engine", Stage: settlement.StageRunning, At: at}
	blocked, exhausted := failed, failed
	blocked.Blocked = true
	exhausted.Attempt, exhausted.Cause = 3, generation.CauseLeaseExpired
	tests := []struct {
		name     string
		given    []domain.Event
		when     generation.Command
		then     domain.Event
		terminal settlement.Terminal
		stage    settlement.Stage
	}{
		{"failed", []domain.Event{claimed}, generation.Fail{Attempt: 1, Cause: "engine", At: at},
			failed, settlement.Failed, settlement.StageRunning},
		{"blocked", []domain.Event{claimed}, generation.Fail{Attempt: 1, Blocked: true, Cause: "engine", At: at},
			blocked, settlement.Blocked, settlement.StageRunning},
		{"exhausted", []domain.Event{second, last, claimed}, generation.EndLease{At: at},
			exhausted, settlement.Failed, settlement.StageRunning},
		{"cancelled before it ran", nil, generation.Cancel{At: at},
			generation.Cancelled{Generation: gen, Attempt: 1, Stage: settlement.StageQueued, At: at},
			settlement.Cancelled, settlement.StageQueued},
		{"cancelled while it ran", []domain.Event{claimed}, generation.Cancel{At: at},
			generation.Cancelled{Generation: gen, Attempt: 1, Stage: settlement.StageRunning, At: at},
			settlement.Cancelled, settlement.StageRunning},
		{"expired before it ran", nil, generation.Expire{At: at},
			generation.Expired{Generation: gen, Attempt: 1, Stage: settlement.StageQueued, At: at},
			settlement.Expired, settlement.StageQueued},
		{"expired while it ran", []domain.Event{claimed}, generation.Expire{At: at},
			generation.Expired{Generation: gen, Attempt: 1, Stage: settlement.StageRunning, At: at},
			settlement.Expired, settlement.StageRunning},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := domaintest.Given(t, generation.Decider(), generation.Requested(request())).And(test.given...)
			s.When(test.when).Then(test.then)
			require.Equal(t, settlement.Outcome{Terminal: test.terminal, Stage: test.stage, Requested: imagesMax},
				s.State().Outcome())
			require.Empty(t, s.State().Worker)
			if failed, ok := test.then.(generation.Failed); ok {
				require.Equal(t, failed.Cause, s.State().Cause)
			}
		})
	}
}

func TestCheckFindsBrokenStates(t *testing.T) {
	t.Parallel()
	good := generation.Evolve(generation.Initial(), generation.Requested(request()))
	require.NoError(t, generation.Check(good))
	require.NoError(t, generation.Check(generation.Initial()))
	tests := map[string]func(*generation.State){
		"attempt 0 after 0 failures": func(s *generation.State) { s.Attempt = 0 },
		"attempt 1 after 1 failures": func(s *generation.State) { s.Failures = 1 },
		"attempt 9 after 3 failures": func(s *generation.State) { s.Attempt, s.Failures = 9, 3 },
		`running with worker ""`:     func(s *generation.State) { s.Status = generation.StatusRunning },
		`queued with worker "w"`:     func(s *generation.State) { s.Worker = "w" },
		"queued with 1 images":       func(s *generation.State) { s.Images = images(1) },
		"succeeded with 0 images":    func(s *generation.State) { s.Status = generation.StatusSucceeded },
		"4 images of 3": func(s *generation.State) {
			s.Status, s.Images = generation.StatusSucceeded, images(4)
		},
	}
	for want, spoil := range tests {
		s := good
		spoil(&s)
		require.ErrorContains(t, generation.Check(s), want)
	}
}

func TestProgrammingErrorsPanic(t *testing.T) {
	t.Parallel()
	s := generation.Evolve(generation.Initial(), generation.Requested(request()))
	require.PanicsWithValue(t, "generation: command <nil> is not decided", func() { _, _ = generation.Decide(s, nil) })
	require.PanicsWithValue(t, "generation: event <nil> is not folded", func() { generation.Evolve(s, nil) })
}
