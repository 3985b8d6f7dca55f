package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

// The lengths of secrets in settings.
const (
	masterKeyBytes = 32
	tokenCharsMin  = 32
	shardsMax      = 256
)

// leaseMinMax bounds the shortest lease.
const leaseMinMax = 10 * time.Minute

// ledgerSettings say where the record is.
type ledgerSettings struct {
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"Postgres of the ledger and the read models."`
	MasterKey   string `name:"master-key" env:"PINGVAS_MASTER_KEY" help:"64 hexadecimal digits. Wraps the data keys, signs quotes and cursors. The same everywhere; losing it loses all personal data."`
	StateCache  int    `name:"state-cache" env:"PINGVAS_STATE_CACHE" placeholder:"MIB" default:"0" help:"MiB of accounts that a process keeps in memory, 3 KiB each; 0 is 32 for each processor, up to 128. A command on another account reads it first, which takes three times as long."`
}

// stateCacheMax is how many MiB the accounts in memory may have: a tebibyte.
const stateCacheMax = 1 << 20

func (s ledgerSettings) errors() []error {
	var errs []error
	if s.StateCache < 0 || s.StateCache > stateCacheMax {
		errs = append(errs, fmt.Errorf("PINGVAS_STATE_CACHE is %d, must be 0 to %d MiB", s.StateCache, stateCacheMax))
	}
	if s.DatabaseURL == "" {
		errs = append(errs, missing("DATABASE_URL", "postgres://user:password@host:5432/pingvas"))
	} else if u, err := url.Parse(s.DatabaseURL); err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		errs = append(errs, errors.New("DATABASE_URL is not a postgres:// URL"))
	}
	if _, err := s.master(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (s ledgerSettings) master() ([]byte, error) {
	key, err := hex.DecodeString(s.MasterKey)
	if err != nil || len(key) != masterKeyBytes {
		return nil, fmt.Errorf("PINGVAS_MASTER_KEY needs %d hexadecimal digits, e.g. from: openssl rand -hex 32",
			2*masterKeyBytes)
	}
	return key, nil
}

// kafkaSettings say how to reach the brokers.
type kafkaSettings struct {
	Brokers   []string `name:"kafka-brokers" env:"KAFKA_BROKERS" help:"host:port of some brokers, separated by commas."`
	TLS       bool     `name:"kafka-tls" env:"KAFKA_TLS" help:"Connect with TLS."`
	CA        string   `name:"kafka-tls-ca" env:"KAFKA_TLS_CA" placeholder:"FILE" help:"Certificates of issuers to trust, PEM; empty for those of the system."`
	Cert      string   `name:"kafka-tls-cert" env:"KAFKA_TLS_CERT" placeholder:"FILE" help:"Certificate of this client, PEM, for brokers that ask for one."`
	Key       string   `name:"kafka-tls-key" env:"KAFKA_TLS_KEY" placeholder:"FILE" help:"Private key of the certificate, PEM."`
	Mechanism string   `name:"kafka-sasl" env:"KAFKA_SASL" help:"SASL mechanism: plain, scram-sha-256 or scram-sha-512. Empty for none."`
	User      string   `name:"kafka-user" env:"KAFKA_USER" help:"SASL user."`
	Password  string   `name:"kafka-password" env:"KAFKA_PASSWORD" help:"SASL password."`
	Replicas  int      `name:"kafka-replicas" env:"KAFKA_REPLICAS" default:"0" help:"Replicas of new topics; 0 is the default of the broker."`
}

func (s kafkaSettings) errors() []error {
	var errs []error
	if len(s.Brokers) == 0 {
		errs = append(errs, missing("KAFKA_BROKERS", "broker-1:9092,broker-2:9092"))
	}
	for _, broker := range s.Brokers {
		errs = append(errs, checkHostPort("KAFKA_BROKERS", broker)...)
	}
	if (s.Cert == "") != (s.Key == "") {
		errs = append(errs, errors.New("KAFKA_TLS_CERT and KAFKA_TLS_KEY go together"))
	}
	if !s.TLS && s.CA+s.Cert != "" {
		errs = append(errs, errors.New("KAFKA_TLS_CA and KAFKA_TLS_CERT need KAFKA_TLS"))
	}
	switch s.Mechanism {
	case "", "plain", "scram-sha-256", "scram-sha-512":
	default:
		errs = append(errs, fmt.Errorf("KAFKA_SASL is %q and must be plain, scram-sha-256, scram-sha-512 or empty",
			s.Mechanism))
	}
	if s.Mechanism != "" && (s.User == "" || s.Password == "") {
		errs = append(errs, errors.New("KAFKA_SASL needs KAFKA_USER and KAFKA_PASSWORD"))
	}
	if s.Replicas < 0 {
		errs = append(errs, fmt.Errorf("KAFKA_REPLICAS is %d and cannot be negative", s.Replicas))
	}
	return errs
}

// pictureSettings say where pictures are stored.
type pictureSettings struct {
	Endpoint  string `name:"s3-endpoint" env:"S3_ENDPOINT" help:"URL of an S3 server; empty for AWS."`
	Public    string `name:"s3-public-endpoint" env:"S3_PUBLIC_ENDPOINT" help:"URL under which browsers and workers reach it, if another."`
	Region    string `name:"s3-region" env:"S3_REGION" default:"us-east-1" help:"Region of the bucket."`
	Bucket    string `name:"s3-bucket" env:"S3_BUCKET" default:"pingvas" help:"Bucket of the pictures. Downloads by the web app need CORS for GET from its origin."`
	AccessKey string `name:"s3-access-key" env:"S3_ACCESS_KEY" help:"Access key; empty for the default chain of the AWS SDK."`
	SecretKey string `name:"s3-secret-key" env:"S3_SECRET_KEY" help:"Secret key of the access key."`
}

func (s pictureSettings) errors() []error {
	errs := append(checkURL("S3_ENDPOINT", s.Endpoint), checkURL("S3_PUBLIC_ENDPOINT", s.Public)...)
	if s.Bucket == "" {
		errs = append(errs, missing("S3_BUCKET", "pingvas"))
	}
	if (s.AccessKey == "") != (s.SecretKey == "") {
		errs = append(errs, errors.New("S3_ACCESS_KEY and S3_SECRET_KEY go together"))
	}
	return errs
}

// apiSettings say how the API serves.
type apiSettings struct {
	Addr         string        `name:"addr" env:"PINGVAS_ADDR" default:"127.0.0.1:8080" help:"Address that the API and the web app listen on."`
	PublicURL    string        `name:"public-url" env:"PINGVAS_PUBLIC_URL" help:"Origin under which customers reach the API, e.g. https://api.example.com."`
	WorkerTokens []string      `name:"worker-tokens" env:"PINGVAS_WORKER_TOKENS" help:"Secrets that workers may claim jobs with, each at least 32 characters; several to rotate them."`
	AdminTokens  []string      `name:"admin-tokens" env:"PINGVAS_ADMIN_TOKENS" help:"Secrets that may grant credits through /internal, each at least 32 characters. None switches those routes off."`
	LeaseMin     time.Duration `name:"lease-min" env:"PINGVAS_LEASE_MIN" default:"30s" help:"How long a worker may be silent before its job is given to another. Long jobs have longer leases."`
	SearchDir    string        `name:"search-dir" env:"PINGVAS_SEARCH_DIR" default:".pingvas/search" help:"Folder of the embedded search index. It is disposable."`
}

func (s apiSettings) errors() []error {
	errs := checkHostPort("PINGVAS_ADDR", s.Addr)
	if s.SearchDir == "" {
		errs = append(errs, missing("PINGVAS_SEARCH_DIR", ".pingvas/search"))
	}
	if s.LeaseMin < 0 || s.LeaseMin > leaseMinMax {
		errs = append(errs, fmt.Errorf("PINGVAS_LEASE_MIN is %s and must be between 0 and %s", s.LeaseMin, leaseMinMax))
	}
	for _, token := range s.AdminTokens {
		errs = append(errs, checkToken("PINGVAS_ADMIN_TOKENS", token)...)
	}
	if len(s.WorkerTokens) == 0 {
		errs = append(errs, missing("PINGVAS_WORKER_TOKENS", "the output of: openssl rand -hex 32"))
	}
	for _, token := range s.WorkerTokens {
		errs = append(errs, checkToken("PINGVAS_WORKER_TOKENS", token)...)
	}
	return append(errs, checkURL("PINGVAS_PUBLIC_URL", s.PublicURL)...)
}

// workerSettings say how a worker works.
type workerSettings struct {
	engineSettings

	APIURL string        `name:"api-url" env:"PINGVAS_API_URL" default:"http://127.0.0.1:8080" help:"Where the API is."`
	Token  string        `name:"worker-token" env:"PINGVAS_WORKER_TOKEN" help:"Secret that workers claim jobs with, at least 32 characters."`
	Name   string        `name:"worker-name" env:"PINGVAS_WORKER_NAME" help:"Name of this worker in the ledger; empty for host name and process id."`
	Slots  int           `name:"worker-slots" env:"PINGVAS_WORKER_SLOTS" default:"1" help:"Jobs at once, 1 to 64."`
	Grace  time.Duration `name:"worker-grace" env:"PINGVAS_WORKER_GRACE" default:"20s" help:"How long a job may go on after the order to stop; else it is handed back."`
	Probes string        `name:"probe-addr" env:"PINGVAS_PROBE_ADDR" help:"Address of /metrics, /live, /ready and /engine of this worker, e.g. 127.0.0.1:9091; empty for none."`
}

func (s workerSettings) errors() []error {
	errs := append(checkURL("PINGVAS_API_URL", s.APIURL), checkToken("PINGVAS_WORKER_TOKEN", s.Token)...)
	if s.APIURL == "" {
		errs = append(errs, missing("PINGVAS_API_URL", "http://127.0.0.1:8080"))
	}
	if s.Probes != "" {
		errs = append(errs, checkHostPort("PINGVAS_PROBE_ADDR", s.Probes)...)
	}
	return append(append(errs, checkWork(s.Slots, s.Grace)...), s.engineSettings.errors()...)
}

func checkWork(slots int, grace time.Duration) []error {
	var errs []error
	if slots < 1 || slots > generate.SlotsMax {
		errs = append(errs, fmt.Errorf("PINGVAS_WORKER_SLOTS is %d and must be between 1 and %d", slots, generate.SlotsMax))
	}
	if grace < 0 {
		errs = append(errs, errors.New("PINGVAS_WORKER_GRACE cannot be negative"))
	}
	return errs
}

func missing(name, example string) error { return fmt.Errorf("%s is not set, e.g. %s", name, example) }

func checkToken(name, token string) []error {
	if len(token) < tokenCharsMin {
		return []error{fmt.Errorf("%s needs at least %d characters", name, tokenCharsMin)}
	}
	return nil
}

func checkURL(name, text string) []error {
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return []error{fmt.Errorf("%s is not an http or https URL", name)}
	}
	return nil
}

func checkHostPort(name, text string) []error {
	if _, _, err := net.SplitHostPort(text); err != nil {
		return []error{fmt.Errorf("%s: %q is not host:port", name, text)}
	}
	return nil
}

// check joins all that is wrong with some settings, so that they can be mended in one go.
func check(groups ...[]error) error {
	var all []error
	for _, errs := range groups {
		all = append(all, errs...)
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%d wrong settings (see docs/configuration.md):\n%w", len(all), errors.Join(all...))
}
