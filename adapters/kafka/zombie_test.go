package kafka_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	fake "github.com/twmb/franz-go/pkg/kfake"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/internal/kafkatest"
)

// memberEnv makes this test binary a member of a group, so that it can be paused like a process that the system has
// forgotten for a while.
const memberEnv = "PINGVAS_TEST_KAFKA_MEMBER"

type memberConfig struct {
	Brokers []string
	Topic   string
	Session time.Duration
}

// runMember prints every message that it gets, and acks it when it reads a line.
func runMember(text string) int {
	if err := beMember(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func beMember(text string) error {
	var c memberConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cluster, err := kafka.New(kafka.Config{Brokers: c.Brokers, ClientID: "member", Logger: log})
	if err != nil {
		return err
	}
	defer cluster.Close()
	subscriber, err := kafka.NewSubscriber(cluster, kafka.SubscriberConfig{
		Group: c.Topic, SessionTimeout: c.Session, HeartbeatInterval: 50 * time.Millisecond,
		CommitInterval: time.Millisecond,
	})
	if err != nil {
		return err
	}
	messages, err := subscriber.Subscribe(context.Background(), c.Topic)
	if err != nil {
		return err
	}
	orders := bufio.NewScanner(os.Stdin)
	for msg := range messages {
		fmt.Println(msg.Metadata[kafka.MetadataSourceOffset])
		if !orders.Scan() {
			return subscriber.Close()
		}
		msg.Ack()
	}
	return nil
}

// member is such a process.
type member struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	told   chan string
}

func startMember(t *testing.T, c memberConfig) *member {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	m := &member{cmd: exec.Command(os.Args[0]), told: make(chan string, 100)}
	m.cmd.Env = append(os.Environ(), memberEnv+"="+string(text))
	m.orders, err = m.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := m.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, m.cmd.Start())
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			m.told <- strings.TrimSpace(lines.Text())
		}
	}()
	return m
}

func (m *member) ack(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(m.orders, "ack\n")
	require.NoError(t, err)
}

// A member is paused for longer than its session, with a message in its hands. It must not move an offset when it
// comes back and acks.
func TestAMemberThatWasPausedBeyondItsSessionMovesNoOffset(t *testing.T) {
	t.Parallel()
	const records = 5
	session, addrs := 6*time.Second, []string(nil)
	if kafkatest.Real() {
		addrs = brokers(t)
	} else {
		session = time.Second
		broker, err := fake.NewCluster(fake.NumBrokers(1), fake.GroupMinSessionTimeout(session))
		require.NoError(t, err)
		t.Cleanup(broker.Close)
		addrs = broker.ListenAddrs()
	}
	cluster := connect(t, addrs...)
	topic := newTopic(t, cluster, 1)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, records)...))
	zombie := startMember(t, memberConfig{addrs, topic, session})
	require.Equal(t, "0", await(t, "the member has a message", zombie.told))
	require.NoError(t, zombie.cmd.Process.Signal(syscall.SIGSTOP))

	successor := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic, SessionTimeout: session})
	messages := subscribe(t, successor, topic)
	for i := range records {
		msg := receive(t, messages)
		require.Equal(t, strconv.Itoa(i), string(msg.Payload), "nothing was acked before")
		msg.Ack()
	}
	eventuallyCommitted(t, cluster, topic, 0, records)
	zombie.ack(t) // it reads the order as soon as it runs again
	require.NoError(t, zombie.cmd.Process.Signal(syscall.SIGCONT))
	require.Never(t, func() bool {
		return committed(t.Context(), t, cluster, topic, topic)[0] != records
	}, 2*time.Second, 20*time.Millisecond)

	// It is a good member again.
	require.NoError(t, successor.Close())
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", records, records+1)...))
	for {
		at := await(t, "the member has the next message", zombie.told)
		if at == strconv.Itoa(records) {
			break
		}
		zombie.ack(t) // messages that it had fetched before it was paused
	}
	zombie.ack(t)
	eventuallyCommitted(t, cluster, topic, 0, records+1)
}
