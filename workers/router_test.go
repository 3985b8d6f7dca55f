package workers_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers"
)

// routed runs a handler on the topic "work" until the test ends.
func routed(t *testing.T, handle func(ctx context.Context, msg *message.Message) error) (
	channel *gochannel.GoChannel, letters <-chan *message.Message, handled <-chan workers.Handled,
) {
	t.Helper()
	channel = gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	letters, err := channel.Subscribe(t.Context(), workers.DeadLetterTopic("work"))
	require.NoError(t, err)
	told := make(chan workers.Handled, 100)
	router, err := workers.NewRouter(workers.Config{
		DeadLetters: channel, Log: quiet(), Observe: func(h workers.Handled) { told <- h },
	})
	require.NoError(t, err)
	require.NoError(t, router.Add(workers.Handler{Name: "test", Topic: "work", Subscriber: channel, Handle: handle}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- router.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, channel.Close())
	})
	return channel, letters, told
}

func publish(t *testing.T, channel *gochannel.GoChannel) *message.Message {
	t.Helper()
	msg, err := workers.NewMessage("key", map[string]int{"n": 1})
	require.NoError(t, err)
	require.NoError(t, channel.Publish("work", msg))
	return msg
}

func TestAnErrorIsTriedAgainUntilItPasses(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	channel, _, handled := routed(t, func(ctx context.Context, msg *message.Message) error {
		if tries.Add(1) < 7 || ctx.Err() != nil {
			return errors.New("the ledger is away")
		}
		return nil
	})
	publish(t, channel)
	require.ErrorContains(t, await(t, "given back to the subscriber", handled).Err, "the ledger is away")
	last := await(t, "delivered again", handled)
	require.NoError(t, last.Err)
	require.False(t, last.Poisoned)
	require.Equal(t, "test", last.Handler)
	require.EqualValues(t, 7, tries.Load())
}

func TestWhatCannotBeHandledBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, *message.Message) error{
		"poison": func(context.Context, *message.Message) error { return workers.Poison(errors.New("no result")) },
		"panic":  func(context.Context, *message.Message) error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel, letters, handled := routed(t, handle)
			sent := publish(t, channel)
			letter := await(t, "a dead letter", letters)
			letter.Ack()
			require.Equal(t, string(sent.Payload), string(letter.Payload))
			require.Equal(t, "key", letter.Metadata.Get(workers.MetadataKey))
			require.Equal(t, "key", workers.Correlation(letter))
			result := await(t, "the message is done with", handled)
			require.NoError(t, result.Err)
			require.True(t, result.Poisoned)
		})
	}
}

func TestRouterConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := workers.NewRouter(workers.Config{Timeout: -1})
	require.ErrorContains(t, err, "dead letters")
	require.ErrorContains(t, err, "timeout")
	require.ErrorContains(t, err, "logger")
	router, err := workers.NewRouter(workers.Config{
		DeadLetters: gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{}), Log: quiet(),
	})
	require.NoError(t, err)
	require.Error(t, router.Add(workers.Handler{Name: "half"}))
}
