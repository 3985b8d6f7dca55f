package api

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/eventstore"
)

// TokenBytesMin is the least length of a worker's or admin's token.
const TokenBytesMin = 32

// The pace of a stream, unless the Config says otherwise.
const (
	heartbeatEvery = 15 * time.Second
	pollEvery      = time.Second
)

// Config is what a Server is made of.
type Config struct {
	Ledger   *commands.Ledger
	Quotes   *commands.Quotes
	Queries  Queries
	Keys     Keys
	Pictures Pictures
	// Store and Codec are read only: a stream tells status changes from the record itself.
	Store eventstore.Store
	Codec *eventstore.Codec
	// Pace refines estimates from what was measured; nil leaves them as they are in the price book.
	Pace *commands.Pace
	// Hub tells streams what happens. Nil leaves them to polling, without progress.
	Hub *Hub
	// Outage reports whether an error means that a part is away which the answer needs: it is then "unavailable"
	// instead of "internal". Nil knows no such errors but those that say so themselves.
	Outage func(error) bool
	// Ready is asked by /ready.
	Ready []Check
	// WorkerTokens open /internal for workers, AdminTokens for grants and plans. Several, so that they can be rotated;
	// none closes that part. Each has at least TokenBytesMin bytes.
	WorkerTokens []string
	AdminTokens  []string
	// Now is the clock, and NewID makes an id with this prefix: see IDs.
	Now   func() time.Time
	NewID func(prefix string) string
	Log   *slog.Logger
	// Metrics gets the server's metrics and is served at /metrics.
	Metrics *prometheus.Registry
	// Web is the built web app with index.html at its root, or nil.
	Web fs.FS
	// PublicURL is where customers reach the server, e.g. https://api.example.com; it begins the type of problems.
	// Empty leaves them relative.
	PublicURL string
	// PictureOrigins are the origins that presigned URLs point to, e.g. https://pictures.example.com.
	PictureOrigins []string
	// Heartbeat and Poll are the pace of streams; zero means 15 s and 1 s.
	Heartbeat time.Duration
	Poll      time.Duration
}

// Validate reports everything that is missing or wrong.
func (c Config) Validate() error {
	var errs []error
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"ledger", c.Ledger == nil}, {"quotes", c.Quotes == nil}, {"queries", c.Queries == nil},
		{"keys", c.Keys == nil}, {"pictures", c.Pictures == nil}, {"store", c.Store == nil}, {"codec", c.Codec == nil},
		{"clock", c.Now == nil}, {"source of ids", c.NewID == nil}, {"log", c.Log == nil}, {"metrics", c.Metrics == nil},
	} {
		if part.missing {
			errs = append(errs, fmt.Errorf("api: no %s", part.name))
		}
	}
	errs = append(errs, checkTokens("worker", c.WorkerTokens), checkTokens("admin", c.AdminTokens))
	for _, origin := range append([]string{c.PublicURL}, c.PictureOrigins...) {
		errs = append(errs, checkOrigin(origin))
	}
	if c.Heartbeat < 0 || c.Poll < 0 {
		errs = append(errs, errors.New("api: the pace of streams is negative"))
	}
	return errors.Join(errs...)
}

func checkTokens(kind string, tokens []string) error {
	for i, t := range tokens {
		if len(t) < TokenBytesMin {
			return fmt.Errorf("api: %s token %d has %d bytes and needs %d", kind, i+1, len(t), TokenBytesMin)
		}
	}
	return nil
}

func checkOrigin(origin string) error {
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("api: %q is not an origin such as https://example.com", origin)
	}
	return nil
}

// orDefault returns d, or the default for zero.
func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}
