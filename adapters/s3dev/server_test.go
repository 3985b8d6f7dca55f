package s3dev_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

const (
	accessKey = "development"
	secretKey = "not-a-secret"
	bucket    = "pictures"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		serveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// start runs a server on dir and returns a client of its bucket.
func start(t *testing.T, dir string, now func() time.Time) (*s3dev.Server, *s3.Client) {
	t.Helper()
	server, err := s3dev.Start(s3dev.Config{
		DataDir: dir, Addr: "127.0.0.1:0", AccessKey: accessKey, SecretKey: secretKey, Now: now,
	})
	require.NoError(t, err)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	client := connect(t, server.Endpoint(), secretKey)
	require.NoError(t, client.EnsureBucket(t.Context()))
	return server, client
}

func connect(t *testing.T, endpoint, secret string) *s3.Client {
	t.Helper()
	client, err := s3.New(t.Context(), s3.Config{
		Endpoint: endpoint, Region: s3dev.Region, Bucket: bucket,
		AccessKey: accessKey, SecretKey: secret, PathStyle: true,
	})
	require.NoError(t, err)
	return client
}

// running is start for tests that leave closing to the end.
func running(t *testing.T, now func() time.Time) (*s3dev.Server, *s3.Client) {
	t.Helper()
	server, client := start(t, t.TempDir(), now)
	t.Cleanup(func() { require.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	return server, client
}

// send makes one plain HTTP request, as a worker or a browser would.
func send(t *testing.T, method, url string, headers http.Header, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for name, values := range headers {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(text)
}

func TestObjectsLiveThroughTheClient(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	body := make([]byte, 3<<20)
	_, err := rand.Read(body)
	require.NoError(t, err)

	require.NoError(t, client.Put(t.Context(), "a/1.png", "image/png", body))
	got, err := client.Get(t.Context(), "a/1.png", int64(len(body)))
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, got))
	_, err = client.Get(t.Context(), "a/1.png", int64(len(body))-1)
	require.ErrorIs(t, err, s3.ErrTooLarge)

	info, err := client.Head(t.Context(), "a/1.png")
	require.NoError(t, err)
	require.Equal(t, int64(len(body)), info.Size)
	require.Equal(t, "image/png", info.ContentType)
	require.WithinDuration(t, time.Now(), info.ModifiedAt, time.Minute)

	require.NoError(t, client.Delete(t.Context(), "a/1.png", "never/was"))
	_, err = client.Head(t.Context(), "a/1.png")
	require.ErrorIs(t, err, s3.ErrNotFound)
	_, err = client.Get(t.Context(), "a/1.png", 1)
	require.ErrorIs(t, err, s3.ErrNotFound)
	require.NoError(t, client.Ping(t.Context()))
	require.NoError(t, client.EnsureBucket(t.Context()), "a second time")
}

func TestDeleteGoesBeyondOneBatch(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	require.NoError(t, client.Put(t.Context(), "last", "text/plain", []byte("x")))
	keys := make([]string, 1500)
	for i := range keys {
		keys[i] = fmt.Sprintf("none/%d", i)
	}
	require.NoError(t, client.Delete(t.Context(), append(keys, "last")...))
	_, err := client.Head(t.Context(), "last")
	require.ErrorIs(t, err, s3.ErrNotFound)
}

func TestPresignedUploadAndDownload(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	url, headers, err := client.PresignPut(t.Context(), s3.Upload{
		Key: "job/한글 그림+1.png", ContentType: "image/png", TTL: time.Minute,
	})
	require.NoError(t, err)
	require.Equal(t, http.Header{"Content-Type": {"image/png"}}, headers)
	resp, text := send(t, http.MethodPut, url, headers, "0123456789")
	require.Equal(t, http.StatusOK, resp.StatusCode, text)

	url, err = client.PresignGet(t.Context(), "job/한글 그림+1.png", "노을.png", time.Minute)
	require.NoError(t, err)
	resp, text = send(t, http.MethodGet, url, http.Header{"Origin": {"http://localhost:8080"}}, "")
	require.Equal(t, http.StatusOK, resp.StatusCode, text)
	require.Equal(t, "0123456789", text)
	require.Equal(t, "image/png", resp.Header.Get("Content-Type"))
	require.Contains(t, resp.Header.Get("Content-Disposition"), "filename*=utf-8''%EB%85%B8%EC%9D%84.png")
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))

	resp, text = send(t, http.MethodGet, url, http.Header{"Range": {"bytes=2-4"}}, "")
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Equal(t, "234", text)
	require.Equal(t, "bytes 2-4/10", resp.Header.Get("Content-Range"))
	resp, _ = send(t, http.MethodGet, url, http.Header{"Range": {"bytes=10-"}}, "")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.StatusCode)
}

func TestPreflightIsAnsweredWithoutSignature(t *testing.T) {
	t.Parallel()
	server, _ := running(t, nil)
	resp, _ := send(t, http.MethodOptions, server.Endpoint()+"/"+bucket+"/a", http.Header{
		"Origin": {"http://localhost:8080"}, "Access-Control-Request-Method": {"GET"},
	}, "")
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Access-Control-Allow-Methods"), "GET")
}

func TestRestartKeepsObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, client := start(t, dir, nil)
	require.NoError(t, client.Put(t.Context(), "kept", "text/plain", []byte("whole")))
	require.NoError(t, server.Close(t.Context()))

	server, client = start(t, dir, nil)
	got, err := client.Get(t.Context(), "kept", 10)
	require.NoError(t, err)
	require.Equal(t, "whole", string(got))
	require.NoError(t, server.Close(t.Context()))
}

func TestOddKeysStayInTheFolder(t *testing.T) {
	t.Parallel()
	_, client := running(t, nil)
	odd := []string{
		"a", "a/b", "a/b/c", "a//b", "a/./b", "a/../../b", "../../../etc/x", "..", "dir/", `x\..\y`, "nul\x00x",
		"%2e%2e/%2e%2e/q", "plus+space =&?#", "한글/그림", strings.Repeat("k", 1024),
	}
	for _, key := range odd {
		require.NoError(t, client.Put(t.Context(), key, "text/plain", []byte("v:"+key)), "put %q", key)
	}
	for _, key := range odd {
		got, err := client.Get(t.Context(), key, 2000)
		require.NoError(t, err, "get %q", key)
		require.Equal(t, "v:"+key, string(got))
	}
	require.Error(t, client.Put(t.Context(), strings.Repeat("k", 1025), "text/plain", nil))
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := s3dev.Start(s3dev.Config{Addr: "0.0.0.0:0"})
	require.ErrorContains(t, err, "data folder")
	require.ErrorContains(t, err, "access key")
	require.ErrorContains(t, err, "loopback")
}
