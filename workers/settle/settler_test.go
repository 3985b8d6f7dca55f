package settle_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/settle"
)

const (
	owner domain.AccountID    = "acc_00000000000000000000000001"
	job   domain.GenerationID = "gen_00000000000000000000000001"
)

func noon() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// ledger answers every command with one error, and keeps what it was told.
type ledger struct {
	ownerErr, err error
	caller        commands.Caller
	told          any
}

func (l *ledger) Owner(context.Context, commands.Candidate) (domain.AccountID, error) {
	return owner, l.ownerErr
}

func (l *ledger) tell(c commands.Caller, told any) (commands.Receipt[commands.Ended], error) {
	l.caller, l.told = c, told
	return commands.Receipt[commands.Ended]{}, l.err
}

func (l *ledger) CompleteGeneration(
	_ context.Context, c commands.Caller, _ domain.GenerationID, in generation.Complete,
) (commands.Receipt[commands.Ended], error) {
	return l.tell(c, in)
}

func (l *ledger) FailGeneration(
	_ context.Context, c commands.Caller, _ domain.GenerationID, in generation.Fail,
) (commands.Receipt[commands.Ended], error) {
	return l.tell(c, in)
}

func (l *ledger) HandBackGeneration(
	_ context.Context, c commands.Caller, _ domain.GenerationID, in generation.HandBack,
) (commands.Receipt[commands.Ended], error) {
	return l.tell(c, in)
}

func completed() generation.Result {
	return generation.Result{
		Generation: job, Account: eventstore.HashAccount(owner).String(), Attempt: 2, Worker: "w", Engine: "e",
		EngineVersion: "1", GPUMillis: 5, At: noon().Add(-time.Hour),
		Images: []generation.Image{{
			Image: domain.NewImageID(job, 0), Key: generation.ObjectKey(owner, job, 2, 0),
			ThumbnailKey: generation.ThumbnailKey(owner, job, 2, 0), ContentType: "image/png", Bytes: 10,
			SHA256: strings.Repeat("ab", 32), Width: 8, Height: 8, Seed: 1,
		}},
	}
}

func failed(f generation.Failure) generation.Result {
	r := completed()
	r.Images, r.Failure = nil, &f
	return r
}

// handle returns what was observed and the handler's error.
func handle(t *testing.T, l *ledger, payload any) (settle.Outcome, error) {
	t.Helper()
	var seen settle.Outcome
	s, err := settle.New(settle.Config{Ledger: l, Now: noon, Observe: func(o settle.Outcome) { seen = o }})
	require.NoError(t, err)
	text, err := json.Marshal(payload)
	require.NoError(t, err)
	err = s.Handle(t.Context(), message.NewMessage("id", text))
	return seen, err
}

func TestEachResultBecomesItsCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result  generation.Result
		told    any
		outcome settle.Outcome
	}{
		{completed(), generation.Complete{
			Attempt: 2, Images: completed().Images, Engine: "e", EngineVersion: "1", GPUMillis: 5, At: noon(),
		}, settle.OutcomeCompleted},
		{
			failed(generation.Failure{Cause: "moderated", Blocked: true}),
			generation.Fail{Attempt: 2, Blocked: true, Cause: "moderated", At: noon()}, settle.OutcomeFailed,
		},
		{
			failed(generation.Failure{Cause: "unavailable", Retry: true}),
			generation.HandBack{Attempt: 2, Cause: "unavailable", At: noon()}, settle.OutcomeHandedBack,
		},
	} {
		l := &ledger{}
		outcome, err := handle(t, l, c.result)
		require.NoError(t, err)
		require.Equal(t, c.outcome, outcome)
		require.Equal(t, c.told, l.told)
		require.Equal(t, commands.Caller{Account: owner, Actor: "w", Correlation: "id"}, l.caller)
	}
}

func TestOnlyTheLedgersAnswerAcknowledges(t *testing.T) {
	t.Parallel()
	for _, code := range []domain.Code{domain.CodeStaleAttempt, domain.CodeAlreadyEnded, domain.CodeNotFound} {
		refused := domain.Errorf(code, "no")
		outcome, err := handle(t, &ledger{err: refused}, completed())
		require.NoError(t, err)
		require.Equal(t, settle.OutcomeStale, outcome)
	}
	outcome, err := handle(t, &ledger{ownerErr: domain.Errorf(domain.CodeNotFound, "no")}, completed())
	require.NoError(t, err)
	require.Equal(t, settle.OutcomeStale, outcome)
	for _, trouble := range []error{errors.New("away"), domain.Errorf(domain.CodeStaleVersion, "busy")} {
		for _, l := range []*ledger{{err: trouble}, {ownerErr: trouble}} {
			outcome, err := handle(t, l, completed())
			require.ErrorIs(t, err, trouble)
			require.NotContains(t, err.Error(), "cannot be handled")
			require.Empty(t, outcome)
		}
	}
}

func TestWhatNoWorkerCanHaveMeantIsPoison(t *testing.T) {
	t.Parallel()
	image := func(change func(*generation.Image)) any {
		r := completed()
		change(&r.Images[0])
		return r
	}
	result := func(change func(*generation.Result)) any {
		r := completed()
		change(&r)
		return r
	}
	for name, payload := range map[string]any{
		"no result":           "text",
		"no account":          result(func(r *generation.Result) { r.Account = "x" }),
		"no generation":       result(func(r *generation.Result) { r.Generation = "x" }),
		"no attempt":          result(func(r *generation.Result) { r.Attempt = 0 }),
		"no end":              result(func(r *generation.Result) { r.Images = nil }),
		"two ends":            result(func(r *generation.Result) { r.Failure = &generation.Failure{Cause: "x"} }),
		"no worker":           result(func(r *generation.Result) { r.Worker = "" }),
		"long name":           result(func(r *generation.Result) { r.Engine = strings.Repeat("x", 1000) }),
		"negative time":       result(func(r *generation.Result) { r.GPUMillis = -1 }),
		"too many images":     result(func(r *generation.Result) { r.Images = make([]generation.Image, 100) }),
		"no cause":            failed(generation.Failure{Retry: true}),
		"another's image":     image(func(i *generation.Image) { i.Image = domain.NewImageID(job, 1) }),
		"another attempt's":   image(func(i *generation.Image) { i.Key = generation.ObjectKey(owner, job, 1, 0) }),
		"another's thumbnail": image(func(i *generation.Image) { i.ThumbnailKey = "pictures/x" }),
		"no PNG":              image(func(i *generation.Image) { i.ContentType = "text/html" }),
		"no bytes":            image(func(i *generation.Image) { i.Bytes = 0 }),
		"too wide":            image(func(i *generation.Image) { i.Width = 1 << 20 }),
		"no height":           image(func(i *generation.Image) { i.Height = 0 }),
		"upper-case digest":   image(func(i *generation.Image) { i.SHA256 = strings.Repeat("AB", 32) }),
		"short digest":        image(func(i *generation.Image) { i.SHA256 = "ab" }),
	} {
		l := &ledger{}
		outcome, err := handle(t, l, payload)
		require.ErrorContains(t, err, "cannot be handled", name)
		require.Equal(t, settle.OutcomeInvalid, outcome, name)
		require.Nil(t, l.told, name)
	}
	outcome, err := handle(t, &ledger{err: domain.Errorf(domain.CodeInvalid, "3 of 2 images")}, completed())
	require.ErrorContains(t, err, "cannot be handled")
	require.Equal(t, settle.OutcomeInvalid, outcome)
}
