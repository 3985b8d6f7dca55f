package s3

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
)

// bucketName is the strict subset of S3 bucket names that works in host names and paths alike.
const bucketName = `^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`

// Config says where the bucket is and how to sign for it.
type Config struct {
	// Endpoint is the base URL of the server, e.g. "http://127.0.0.1:9000". Empty means AWS itself.
	Endpoint string
	// PublicEndpoint is the base URL put into presigned URLs when clients reach the server under another name than this
	// process does. Empty means Endpoint.
	PublicEndpoint string
	// Region is the signing region, e.g. "ap-northeast-2".
	Region string
	// Bucket holds all objects.
	Bucket string
	// AccessKey and SecretKey are static credentials. Both empty means the default chain (environment, role, IMDS).
	AccessKey, SecretKey string
	// PathStyle puts the bucket into the path instead of the host name; servers other than AWS mostly need it.
	PathStyle bool
}

// Validate returns all faults of the configuration joined, or nil.
func (c Config) Validate() error {
	var faults []error
	if c.Region == "" {
		faults = append(faults, errors.New("s3: region is missing"))
	}
	if !regexp.MustCompile(bucketName).MatchString(c.Bucket) {
		faults = append(faults, fmt.Errorf("s3: bucket %q must be 3 to 63 lower-case letters, digits or hyphens", c.Bucket))
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		faults = append(faults, errors.New("s3: access key and secret key must be given together"))
	}
	faults = append(faults, checkURL("endpoint", c.Endpoint), checkURL("public endpoint", c.PublicEndpoint))
	return errors.Join(faults...)
}

// String names the bucket and where it is, without credentials.
func (c Config) String() string {
	return fmt.Sprintf("bucket %s in %s at %q", c.Bucket, c.Region, c.Endpoint)
}

// LogValue keeps the credentials out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// GoString keeps the credentials out of %#v.
func (c Config) GoString() string { return c.String() }

func checkURL(what, raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	// The text of a faulty URL may hold credentials, so neither it nor the parser's error is repeated.
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("s3: %s must be http(s)://host[:port] without credentials or query", what)
	}
	return nil
}
