package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/invokefake"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/internal/porttest"
)

// imageServer is a fake image server, and the settings of a worker that uses it.
func imageServer(t *testing.T) (*invokefake.Server, engineSettings) {
	t.Helper()
	fake, err := invokefake.New(invokefake.Config{Step: time.Millisecond, Load: 20 * time.Millisecond})
	require.NoError(t, err)
	web := httptest.NewServer(fake)
	t.Cleanup(func() {
		fake.Close()
		web.Close()
	})
	return fake, engineSettings{Engine: engineInvokeAI, URL: web.URL, Warm: []string{"sdxl-1.0"}, RecycleJobs: 100}
}

// The main job on an image server, then with pictures that the customer brings along, good and bad.
func TestMainJobOnAnImageServer(t *testing.T) {
	t.Parallel()
	fake, engine := imageServer(t)
	dir := pgtest.DataDir(t)
	dev := startDevWith(t, dir, engine)
	var out bytes.Buffer
	require.NoError(t, demo(t).drive(t.Context(), dev.url, &out), out.String())
	require.Contains(t, out.String(), "drawn by invokeai")

	api := newClient(dev.url)
	require.NoError(t, demo(t).openAccount(t.Context(), api, io.Discard))
	photo := bring(t, api, grayPNG(t, 300, 200), http.StatusOK)
	done := generateWith(t, api, map[string]any{
		"model": "sdxl-1.0", "prompt": "a (red)1.3 barn", "negative_prompt": "rain", "width": 256, "height": 384,
		"count": 2, "source": map[string]any{"upload": photo}, "strength": 0.4,
		"loras":    []any{map[string]any{"key": "detail-xl"}, map[string]any{"key": "pixel-art-xl", "weight": 0.5}},
		"controls": []any{map[string]any{"kind": "canny", "input": map[string]any{"upload": photo}, "preprocess": true}},
	})
	require.Equal(t, "succeeded", done.Status)
	require.Len(t, done.Images, 2)
	file, err := api.download(t.Context(), done.Images[0].URL)
	require.NoError(t, err)
	require.NotContains(t, string(file), "invokeai_graph", "what the server writes into its pictures is removed")
	require.Contains(t, string(file), "pingvas:prompt")
	again := generateWith(t, api, map[string]any{
		"model": "flux-schnell", "prompt": "in winter", "width": 256, "height": 256,
		"source": map[string]any{"image": done.Images[1].ID},
	})
	require.Equal(t, "succeeded", again.Status)

	for name, file := range map[string][]byte{
		"cut off": grayPNG(t, 300, 200)[:200], "no picture": []byte("<svg/>"), "too small": grayPNG(t, 8, 8),
	} {
		bad := bring(t, api, file, http.StatusOK)
		err := api.call(t.Context(), "POST", "/v1/generations", map[string]any{
			"model": "sdxl-1.0", "prompt": "x", "source": map[string]any{"upload": bad},
		}, nil)
		require.ErrorContains(t, err, "picture-unusable", name)
		require.ErrorContains(t, err, "/source", name)
	}
	require.Eventually(t, func() bool { return fake.Items() == 0 && fake.Images() == 0 }, 10*time.Second,
		10*time.Millisecond, "nothing of a customer stays on the image server")
	require.NoError(t, dev.stop())
	require.NoError(t, (&verifyCmd{toolSettings{Data: dir}, true}).Run(t.Context(), quiet()))
}

// bring uploads a file as a customer does.
func bring(t *testing.T, api *client, file []byte, status int) string {
	t.Helper()
	var place struct {
		ID, URL string
		Headers map[string]string
	}
	require.NoError(t, api.call(t.Context(), "POST", "/v1/uploads",
		map[string]any{"content_type": "image/png", "bytes": len(file)}, &place))
	put := func(body []byte) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, place.URL, bytes.NewReader(body))
		require.NoError(t, err)
		for name, value := range place.Headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusForbidden, put(append(file, 0)), "not another length than was declared")
	require.Equal(t, status, put(file))
	return place.ID
}

func grayPNG(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))))
	return out.Bytes()
}

// generateWith asks for images and waits for them.
func generateWith(t *testing.T, api *client, request map[string]any) demoGeneration {
	t.Helper()
	var asked, done demoGeneration
	require.NoError(t, api.call(t.Context(), "POST", "/v1/generations", request, &asked))
	require.NoError(t, api.watch(t.Context(), asked.Links.Events, printFrame(api, io.Discard)))
	require.NoError(t, api.call(t.Context(), "GET", asked.Links.Self+"?min_position="+api.position, nil, &done))
	return done
}

func TestWrongEngineSettingsAreReported(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	require.Equal(t, 1, run([]string{
		"work", "gpu", "--engine", "invokeai", "--invokeai-url", "nowhere", "--invokeai-warm", "guess",
		"--invokeai-models", "other=x", "--probe-addr", "x", "--invokeai-recycle-jobs=-1",
	}, &out, &errOut))
	for _, name := range []string{"URL is not", "WARM", "MODELS", "PROBE_ADDR", "RECYCLE_JOBS"} {
		require.Contains(t, errOut.String(), name)
	}
	all := engineSettings{Engine: engineInvokeAI, URL: "http://x", Warm: []string{"flux-dev"}, Models: map[string]string{
		"sdxl-1.0": "mine", "flux-t5": "t5", "control-sdxl-canny": "c",
	}}
	require.Empty(t, all.errors())
}

// roleRunner runs a role as a command.
type roleRunner struct{ role }

func (r roleRunner) Run(ctx context.Context, _ *slog.Logger) error { return r.run(ctx) }

func TestProbesSayHowTheWorkerIs(t *testing.T) {
	t.Parallel()
	fake, settings := imageServer(t)
	p := newParts(quiet())
	defer p.close()
	e, err := p.newEngine(settings)
	require.NoError(t, err)
	addr := porttest.Addr(t)
	probes, err := p.probeRole(addr, e)
	require.NoError(t, err)
	stop := runAll(t, roleRunner{role{"engine", e.tend}}, roleRunner{probes})
	defer stop()
	ask := func(path string) (int, string) {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	is := func(path string, want int) func() bool {
		return func() bool { status, _ := ask(path); return status == want }
	}
	require.Eventually(t, is("/ready", http.StatusOK), 10*time.Second, 10*time.Millisecond)
	require.True(t, is("/live", http.StatusOK)())
	require.True(t, is("/engine", http.StatusOK)())
	_, metrics := ask("/metrics")
	require.True(t, strings.Contains(metrics, "pingvas_engine_model_load_seconds"), metrics)
	fake.SetFaults(invokefake.Faults{Down: true})
	require.Eventually(t, is("/ready", http.StatusServiceUnavailable), 10*time.Second, 10*time.Millisecond)
}
