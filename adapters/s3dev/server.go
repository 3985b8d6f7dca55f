package s3dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"
)

const (
	// Region is the only signing region that the server accepts.
	Region = "us-east-1"
	// MaxBody is the largest request body in bytes.
	MaxBody = 64 << 20

	maxHeader         = 64 << 10         // bytes
	readHeaderTimeout = 10 * time.Second // per request
	readTimeout       = 5 * time.Minute  // per request with body
	idleTimeout       = 2 * time.Minute  // per connection
)

// Config says where the server keeps its data and listens.
type Config struct {
	// DataDir is the folder of the objects; it is created if missing. One server at a time may use it.
	DataDir string
	// Addr is a loopback address with a port; port 0 picks a free one.
	Addr string
	// AccessKey and SecretKey are the only credentials that the server accepts.
	AccessKey, SecretKey string
	// Now is the clock that expiry is judged by; nil means time.Now.
	Now func() time.Time
}

// Validate returns all faults of the configuration joined, or nil.
func (c Config) Validate() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, errors.New("s3dev: data folder is missing"))
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		faults = append(faults, errors.New("s3dev: access key and secret key are missing"))
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		faults = append(faults, fmt.Errorf("s3dev: address %q is not a loopback IP with a port", c.Addr))
	}
	return errors.Join(faults...)
}

// Server is a running S3 server.
type Server struct {
	http     *http.Server
	endpoint string
	stopped  chan error
}

// Start opens the data folder and the port and serves until Close.
func Start(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	objects, err := openStore(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for S3: %w", err)
	}
	// Clock skew is judged by verifier with the injected clock, so gofakes3's own check is off.
	protocol := gofakes3.New(objects, gofakes3.WithTimeSkewLimit(0)).Server()
	guarded := &verifier{accessKey: cfg.AccessKey, secretKey: cfg.SecretKey, now: cfg.Now, next: protocol}
	s := &Server{
		http: &http.Server{
			Handler:           cors(guarded),
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
		},
		endpoint: "http://" + listener.Addr().String(),
		stopped:  make(chan error, 1),
	}
	go func() { s.stopped <- s.http.Serve(listener) }()
	return s, nil
}

// Endpoint is the base URL, e.g. "http://127.0.0.1:9000". Clients must use path style.
func (s *Server) Endpoint() string { return s.endpoint }

// Close stops accepting, waits for requests under way until ctx ends, then cuts them off. It must be called once.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain S3: %w", err), s.http.Close())
	}
	if served := <-s.stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve S3: %w", served))
	}
	return err
}

// cors lets web pages use presigned URLs. Any origin may: the right is in the URL, never in a cookie.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, Content-Disposition, ETag")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT")
		h.Set("Access-Control-Allow-Headers", "Content-Type, Range")
		h.Set("Access-Control-Max-Age", "600") // seconds
		w.WriteHeader(http.StatusNoContent)
	})
}
