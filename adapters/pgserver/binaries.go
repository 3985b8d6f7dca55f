package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	// minMajor is the oldest major version of PostgreSQL that the migrations are written for.
	minMajor = 14
	// probeTimeout bounds `postgres --version`.
	probeTimeout = 10 * time.Second
)

// binaries is a folder with initdb and postgres of one major version.
type binaries struct {
	dir   string
	major int
}

func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// finder looks for binaries that the account can run. major is the version an existing cluster needs; 0 takes any.
type finder struct {
	cfg   Config
	owner account
	major int
}

// find returns the first usable binaries in the documented order.
func (f finder) find(ctx context.Context) (binaries, error) {
	given := cmp.Or(f.cfg.BinDir, os.Getenv(BinEnv))
	if given != "" {
		bin, err := f.probe(ctx, given)
		if err != nil {
			return binaries{}, fmt.Errorf("use the PostgreSQL binaries given by configuration or %s: %w", BinEnv, err)
		}
		return bin, nil
	}
	var reasons []error
	for _, group := range [][]string{onPath(), installFolders()} {
		var usable []binaries
		for _, dir := range group {
			bin, err := f.probe(ctx, dir)
			if err != nil {
				reasons = append(reasons, err)
				continue
			}
			usable = append(usable, bin)
		}
		if len(usable) > 0 {
			return slices.MaxFunc(usable, func(a, b binaries) int { return a.major - b.major }), nil
		}
	}
	bin, err := f.download(ctx)
	if err != nil {
		return binaries{}, f.advice(errors.Join(append(reasons, err)...))
	}
	return bin, nil
}

// advice says what a user can do when there are no binaries.
func (f finder) advice(cause error) error {
	want := fmt.Sprintf("PostgreSQL %d or newer", minMajor)
	if f.major != 0 {
		want = fmt.Sprintf("PostgreSQL %d (the version that made the data folder)", f.major)
	}
	return fmt.Errorf("%s is needed and was neither found nor downloaded. Do one of these: install it "+
		"(Debian, Ubuntu: apt install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql); "+
		"set %s to the folder that holds initdb and postgres; give DATABASE_URL of a running server. Tried: %w",
		want, BinEnv, cause)
}

// probe runs `postgres --version` as the account, which also shows that the account can reach and run it.
func (f finder) probe(ctx context.Context, dir string) (binaries, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, fmt.Errorf("resolve %s: %w", dir, err)
	}
	bin := binaries{dir: dir}
	output, err := f.owner.prepare(exec.CommandContext(ctx, bin.postgres(), "--version")).Output()
	if err != nil {
		return binaries{}, fmt.Errorf("run %s --version: %w", bin.postgres(), err)
	}
	match := versionLine.FindSubmatch(output)
	if match == nil {
		return binaries{}, fmt.Errorf("%s does not tell its version: %q", bin.postgres(), tail(output))
	}
	if bin.major, err = strconv.Atoi(string(match[1])); err != nil {
		return binaries{}, fmt.Errorf("read the version of %s: %w", bin.postgres(), err)
	}
	if bin.major < minMajor {
		return binaries{}, fmt.Errorf("%s is version %d, older than %d", bin.postgres(), bin.major, minMajor)
	}
	if f.major != 0 && bin.major != f.major {
		return binaries{}, fmt.Errorf("%s is version %d, the cluster needs %d", bin.postgres(), bin.major, f.major)
	}
	if _, err := os.Stat(bin.initdb()); err != nil {
		return binaries{}, fmt.Errorf("find initdb beside postgres: %w", err)
	}
	return bin, nil
}

// onPath resolves links because initdb must lie beside postgres.
func onPath() []string {
	found, err := exec.LookPath("postgres")
	if err != nil {
		return nil
	}
	if resolved, err := filepath.EvalSymlinks(found); err == nil {
		found = resolved
	}
	return []string{filepath.Dir(found)}
}

func installFolders() []string {
	var folders []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/local/pgsql/bin",
		"/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		// The patterns are constants; Glob fails only for malformed ones.
		matches, _ := filepath.Glob(pattern)
		folders = append(folders, matches...)
	}
	return folders
}
