package s3_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3"
)

func valid() s3.Config {
	return s3.Config{
		Endpoint: "http://127.0.0.1:9000", Region: "ap-northeast-2", Bucket: "pictures",
		AccessKey: "access", SecretKey: "hidden-key", PathStyle: true,
	}
}

func TestConfigNamesAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	err := s3.Config{
		Bucket: "Not_A_Bucket", AccessKey: "only", Endpoint: "ftp://x", PublicEndpoint: "http://u:hidden@host",
	}.Validate()
	for _, fault := range []string{"region", "Not_A_Bucket", "together", "s3: endpoint", "public endpoint"} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), "hidden")
	require.NoError(t, valid().Validate())
}

func TestConfigDoesNotPrintTheSecret(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, valid()), "hidden-key", verb)
	}
	require.NotContains(t, valid().LogValue().String(), "hidden-key")
}

func TestPresignedUploadIsAPlainPut(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.PublicEndpoint = "https://files.example.com"
	client, err := s3.New(t.Context(), cfg)
	require.NoError(t, err)
	raw, headers, err := client.PresignPut(t.Context(), s3.Upload{
		Key: "a/b.png", ContentType: "image/png", Size: 42, TTL: time.Hour,
	})
	require.NoError(t, err)
	require.Equal(t, http.Header{"Content-Type": {"image/png"}, "Content-Length": {"42"}}, headers)

	got, err := url.Parse(raw)
	require.NoError(t, err)
	require.Equal(t, "files.example.com", got.Host)
	require.Equal(t, "/pictures/a/b.png", got.Path)
	require.Equal(t, "3600", got.Query().Get("X-Amz-Expires"))
	for name := range got.Query() {
		require.NotContains(t, http.CanonicalHeaderKey(name), "Checksum")
	}
}

func TestPresignedDownloadNamesTheFile(t *testing.T) {
	t.Parallel()
	client, err := s3.New(t.Context(), valid())
	require.NoError(t, err)
	for filename, want := range map[string][2]string{
		"":                 {"", ""},
		"cat.png":          {"attachment; filename=cat.png", "image/png"},
		"../a\"b\r\nX: y":  {`attachment; filename=".._a\"b__X: y"`, ""},
		"고양이.json":         {"attachment; filename*=utf-8''%EA%B3%A0%EC%96%91%EC%9D%B4.json", "application/json"},
		"bad\xff utf8.JPG": {`attachment; filename="bad_ utf8.JPG"`, "image/jpeg"},
	} {
		raw, err := client.PresignGet(t.Context(), "k", filename, time.Minute)
		require.NoError(t, err)
		got, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want[0], got.Query().Get("response-content-disposition"))
		require.Equal(t, want[1], got.Query().Get("response-content-type"))
	}
}

func TestLifeOfAURLIsBounded(t *testing.T) {
	t.Parallel()
	client, err := s3.New(t.Context(), valid())
	require.NoError(t, err)
	for _, ttl := range []time.Duration{-1, 0, time.Millisecond, 8 * 24 * time.Hour} {
		_, err = client.PresignGet(t.Context(), "k", "", ttl)
		require.Error(t, err)
		_, _, err = client.PresignPut(t.Context(), s3.Upload{Key: "k", TTL: ttl})
		require.Error(t, err)
	}
}
