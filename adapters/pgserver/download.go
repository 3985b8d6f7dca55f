package pgserver

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	"github.com/xi2/xz"
)

const (
	// downloadTimeout bounds the whole download; the archive has about 15 MB.
	downloadTimeout = 10 * time.Minute
	// maxArchiveBytes and maxChecksumBytes bound what a repository may send.
	maxArchiveBytes  = 256 << 20
	maxChecksumBytes = 4 << 10
	// progressStep in bytes is how often the log hears of a download.
	progressStep = 4 << 20
)

// artifact names one archive of binaries in the Maven repository.
type artifact struct {
	platform string // "linux-amd64", "darwin-arm64v8", "linux-amd64-alpine"
	version  string // "16.9.0"
}

func (a artifact) name() string { return "embedded-postgres-binaries-" + a.platform }

func (a artifact) url(repository string) string {
	return strings.TrimSuffix(repository, "/") + "/" +
		path.Join("io/zonky/test/postgres", a.name(), a.version, a.name()+"-"+a.version+".jar")
}

// defaultRepository is the library's own default, which it keeps in a field without accessor; asking it keeps one
// source for the address and the versions that exist there.
func defaultRepository() string {
	return reflect.ValueOf(embeddedpostgres.DefaultConfig()).FieldByName("binaryRepositoryURL").String()
}

// artifactFor chooses the archive for this machine. A new cluster gets 16, the version that production runs.
func artifactFor(major int) (artifact, error) {
	versions := map[int]embeddedpostgres.PostgresVersion{
		0:  embeddedpostgres.V16,
		14: embeddedpostgres.V14,
		15: embeddedpostgres.V15,
		16: embeddedpostgres.V16,
		17: embeddedpostgres.V17,
		18: embeddedpostgres.V18,
	}
	version, ok := versions[major]
	if !ok {
		return artifact{}, fmt.Errorf("PostgreSQL %d is not among the downloadable versions", major)
	}
	arch := runtime.GOARCH
	if arch == "arm64" {
		arch = "arm64v8"
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		arch += "-alpine"
	}
	return artifact{platform: runtime.GOOS + "-" + arch, version: string(version)}, nil
}

// download returns the binaries in the cache, fetching them first if they are not there.
func (f finder) download(ctx context.Context) (binaries, error) {
	if f.cfg.CacheDir == "" {
		return binaries{}, errors.New("downloads are disabled")
	}
	want, err := artifactFor(f.major)
	if err != nil {
		return binaries{}, err
	}
	cache, err := f.cacheFolder(ctx)
	if err != nil {
		return binaries{}, err
	}
	target := filepath.Join(cache, "postgres-"+want.version+"-"+want.platform)
	if bin, err := f.probe(ctx, filepath.Join(target, "bin")); err == nil {
		return bin, nil
	}
	if f.cfg.NoDownload {
		return binaries{}, errors.New("downloads are disabled")
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	if err := f.install(ctx, want, target); err != nil {
		return binaries{}, fmt.Errorf("download PostgreSQL %s: %w", want.version, err)
	}
	return f.probe(ctx, filepath.Join(target, "bin"))
}

// cacheFolder returns a folder that the account can enter: the configured one, or for root the fallback.
func (f finder) cacheFolder(ctx context.Context) (string, error) {
	for _, dir := range []string{f.cfg.CacheDir, f.cfg.FallbackDir} {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("resolve the cache folder: %w", err)
		}
		if err := os.MkdirAll(dir, folderMode()); err != nil {
			return "", fmt.Errorf("create the cache folder: %w", err)
		}
		if f.owner.cred == nil || f.owner.canEnter(ctx, dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("neither %s nor %s can be entered by the unprivileged user that PostgreSQL runs as",
		f.cfg.CacheDir, f.cfg.FallbackDir)
}

// install fetches and unpacks beside the target and renames, so that the target is complete whenever it exists.
func (f finder) install(ctx context.Context, want artifact, target string) error {
	staging, err := os.MkdirTemp(filepath.Dir(target), ".new-")
	if err != nil {
		return fmt.Errorf("create a staging folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(staging) }()
	jar := filepath.Join(staging, "binaries.jar")
	f.cfg.Logger.InfoContext(ctx, "downloading PostgreSQL, once", "version", want.version, "to", target)
	if err := f.fetchArchive(ctx, want.url(f.cfg.RepositoryURL), jar); err != nil {
		return err
	}
	tree := filepath.Join(staging, "tree")
	if err := unpackJar(jar, tree); err != nil {
		return err
	}
	// What is at the target could not be run, or another process was faster; its tree is as good as ours.
	if _, err := f.probe(ctx, filepath.Join(target, "bin")); err == nil {
		return nil
	}
	if err := os.RemoveAll(target); err != nil {
		return fmt.Errorf("remove unusable binaries: %w", err)
	}
	if err := os.Rename(tree, target); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put the binaries in place: %w", err)
	}
	f.cfg.Logger.InfoContext(ctx, "PostgreSQL downloaded", "version", want.version)
	return nil
}

// fetchArchive stores the body of url and compares it with the checksum beside it.
func (f finder) fetchArchive(ctx context.Context, url, target string) error {
	// A transport of its own, so that no idle connection outlives the download.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	get := getter{client: &http.Client{Transport: transport}}
	sum := sha256.New()
	file, err := os.Create(target)
	if err != nil {
		return fmt.Errorf("create the archive: %w", err)
	}
	meter := &progressMeter{report: func(bytes int64) {
		f.cfg.Logger.InfoContext(ctx, "downloading PostgreSQL", "megabytes", bytes>>20)
	}}
	status, err := get.fetch(ctx, url, maxArchiveBytes, io.MultiWriter(file, sum, meter))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("fetch %s: status %d", url, status)
	}
	var published strings.Builder
	status, err = get.fetch(ctx, url+".sha256", maxChecksumBytes, &published)
	if err != nil {
		return err
	}
	if status == http.StatusNotFound {
		f.cfg.Logger.WarnContext(ctx, "the repository offers no checksum for the binaries", "url", url)
		return nil
	}
	fields := strings.Fields(published.String())
	if status != http.StatusOK || len(fields) == 0 {
		return fmt.Errorf("fetch %s.sha256: status %d, %d words", url, status, len(fields))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, fields[0]) {
		return fmt.Errorf("the archive from %s has SHA-256 %s, published is %s", url, got, fields[0])
	}
	return nil
}

type getter struct{ client *http.Client }

// fetch copies the body of a successful answer to w and returns the status.
func (g getter) fetch(ctx context.Context, url string, limit int64, w io.Writer) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("fetch %s: %w", url, err)
	}
	answer, err := g.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("fetch %s: %w", url, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, nil
	}
	size, err := io.Copy(w, io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", url, err)
	}
	if size > limit {
		return 0, fmt.Errorf("read %s: more than %d bytes", url, limit)
	}
	return answer.StatusCode, nil
}

type progressMeter struct {
	total, reported int64
	report          func(bytes int64)
}

func (m *progressMeter) Write(p []byte) (int, error) {
	m.total += int64(len(p))
	if m.total-m.reported >= progressStep {
		m.reported = m.total
		m.report(m.total)
	}
	return len(p), nil
}

// unpackJar unpacks the one .txz file inside the jar into the folder tree.
func unpackJar(jar, tree string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return fmt.Errorf("open the archive: %w", err)
	}
	defer func() { _ = archive.Close() }()
	for _, member := range archive.File {
		if !strings.HasSuffix(member.Name, ".txz") {
			continue
		}
		packed, err := member.Open()
		if err != nil {
			return fmt.Errorf("open %s in the archive: %w", member.Name, err)
		}
		defer func() { _ = packed.Close() }()
		plain, err := xz.NewReader(packed, xz.DefaultDictMax)
		if err != nil {
			return fmt.Errorf("decompress %s: %w", member.Name, err)
		}
		return untar(plain, tree)
	}
	return errors.New("the archive holds no .txz file")
}
