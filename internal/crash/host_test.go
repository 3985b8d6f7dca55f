package crash

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pingvas/pingvas/adapters/kfake"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

// hostEnv makes this test binary the process that serves Kafka and S3, so that it can be killed like the others.
const hostEnv = "PINGVAS_CRASH_HOST"

type hostConfig struct {
	Dir                  string
	KafkaPort, S3Port    int
	AccessKey, SecretKey string
}

// runHost serves until it is asked to end, and returns the exit code.
func runHost(text string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := serveHost(text, log); err != nil {
		log.Error("the host of Kafka and S3 failed", "error", err)
		return 1
	}
	return 0
}

func serveHost(text string, log *slog.Logger) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	var c hostConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	broker, err := kfake.New(kfake.Config{DataDir: filepath.Join(c.Dir, "kafka"), Port: c.KafkaPort, Logger: log})
	if err != nil {
		return err
	}
	defer broker.Close()
	server, err := s3dev.Start(s3dev.Config{
		DataDir: filepath.Join(c.Dir, "pictures"), Addr: fmt.Sprintf("127.0.0.1:%d", c.S3Port),
		AccessKey: c.AccessKey, SecretKey: c.SecretKey,
	})
	if err != nil {
		return err
	}
	log.Info("serving Kafka and S3")
	<-stop
	log.Info("stopped") // what is under way is cut off, as nothing of it was acknowledged
	_ = server
	return nil
}
