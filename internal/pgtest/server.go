package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/adapters/pgserver"
)

// serverEnv names the environment variable with the superuser URL of a server to use.
const serverEnv = "TEST_DATABASE_URL"

const (
	// idleLimit is how long the throwaway server outlives its last user; packages of one test run come closer together.
	idleLimit = 10 * time.Second
	// keptIdleLimit applies while databases of failed tests are kept, so that there is time to look at them.
	keptIdleLimit = 15 * time.Minute
	// connectTimeout bounds joining a server that runs already.
	connectTimeout = 5 * time.Second
	lockInterval   = 20 * time.Millisecond
)

// Advisory locks, all taken in the database that the server's URL names. Each pair is (class, id).
const (
	lockClass     = 0x70677401 // ids below
	lockUsers     = 1          // shared by every test; exclusive by a keeper that ends the server
	lockKeeper    = 2
	lockSweeper   = 3
	lockMigration = 4
	databaseClass = 0x70677402 // id is in the name of the database
	templateClass = 0x70677403 // id is the start of the name of the template
)

// server is where databases are made: a given one, or the throwaway one in dir.
type server struct {
	given    string
	dir      string
	binDir   string
	idle     time.Duration
	keptIdle time.Duration
	keptFor  time.Duration
}

func throwawaySettings() map[string]string {
	return map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		// Many packages times many parallel tests times a small pool each.
		"max_connections": "500",
		"max_wal_size":    "1GB",
	}
}

func defaultServer() server {
	// Another layout or other settings must not meet a server of an older checkout.
	sum := sha256.Sum256(fmt.Appendf(nil, "1 %v", throwawaySettings()))
	name := fmt.Sprintf("pingvas-pgtest-%d-%s", os.Geteuid(), hex.EncodeToString(sum[:4]))
	return server{
		given: os.Getenv(serverEnv), dir: filepath.Join(os.TempDir(), name),
		idle: idleLimit, keptIdle: keptIdleLimit, keptFor: keptFor,
	}
}

func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		// Accounts of build machines may have no home.
		base = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Geteuid()))
	}
	return filepath.Join(base, "pingvas"), nil
}

// session is one test's hold on a server. While it is open the server stays.
type session struct {
	conn *pgx.Conn
	url  string
}

func (s session) close(ctx context.Context) error {
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close the session with the test server: %w", err)
	}
	return nil
}

// enter joins the server, starting it first if need be.
func (s server) enter(ctx context.Context) (session, error) {
	if s.given != "" {
		joined, err := join(ctx, s.given)
		if err != nil {
			return session{}, fmt.Errorf("use the server of %s (unset it to use a throwaway server): %w", serverEnv, err)
		}
		return joined, nil
	}
	if err := s.claimDir(); err != nil {
		return session{}, err
	}
	if joined, err := s.joinRunning(ctx); err == nil {
		return joined, nil
	}
	unlock, err := lockFile(ctx, filepath.Join(s.dir, "start.lock"))
	if err != nil {
		return session{}, err
	}
	defer unlock()
	// Another process may have started it while this one waited.
	if joined, err := s.joinRunning(ctx); err == nil {
		return joined, nil
	}
	if err := s.start(ctx); err != nil {
		return session{}, fmt.Errorf("start a throwaway PostgreSQL server for the tests "+
			"(or give %s, a superuser URL of a running one): %w", serverEnv, err)
	}
	return s.joinRunning(ctx)
}

// claimDir creates the folder, and refuses one that another user has put in its place.
func (s server) claimDir() error {
	if err := os.Mkdir(s.dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create the folder of the test server: %w", err)
	}
	info, err := os.Lstat(s.dir)
	if err != nil {
		return fmt.Errorf("look at the folder of the test server: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int64(stat.Uid) != int64(os.Geteuid()) {
		return fmt.Errorf("%s is not a folder of this user: remove it", s.dir)
	}
	return nil
}

func (s server) urlFile() string { return filepath.Join(s.dir, "url") }

func (s server) joinRunning(ctx context.Context) (session, error) {
	url, err := os.ReadFile(s.urlFile())
	if err != nil {
		return session{}, fmt.Errorf("find the running test server: %w", err)
	}
	joined, err := join(ctx, string(url))
	if err != nil {
		return session{}, err
	}
	if err := s.ensureKeeper(ctx, joined); err != nil {
		return session{}, errors.Join(err, joined.close(ctx))
	}
	return joined, nil
}

const sqlJoin = `SELECT pg_try_advisory_lock_shared($1, $2)`

func join(ctx context.Context, url string) (session, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return session{}, fmt.Errorf("connect to the test server: %w", err)
	}
	// The keeper tries the lock for an instant every second; if it keeps it, the server is about to end and the
	// connection with it.
	for {
		var staying bool
		if err := conn.QueryRow(ctx, sqlJoin, lockClass, lockUsers).Scan(&staying); err != nil {
			return session{}, errors.Join(fmt.Errorf("join the test server: %w", err), conn.Close(ctx))
		}
		if staying {
			return session{conn: conn, url: url}, nil
		}
		if err := pause(ctx); err != nil {
			return session{}, errors.Join(err, conn.Close(ctx))
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lockInterval):
		return nil
	}
}

// start starts the server; a broken folder (fsync is off, machines crash) or one of another major version is made anew.
func (s server) start(ctx context.Context) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	config := pgserver.Config{
		DataDir: filepath.Join(s.dir, "data"), CacheDir: cache, BinDir: s.binDir,
		Settings: throwawaySettings(),
	}
	url, err := pgserver.StartDetached(ctx, config)
	if err != nil {
		if removeErr := os.RemoveAll(config.DataDir); removeErr != nil {
			return errors.Join(err, removeErr)
		}
		if url, err = pgserver.StartDetached(ctx, config); err != nil {
			return err
		}
	}
	staged := s.urlFile() + ".new"
	if err := os.WriteFile(staged, []byte(url), 0o600); err != nil {
		return fmt.Errorf("note the URL of the test server: %w", err)
	}
	if err := os.Rename(staged, s.urlFile()); err != nil {
		return fmt.Errorf("note the URL of the test server: %w", err)
	}
	return nil
}

// lockFile waits for the lock on the file; the kernel drops it with the process.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the start lock: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = file.Close()
			return nil, fmt.Errorf("take the start lock %s: %w", path, err)
		}
		if err := pause(ctx); err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("wait for the start lock %s: %w", path, err)
		}
	}
}
