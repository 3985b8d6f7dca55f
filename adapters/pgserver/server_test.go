package pgserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// folder returns a folder that other users may enter; those of t.TempDir are closed to them.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgserver-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

func testConfig(dir string) Config {
	return Config{DataDir: filepath.Join(dir, "data"), FallbackDir: filepath.Join(dir, "fallback"), NoDownload: true}
}

func mustStart(t *testing.T, cfg Config) *Server {
	t.Helper()
	server, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	return server
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	var value string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

// restartKeepsData is the life of a cluster as any user.
func restartKeepsData(t *testing.T, dir string) {
	t.Helper()
	cfg := testConfig(dir)
	began := time.Now()
	server := mustStart(t, cfg)
	t.Logf("first start took %s", time.Since(began))
	execute(t, server.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, server.Stop(t.Context()))

	began = time.Now()
	server = mustStart(t, cfg)
	t.Logf("second start took %s", time.Since(began))
	url := server.URL("postgres")
	require.Equal(t, "still here", query(t, url, "SELECT word FROM kept"))
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": "127.0.0.1",
		"server_encoding": "UTF8", "lc_collate": "C", "password_encryption": "scram-sha-256",
	} {
		// lc_collate is no setting from version 16 on.
		if setting == "lc_collate" {
			require.Equal(t, want, query(t, url, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'"))
			continue
		}
		require.Equal(t, want, query(t, url, "SHOW "+setting), setting)
	}
	require.NoError(t, server.Stop(t.Context()))
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	restartKeepsData(t, folder(t))
}

// TestOrdinaryUser repeats the life of a cluster in a process without privileges.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		restartKeepsData(t, folder(t))
		return
	}
	dir := folder(t)
	nobody, err := unprivilegedAccount()
	require.NoError(t, err)
	require.NoError(t, nobody.own(dir))
	cmd := nobody.prepare(exec.CommandContext(t.Context(), copySelf(t, dir), "-test.run=^TestOrdinaryUser$", "-test.v"))
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Contains(t, string(output), "--- PASS: TestOrdinaryUser")
}

// copySelf puts the test binary where other users can run it.
func copySelf(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	target := filepath.Join(dir, "self.test")
	require.NoError(t, os.WriteFile(target, content, 0o755))
	return target
}

func TestPasswordIsPrivateAndRequired(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := mustStart(t, testConfig(dir))
	info, err := os.Stat(filepath.Join(dir, "data", passwordFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	url := strings.Replace(server.URL("postgres"), server.password, "wrong", 1)
	_, err = pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "password authentication failed")
}

func TestSecondOwnerIsRefused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	server := mustStart(t, cfg)
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "in use by another running process")
	require.Equal(t, "1", query(t, server.URL("postgres"), "SELECT '1'"))
}

func TestDoneTellsOfUnexpectedEnd(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := testConfig(folder(t))
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	server := mustStart(t, cfg)
	execute(t, server.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, syscall.Kill(server.PID(), syscall.SIGKILL))
	<-server.Done()
	require.Contains(t, log.String(), "ended unexpectedly")
	require.NoError(t, server.Stop(t.Context()))

	server = mustStart(t, cfg)
	require.Equal(t, "still here", query(t, server.URL("postgres"), "SELECT word FROM kept"))
	require.NoError(t, server.Stop(t.Context()))
	select {
	case <-server.Done():
		require.Fail(t, "Stop must not look like an unexpected end")
	default:
	}
}

// TestStopWithEndedContext forces the shutdown; the committed row must survive it.
func TestStopWithEndedContext(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	server := mustStart(t, cfg)
	execute(t, server.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS word")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, server.Stop(ended))
	server = mustStart(t, cfg)
	require.Equal(t, "still here", query(t, server.URL("postgres"), "SELECT word FROM kept"))
}

// ownServer is the process that TestOwnerKilled kills.
func ownServer(dir string) {
	server, err := Start(context.Background(), testConfig(dir))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(server.URL("postgres"))
	// Lives until it is killed, or until the test that holds the other end is gone.
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	self, err := os.Executable()
	require.NoError(t, err)
	owner := exec.CommandContext(t.Context(), self)
	owner.Env = append(os.Environ(), ownerEnv+"="+dir)
	_, err = owner.StdinPipe()
	require.NoError(t, err)
	output, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err, line)
	execute(t, strings.TrimSpace(line), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, owner.Process.Kill())
	require.Error(t, owner.Wait())

	server := mustStart(t, testConfig(dir))
	require.Equal(t, "still here", query(t, server.URL("postgres"), "SELECT word FROM kept"))
}

// TestLeftoverIsStopped covers systems without a death signal: the old server is alive when the next owner starts.
func TestLeftoverIsStopped(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	url, err := StartDetached(t.Context(), cfg)
	require.NoError(t, err)
	execute(t, url, "CREATE TABLE kept AS SELECT 'still here' AS word")
	server := mustStart(t, cfg)
	require.Equal(t, "still here", query(t, server.URL("postgres"), "SELECT word FROM kept"))
	_, err = pgx.Connect(t.Context(), url)
	require.Error(t, err)
}

// TestStalePidFile names a living process that is no server: it must not be harmed, and the start must succeed.
func TestStalePidFile(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	require.NoError(t, mustStart(t, cfg).Stop(t.Context()))
	cluster := filepath.Join(cfg.DataDir, clusterDir)
	bystander := exec.CommandContext(t.Context(), "sleep", "600")
	bystander.SysProcAttr = asOwner(t, cluster)
	require.NoError(t, bystander.Start())
	require.False(t, isPostmaster(bystander.Process.Pid, cluster))
	h := &home{dir: cfg.DataDir}
	pidFile := fmt.Sprintf("%d\n%s\n", bystander.Process.Pid, cluster)
	require.NoError(t, os.WriteFile(filepath.Join(cluster, "postmaster.pid"), []byte(pidFile), 0o600))
	require.NoError(t, h.own(cluster, t))
	server := mustStart(t, cfg)
	require.Equal(t, "1", query(t, server.URL("postgres"), "SELECT '1'"))
	require.NoError(t, syscall.Kill(bystander.Process.Pid, 0))
	require.NoError(t, bystander.Process.Kill())
	require.Error(t, bystander.Wait())
}

// asOwner runs a program as the user of the server, whose processes PostgreSQL may signal.
func asOwner(t *testing.T, cluster string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := ownerOf(cluster)
	require.NoError(t, err)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}

// own gives the planted pid file to the owner of the cluster, as PostgreSQL's own would be.
func (h *home) own(cluster string, t *testing.T) error {
	t.Helper()
	uid, gid, err := ownerOf(cluster)
	require.NoError(t, err)
	return os.Chown(filepath.Join(cluster, "postmaster.pid"), int(uid), int(gid))
}

func TestHalfMadeClusterIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	staging := filepath.Join(cfg.DataDir, clusterDir+".new")
	require.NoError(t, os.MkdirAll(staging, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(staging, "PG_VERSION"), []byte("15\n"), 0o600))
	server := mustStart(t, cfg)
	require.Equal(t, "1", query(t, server.URL("postgres"), "SELECT '1'"))
	require.NoDirExists(t, staging)
}

func TestLostPasswordIsExplained(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	require.NoError(t, mustStart(t, cfg).Stop(t.Context()))
	require.NoError(t, os.Remove(filepath.Join(cfg.DataDir, passwordFile)))
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "restore the file, or move the whole data folder away")
}

func TestBadSettingShowsTheLog(t *testing.T) {
	t.Parallel()
	cfg := testConfig(folder(t))
	cfg.Settings = map[string]string{"shared_buffers": "plenty"}
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers"`)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := mustStart(t, testConfig(dir))
	cfg := testConfig(folder(t))
	cfg.Port = first.port
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "could not bind")
}

// TestUnreachableFolder: what root can enter, the server's user cannot. An ordinary user has no such difference, so
// there the cluster stays where it was asked for.
func TestUnreachableFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	cfg := testConfig(dir)
	cfg.DataDir = filepath.Join(closed, "data")
	server := mustStart(t, cfg)
	execute(t, server.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS word")
	elsewhere := server.home.dir != cfg.DataDir
	require.Equal(t, os.Geteuid() == 0, elsewhere)
	require.NoError(t, server.Stop(t.Context()))

	server = mustStart(t, cfg)
	require.Equal(t, "still here", query(t, server.URL("postgres"), "SELECT word FROM kept"))
}

func TestValidateJoinsErrors(t *testing.T) {
	t.Parallel()
	err := Config{
		Port: 70000, RepositoryURL: "nowhere", Settings: map[string]string{"port": "1", "a b": "x"},
	}.Validate()
	for _, want := range []string{"DataDir", "CacheDir", "Port 70000", "RepositoryURL", `"port" is controlled`, `"a b"`} {
		require.ErrorContains(t, err, want)
	}
	_, err = Start(t.Context(), Config{})
	require.ErrorContains(t, err, "DataDir is empty")
}
