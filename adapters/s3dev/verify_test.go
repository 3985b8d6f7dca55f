package s3dev_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

func TestUnsignedAndWronglySignedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	server, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "a", "text/plain", []byte("secret")))

	for _, path := range []string{"/", "/" + bucket, "/" + bucket + "/a", "/" + bucket + "/../" + bucket + "/a"} {
		resp, text := send(t, http.MethodGet, server.Endpoint()+path, nil, "")
		require.Equal(t, http.StatusForbidden, resp.StatusCode, path)
		require.NotContains(t, text, "secret")
	}
	resp, _ := send(t, http.MethodPut, server.Endpoint()+"/"+bucket+"/b", nil, "x")
	require.Equal(t, http.StatusForbidden, resp.StatusCode)

	stranger := connect(t, server.Endpoint(), "another-secret")
	_, err := stranger.Get(t.Context(), "a", 10)
	require.ErrorContains(t, err, "SignatureDoesNotMatch")
	require.NotContains(t, err.Error(), "another-secret")
	require.Error(t, stranger.Delete(t.Context(), "a"))
	_, err = client.Head(t.Context(), "a")
	require.NoError(t, err)
}

func TestTamperedURLsAreRefused(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "mine", "text/plain", []byte("1")))
	require.NoError(t, client.Put(t.Context(), "other", "text/plain", []byte("2")))
	get, err := client.PresignGet(t.Context(), "mine", "mine.txt", time.Minute)
	require.NoError(t, err)

	for _, change := range [][2]string{
		{"/mine?", "/other?"},
		{"X-Amz-Expires=60", "X-Amz-Expires=6000"},
		{"X-Amz-Expires=60", "X-Amz-Expires=-60"},
		{"mine.txt", "theirs.txt"},
		{"X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="},
		{"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none"},
		{"us-east-1", "us-west-1"},
		{accessKey, "someone"},
		{"x-id=GetObject", "x-id=GetObject&uploads="},
	} {
		bad := strings.Replace(get, change[0], change[1], 1)
		require.NotEqual(t, get, bad, "nothing was changed: %v", change)
		resp, text := send(t, http.MethodGet, bad, nil, "")
		require.Equal(t, http.StatusForbidden, resp.StatusCode, "%v: %s", change, text)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodPost} {
		resp, _ := send(t, method, get, nil, "")
		require.Equal(t, http.StatusForbidden, resp.StatusCode, method)
	}
	resp, _ := send(t, http.MethodGet, get, nil, "")
	require.Equal(t, http.StatusOK, resp.StatusCode, "unchanged it works")
}

func TestUploadURLAllowsOnlyWhatWasSigned(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "other", "text/plain", []byte("2")))
	put, headers, err := client.PresignPut(t.Context(), s3.Upload{
		Key: "mine", ContentType: "image/png", Size: 4, TTL: time.Minute,
	})
	require.NoError(t, err)

	resp, _ := send(t, http.MethodPut, put, http.Header{"Content-Type": {"text/html"}}, "abcd")
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "another type")
	resp, _ = send(t, http.MethodPut, put, http.Header{"Content-Type": {"image/png"}}, "abcdefgh")
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "another length")
	copying := http.Header{"Content-Type": {"image/png"}, "X-Amz-Copy-Source": {"/" + bucket + "/other"}}
	resp, _ = send(t, http.MethodPut, put, copying, "abcd")
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "a header that was not signed")
	resp, text := send(t, http.MethodPut, put, http.Header{"Content-Type": headers["Content-Type"]}, "abcd")
	require.Equal(t, http.StatusOK, resp.StatusCode, text)

	large, _, err := client.PresignPut(t.Context(), s3.Upload{
		Key: "large", ContentType: "image/png", TTL: time.Minute,
	})
	require.NoError(t, err)
	body := strings.Repeat("x", s3dev.MaxBody+1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, large, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "image/png")
	req.Header.Set("Expect", "100-continue") // else the refusal may come as a broken pipe
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
}

func TestURLsExpire(t *testing.T) {
	t.Parallel()
	// The SDK signs with the real clock, so the server's clock is the one to move.
	for _, tc := range []struct {
		name  string
		shift time.Duration
		want  int
	}{
		{"fresh", 0, http.StatusOK},
		{"just in time", 8 * time.Minute, http.StatusOK},
		{"expired", 10*time.Minute + time.Second, http.StatusForbidden},
		{"signed for the future", -16 * time.Minute, http.StatusForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server, client := start(t, dir, nil)
			require.NoError(t, client.Put(t.Context(), "a", "text/plain", []byte("1")))
			require.NoError(t, server.Close(t.Context()))

			moved, err := s3dev.Start(s3dev.Config{
				DataDir: dir, Addr: "127.0.0.1:0", AccessKey: accessKey, SecretKey: secretKey,
				Now: func() time.Time { return time.Now().Add(tc.shift) },
			})
			require.NoError(t, err)
			url, err := connect(t, moved.Endpoint(), secretKey).PresignGet(t.Context(), "a", "", 10*time.Minute)
			require.NoError(t, err)
			resp, text := send(t, http.MethodGet, url, nil, "")
			require.Equal(t, tc.want, resp.StatusCode, text)
			require.NoError(t, moved.Close(t.Context()))
		})
	}
}

func TestStaleHeaderSignatureIsRefused(t *testing.T) {
	t.Parallel()
	server, err := s3dev.Start(s3dev.Config{
		DataDir: t.TempDir(), Addr: "127.0.0.1:0", AccessKey: accessKey, SecretKey: secretKey,
		Now: func() time.Time { return time.Now().Add(16 * time.Minute) },
	})
	require.NoError(t, err)
	err = connect(t, server.Endpoint(), secretKey).Ping(t.Context())
	require.ErrorContains(t, err, "403")
	require.NoError(t, server.Close(t.Context()))
}
