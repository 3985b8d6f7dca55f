package invokeai

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

// modelsEvery is how old the list of installed models may be.
const modelsEvery = 30 * time.Second

// server is what is known of the server. It is learnt once, and again after the server was away.
type server struct {
	client *client

	mu            sync.Mutex
	version       string
	fluxScheduler bool
	installed     []model
	listed        time.Time
}

// known is the server at one moment.
type known struct {
	version       string
	fluxScheduler bool
	installed     []model
}

// look returns what is known of the server, and asks where that is nothing or old. Its errors are
// *generate.EngineError.
func (s *server) look(ctx context.Context) (known, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == "" {
		if err := s.learn(ctx); err != nil {
			return known{}, err
		}
	}
	if time.Since(s.listed) >= modelsEvery {
		installed, err := s.client.models(ctx)
		if err != nil {
			s.version = ""
			return known{}, unavailable("list the models", err)
		}
		s.installed, s.listed = installed, time.Now()
	}
	return known{s.version, s.fluxScheduler, s.installed}, nil
}

// forget makes the next look ask for everything again: the server may have been exchanged.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.listed = "", time.Time{}
}

// learn asks a server what it is, and refuses one that cannot be worked with.
func (s *server) learn(ctx context.Context) error {
	text, err := s.client.version(ctx)
	if err != nil {
		return unavailable("no InvokeAI answers (if its port was taken, it listens on the next one)", err)
	}
	v, err := parseVersion(text)
	if err != nil {
		return unavailable("what answers is no InvokeAI", err)
	}
	if v.before(oldest()) {
		return unavailable(fmt.Sprintf("InvokeAI %s is too old, install %s or newer", v, oldest()), nil)
	}
	login, err := s.client.multiuser(ctx)
	if err != nil {
		return unavailable("ask for the mode of logins", err)
	}
	if login {
		return unavailable("the server asks for a login: set multiuser to false and let nobody else reach it", nil)
	}
	if err := s.uncache(ctx); err != nil {
		return err
	}
	nodes, err := s.client.schema(ctx)
	if err != nil {
		return unavailable("read the nodes of the server", err)
	}
	s.fluxScheduler = nodes.has("flux_denoise", "scheduler")
	if err := checkNodes(nodes, s.fluxScheduler); err != nil {
		return unavailable("InvokeAI "+v.String()+" lacks fields of nodes", err)
	}
	s.version = v.String()
	return nil
}

// uncache switches off the cache of node outputs: it would give the picture of one job to another.
func (s *server) uncache(ctx context.Context) error {
	size, err := s.client.nodeCache(ctx)
	if err == nil && size > 0 {
		err = s.client.disableNodeCache(ctx)
	}
	if err != nil {
		return unavailable("switch off the cache of nodes (node_cache_size: 0)", err)
	}
	return nil
}

// checkNodes returns what the server's nodes lack for any graph that may be asked for.
func checkNodes(nodes schema, fluxScheduler bool) error {
	picture := upload{"x.png", 8, 8}
	all := plan{
		request: generate.Request{Width: 16, Height: 16, Guidance: 1, Strength: 1}, source: &picture,
		loras: []chosenLoRA{{}}, fluxScheduler: fluxScheduler,
		control: []chosenControl{{image: picture, want: generate.Control{Preprocess: true}}},
	}
	sdxl, flux := all, all
	sdxl.main.Base, flux.main.Base = baseSDXL, baseFlux
	return errors.Join(nodes.check(canary().graph), nodes.check(sdxl.draw().graph), nodes.check(flux.draw().graph))
}

// find returns the installed model with a name or a key.
func (k known) find(name, kind string, bases ...string) (model, bool) {
	for _, m := range k.installed {
		if (m.Name == name || m.Key == name) && m.Type == kind && slices.Contains(bases, m.Base) {
			return m, true
		}
	}
	return model{}, false
}

// part returns the installed model of a kind with this name; if there is just one of its kind, its name is no matter.
func (k known) part(name, kind string) (model, bool) {
	var found []model
	for _, m := range k.installed {
		if m.Type != kind || (kind == "vae" && m.Base != baseFlux) {
			continue
		}
		if m.Name == name || m.Key == name {
			return m, true
		}
		found = append(found, m)
	}
	if len(found) != 1 {
		return model{}, false
	}
	return found[0], true
}
