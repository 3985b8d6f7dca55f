package simulation

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"image"
	"image/png"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/generate"
)

// rpcTimeout is how long a worker waits for the API.
const rpcTimeout = 10*time.Second + 13

// reply is what an API process answers.
type reply struct {
	value any
	err   error
}

// ask has an API process do something, and returns what arrives of its answer.
func (w *world) ask(
	ctx context.Context, by *life, kind, key string, do func(context.Context, *life) (any, error),
) (any, error) {
	t := w.enter(ctx, &call{by: by, kind: kind, key: key, class: writing, serve: true})
	start := func() (chan reply, func()) {
		answer := make(chan reply, 1)
		connected, hangUp := context.WithCancel(t.api.ctx)
		served, cancel := w.served(connected, t.api)
		go func() {
			defer hangUp()
			defer cancel()
			value, err := do(served, t.api)
			answer <- reply{value, err}
		}()
		return answer, hangUp
	}
	switch {
	case t.fate == lost, t.fate == gone, t.api == nil:
		return nil, errFault
	case t.fate == late:
		w.later(t.delay, func() { start() })
		return nil, errFault
	}
	answer, hangUp := start()
	select {
	case r := <-answer:
		if t.fate == unheard {
			return nil, errFault
		}
		return r.value, r.err
	case <-ctx.Done():
		if t.fate != unheard { // else the caller may be dead, and the request goes on for nobody
			hangUp()
		}
		return nil, ctx.Err()
	case <-t.api.broken:
		return nil, errFault
	}
}

// job is one attempt.
type job struct {
	generation string
	attempt    int
}

// claims is the API as one worker reaches it.
type claims struct {
	w *world
	l *life
}

var _ generate.Claims = claims{}

func (c claims) ask(
	ctx context.Context, kind, key string, do func(context.Context, *life) (any, error),
) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	return c.w.ask(ctx, c.l, kind, key, do)
}

// Claim implements generate.Claims.
func (c claims) Claim(ctx context.Context, bid generate.Bid) (generate.Assignment, bool, error) {
	answer, err := c.ask(ctx, "claim", "", func(ctx context.Context, api *life) (any, error) {
		in := commands.ClaimGeneration{Worker: bid.Worker, Pool: bid.Pool, At: api.now()}
		for _, open := range bid.Candidates {
			hash, err := eventstore.ParseAccountHash(open.Account)
			if err != nil {
				return nil, err
			}
			in.Candidates = append(in.Candidates, commands.Candidate{Generation: open.Generation, Account: hash})
		}
		claim, won, err := api.ledger.ClaimGeneration(ctx, commands.Caller{Actor: bid.Worker}, in)
		if err != nil || !won {
			return nil, err
		}
		return claim, nil
	})
	if err != nil || answer == nil {
		return generate.Assignment{}, false, err
	}
	claim := answer.(commands.Claim)
	got := job{string(claim.Generation), claim.Attempt}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if other := c.w.handed[got]; other != "" {
		c.w.wrong = append(c.w.wrong, "an attempt was handed out twice, to "+other+" and to "+c.l.name)
	}
	c.w.handed[got] = c.l.name
	return assignment(claim), true, nil
}

func assignment(claim commands.Claim) generate.Assignment {
	a := generate.Assignment{
		Fence: generate.Fence{
			Generation: claim.Generation, Account: eventstore.HashAccount(claim.Account).String(), Attempt: claim.Attempt,
		},
		Spec: claim.Spec, EstimateMillis: claim.Estimate.Milliseconds(), LeaseUntil: claim.LeaseUntil, Requested: claim.At,
	}
	for i := range claim.Spec.Count {
		key := generation.ObjectKey(claim.Account, claim.Generation, claim.Attempt, i)
		small := generation.ThumbnailKey(claim.Account, claim.Generation, claim.Attempt, i)
		a.Uploads = append(a.Uploads, generate.Upload{
			Key: key, URL: "http://pictures/" + key, ThumbnailKey: small, ThumbnailURL: "http://pictures/" + small,
		})
	}
	return a
}

// onBehalf has the API do something with a worker's attempt.
func (c claims) onBehalf(
	ctx context.Context, kind string, f generate.Fence,
	do func(context.Context, *life, commands.Caller) (any, error),
) (any, error) {
	return c.ask(ctx, kind, string(f.Generation), func(ctx context.Context, api *life) (any, error) {
		hash, err := eventstore.ParseAccountHash(f.Account)
		if err != nil {
			return nil, err
		}
		owner, err := api.ledger.Owner(ctx, commands.Candidate{Generation: f.Generation, Account: hash})
		if err != nil {
			return nil, err
		}
		return do(ctx, api, commands.Caller{Account: owner, Actor: c.l.name})
	})
}

// Extend implements generate.Claims.
func (c claims) Extend(ctx context.Context, f generate.Fence) (time.Time, error) {
	until, err := c.onBehalf(ctx, "extend", f, func(ctx context.Context, api *life, who commands.Caller) (any, error) {
		return api.ledger.ExtendLease(ctx, who, f.Generation, f.Attempt, api.now())
	})
	if err != nil {
		return time.Time{}, err
	}
	return until.(time.Time), nil
}

// HandBack implements generate.Claims.
func (c claims) HandBack(ctx context.Context, f generate.Fence, cause string) error {
	_, err := c.onBehalf(ctx, "hand back", f, func(ctx context.Context, api *life, who commands.Caller) (any, error) {
		in := generation.HandBack{Attempt: f.Attempt, Cause: cause, At: api.now()}
		return api.ledger.HandBackGeneration(ctx, who, f.Generation, in)
	})
	return err
}

// engine draws one dot, after some time and not always. What it does depends on the job alone.
type engine struct{ w *world }

// Describe implements generate.Engine.
func (engine) Describe(context.Context) (generate.Description, error) {
	return generate.Description{Name: "dot", Version: "1", Models: models()}, nil
}

// Forget implements generate.Engine.
func (engine) Forget(context.Context, string, int) error { return nil }

// Generate implements generate.Engine.
func (e engine) Generate(
	ctx context.Context, job generate.Job, report func(generate.Progress),
) (generate.Output, error) {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strconv.FormatUint(e.w.seed, 10)+job.ID+strconv.Itoa(job.Attempt))
	dice := h.Sum64()
	took := 200*time.Millisecond + time.Duration(dice%uint64(drawMax))
	if dice>>40%16 == 0 {
		took += time.Duration(dice % uint64(drawLongMax))
	}
	if !wait(ctx, took/2) {
		return generate.Output{}, ctx.Err()
	}
	report(generate.Progress{Stage: "denoising", Fraction: 1. / 2})
	if !wait(ctx, took/2) {
		return generate.Output{}, ctx.Err()
	}
	switch dice >> 48 % 16 {
	case 0:
		return generate.Output{}, &generate.EngineError{Class: generate.ClassInvalid}
	case 1:
		return generate.Output{}, &generate.EngineError{Class: generate.ClassModerated}
	case 2, 3:
		return generate.Output{}, &generate.EngineError{Class: generate.ClassOutOfMemory}
	}
	out := generate.Output{Engine: "dot", Version: "1", GPUTime: took}
	for i := range job.Request.Count {
		if i == 0 || dice>>56%8 != 0 { // else fewer than were asked for
			out.Images = append(out.Images, generate.Image{PNG: e.w.dot(), Seed: job.Request.Seed, Width: 1, Height: 1})
		}
	}
	return out, nil
}

// dot returns the smallest picture.
func (*world) dot() []byte {
	var file bytes.Buffer
	_ = png.Encode(&file, image.NewGray(image.Rect(0, 0, 1, 1))) // a buffer takes everything
	return file.Bytes()
}

// pictures is the store of pictures as one worker reaches it.
type pictures struct {
	w *world
	l *life
}

func uploads(w *world, l *life) *http.Client { return &http.Client{Transport: pictures{w, l}} }

// RoundTrip implements http.RoundTripper.
func (p pictures) RoundTrip(r *http.Request) (*http.Response, error) {
	ok := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}
	if strings.HasSuffix(r.URL.Path, ".jpg") {
		return ok, nil
	}
	t := p.w.enter(r.Context(), &call{by: p.l, kind: "upload", key: r.URL.Path, class: writing})
	if err := p.w.apply(t, func() error { return nil }); err != nil {
		return nil, err
	}
	return ok, nil
}

// oneKey is the keyring of everybody: what is sealed plays no part here.
type oneKey struct{}

// Key implements eventstore.Keyring.
func (oneKey) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

// refusal returns the code of an answer that the ledger gave, and false for anything that may be tried again.
func refusal(err error) (domain.Code, bool) {
	var e *domain.Error
	if !errors.As(err, &e) {
		return "", false
	}
	switch e.Code {
	case domain.CodeStaleVersion, domain.CodeUnavailable:
		return "", false
	}
	return e.Code, true
}
