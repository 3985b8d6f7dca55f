package s3dev_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

// helperDir names the variable that turns this test binary into a server on the folder it holds.
const helperDir = "S3DEV_TEST_SERVER_DIR"

func serveUntilKilled(dir string) {
	server, err := s3dev.Start(s3dev.Config{
		DataDir: dir, Addr: "127.0.0.1:0", AccessKey: accessKey, SecretKey: secretKey,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(server.Endpoint())
	select {}
}

func TestKilledUploadLeavesTheOldObjectOrNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	helper, endpoint := startHelper(t, dir)
	client := connect(t, endpoint, secretKey)
	require.NoError(t, client.EnsureBucket(t.Context()))
	require.NoError(t, client.Put(t.Context(), "old", "text/plain", []byte("old whole")))

	uploads := []net.Conn{beginUpload(t, client, "old"), beginUpload(t, client, "new")}
	require.Eventually(t, func() bool { return halfWritten(t, dir) == len(uploads) },
		10*time.Second, 5*time.Millisecond, "both uploads must have reached the disk")
	_, err := client.Head(t.Context(), "old")
	require.NoError(t, err, "other requests go on during an upload")
	require.NoError(t, helper.Process.Kill())
	_ = helper.Wait() // it reports the kill
	for _, conn := range uploads {
		require.NoError(t, conn.Close())
	}

	server, client := start(t, dir, nil)
	got, err := client.Get(t.Context(), "old", 100)
	require.NoError(t, err)
	require.Equal(t, "old whole", string(got))
	_, err = client.Head(t.Context(), "new")
	require.ErrorIs(t, err, s3.ErrNotFound)
	require.Zero(t, halfWritten(t, dir), "left-overs are cleared")
	require.NoError(t, server.Close(t.Context()))
}

func startHelper(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := helper.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, helper.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return helper, strings.TrimSpace(line)
}

// beginUpload sends the head and half of the body of a presigned PUT and keeps the connection open.
func beginUpload(t *testing.T, client *s3.Client, key string) net.Conn {
	t.Helper()
	raw, _, err := client.PresignPut(t.Context(), s3.Upload{Key: key, ContentType: "image/png", TTL: time.Minute})
	require.NoError(t, err)
	target, err := url.Parse(raw)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", target.Host)
	require.NoError(t, err)
	const half = 1 << 20 // bytes
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n",
		target.RequestURI(), target.Host, 2*half)
	require.NoError(t, err)
	_, err = conn.Write(make([]byte, half))
	require.NoError(t, err)
	return conn
}

func halfWritten(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "uploads", "*"))
	require.NoError(t, err)
	n := 0
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			n++
		}
	}
	return n
}
