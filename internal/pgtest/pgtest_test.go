package pgtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// memberEnv makes this test binary one of several processes that use the server in the named folder.
const memberEnv = "PGTEST_TEST_MEMBER"

const (
	exitLimit = 20 * time.Second
	exitPoll  = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// ownServer returns a server of this test only. Its keeper ends it soon after the test.
func ownServer(t *testing.T) server {
	t.Helper()
	dir := DataDir(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	s := server{dir: filepath.Join(dir, "server"), idle: time.Second, keptIdle: time.Second, keptFor: time.Hour}
	t.Cleanup(func() {
		if pid, err := s.pid(); err == nil {
			_ = syscall.Kill(pid, syscall.SIGQUIT)
			waitExit(t, pid)
		}
	})
	return s
}

func (s server) pid() (int, error) {
	content, err := os.ReadFile(filepath.Join(s.dir, "data", "cluster", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return strconv.Atoi(line)
}

// waitExit waits for a process which may be a child of this one (and is then reaped) or of another.
func waitExit(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		return reaped == pid || errors.Is(err, syscall.ECHILD) && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}, exitLimit, exitPoll)
}

func mustOpen(t *testing.T, s server, schema Schema) *database {
	t.Helper()
	db, err := s.open(t.Context(), schema)
	require.NoError(t, err)
	return db
}

func mustClose(t *testing.T, db *database) {
	t.Helper()
	require.NoError(t, db.close(context.Background(), false, t.Name()))
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (s session) has(t *testing.T, name string) bool {
	t.Helper()
	var has bool
	row := s.conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name)
	require.NoError(t, row.Scan(&has))
	return has
}

// words is a schema that counts its migrations. Tests that share a hash share the template of earlier runs, too, so
// tests that count use a server of their own.
func words(migrations *atomic.Int32) Schema {
	return Schema{Hash: "pgtest words", Migrate: func(ctx context.Context, url string) error {
		migrations.Add(1)
		return execute(ctx, url, `CREATE TABLE words (word text PRIMARY KEY)`)
	}}
}

func TestParallelClonesAreIsolated(t *testing.T) {
	t.Parallel()
	for range 8 {
		t.Run("clone", func(t *testing.T) {
			t.Parallel()
			pool := New(t, words(&atomic.Int32{}))
			// The same key everywhere: it would collide in a shared database.
			_, err := pool.Exec(t.Context(), `INSERT INTO words VALUES ('mine')`)
			require.NoError(t, err)
			var count int
			require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM words`).Scan(&count))
			require.Equal(t, 1, count)
		})
	}
}

func TestEmptySchema(t *testing.T) {
	t.Parallel()
	pool := New(t, Schema{})
	var tables int
	row := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`)
	require.NoError(t, row.Scan(&tables))
	require.Zero(t, tables)
}

func TestTemplateIsMigratedOncePerHash(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	var migrations atomic.Int32
	for range 3 {
		mustClose(t, mustOpen(t, s, words(&migrations)))
	}
	require.Equal(t, int32(1), migrations.Load())
	other := words(&migrations)
	other.Hash += ", changed"
	mustClose(t, mustOpen(t, s, other))
	require.Equal(t, int32(2), migrations.Load())
}

func TestFailedMigrationIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	schema := Schema{Hash: "broken", Migrate: func(ctx context.Context, url string) error {
		return errors.Join(execute(ctx, url, `CREATE TABLE half (id int)`), errors.New("no such column"))
	}}
	_, err := s.open(t.Context(), schema)
	require.ErrorContains(t, err, "migrate the template database: no such column")
	schema.Migrate = words(&atomic.Int32{}).Migrate
	db := mustOpen(t, s, schema)
	require.NoError(t, execute(t.Context(), db.url, `CREATE TABLE half (id int)`), "the half-made template is gone")
	mustClose(t, db)
}

func TestDatabaseIsDroppedUnlessTheTestFailed(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	watcher, err := s.enter(t.Context())
	require.NoError(t, err)
	passed, failed := mustOpen(t, s, Schema{}), mustOpen(t, s, Schema{})
	require.NoError(t, passed.close(t.Context(), false, "TestPassed"))
	require.False(t, watcher.has(t, passed.name))

	require.NoError(t, failed.close(t.Context(), true, "TestFailed/it's"))
	require.NoError(t, watcher.sweep(t.Context(), time.Hour))
	require.True(t, watcher.has(t, failed.name))
	require.NoError(t, execute(t.Context(), failed.url, `SELECT 1`))
	// The server lets go of the lock of a closed connection a moment later.
	require.Eventually(t, func() bool {
		require.NoError(t, watcher.sweep(t.Context(), 0))
		return !watcher.has(t, failed.name)
	}, exitLimit, exitPoll)
	require.NoError(t, watcher.close(t.Context()))
}

func TestSweepTakesOnlyTheDead(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	dead, alive := mustOpen(t, s, words(&atomic.Int32{})), mustOpen(t, s, Schema{})
	// What the kernel does to the connections of a killed process.
	require.NoError(t, dead.session.conn.PgConn().Conn().Close())
	require.Eventually(t, func() bool {
		require.NoError(t, alive.session.sweep(t.Context(), time.Hour))
		return !alive.session.has(t, dead.name)
	}, exitLimit, exitPoll)
	require.True(t, alive.session.has(t, alive.name))

	from := templateOf(words(nil))
	require.True(t, alive.session.has(t, from.name))
	require.NoError(t, alive.session.exec(t.Context(), "COMMENT ON DATABASE "+quoted(from.name)+" IS 'made 1'"))
	require.NoError(t, alive.session.sweep(t.Context(), time.Hour))
	require.False(t, alive.session.has(t, from.name))
	mustClose(t, alive)
}

func TestUnusedServerEndsAndComesBack(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	db := mustOpen(t, s, Schema{})
	pid, err := s.pid()
	require.NoError(t, err)
	mustClose(t, db)
	waitExit(t, pid)
	mustClose(t, mustOpen(t, s, Schema{}))
}

// TestUsedServerStays holds a session for longer than the idle limit, told by a second server that has ended.
func TestUsedServerStays(t *testing.T) {
	t.Parallel()
	used, unused := ownServer(t), ownServer(t)
	db := mustOpen(t, used, Schema{})
	mustClose(t, mustOpen(t, unused, Schema{}))
	pid, err := unused.pid()
	require.NoError(t, err)
	waitExit(t, pid)
	require.NoError(t, execute(t.Context(), db.url, `SELECT 1`))
	mustClose(t, db)
}

func TestKilledServerAndBrokenFolderAreReplaced(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	db := mustOpen(t, s, Schema{})
	pid, err := s.pid()
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	waitExit(t, pid)
	require.Error(t, db.close(t.Context(), false, t.Name()))
	mustClose(t, mustOpen(t, s, Schema{}))

	pid, err = s.pid()
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGQUIT))
	waitExit(t, pid)
	require.NoError(t, os.Remove(filepath.Join(s.dir, "data", "cluster", "global", "pg_control")))
	mustClose(t, mustOpen(t, s, Schema{}))
}

// TestManyProcesses lets processes meet a folder without a server at the same time.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(memberEnv); dir != "" {
		s := server{dir: dir, idle: time.Second, keptIdle: time.Second, keptFor: time.Hour}
		for range 3 {
			db := mustOpen(t, s, words(&atomic.Int32{}))
			require.NoError(t, execute(t.Context(), db.url, `INSERT INTO words VALUES ('mine')`))
			mustClose(t, db)
		}
		return
	}
	s := ownServer(t)
	self, err := os.Executable()
	require.NoError(t, err)
	const processes = 4
	outputs := make(chan string, processes)
	for range processes {
		go func() {
			cmd := exec.Command(self, "-test.run=^TestManyProcesses$", "-test.v", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), memberEnv+"="+s.dir)
			output, _ := cmd.CombinedOutput()
			outputs <- string(output)
		}()
	}
	for range processes {
		require.Contains(t, <-outputs, "--- PASS: TestManyProcesses")
	}
}

func TestGivenServer(t *testing.T) {
	t.Parallel()
	durable := Durable(t, DataDir(t))
	s := server{given: durable.URL("postgres"), keptFor: time.Hour}
	db := mustOpen(t, s, words(&atomic.Int32{}))
	require.NoError(t, execute(t.Context(), db.url, `INSERT INTO words VALUES ('mine')`))
	require.NotContains(t, db.shown, strings.Split(strings.Split(db.url, ":")[2], "@")[0], "no password of others")
	runs, err := keeperRuns(t.Context(), db.session)
	require.NoError(t, err)
	require.False(t, runs, "a given server is never stopped")
	mustClose(t, db)

	s.given = "postgres://nobody@127.0.0.1:1/none"
	_, err = s.open(t.Context(), Schema{})
	require.ErrorContains(t, err, "use the server of TEST_DATABASE_URL (unset it to use a throwaway server)")
}

func TestNoServerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	s.binDir = t.TempDir()
	_, err := s.open(t.Context(), Schema{})
	require.ErrorContains(t, err, "TEST_DATABASE_URL")
	require.ErrorContains(t, err, "PINGVAS_POSTGRES_BIN")
}

func TestForeignFolderIsRefused(t *testing.T) {
	t.Parallel()
	s := ownServer(t)
	require.NoError(t, os.Symlink(t.TempDir(), s.dir))
	_, err := s.open(t.Context(), Schema{})
	require.ErrorContains(t, err, "is not a folder of this user")
}

func TestDurableSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := DataDir(t)
	first := Durable(t, dir)
	require.NoError(t, execute(t.Context(), first.URL("postgres"), `CREATE TABLE kept (id int)`))
	require.NoError(t, syscall.Kill(first.PID(), syscall.SIGKILL))
	<-first.Done()
	require.NoError(t, first.Stop(t.Context()))
	second := Durable(t, dir)
	require.NoError(t, execute(t.Context(), second.URL("postgres"), `INSERT INTO kept VALUES (1)`))
}
