package opensearch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
)

// Defaults and bounds of a Config.
const (
	PrefixDefault = "pingvas-search"
	ShardsDefault = 2
	ShardsMax     = 64
)

const (
	// requestTimeout bounds one request that writes or changes the index.
	requestTimeout = 15 * time.Second
	// searchTimeout bounds one search with all its tries.
	searchTimeout = 5 * time.Second
	// answerHeaderMax is how long the server may be silent.
	answerHeaderMax = 15 * time.Second
	connsPerHostMax = 64
)

// Config is what Open needs.
type Config struct {
	// URLs are those of some nodes; requests go to them in turn.
	URLs []string
	// User and Password, or APIKey, are for servers that ask for them.
	User, Password string
	APIKey         string
	// CA is the PEM of the authorities that sign the server's certificate; nil means those of the system.
	CA []byte
	// Prefix begins the names of the indexes; empty means PrefixDefault.
	Prefix string
	// Shards is how many a new index has; 0 means ShardsDefault.
	Shards int
	// Observer is told what happens; nil means nobody is.
	Observer Observer
	// Log gets what an operator should see; nil discards it.
	Log *slog.Logger
}

// Observer is told what an engine meets, for metrics and alarms. Its methods must return at once.
type Observer interface {
	// Retried reports that writes are tried again because the server was too busy or away: back-pressure.
	Retried(writes int)
	// Korean reports whether new indexes read Korean with Nori.
	Korean(nori bool)
}

type silent struct{}

func (silent) Retried(int) {}
func (silent) Korean(bool) {}

// prefixes are names that need no escaping anywhere.
var prefixes = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("a search server needs a URL"))
	}
	for _, text := range c.URLs {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, errors.New("the URL of a search server is not an http or https URL")) // may hold a password
		} else if u.User != nil {
			errs = append(errs, fmt.Errorf("the URL of the search server %s holds a user: set user and password apart", u.Host))
		}
	}
	if (c.User == "") != (c.Password == "") {
		errs = append(errs, errors.New("user and password of the search server go together"))
	}
	if c.User != "" && c.APIKey != "" {
		errs = append(errs, errors.New("a search server takes a user or an API key, not both"))
	}
	if c.Prefix != "" && !prefixes.MatchString(c.Prefix) {
		errs = append(errs, fmt.Errorf("%q cannot begin the name of an index", c.Prefix))
	}
	if c.Shards < 0 || c.Shards > ShardsMax {
		errs = append(errs, fmt.Errorf("%d shards of an index are not between 1 and %d", c.Shards, ShardsMax))
	}
	if _, err := c.authorities(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = PrefixDefault
	}
	if c.Shards == 0 {
		c.Shards = ShardsDefault
	}
	if c.Observer == nil {
		c.Observer = silent{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

const userAgent = "pingvas"

// client returns how the client reaches the server. It tries nothing twice: tries are counted in retry, where writes
// that were refused one by one are tried again, too.
func (c Config) client() ([]elastictransport.Option, error) {
	urls := make([]*url.URL, len(c.URLs))
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("the URL of a search server cannot be read")
		}
		urls[i] = u
	}
	options := []elastictransport.Option{
		elastictransport.WithURLs(urls...), elastictransport.WithUserAgent(userAgent), elastictransport.WithDisableRetry(),
	}
	if c.User != "" {
		options = append(options, elastictransport.WithBasicAuth(c.User, c.Password))
	}
	if c.APIKey != "" {
		options = append(options, elastictransport.WithAPIKey(c.APIKey))
	}
	return options, nil
}

func (c Config) authorities() (*x509.CertPool, error) {
	if len(c.CA) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("the authorities of the search server hold no certificate in PEM")
	}
	return pool, nil
}

func (c Config) transport() (*http.Transport, error) {
	pool, err := c.authorities()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		MaxIdleConnsPerHost:   connsPerHostMax,
		MaxConnsPerHost:       connsPerHostMax,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: answerHeaderMax,
		ForceAttemptHTTP2:     true,
	}, nil
}
