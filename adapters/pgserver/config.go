package pgserver

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
)

// BinEnv names the environment variable that gives the folder with initdb and postgres.
const BinEnv = "PINGVAS_POSTGRES_BIN"

// DefaultFallbackDir holds the clusters that root asked for in folders which the server's user cannot reach.
const DefaultFallbackDir = "/var/lib/pingvas"

const maxPort = 65535

// Config says where a private cluster lives and how it runs.
type Config struct {
	// DataDir is the folder of the cluster. It is created, belongs to this package and, for root, is made searchable
	// (0711) for the user that the server runs as.
	DataDir string
	// CacheDir keeps downloaded binaries. It may be empty only if NoDownload is set.
	CacheDir string
	// BinDir is the folder with initdb and postgres. Empty means: environment variable PINGVAS_POSTGRES_BIN, PATH,
	// the usual install folders, download.
	BinDir string
	// FallbackDir replaces DefaultFallbackDir. Only root ever uses it.
	FallbackDir string
	// NoDownload forbids the network.
	NoDownload bool
	// RepositoryURL replaces the default Maven repository of the binaries, for instance by a mirror.
	RepositoryURL string
	// Port is the TCP port on 127.0.0.1; 0 takes a free one at each start.
	Port int
	// Settings are server settings by name; they win over the defaults of this package.
	Settings map[string]string
	// Logger hears of slow steps (download, creation) and of surprises. Nil is silent.
	Logger *slog.Logger
}

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_.]*$`)

// Validate returns all errors of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("pgserver: DataDir is empty"))
	}
	if c.CacheDir == "" && !c.NoDownload {
		errs = append(errs, errors.New("pgserver: CacheDir is empty although downloads are allowed"))
	}
	if c.Port < 0 || c.Port > maxPort {
		errs = append(errs, fmt.Errorf("pgserver: Port %d is outside 0..%d", c.Port, maxPort))
	}
	if c.RepositoryURL != "" {
		if u, err := url.Parse(c.RepositoryURL); err != nil || u.Host == "" {
			errs = append(errs, fmt.Errorf("pgserver: RepositoryURL %q is not an absolute URL", c.RepositoryURL))
		}
	}
	for name := range c.Settings {
		if !settingName.MatchString(name) {
			errs = append(errs, fmt.Errorf("pgserver: %q is not the name of a setting", name))
		}
		switch name {
		case "port", "listen_addresses", "unix_socket_directories", "data_directory":
			errs = append(errs, fmt.Errorf("pgserver: setting %q is controlled by this package", name))
		}
	}
	return errors.Join(errs...)
}

// serverSettings suit one developer's machine: modest memory, no outside access, quiet log. What concerns durability
// is left at PostgreSQL's own safe defaults.
func (c Config) serverSettings() map[string]string {
	settings := map[string]string{
		"max_connections": "200",
		"shared_buffers":  "64MB",
		"max_wal_size":    "512MB",
		"jit":             "off",
		"TimeZone":        "UTC",
		"log_timezone":    "UTC",
		"log_checkpoints": "off",
		"log_line_prefix": "%m [%p] ",
		// retryable reads the log, so its language must be known.
		"lc_messages": "C",
	}
	maps.Copy(settings, c.Settings)
	settings["listen_addresses"] = loopback
	// Socket paths are limited to about 100 bytes, and distributions default to folders that only postgres may write.
	settings["unix_socket_directories"] = ""
	return settings
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FallbackDir == "" {
		c.FallbackDir = DefaultFallbackDir
	}
	if c.RepositoryURL == "" {
		c.RepositoryURL = defaultRepository()
	}
	return c
}
