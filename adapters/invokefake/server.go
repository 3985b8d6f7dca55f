package invokefake

import (
	_ "embed" // for nodes.json
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// nodesJSON holds the fields and outputs of the nodes of InvokeAI 6.14.2 that the worker uses.
//
//go:embed nodes.json
var nodesJSON []byte

// Version is the one that is played unless Config says otherwise.
const Version = "6.14.2"

// Config says what server is played.
type Config struct {
	Version string
	// Models are installed; nil means Models().
	Models []Model
	// Step is the time of one step of denoising, Load that of loading a model.
	Step, Load time.Duration
	// Photos makes pictures as large as photographs are; without it they are a few hundred bytes.
	Photos bool
	// Multiuser asks for a login.
	Multiuser bool
	// NodeCache is the size of the cache of nodes.
	NodeCache int
	// Without removes fields of nodes, "kind.field", as older servers lack them.
	Without []string
}

// Model is an installed model.
type Model struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
	Name string `json:"name"`
	Base string `json:"base"`
	Type string `json:"type"`
}

// Models returns what a worker for the whole catalogue has installed, under the names of the catalogue.
func Models() []Model {
	var all []Model
	for _, m := range [][3]string{
		{"sdxl-1.0", "sdxl", "main"}, {"flux-schnell", "flux", "main"}, {"flux-dev", "flux", "main"},
		{"flux-t5", "any", "t5_encoder"}, {"flux-clip", "any", "clip_embed"}, {"flux-vae", "flux", "vae"},
		{"detail-xl", "sdxl", "lora"}, {"pixel-art-xl", "sdxl", "lora"}, {"flux-realism", "flux", "lora"},
		{"control-sdxl-canny", "sdxl", "controlnet"}, {"control-sdxl-depth", "sdxl", "controlnet"},
	} {
		all = append(all, Model{Key: "key-of-" + m[0], Hash: "blake3:" + m[0], Name: m[0], Base: m[1], Type: m[2]})
	}
	return all
}

type nodeKind struct {
	Fields  []string `json:"fields"`
	Outputs []string `json:"outputs"`
}

// Server is the fake. It is an http.Handler and must be closed.
type Server struct {
	cfg   Config
	kinds map[string]nodeKind
	mux   *http.ServeMux

	mu        sync.Mutex
	faults    Faults
	life      int // rises with every restart
	made      int // ids given out
	items     []*item
	images    map[string]*image
	loaded    map[string]bool
	nodeCache int
	busy      time.Time // until when the processor lingers
	running   *item
	sockets   map[*socket]bool
	calls     map[string]int
	marks     map[string]Marks

	work    chan struct{}
	closing chan struct{}
	ended   sync.WaitGroup
}

// Marks are when something happened to the items of a job.
type Marks struct{ Enqueued, Started, Completed time.Time }

// New returns a running server.
func New(cfg Config) (*Server, error) {
	if cfg.Version == "" {
		cfg.Version = Version
	}
	if cfg.Models == nil {
		cfg.Models = Models()
	}
	s := &Server{
		cfg: cfg, nodeCache: cfg.NodeCache, images: map[string]*image{}, loaded: map[string]bool{},
		sockets: map[*socket]bool{}, calls: map[string]int{}, marks: map[string]Marks{},
		work: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	if err := json.Unmarshal(nodesJSON, &s.kinds); err != nil {
		return nil, fmt.Errorf("read the nodes: %w", err)
	}
	for _, field := range cfg.Without {
		s.remove(field)
	}
	s.mux = s.routes()
	s.ended.Go(s.process)
	return s, nil
}

func (s *Server) remove(field string) {
	kind, name, _ := strings.Cut(field, ".")
	k := s.kinds[kind]
	var left []string
	for _, f := range k.Fields {
		if f != name {
			left = append(left, f)
		}
	}
	s.kinds[kind] = nodeKind{left, k.Outputs}
}

// Close ends the processor and the sockets.
func (s *Server) Close() {
	close(s.closing)
	s.mu.Lock()
	s.closeSockets()
	s.mu.Unlock()
	s.ended.Wait()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	_, pattern := s.mux.Handler(r)
	s.calls[pattern]++
	down := s.faults.Down
	s.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	s.mux.ServeHTTP(w, r)
}

// Calls returns how often a route was called, such as "POST /api/v1/queue/default/enqueue_batch".
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// Images returns how many pictures are on the server, and Items how many items are in its queue.
func (s *Server) Images() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.images)
}

// Items returns how many items are in the queue, those that have ended included.
func (s *Server) Items() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

// MarksOf returns when things happened to a job, by the name that its items go to.
func (s *Server) MarksOf(job string) Marks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[job]
}

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	const queue, images = "/api/v1/queue/default", "/api/v1/images"
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /api/v1/app/version":                  s.version,
		"GET /api/v1/auth/status":                  s.auth,
		"GET /api/v1/app/invocation_cache/status":  s.cacheStatus,
		"PUT /api/v1/app/invocation_cache/disable": s.cacheDisable,
		"GET /openapi.json":                        s.openAPI,
		"GET /api/v2/models/{$}":                   s.listModels,
		"GET /api/v2/models/stats":                 s.stats,
		"POST /api/v2/models/empty_model_cache":    s.emptyCache,
		"POST " + queue + "/enqueue_batch":         s.enqueue,
		"GET " + queue + "/status":                 s.status,
		"GET " + queue + "/list_all":               s.listAll,
		"GET " + queue + "/b/{batch}/status":       s.batchStatus,
		"GET " + queue + "/i/{item}":               s.getItem,
		"DELETE " + queue + "/i/{item}":            s.deleteItem,
		"PUT " + queue + "/cancel_by_batch_ids":    s.cancelBatches,
		"PUT " + queue + "/prune":                  s.prune,
		"POST " + images + "/upload":               s.upload,
		"POST " + images + "/delete":               s.deleteImages,
		"DELETE " + images + "/intermediates":      s.deleteIntermediates,
		"GET " + images + "/i/{name}":              s.getImage,
		"GET " + images + "/i/{name}/full":         s.imageBytes,
		"GET /ws/socket.io/":                       s.connect,
	} {
		m.HandleFunc(pattern, handle)
	}
	return m
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
}

func detail(w http.ResponseWriter, status int, what any) {
	answer(w, status, map[string]any{"detail": what})
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"version": s.cfg.Version})
}

func (s *Server) auth(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"setup_required": false, "multiuser_enabled": s.cfg.Multiuser})
}

func (s *Server) cacheStatus(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"enabled": s.nodeCache > 0, "max_size": s.nodeCache, "size": 0})
}

func (s *Server) cacheDisable(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodeCache = 0
	answer(w, http.StatusOK, nil)
}

// openAPI tells the fields of the nodes, as the whole document does.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	schemas := map[string]any{"Batch": map[string]any{"properties": map[string]any{"batch_id": map[string]any{}}}}
	for kind, k := range s.kinds {
		properties := map[string]any{}
		for _, field := range k.Fields {
			properties[field] = map[string]any{}
		}
		properties["type"] = map[string]any{"const": kind}
		schemas[kind+"Invocation"] = map[string]any{"properties": properties}
	}
	answer(w, http.StatusOK, map[string]any{"components": map[string]any{"schemas": schemas}})
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"models": s.cfg.Models})
}

func (s *Server) stats(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes := map[string]int64{}
	for key := range s.loaded {
		sizes[key] = 6 << 30
	}
	answer(w, http.StatusOK, map[string]any{"in_cache": len(sizes), "loaded_model_sizes": sizes})
}

func (s *Server) emptyCache(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = map[string]bool{}
	answer(w, http.StatusOK, nil)
}
