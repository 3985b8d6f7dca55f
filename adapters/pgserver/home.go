package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	locationFile = "location"
	lockFile     = "lock"
	passwordFile = "password"
	logFile      = "server.log"
	clusterDir   = "cluster"
)

// home is a claimed folder that holds one cluster and what belongs to it.
type home struct {
	dir   string
	owner account
	locks []*os.File
}

func (h *home) cluster() string { return filepath.Join(h.dir, clusterDir) }
func (h *home) logPath() string { return filepath.Join(h.dir, logFile) }

// release lets the next owner in.
func (h *home) release() {
	for _, lock := range h.locks {
		_ = lock.Close()
	}
	h.locks = nil
}

// claimHome creates and locks the folder of the cluster.
func claimHome(ctx context.Context, cfg Config) (*home, error) {
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("resolve the data folder: %w", err)
	}
	if err := os.MkdirAll(dir, folderMode()); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	h := &home{dir: dir}
	if err := h.lock(); err != nil {
		return nil, err
	}
	if err := h.locate(ctx, cfg); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

// lock takes the lock file of the folder; the kernel drops the lock when this process ends, however it ends.
func (h *home) lock() error {
	file, err := os.OpenFile(filepath.Join(h.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the lock of the data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("the data folder %s is in use by another running process: "+
				"stop it or choose another folder", h.dir)
		}
		return fmt.Errorf("lock the data folder %s: %w", h.dir, err)
	}
	h.locks = append(h.locks, file)
	return nil
}

// locate decides whether the cluster lies in the data folder or elsewhere, and who owns it.
func (h *home) locate(ctx context.Context, cfg Config) error {
	moved, err := os.ReadFile(filepath.Join(h.dir, locationFile))
	if err == nil {
		return h.moveTo(strings.TrimSpace(string(moved)))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read where the cluster lies: %w", err)
	}
	if h.owner, err = accountFor(h.cluster()); err != nil {
		return err
	}
	if h.owner.cred == nil {
		return nil
	}
	if err := os.Chmod(h.dir, folderMode()); err != nil {
		return fmt.Errorf("make the data folder searchable: %w", err)
	}
	if h.owner.canEnter(ctx, h.dir) {
		return nil
	}
	return h.fallBack(ctx, cfg)
}

func (h *home) moveTo(dir string) error {
	if err := os.MkdirAll(dir, folderMode()); err != nil {
		return fmt.Errorf("create the folder named in %s: %w", filepath.Join(h.dir, locationFile), err)
	}
	h.dir = dir
	// The second lock guards against a copied data folder: both copies name the same cluster.
	if err := h.lock(); err != nil {
		return err
	}
	var err error
	h.owner, err = accountFor(h.cluster())
	return err
}

// fallBack begins a cluster outside the data folder, because the server's user cannot reach the latter.
func (h *home) fallBack(ctx context.Context, cfg Config) error {
	if err := os.MkdirAll(cfg.FallbackDir, folderMode()); err != nil {
		return h.unreachable(err)
	}
	dir, err := os.MkdirTemp(cfg.FallbackDir, "postgres-")
	if err != nil {
		return h.unreachable(err)
	}
	if err := os.Chmod(dir, folderMode()); err != nil {
		return h.unreachable(err)
	}
	if !h.owner.canEnter(ctx, dir) {
		_ = os.Remove(dir)
		return h.unreachable(fmt.Errorf("%s cannot be entered either", cfg.FallbackDir))
	}
	if err := writeDurably(filepath.Join(h.dir, locationFile), []byte(dir+"\n")); err != nil {
		return err
	}
	cfg.Logger.WarnContext(ctx, "postgres runs as an unprivileged user that cannot reach the data folder; "+
		"its cluster lies elsewhere", "data_folder", h.dir, "cluster_folder", dir)
	return h.moveTo(dir)
}

func (h *home) unreachable(cause error) error {
	return fmt.Errorf("as root, PostgreSQL runs as an unprivileged user, and that user cannot enter %s: "+
		"choose a data folder that others may enter (for instance below /var/lib), or run as an ordinary user: %w",
		h.dir, cause)
}

// password returns the stored password, or generates one if there is no cluster yet.
func (h *home) password() (string, error) {
	path := filepath.Join(h.dir, passwordFile)
	stored, err := os.ReadFile(path)
	if err == nil && len(bytes.TrimSpace(stored)) > 0 {
		return string(bytes.TrimSpace(stored)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the password of the cluster: %w", err)
	}
	if _, err := os.Stat(h.cluster()); err == nil {
		return "", fmt.Errorf("the cluster %s is there but its password file %s is not: "+
			"restore the file, or move the whole data folder away to begin a new one", h.cluster(), path)
	}
	password := rand.Text()
	return password, writeDurably(path, []byte(password+"\n"))
}

// writeDurably replaces the file in one step, readable by the current user only.
func writeDurably(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s to sync it: %w", dir, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
