package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// deleteBatch is the most keys that S3 takes in one DeleteObjects request.
	deleteBatch = 1000
	// requestTimeout bounds one HTTP exchange including the body.
	requestTimeout = 2 * time.Minute
	// defaultRegion is the one region that must not be named when a bucket is created.
	defaultRegion = "us-east-1"
)

var (
	// ErrNotFound says that the object or the bucket does not exist.
	ErrNotFound = errors.New("not found in object store")
	// ErrTooLarge says that an object is larger than the caller is ready to read.
	ErrTooLarge = errors.New("object is larger than the limit")
)

// Client reads and writes the objects of one bucket. It is safe for concurrent use.
type Client struct {
	bucket  string
	region  string
	api     *awss3.Client
	presign *awss3.PresignClient
}

// Info describes a stored object.
type Info struct {
	Size        int64 // bytes
	ContentType string
	ModifiedAt  time.Time
}

// New returns a client. It connects to nothing; call Ping or EnsureBucket to try the connection.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	load := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(cfg.Region),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(requestTimeout)),
	}
	if cfg.AccessKey != "" {
		fixed := credentials.NewStaticCredentialsProvider(cfg.AccessKey, cfg.SecretKey, "")
		load = append(load, awsconfig.WithCredentialsProvider(fixed))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	public := cfg.PublicEndpoint
	if public == "" {
		public = cfg.Endpoint
	}
	return &Client{
		bucket:  cfg.Bucket,
		region:  cfg.Region,
		api:     newAPI(loaded, cfg.Endpoint, cfg.PathStyle),
		presign: awss3.NewPresignClient(newAPI(loaded, public, cfg.PathStyle)),
	}, nil
}

func newAPI(loaded aws.Config, endpoint string, pathStyle bool) *awss3.Client {
	return awss3.NewFromConfig(loaded, func(o *awss3.Options) {
		o.UsePathStyle = pathStyle
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		// The SDK's default adds CRC trailers, which turn a presigned PUT into something that a plain HTTP client
		// cannot send and that other servers refuse.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}

// Ping checks that the bucket can be reached with these credentials. It returns ErrNotFound if there is no bucket.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.api.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &c.bucket})
	return wrap("reach bucket", c.bucket, err)
}

// EnsureBucket creates the bucket unless it is there.
func (c *Client) EnsureBucket(ctx context.Context) error {
	if err := c.Ping(ctx); !errors.Is(err, ErrNotFound) {
		return err
	}
	in := &awss3.CreateBucketInput{Bucket: &c.bucket}
	if c.region != defaultRegion {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(c.region),
		}
	}
	_, err := c.api.CreateBucket(ctx, in)
	// Two processes may start at once; who comes second finds the bucket made.
	if owned := (*types.BucketAlreadyOwnedByYou)(nil); errors.As(err, &owned) {
		return nil
	}
	if err != nil {
		if c.Ping(ctx) == nil {
			return nil
		}
		return wrap("create bucket", c.bucket, err)
	}
	return nil
}

// Put stores an object whole, replacing an older one of the same key.
func (c *Client) Put(ctx context.Context, key, contentType string, body []byte) error {
	_, err := c.api.PutObject(ctx, &awss3.PutObjectInput{
		Bucket: &c.bucket, Key: &key, ContentType: &contentType, Body: bytes.NewReader(body),
	})
	return wrap("put object", key, err)
}

// Get reads an object of at most limit bytes. It returns ErrNotFound or ErrTooLarge.
func (c *Client) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	out, err := c.api.GetObject(ctx, &awss3.GetObjectInput{Bucket: &c.bucket, Key: &key})
	if err != nil {
		return nil, wrap("get object", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	if aws.ToInt64(out.ContentLength) > limit {
		return nil, fmt.Errorf("get object %q of %d bytes, limit %d: %w", key, *out.ContentLength, limit, ErrTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, wrap("read object", key, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("get object %q, limit %d bytes: %w", key, limit, ErrTooLarge)
	}
	return body, nil
}

// Head describes an object without reading it. It returns ErrNotFound.
func (c *Client) Head(ctx context.Context, key string) (Info, error) {
	out, err := c.api.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
	if err != nil {
		return Info{}, wrap("head object", key, err)
	}
	return Info{
		Size:        aws.ToInt64(out.ContentLength),
		ContentType: aws.ToString(out.ContentType),
		ModifiedAt:  aws.ToTime(out.LastModified),
	}, nil
}

// Delete removes objects; keys that do not exist are not an error. Keys that could not be removed are joined into one
// error, and the others are gone all the same.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	var faults []error
	for len(keys) > 0 {
		n := min(len(keys), deleteBatch)
		faults = append(faults, c.deleteBatch(ctx, keys[:n]))
		keys = keys[n:]
	}
	return errors.Join(faults...)
}

func (c *Client) deleteBatch(ctx context.Context, keys []string) error {
	ids := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		ids[i].Key = &keys[i]
	}
	out, err := c.api.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
		Bucket: &c.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("delete %d objects: %w", len(keys), err)
	}
	var faults []error
	for _, e := range out.Errors {
		faults = append(faults, fmt.Errorf("delete object %q: %s", aws.ToString(e.Key), aws.ToString(e.Code)))
	}
	return errors.Join(faults...)
}

// wrap names what was tried and turns S3's several ways of saying 404 into ErrNotFound.
func wrap(what, name string, err error) error {
	if err == nil {
		return nil
	}
	if status := (*awshttp.ResponseError)(nil); errors.As(err, &status) &&
		status.HTTPStatusCode() == http.StatusNotFound {
		return fmt.Errorf("%s %q: %w", what, name, ErrNotFound)
	}
	return fmt.Errorf("%s %q: %w", what, name, err)
}
