package invokeai_test

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/invokeai"
	"github.com/pingvas/pingvas/adapters/invokefake"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/generate/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is the fake's time for a step of denoising.
const step = 3 * time.Millisecond

// bench is an engine with its fake server.
type bench struct {
	fake *invokefake.Server
	web  *httptest.Server
	*invokeai.Engine
}

func models() map[string]string {
	offered := map[string]string{}
	for _, m := range invokefake.Models() {
		offered[m.Name] = m.Name
	}
	return offered
}

func open(t *testing.T, server invokefake.Config, change func(*invokeai.Config)) *bench {
	t.Helper()
	fake, err := invokefake.New(server)
	require.NoError(t, err)
	web := httptest.NewServer(fake)
	cfg := invokeai.Config{
		URL: web.URL, Models: models(), Poll: 20 * time.Millisecond, LostAfter: 300 * time.Millisecond,
		Client: web.Client(), Log: quiet(),
	}
	if change != nil {
		change(&cfg)
	}
	e, err := invokeai.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		fake.Close()
		web.Close()
	})
	return &bench{fake, web, e}
}

func fakeConfig() invokefake.Config { return invokefake.Config{Step: step} }

func sdxl() enginetest.Suite {
	return enginetest.Suite{
		Open:  func(t *testing.T) generate.Engine { return open(t, fakeConfig(), nil) },
		Model: "sdxl-1.0", Width: 64, Height: 96, Steps: 4, Guidance: 7, Scheduler: "euler", NegativePrompt: true,
		LoRAs: []string{"detail-xl", "pixel-art-xl"}, Controls: []string{"canny", "depth"},
	}
}

func flux() enginetest.Suite {
	s := sdxl()
	s.Model, s.Guidance, s.NegativePrompt, s.LoRAs, s.Controls = "flux-schnell", 0, false, []string{"flux-realism"}, nil
	return s
}

func TestEngineSDXL(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, sdxl())
}

func TestEngineFLUX(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, flux())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
