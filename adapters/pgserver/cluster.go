package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	superuser = "postgres"
	// initTimeout bounds the creation of a cluster, which takes seconds even on slow disks.
	initTimeout = 2 * time.Minute
	// maxShownOutput in bytes is how much of a failed program's output an error carries.
	maxShownOutput = 2 << 10
)

// clusterMajor returns the major version of the cluster, 0 if there is none yet.
func (h *home) clusterMajor() (int, error) {
	text, err := os.ReadFile(filepath.Join(h.cluster(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(h.cluster()); statErr == nil {
			return 0, fmt.Errorf("%s is not a PostgreSQL cluster: move it away", h.cluster())
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the version of the cluster: %w", err)
	}
	return major, nil
}

// create makes the cluster beside its place and renames it, so that a crash leaves nothing half made.
func (h *home) create(ctx context.Context, bin binaries, cfg Config, password string) error {
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	staging := h.cluster() + ".new"
	if err := os.RemoveAll(staging); err != nil {
		return fmt.Errorf("remove a half-made cluster: %w", err)
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return fmt.Errorf("create the cluster folder: %w", err)
	}
	pwfile, err := h.handOver(password)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(pwfile) }()
	if err := h.owner.own(staging); err != nil {
		return fmt.Errorf("give the cluster folder to the server's user: %w", err)
	}
	args := []string{"--pgdata", staging, "--username", superuser, "--pwfile", pwfile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-instructions"}
	if cfg.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	output, err := h.owner.prepare(exec.CommandContext(ctx, bin.initdb(), args...)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("create a PostgreSQL cluster with %s: %w\n%s", bin.initdb(), err, tail(output))
	}
	if err := os.Rename(staging, h.cluster()); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return syncFolder(h.dir)
}

// handOver writes the password where initdb, which may run as another user, can read it once.
func (h *home) handOver(password string) (path string, err error) {
	path = filepath.Join(h.dir, ".pwfile")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("hand the password to initdb: %w", err)
	}
	if err := h.owner.own(path); err != nil {
		_ = os.Remove(path)
		return "", fmt.Errorf("hand the password to initdb: %w", err)
	}
	return path, nil
}

func tail(output []byte) string {
	if cut := len(output) - maxShownOutput; cut > 0 {
		output = output[cut:]
	}
	return strings.TrimSpace(string(output))
}
