package invokeai

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// Name identifies the engine in image metadata; its version is the server's.
const Name = "invokeai"

// The pace of a job, unless Config says otherwise.
const (
	PollDefault = 500 * time.Millisecond
	// PreviewEvery is the least time between two previews of a job.
	PreviewEvery = 500 * time.Millisecond
	// LostAfterDefault is how long a server may be silent in the middle of a job before the attempt is given up.
	LostAfterDefault = 30 * time.Second
)

// The names under which the parts of FLUX are found, see Config.Models.
const (
	ModelFluxT5   = "flux-t5"
	ModelFluxCLIP = "flux-clip"
	ModelFluxVAE  = "flux-vae"
)

// Config is what an Engine needs.
type Config struct {
	// URL is where the server is, e.g. http://127.0.0.1:9090.
	URL string
	// Models are the keys of the catalogue that the engine offers: main models, LoRAs, and ControlNets by
	// ControlKey, each with its name on the server. A server without one does not get its jobs.
	Models map[string]string
	// Tended says that Run will be called: nothing is offered before it has warmed the server up.
	Tended bool
	// Warm are the main models that are loaded before the first job and after every restart of the server.
	Warm []string
	// Poll is the time between two looks at a running batch; 0 means PollDefault.
	Poll time.Duration
	// LostAfter bounds the silence of the server; 0 means LostAfterDefault.
	LostAfter time.Duration
	// Recycle says when the server should be restarted.
	Recycle Recycle
	// Observe is told what metrics are made of; nil means nobody is.
	Observe Observer
	// Client makes the calls; nil means one of our own. Every call has a timeout in any case.
	Client *http.Client
	// Log gets no prompts.
	Log *slog.Logger
}

// Observer is told what happens, by several goroutines at a time.
type Observer interface {
	// ModelLoaded is told of every part of a model that the server has loaded.
	ModelLoaded(base, part string, took time.Duration)
	// Queue is told how many items wait and run.
	Queue(waiting, running int)
	// Memory is told the bytes of the server's process and of its cache of models; 0 where unknown.
	Memory(resident, cached int64)
	// Recycled is told that the server should be restarted, and why.
	Recycled(reason string)
}

type nobody struct{}

func (nobody) ModelLoaded(string, string, time.Duration) {}
func (nobody) Queue(int, int)                            {}
func (nobody) Memory(int64, int64)                       {}
func (nobody) Recycled(string)                           {}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, errors.New("invokeai: the URL of the server must look like http://127.0.0.1:9090"))
	}
	if len(c.Models) == 0 {
		errs = append(errs, errors.New("invokeai: no models"))
	}
	for _, key := range c.Warm {
		if c.Models[key] == "" {
			errs = append(errs, fmt.Errorf("invokeai: model %q cannot be warmed, it is not offered", key))
		}
	}
	if c.Poll < 0 || c.LostAfter < 0 || c.Recycle.Jobs < 0 || c.Recycle.ResidentBytes < 0 {
		errs = append(errs, errors.New("invokeai: a time or a limit is negative"))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("invokeai: no logger"))
	}
	return errors.Join(errs...)
}

// filled returns the configuration with its defaults.
func (c Config) filled() Config {
	if c.Poll == 0 {
		c.Poll = PollDefault
	}
	if c.LostAfter == 0 {
		c.LostAfter = LostAfterDefault
	}
	if c.Observe == nil {
		c.Observe = nobody{}
	}
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	c.Models = maps.Clone(c.Models)
	for _, part := range []string{ModelFluxT5, ModelFluxCLIP, ModelFluxVAE} {
		if c.Models[part] == "" {
			c.Models[part] = part
		}
	}
	return c
}

// ControlKey is the key of a kind of ControlNet for a family of models, such as control-sdxl-canny.
func ControlKey(base, kind string) string { return "control-" + base + "-" + kind }
