package s3dev_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

func TestBodyMustHaveTheSignedHash(t *testing.T) {
	t.Parallel()
	server, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "victim", "text/plain", []byte("1")))
	sum := sha256.Sum256([]byte("what was signed"))
	swap := "<Delete><Object><Key>victim</Key></Object></Delete>"

	for _, tc := range []struct{ method, path, body string }{
		{http.MethodPut, "/victim", "what was  sent"},
		{http.MethodPost, "?delete=", swap},
	} {
		req, err := http.NewRequestWithContext(
			t.Context(), tc.method, server.Endpoint()+"/"+bucket+tc.path, strings.NewReader(tc.body))
		require.NoError(t, err)
		payload := hex.EncodeToString(sum[:])
		req.Header.Set("X-Amz-Content-Sha256", payload)
		keys := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), keys, req, payload, "s3", s3dev.Region, time.Now()))
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, tc.method)
	}
	got, err := client.Get(t.Context(), "victim", 10)
	require.NoError(t, err)
	require.Equal(t, "1", string(got))
}

func TestListingPagesAndFolds(t *testing.T) {
	t.Parallel()
	server, client := running(t, nil)
	for _, key := range []string{"b", "a/1", "a/2", "c/1", "a/3", "d"} {
		require.NoError(t, client.Put(t.Context(), key, "text/plain", []byte(key)))
	}
	raw := rawClient(server)
	var keys []string
	pages := awss3.NewListObjectsV2Paginator(raw, &awss3.ListObjectsV2Input{
		Bucket: aws.String(bucket), MaxKeys: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Contents), 2)
		for _, item := range page.Contents {
			keys = append(keys, aws.ToString(item.Key))
		}
	}
	require.Equal(t, []string{"a/1", "a/2", "a/3", "b", "c/1", "d"}, keys)

	folded, err := raw.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{
		Bucket: aws.String(bucket), Delimiter: aws.String("/"),
	})
	require.NoError(t, err)
	require.Len(t, folded.CommonPrefixes, 2)
	require.Len(t, folded.Contents, 2)
}

func TestUnsupportedUsesAreRefusedLoudly(t *testing.T) {
	t.Parallel()
	server, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "a", "text/plain", []byte("1")))
	raw := rawClient(server)
	_, err := raw.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String("big"),
	})
	require.ErrorContains(t, err, "NotImplemented")
	_, err = raw.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{
		Bucket: aws.String(bucket), Policy: aws.String("{}"),
	})
	require.ErrorContains(t, err, "NotImplemented")
	_, err = raw.CopyObject(t.Context(), &awss3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/a"),
	})
	require.ErrorContains(t, err, "NotImplemented")
}

func TestConditionalPutAndBucketRemoval(t *testing.T) {
	t.Parallel()
	server, client := running(t, nil)
	raw := rawClient(server)
	once := &awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("once"), IfNoneMatch: aws.String("*")}
	once.Body = bytes.NewReader([]byte("first"))
	_, err := raw.PutObject(t.Context(), once)
	require.NoError(t, err)
	once.Body = bytes.NewReader([]byte("second"))
	_, err = raw.PutObject(t.Context(), once)
	require.ErrorContains(t, err, "PreconditionFailed")
	got, err := client.Get(t.Context(), "once", 10)
	require.NoError(t, err)
	require.Equal(t, "first", string(got))

	_, err = raw.DeleteBucket(t.Context(), &awss3.DeleteBucketInput{Bucket: aws.String(bucket)})
	require.ErrorContains(t, err, "BucketNotEmpty")
	require.NoError(t, client.Delete(t.Context(), "once"))
	_, err = raw.DeleteBucket(t.Context(), &awss3.DeleteBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.ErrorIs(t, client.Ping(t.Context()), s3.ErrNotFound)
	list, err := raw.ListBuckets(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, list.Buckets)
}

// rawClient is the SDK itself, for what the project's own client does not need. It does not retry, so that a refusal
// shows at once.
func rawClient(server *s3dev.Server) *awss3.Client {
	return awss3.New(awss3.Options{
		BaseEndpoint: aws.String(server.Endpoint()), Region: s3dev.Region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}
