package commands_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
)

// noon is when everything in these tests begins.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type bundle struct {
	ledger *commands.Ledger
	store  eventstore.Store
	codec  *eventstore.Codec
	caller commands.Caller
}

type oneKey struct{}

func (oneKey) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

// setup opens an account on the free plan: 100 credits, 4 slots.
func setup(t *testing.T) *bundle {
	t.Helper()
	store, err := memory.New(memory.Config{Shards: 4, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	ledger, err := commands.New(commands.Config{Store: store, Codec: codec})
	require.NoError(t, err)
	b := &bundle{ledger: ledger, store: store, codec: codec, caller: commands.Caller{Account: account1, Actor: "test"}}
	first := commands.OpenAccount{Name: "Ada", Grant: domain.GrantID(id("grt_", 1)), At: noon}
	_, err = ledger.OpenAccount(t.Context(), b.caller, first)
	require.NoError(t, err)
	return b
}

var account1 = domain.AccountID(id("acc_", 1))

func id(prefix string, n int) string { return fmt.Sprintf("%s%026d", prefix, n) }

func gen(n int) domain.GenerationID { return domain.GenerationID(id("gen_", n)) }

// request asks for count images of 2 credits each.
func request(n, count int) commands.RequestGeneration {
	return commands.RequestGeneration{
		Generation: gen(n), Reservation: domain.ReservationID(id("res_", n)), At: noon,
		Spec: generation.Spec{
			Terms: pricing.Terms{
				Operation: pricing.OperationTextToImage, Model: "flux-schnell", Width: 1024, Height: 1024, Steps: 4, Count: count,
			},
			Prompt: "a lighthouse", Scheduler: "euler", Seed: 7, Tags: []string{"sea"},
		},
	}
}

func (b *bundle) account(t *testing.T) *account.State {
	t.Helper()
	return replay(t, b, eventstore.AccountStream(b.caller.Account), account.Decider())
}

func replay[S, C any](t *testing.T, b *bundle, stream string, d domain.Decider[S, C]) S {
	t.Helper()
	shard := eventstore.ShardOf(b.caller.Account, b.store.Shards())
	page, err := b.store.ReadStreams(t.Context(), shard, []eventstore.StreamVersion{{Stream: stream}}, eventstore.ReadMax)
	require.NoError(t, err)
	state := d.Initial()
	for _, e := range page {
		event, err := b.codec.Decode(t.Context(), e)
		require.NoError(t, err)
		state = d.Evolve(state, event)
		require.NoError(t, d.Check(state))
	}
	return state
}

func (b *bundle) heads(t *testing.T) []eventstore.Head {
	t.Helper()
	heads, err := b.store.Heads(t.Context())
	require.NoError(t, err)
	return heads
}

func keyed(c commands.Caller, key string, body byte) commands.Caller {
	c.Idempotency = &commands.Idempotency{Key: key, RequestHash: eventstore.RequestHash{body}}
	return c
}

func pictures(g domain.GenerationID, n int) []generation.Image {
	var images []generation.Image
	for i := range n {
		images = append(images, generation.Image{
			Image: domain.NewImageID(g, i), Key: fmt.Sprint("k", i), ThumbnailKey: fmt.Sprint("t", i),
		})
	}
	return images
}

// claim gives generation n to a worker.
func (b *bundle) claim(t *testing.T, n int, at time.Time) commands.Claim {
	t.Helper()
	claim, ok, err := b.ledger.ClaimGeneration(t.Context(), b.caller, commands.ClaimGeneration{
		Worker: "w1", Pool: pricing.PoolGPU, At: at,
		Candidates: []commands.Candidate{{Generation: gen(n), Account: eventstore.HashAccount(account1)}},
	})
	require.NoError(t, err)
	require.True(t, ok)
	return claim
}

func TestMainJobChargesWhatWasDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asked, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 3))
	require.NoError(t, err)
	require.EqualValues(t, 6, asked.Result.Credits)
	require.EqualValues(t, 6, b.account(t).Totals.Reserved)

	claim := b.claim(t, 1, noon.Add(time.Second))
	require.Equal(t, "a lighthouse", claim.Spec.Prompt)
	require.Equal(t, 1, claim.Attempt)

	done, err := b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
		Attempt: 1, Images: pictures(gen(1), 2), At: noon.Add(time.Minute),
	})
	require.NoError(t, err)
	require.Equal(t, commands.Ended{
		Generation: gen(1), Status: generation.StatusSucceeded, Settled: 4, Released: 2,
	}, done.Result)
	require.Equal(t, account.Totals{Issuance: -100, Available: 96, Consumed: 4}, b.account(t).Totals)

	before := b.heads(t)
	_, err = b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
		Attempt: 1, Images: pictures(gen(1), 2), At: noon.Add(time.Hour),
	})
	require.Equal(t, domain.CodeAlreadyEnded, domain.CodeOf(err))
	require.Equal(t, before, b.heads(t))
}

func TestParallelRequestsNeverOverdraw(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.ChangePlan(t.Context(), b.caller, "enterprise", noon)
	require.NoError(t, err)
	_, err = b.ledger.ChangePlan(t.Context(), b.caller, "studio", noon) // 32 slots, no credit line
	require.NoError(t, err)
	var all sync.WaitGroup
	outcomes := make([]error, 64)
	for i := range outcomes {
		all.Go(func() {
			for { // a busy account may say so; whoever retries gets a real answer
				_, outcomes[i] = b.ledger.RequestGeneration(context.WithoutCancel(t.Context()), b.caller, request(i+1, 8))
				if domain.CodeOf(outcomes[i]) != domain.CodeStaleVersion {
					return
				}
			}
		})
	}
	all.Wait()
	accepted := 0
	for _, err := range outcomes {
		if err == nil {
			accepted++
			continue
		}
		require.Equal(t, domain.CodeInsufficientCredits, domain.CodeOf(err))
	}
	require.Equal(t, 100/16, accepted)
	require.EqualValues(t, 16*accepted, b.account(t).Totals.Reserved)
}

func TestSameKeyHasOneEffectAndOneAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	receipts := make([]commands.Receipt[commands.RequestedGeneration], 1000)
	var all sync.WaitGroup
	for i := range receipts {
		all.Go(func() {
			var err error
			for {
				receipts[i], err = b.ledger.RequestGeneration(
					context.WithoutCancel(t.Context()), keyed(b.caller, "k", 1), request(i+1, 1))
				if domain.CodeOf(err) != domain.CodeStaleVersion {
					break
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := 0
	for _, r := range receipts {
		require.Equal(t, receipts[0].Result, r.Result)
		require.Equal(t, receipts[0].Position, r.Position)
		if !r.Replayed {
			first++
		}
	}
	require.Equal(t, 1, first)
	require.EqualValues(t, 2, b.account(t).Totals.Reserved)

	_, err := b.ledger.RequestGeneration(t.Context(), keyed(b.caller, "k", 2), request(99, 1))
	require.Equal(t, domain.CodeIdempotencyMismatch, domain.CodeOf(err))
}

func TestRefusalIsKeptForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	caller := keyed(b.caller, "poor", 1)
	big := request(1, 8)
	big.Spec.Model, big.Spec.Guidance, big.Spec.Steps = "flux-dev", 3.5, 60
	_, err := b.ledger.RequestGeneration(t.Context(), caller, big)
	require.Equal(t, domain.CodeInsufficientCredits, domain.CodeOf(err))

	_, err = b.ledger.GrantCredits(t.Context(), b.caller, account.GrantCredits{
		Grant: domain.GrantID(id("grt_", 2)), Source: account.SourceTopUp, Priority: 50, Amount: 1000,
		Effective: noon, At: noon,
	})
	require.NoError(t, err)
	again, err := b.ledger.RequestGeneration(t.Context(), caller, big)
	require.True(t, again.Replayed)
	require.Equal(t, domain.CodeInsufficientCredits, domain.CodeOf(err))
	require.Contains(t, string(errDetail(t, err)), `"available":100`)

	_, err = b.ledger.RequestGeneration(t.Context(), keyed(b.caller, "rich", 1), big)
	require.NoError(t, err)
}

func TestCancelSettlesByTheStage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := 1; n <= 2; n++ {
		_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(n, 2))
		require.NoError(t, err)
	}
	b.claim(t, 2, noon)
	queued, err := b.ledger.CancelGeneration(t.Context(), b.caller, gen(1), nil, noon)
	require.NoError(t, err)
	require.EqualValues(t, 0, queued.Result.Settled)
	require.EqualValues(t, 4, queued.Result.Released)
	var free domain.Credits
	_, err = b.ledger.CancelGeneration(t.Context(), b.caller, gen(2), &free, noon)
	require.Equal(t, domain.CodePreconditionFailed, domain.CodeOf(err), "it runs, so it is not free")
	running, err := b.ledger.CancelGeneration(t.Context(), b.caller, gen(2), nil, noon)
	require.NoError(t, err)
	require.EqualValues(t, 2, running.Result.Settled)
	require.EqualValues(t, 2, running.Result.Released)

	before := b.heads(t)
	again, err := b.ledger.CancelGeneration(t.Context(), b.caller, gen(2), nil, noon.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, running.Result, again.Result)
	require.Equal(t, before, b.heads(t))
}

func TestForeignGenerationDoesNotExist(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 1))
	require.NoError(t, err)
	before := b.heads(t)
	for n := range 20 { // some of them lie in the same shard
		other := commands.Caller{Account: domain.AccountID(id("acc_", 100+n))}
		_, err := b.ledger.CancelGeneration(t.Context(), other, gen(1), nil, noon)
		require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
		_, err = b.ledger.DeleteImage(t.Context(), other, domain.NewImageID(gen(1), 0), noon)
		require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	}
	require.Equal(t, before, b.heads(t))
}

func TestLostWorkerIsReplacedAndThenGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 1))
	require.NoError(t, err)
	at := noon
	for attempt := 1; attempt <= generation.FailuresMax; attempt++ {
		claim := b.claim(t, 1, at)
		require.Equal(t, attempt, claim.Attempt)
		early, err := b.ledger.EndLease(t.Context(), b.caller, gen(1), claim.LeaseUntil.Add(-1))
		require.NoError(t, err)
		require.Equal(t, generation.StatusRunning, early.Result.Status)
		at = claim.LeaseUntil
		_, err = b.ledger.EndLease(t.Context(), b.caller, gen(1), at)
		require.NoError(t, err)
		_, err = b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
			Attempt: attempt, Images: pictures(gen(1), 1), At: at,
		})
		require.Contains(t, []domain.Code{domain.CodeStaleAttempt, domain.CodeAlreadyEnded}, domain.CodeOf(err))
	}
	require.Equal(t, account.Totals{Issuance: -100, Available: 100}, b.account(t).Totals)
}

func TestExtendedLeaseKeepsTheCreditsReserved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 1))
	require.NoError(t, err)
	at := noon.Add(commands.JobDeadline - time.Second)
	claim := b.claim(t, 1, at)
	before := b.heads(t)
	until, err := b.ledger.ExtendLease(t.Context(), b.caller, gen(1), 1, at.Add(2*time.Second))
	require.NoError(t, err)
	require.Equal(t, claim.LeaseUntil, until, "enough of it is left")
	require.Equal(t, before, b.heads(t))
	for range 20 {
		at = at.Add(25 * time.Second)
		until, err := b.ledger.ExtendLease(t.Context(), b.caller, gen(1), 1, at)
		require.NoError(t, err)
		require.True(t, until.After(at))
		still, err := b.ledger.ExpireGeneration(t.Context(), b.caller, gen(1), at)
		require.NoError(t, err)
		require.Equal(t, generation.StatusRunning, still.Result.Status, "a running lease outlives the deadline")
	}
	done, err := b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
		Attempt: 1, Images: pictures(gen(1), 1), At: at,
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, done.Result.Settled)
}

func TestQuoteBinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	quotes, err := commands.NewQuotes([]byte(strings.Repeat("k", commands.QuoteKeyBytesMin)))
	require.NoError(t, err)
	in := request(1, 2)
	token, err := quotes.Token(pricing.Quote{
		ID: "quo_1", Account: account1, Terms: in.Spec.Terms, Credits: 3, PriceBook: "2020-01-01",
		Expires: noon.Add(pricing.QuoteTTL),
	})
	require.NoError(t, err)
	quote, err := quotes.Read(token)
	require.NoError(t, err)
	in.Quote = &quote
	asked, err := b.ledger.RequestGeneration(t.Context(), b.caller, in)
	require.NoError(t, err)
	require.EqualValues(t, 3, asked.Result.Credits, "the quoted price holds, whatever the price book says")

	late := request(2, 2)
	late.Quote, late.At = &quote, noon.Add(pricing.QuoteTTL)
	_, err = b.ledger.RequestGeneration(t.Context(), b.caller, late)
	require.Equal(t, domain.CodeQuoteExpired, domain.CodeOf(err))
	other := request(3, 3)
	other.Quote = &quote
	_, err = b.ledger.RequestGeneration(t.Context(), b.caller, other)
	require.Equal(t, domain.CodeQuoteMismatch, domain.CodeOf(err))
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		if _, err := quotes.Read(string(forged)); err == nil {
			t.Fatalf("a token that was changed at %d is taken for ours", i)
		}
	}
}

func TestImageMarks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 1))
	require.NoError(t, err)
	b.claim(t, 1, noon)
	picture := domain.NewImageID(gen(1), 0)
	yes := true
	favourite := commands.UpdateImage{Image: picture, ImageChange: commands.ImageChange{Favourite: &yes}, At: noon}
	tag := commands.UpdateImage{Image: picture, ImageChange: commands.ImageChange{Tags: &[]string{"x"}}, At: noon}
	_, err = b.ledger.UpdateImage(t.Context(), b.caller, favourite)
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err), "it is not made yet")
	_, err = b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
		Attempt: 1, Images: pictures(gen(1), 1), At: noon,
	})
	require.NoError(t, err)

	marks, err := b.ledger.UpdateImage(t.Context(), b.caller, favourite)
	require.NoError(t, err)
	require.Equal(t, commands.ImageMarks{
		Tags: []string{"sea"}, Favourite: true, Boards: []domain.BoardID{}, Version: 1,
	}, marks.Result)
	old := int64(0)
	stale := tag
	stale.Version = &old
	_, err = b.ledger.UpdateImage(t.Context(), b.caller, stale)
	require.Equal(t, domain.CodePreconditionFailed, domain.CodeOf(err))

	for range 2 {
		_, err = b.ledger.DeleteImage(t.Context(), b.caller, picture, noon)
		require.NoError(t, err)
	}
	_, err = b.ledger.UpdateImage(t.Context(), b.caller, tag)
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
}
