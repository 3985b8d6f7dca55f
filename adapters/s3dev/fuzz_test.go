package s3dev

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

const fuzzNoon = "20261122T120000Z"

// FuzzSignature changes a signed request in one place. It passes only if nothing that was signed has changed, and no
// request breaks the verifier.
func FuzzSignature(f *testing.F) {
	at, err := time.Parse(dateFormat, fuzzNoon)
	require.NoError(f, err)
	signed, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/pictures/a.png?x-id=GetObject", nil)
	require.NoError(f, err)
	keys := aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}
	signed.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	require.NoError(f, v4.NewSigner().SignHTTP(f.Context(), keys, signed, unsignedPayload, service, Region, at))
	good := signed.Header.Get("Authorization")
	presign := signed.Clone(f.Context())
	presign.Header = http.Header{}
	presign.URL.RawQuery = "X-Amz-Expires=60"
	link, _, err := v4.NewSigner().PresignHTTP(f.Context(), keys, presign, unsignedPayload, service, Region, at)
	require.NoError(f, err)
	_, query, _ := strings.Cut(link, "?")

	f.Add("GET", "/pictures/a.png", "x-id=GetObject", good, fuzzNoon)
	f.Add("GET", "/pictures/b.png", "x-id=GetObject", good, fuzzNoon)
	f.Add("GET", "/pictures/a.png", query, "", "")
	f.Add("GET", "/pictures/a.png", query+"&X-Amz-Expires=9999999999999999999", "", "")
	f.Add("GET", "/%2e%2e/a", "X-Amz-Signature=;&%zz", algorithm+" Credential=,SignedHeaders=;;,Signature=", "x")
	f.Fuzz(func(t *testing.T, method, path, query, authorization, date string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path+"?"+query, nil)
		if err != nil || !strings.HasPrefix(path, "/") || r.Host != "127.0.0.1" {
			return
		}
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": unsignedPayload,
		} {
			if value != "" && (authorization != "" || name == "Authorization") {
				r.Header.Set(name, value)
			}
		}
		passed := false
		v := &verifier{accessKey: "key", secretKey: "secret", now: func() time.Time { return at },
			next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })}
		answer := httptest.NewRecorder()
		v.ServeHTTP(answer, r)
		require.Equal(t, passed, answer.Code == http.StatusOK)
		if passed {
			require.Equal(t, http.MethodGet, r.Method)
			require.Equal(t, "/pictures/a.png", r.URL.Path)
		}
	})
}

// A file of an object is read as what was written, or refused, whatever lies on the disk.
func FuzzDescription(f *testing.F) {
	text := []byte(`{"key":"a","size":1,"md5":"AA==","headers":{}}`)
	f.Add(append(append([]byte("x"), text...), append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), mark...)...))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff" + mark))
	f.Add([]byte(mark))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, stored []byte) {
		file, err := os.CreateTemp(dir, "object")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.Remove(file.Name())) }()
		defer file.Close()
		_, err = file.Write(stored)
		require.NoError(t, err)
		about, err := readDescription(file)
		if err != nil {
			return
		}
		require.True(t, about.Size >= 0 && about.Size <= int64(len(stored)))
		again, err := os.Create(filepath.Join(dir, "again"))
		require.NoError(t, err)
		defer again.Close()
		written, err := writeObject(again, about, io.LimitReader(bytes.NewReader(stored), about.Size))
		if err != nil {
			require.ErrorIs(t, err, errCorrupt)
			return
		}
		read, err := readDescription(again)
		require.NoError(t, err)
		require.Equal(t, written, read)
	})
}
