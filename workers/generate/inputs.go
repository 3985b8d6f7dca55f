package generate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/picture"
)

// Bounds of one download.
const (
	inputTries   = 5
	inputTimeout = time.Minute
)

// CauseInput is the cause of a failure when a picture that the request brings along could not be read.
const CauseInput = "input_failed"

// errInput marks that an input could not be read, which another try may mend.
var errInput = errors.New("read the inputs")

// request makes a job's request, and fetches what it brings along.
func (a *attempt) request(ctx context.Context) (Request, error) {
	s := a.job.Spec
	r := Request{
		Operation: s.Operation, Model: s.Model, Prompt: s.Prompt, NegativePrompt: s.NegativePrompt,
		Width: s.Width, Height: s.Height, Steps: s.Steps, Guidance: s.Guidance, Scheduler: s.Scheduler,
		Seed: s.Seed, Count: s.Count, Strength: s.Strength,
	}
	for _, l := range s.LoRAs {
		r.LoRAs = append(r.LoRAs, LoRA(l))
	}
	inputs, err := a.inputs(ctx)
	if err != nil {
		return r, err
	}
	if s.Source != nil {
		r.Source, inputs = &inputs[0], inputs[1:]
	}
	for i, c := range s.Controls {
		r.Controls = append(r.Controls, Control{
			Kind: c.Kind, Picture: inputs[i], Preprocess: c.Preprocess, Weight: c.Weight, Begin: c.Begin, End: c.End,
		})
	}
	return r, nil
}

// inputs fetches the pictures of a request, in the order of its Inputs.
func (a *attempt) inputs(ctx context.Context) ([]Picture, error) {
	wanted := a.job.Spec.Inputs()
	if len(wanted) != len(a.job.Inputs) {
		return nil, &EngineError{Class: ClassInvalid, Message: "the claim does not say where the inputs are"}
	}
	pictures := make([]Picture, len(wanted))
	for i, in := range wanted {
		file, err := fetch(ctx, a.w.cfg.Uploads, a.job.Inputs[i].URL, in)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		plain, info, err := picture.Normalise(ctx, file)
		if err != nil {
			return nil, orEnded(ctx, &EngineError{Class: ClassInvalid, Message: "an input is no picture", Err: err})
		}
		pictures[i] = Picture{PNG: plain, Width: info.Width, Height: info.Height}
	}
	return pictures, nil
}

func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// fetch reads an input, with a bounded number of tries. What is not what the request was made with is refused: the
// customer may have written something else there meanwhile.
func fetch(ctx context.Context, client *http.Client, url string, in generation.Input) ([]byte, error) {
	wait := uploadRetryFirst
	for try := 1; ; try++ {
		file, again, err := download(ctx, client, url, in.Bytes)
		if err == nil {
			if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != in.SHA256 {
				return nil, &EngineError{Class: ClassInvalid, Message: "an input is not what it was"}
			}
			return file, nil
		}
		if !again || try == inputTries || !workers.Pause(ctx, wait) {
			return nil, orEnded(ctx, err)
		}
		wait = min(2*wait, uploadRetryMax)
	}
}

// download reports with its error whether another try may do.
func download(ctx context.Context, client *http.Client, url string, size int64) (file []byte, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, inputTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, false, fmt.Errorf("%w: the URL is not one", errInput)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, true, fmt.Errorf("%w: %w", errInput, withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	switch status := response.StatusCode; {
	case status == http.StatusNotFound:
		return nil, false, &EngineError{Class: ClassInvalid, Message: "an input is gone"}
	case status != http.StatusOK:
		return nil, status >= http.StatusInternalServerError, fmt.Errorf("%w: status %d", errInput, status)
	}
	file, err = io.ReadAll(io.LimitReader(response.Body, min(size, picture.InputBytesMax)+1))
	if err != nil {
		return nil, true, fmt.Errorf("%w: %w", errInput, err)
	}
	if int64(len(file)) != size {
		return nil, false, &EngineError{Class: ClassInvalid, Message: "an input is not as long as it was"}
	}
	return file, false, nil
}
