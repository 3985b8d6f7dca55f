package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/pgserver"
	"github.com/pingvas/pingvas/adapters/s3dev"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/internal/porttest"
)

// Secrets of this test's systems, which live as long as it does and listen on the loopback only.
const (
	masterKey   = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	workerToken = "the-token-of-the-workers-of-the-crash-test"
	adminToken  = "the-token-of-the-admins-of-the-crash-test"
	s3Access    = "crash-test-access"
	s3Secret    = "crash-test-secret"
)

const (
	shards = 4
	// pace makes a picture of 256×256 in 8 steps take half a second, nearly without work.
	pace        = "1s"
	workerSlots = "6"
	// stopMax is longer than any part of the product drains.
	stopMax = 90 * time.Second
)

// cluster is everything that runs.
type cluster struct {
	dir, logs, binary string
	env               []string
	db                *database
	host              *process
	apis              []string // base URLs

	mu    sync.Mutex
	roles map[string][]*process // by name of the role
	spare []*process            // stand-ins that have ended
}

// roleNames are the roles with how many processes of each there are.
var roleNames = []struct {
	name  string
	count int
}{
	{"api", 2}, {"outbox", 2}, {"project", 1}, {"dispatch", 1}, {"settle", 2}, {"schedule", 1}, {"work gpu", 2},
	{"work system", 1},
}

// startCluster builds the binary and starts everything. Nothing of it outlives the test, but the logs of a failed one.
func startCluster(t *testing.T, lease time.Duration) *cluster {
	t.Helper()
	dir := workFolder(t)
	c := &cluster{
		dir: dir, logs: filepath.Join(dir, "logs"), binary: filepath.Join(dir, "pingvas"), roles: map[string][]*process{},
	}
	require.NoError(t, os.Mkdir(c.logs, 0o755))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.binary, "github.com/pingvas/pingvas/cmd/pingvas")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() { c.kill(t) })

	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	c.db, err = startDatabase(t.Context(), pgserver.Config{
		DataDir: filepath.Join(pgtest.DataDir(t), "postgres"), CacheDir: filepath.Join(cache, "pingvas"),
		Port: porttest.Free(t),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.db.stop()) })
	c.startHost(t, lease)
	c.migrate(t)
	for _, role := range roleNames {
		for i := range role.count {
			p, err := spawn(c.program(role.name, i), c.logs)
			require.NoError(t, err)
			c.roles[role.name] = append(c.roles[role.name], p)
		}
	}
	return c
}

// workFolder is removed after the test unless that has failed.
func workFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pingvas-crash-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs of all processes are kept: %s", filepath.Join(dir, "logs"))
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

func (c *cluster) startHost(t *testing.T, lease time.Duration) {
	t.Helper()
	config := hostConfig{
		Dir: c.dir, KafkaPort: porttest.Free(t), S3Port: porttest.Free(t), AccessKey: s3Access, SecretKey: s3Secret,
	}
	text, err := json.Marshal(config)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	c.host, err = spawn(program{name: "kafka-s3", path: self, env: []string{hostEnv + "=" + string(text)}}, c.logs)
	require.NoError(t, err)
	c.env = []string{
		"DATABASE_URL=" + c.db.url(), "PINGVAS_MASTER_KEY=" + masterKey,
		fmt.Sprintf("KAFKA_BROKERS=127.0.0.1:%d", config.KafkaPort),
		fmt.Sprintf("S3_ENDPOINT=http://127.0.0.1:%d", config.S3Port), "S3_REGION=" + s3dev.Region,
		"S3_BUCKET=" + bucket, "S3_ACCESS_KEY=" + s3Access, "S3_SECRET_KEY=" + s3Secret,
		"PINGVAS_WORKER_TOKENS=" + workerToken, "PINGVAS_WORKER_TOKEN=" + workerToken,
		"PINGVAS_ADMIN_TOKENS=" + adminToken, "PINGVAS_LEASE_MIN=" + lease.String(),
		"PINGVAS_WORKER_SLOTS=" + workerSlots, "PINGVAS_SKETCH_PACE=" + pace, "PINGVAS_WORKER_GRACE=5s",
		fmt.Sprintf("PINGVAS_SHARDS=%d", shards),
	}
	for range 2 {
		c.apis = append(c.apis, fmt.Sprintf("http://127.0.0.1:%d", porttest.Free(t)))
	}
}

// setting returns a setting that all processes have in common.
func (c *cluster) setting(name string) string {
	for _, setting := range c.env {
		if value, ok := strings.CutPrefix(setting, name+"="); ok {
			return value
		}
	}
	return ""
}

// migrate waits for Kafka and S3, too.
func (c *cluster) migrate(t *testing.T) {
	t.Helper()
	var out string
	require.Eventually(t, func() bool {
		var err error
		out, err = c.tool("migrate")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond, "%s", &out)
}

// tool runs the binary to its end and returns what it printed.
func (c *cluster) tool(args ...string) (string, error) {
	cmd := exec.Command(c.binary, args...)
	cmd.Env = append(os.Environ(), c.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// program returns how the i-th process of a role is started. Each API has an address and an index of its own; a GPU
// worker speaks to one of them.
func (c *cluster) program(role string, i int) program {
	api := strings.TrimPrefix(c.apis[i%len(c.apis)], "http://")
	return program{
		name: fmt.Sprintf("%s-%d", strings.ReplaceAll(role, " ", "-"), i+1), path: c.binary, args: strings.Fields(role),
		env: append(c.env, "PINGVAS_ADDR="+api, "PINGVAS_API_URL=http://"+api,
			"PINGVAS_SEARCH_DIR="+filepath.Join(c.dir, fmt.Sprintf("search-%d", i+1))),
	}
}

// all returns every process of a role, and Kafka and S3.
func (c *cluster) all() []*process {
	all := []*process{c.host}
	for _, role := range roleNames {
		all = append(all, c.roles[role.name]...)
	}
	return all
}

// stopRoles asks all roles to end, all at once, and returns what did not end in order.
func (c *cluster) stopRoles() []error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, p := range c.all() {
		if p == c.host {
			continue
		}
		all.Go(func() {
			if err := p.stop(syscall.SIGTERM, stopMax); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return errs
}

// kill ends whatever is left, and shows the ends of the logs of a failed test.
func (c *cluster) kill(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range append(c.all(), c.spare...) {
		if p == nil {
			continue
		}
		if err := p.stop(syscall.SIGKILL, stopMax); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(p.name, "wrote at the end:\n"+tail(p.log.Name()))
		}
	}
}

// tailBytes is how much of each log a failed test shows.
const tailBytes = 2500

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailBytes):])
}
