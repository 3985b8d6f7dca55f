package invokeai_test

import (
	"bytes"
	"context"
	"image/png"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/invokeai"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/generate/enginetest"
)

// realURL names a real InvokeAI server; see docs/invokeai.md and `make test-invokeai`.
const realURL = "PINGVAS_INVOKEAI_URL"

// real returns an engine on the real server, or on the fake where there is none: the test itself is the same.
func real(t *testing.T) (*invokeai.Engine, bool) {
	t.Helper()
	url := os.Getenv(realURL)
	if url == "" {
		return open(t, fakeConfig(), nil).Engine, false
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	e, err := invokeai.New(invokeai.Config{
		URL: url, Models: models(), Client: client, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	require.NoError(t, err)
	return e, true
}

// TestServerCanary needs no model.
func TestServerCanary(t *testing.T) {
	e, isReal := real(t)
	d, err := e.Describe(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, e.Canary(ctx))
	if isReal {
		t.Logf("InvokeAI %s, offering %v", d.Version, d.Models)
	}
}

// TestServerDraws runs the suite for every main model that is installed.
func TestServerDraws(t *testing.T) {
	e, isReal := real(t)
	d, err := e.Describe(t.Context())
	require.NoError(t, err)
	for _, s := range []enginetest.Suite{sdxl(), flux()} {
		if !slices.Contains(d.Models, s.Model) {
			t.Logf("%s is not installed on the server: not tried", s.Model)
			continue
		}
		s.Open = func(*testing.T) generate.Engine { return e }
		if isReal {
			s.Width, s.Height = 128, 192
			s.LoRAs, s.Controls = nil, nil // nobody has them with a model of random weights
		}
		t.Run(s.Model, func(t *testing.T) { enginetest.Run(t, s) })
	}
}

// TestServerLeavesNothingBehind draws with an input and looks for what is left.
func TestServerLeavesNothingBehind(t *testing.T) {
	e, _ := real(t)
	d, err := e.Describe(t.Context())
	require.NoError(t, err)
	if !slices.Contains(d.Models, sdxl().Model) {
		t.Log("no model is installed on the server: not tried")
		return
	}
	s := sdxl()
	s.Width, s.Height = 128, 128
	r, source := s.Request(), enginetest.Picture(256, 64, 3)
	r.Operation, r.Source, r.Strength = "image_to_image", &source, 0.5
	job := generate.Job{ID: "gen_tidy", Attempt: 1, Request: r}
	previews := 0
	out, err := e.Generate(t.Context(), job, func(p generate.Progress) {
		if p.Preview != nil {
			previews++
		}
	})
	require.NoError(t, err)
	require.Positive(t, previews, "the socket brings previews")
	_, err = png.Decode(bytes.NewReader(out.Images[0].PNG))
	require.NoError(t, err)
	require.NoError(t, e.Forget(t.Context(), job.ID, job.Attempt))
	require.NoError(t, e.Forget(t.Context(), job.ID, job.Attempt))
}
