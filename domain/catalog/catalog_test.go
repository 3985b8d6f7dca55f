package catalog_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/domain/pricing"
)

func TestWireNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+\.[a-z_]+\.v\d+$`)
	seen := map[string]bool{}
	for _, typ := range catalog.Events() {
		require.Regexp(t, form, typ.Name)
		require.False(t, seen[typ.Name], "%s is listed twice", typ.Name)
		seen[typ.Name] = true
		require.Equal(t, typ.Name, typ.Deref(typ.New()).EventName())
		require.Equal(t, typ.Name, typ.New().EventName())
	}
}

// TestEveryEventHappens drives the aggregates through histories in which every event of the catalogue happens, is
// folded, and comes back from its JSON as it was. A new event needs a command here that causes it.
func TestEveryEventHappens(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, typ := range catalog.Events() {
		want = append(want, typ.Name)
	}
	for _, e := range slices.Concat(accountHistory(t), generationHistory(t), imageHistory(t), libraryHistory(t)) {
		got = append(got, e.EventName())
		again, err := domaintest.Recode(catalog.Events(), e)
		require.NoError(t, err)
		require.Equal(t, []domain.Event{e}, again)
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, slices.Compact(got))
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func id[I ~string](prefix string, n int) I { return I(fmt.Sprintf("%s%026d", prefix, n)) }

// history sends the commands to a decider and returns all events.
func history[S, C any](t *testing.T, decider domain.Decider[S, C], commands []C) []domain.Event {
	t.Helper()
	s := domaintest.Given(t, decider)
	for _, c := range commands {
		s.When(c)
		require.NoError(t, s.Err())
	}
	return s.History()
}

func accountHistory(t *testing.T) []domain.Event {
	t.Helper()
	reserve := func(n int) account.Command {
		return account.Reserve{
			Reservation: id[domain.ReservationID]("res_", n), Generation: id[domain.GenerationID]("gen_", n), Amount: 10,
			Use: account.Use{Model: "m", Operation: "o"}, Expires: epoch.Add(time.Hour), At: epoch,
		}
	}
	limits := account.Limits{Slots: 4}
	return history(t, account.Decider(), []account.Command{
		account.Open{Account: id[domain.AccountID]("acc_", 1), Plan: "pro", Tier: domain.TierPro, Limits: limits, At: epoch},
		account.GrantCredits{
			Grant: id[domain.GrantID]("grt_", 1), Source: account.SourcePlan, Amount: 100, Expires: epoch.Add(3 * time.Hour),
			Scope: account.Scope{Models: []string{"m"}, Operations: []string{"o"}}, At: epoch,
		},
		reserve(1), reserve(2), reserve(3),
		account.Extend{Reservation: id[domain.ReservationID]("res_", 1), Expires: epoch.Add(2 * time.Hour), At: epoch},
		account.Settle{Reservation: id[domain.ReservationID]("res_", 1), Charge: 5, At: epoch},
		account.Release{Reservation: id[domain.ReservationID]("res_", 2), Reason: "failed", At: epoch},
		account.ExpireDue{At: epoch.Add(4 * time.Hour)},
		account.ChangeTier{Plan: "free", Tier: domain.TierFree, Limits: limits, At: epoch.Add(4 * time.Hour)},
	})
}

func generationHistory(t *testing.T) []domain.Event {
	t.Helper()
	request := generation.Request{
		Generation: id[domain.GenerationID]("gen_", 1), Account: id[domain.AccountID]("acc_", 1), Tier: domain.TierPro,
		Spec: generation.Spec{Terms: pricing.Terms{Count: 1}, Prompt: "a pelican"}, Deadline: epoch.Add(time.Hour), At: epoch,
	}
	claim := generation.Claim{Worker: "w", LeaseUntil: epoch.Add(time.Minute), At: epoch}
	picture := generation.Image{Image: domain.NewImageID(request.Generation, 0)}
	commands := [][]generation.Command{
		{claim, generation.ExtendLease{Attempt: 1, LeaseUntil: epoch.Add(time.Hour), At: epoch},
			generation.HandBack{Attempt: 1, Cause: generation.CauseHandedBack, At: epoch}, claim,
			generation.Complete{Attempt: 2, Images: []generation.Image{picture}, At: epoch}},
		{claim, generation.Fail{Attempt: 1, Cause: "engine", At: epoch}},
		{generation.Cancel{At: epoch}},
		{generation.Expire{At: request.Deadline}},
	}
	var events []domain.Event
	for _, c := range commands {
		events = append(events, history(t, generation.Decider(), append([]generation.Command{request}, c...))...)
	}
	return events
}

func imageHistory(t *testing.T) []domain.Event {
	t.Helper()
	picture := domain.NewImageID(id[domain.GenerationID]("gen_", 1), 0)
	return history(t, image.Decider(), []image.Command{
		image.Tag{Image: picture, Tags: []string{"sea"}, At: epoch},
		image.Favourite{Image: picture, Favourite: true, At: epoch},
		image.Rate{Image: picture, Rating: 4, At: epoch},
		image.File{Image: picture, Boards: []domain.BoardID{id[domain.BoardID]("brd_", 1)}, At: epoch},
		image.Delete{Image: picture, Keys: []string{"key"}, At: epoch},
	})
}

func libraryHistory(t *testing.T) []domain.Event {
	t.Helper()
	board, search := id[domain.BoardID]("brd_", 1), id[domain.SearchID]("sch_", 1)
	return history(t, library.Decider(), []library.Command{
		library.CreateBoard{Board: board, Name: "Posters", At: epoch},
		library.RenameBoard{Board: board, Name: "포스터", At: epoch},
		library.DeleteBoard{Board: board, At: epoch},
		library.SaveSearch{Search: search, Name: "foxes", Query: `{"q":"fox"}`, At: epoch},
		library.DeleteSearch{Search: search, At: epoch},
	})
}
