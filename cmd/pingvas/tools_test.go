package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/internal/kafkatest"
	"github.com/pingvas/pingvas/workers"
)

// toolMax turns a hang into a failure.
const toolMax = 30 * time.Second

// openTool connects to a broker of the test's own, with all topics.
func openTool(t *testing.T) (*parts, kafkaSettings) {
	t.Helper()
	settings := kafkaSettings{Brokers: kafkatest.Own(t)}
	p := newParts(quiet())
	t.Cleanup(p.close)
	require.NoError(t, p.openKafka(t.Context(), settings, "test"))
	return p, settings
}

// runHandler runs one handler of results until it is stopped, as a role would.
func runHandler(t *testing.T, p *parts, handle func(*message.Message) error) (stop func()) {
	t.Helper()
	publisher, err := p.newPublisher()
	require.NoError(t, err)
	subscriber, err := p.member("pingvas.test")
	require.NoError(t, err)
	router, err := workers.NewRouter(workers.Config{DeadLetters: publisher, Observe: p.observer.handled, Log: quiet()})
	require.NoError(t, err)
	require.NoError(t, router.Add(workers.Handler{
		Name: "test", Topic: generation.TopicResults, Subscriber: subscriber,
		Handle: func(_ context.Context, msg *message.Message) error { return handle(msg) },
	}))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func lettersOf(t *testing.T, p *parts, all bool) string {
	t.Helper()
	var out bytes.Buffer
	list := lettersListCmd{All: all}
	require.NoError(t, list.list(t.Context(), p, &out))
	return out.String()
}

// A message that cannot be handled becomes a dead letter; once its cause is mended it is replayed, and is a message
// like any other. Others go on meanwhile.
func TestDeadLettersAreListedAndReplayed(t *testing.T) {
	t.Parallel()
	p, settings := openTool(t)
	require.Equal(t, "there are no dead letters\n", lettersOf(t, p, false))
	publisher, err := p.newPublisher()
	require.NoError(t, err)
	for _, key := range []string{"bad-1", "good", "bad-2"} {
		msg, err := workers.NewMessage(key, map[string]string{"for": key})
		require.NoError(t, err)
		require.NoError(t, publisher.Publish(generation.TopicResults, msg))
	}
	seen := make(chan *message.Message, 10)
	stop := runHandler(t, p, func(msg *message.Message) error {
		seen <- msg
		if strings.HasPrefix(msg.Metadata.Get(kafka.MetadataKey), "bad") {
			return workers.Poison(io.ErrUnexpectedEOF)
		}
		return nil
	})
	for range 3 {
		awaitMessage(t, seen)
	}
	require.Eventually(t, func() bool { return strings.Count(lettersOf(t, p, false), "bad-") == 2 }, toolMax,
		20*time.Millisecond)
	require.Contains(t, lettersOf(t, p, false), "cannot be handled: unexpected EOF")
	stop()

	stop = runHandler(t, p, func(msg *message.Message) error { seen <- msg; return nil })
	defer stop()
	var out bytes.Buffer
	only := lettersSettings{settings, generation.TopicResults}
	dry := lettersReplayCmd{only, -1, true}
	require.NoError(t, dry.replay(t.Context(), p, &out))
	require.Contains(t, out.String(), "would go to")
	replay := lettersReplayCmd{only, -1, false}
	require.NoError(t, replay.replay(t.Context(), p, &out))
	require.Contains(t, out.String(), "2 dead letters")
	for range 2 {
		msg := awaitMessage(t, seen)
		key := msg.Metadata.Get(kafka.MetadataKey)
		require.Contains(t, key, "bad-")
		require.JSONEq(t, `{"for":"`+key+`"}`, string(msg.Payload))
		require.NotEmpty(t, msg.Metadata.Get(kafka.HeaderReplayed))
		require.Empty(t, msg.Metadata.Get(kafka.HeaderDeadLetterError))
		require.Equal(t, key, workers.Correlation(msg))
	}
	require.Equal(t, "there are no dead letters\n", lettersOf(t, p, false), "they are done with")
	require.Equal(t, 2, strings.Count(lettersOf(t, p, true), "bad-"), "and kept")

	one := lettersReplayCmd{only, 1, false}
	require.NoError(t, one.replay(t.Context(), p, io.Discard))
	require.NotEmpty(t, awaitMessage(t, seen).Metadata.Get(kafka.HeaderReplayed), "one can be replayed again")
	none := lettersReplayCmd{only, 99, false}
	require.ErrorContains(t, none.replay(t.Context(), p, io.Discard), "no dead letter at offset 99")
	require.ErrorContains(t, (&lettersReplayCmd{Offset: 1}).Run(t.Context(), quiet()), "--topic")
	unknown := lettersListCmd{lettersSettings: lettersSettings{settings, "pingvas.nothing"}}
	require.ErrorContains(t, unknown.Run(t.Context(), quiet()), "has no dead letters")
}

func awaitMessage(t *testing.T, seen <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg := <-seen:
		return msg
	case <-time.After(toolMax):
		require.FailNow(t, "no message came")
		return nil
	}
}

func TestRepublishRepeatsWhatWasPublished(t *testing.T) {
	t.Parallel()
	b, _ := newBench(t)
	settings := kafkaSettings{Brokers: kafkatest.Own(t)}
	require.NoError(t, b.openKafka(t.Context(), settings, "test"))
	history := ledgerbench.History{Store: b.store, Codec: b.codec, Accounts: 40, Events: 3000}
	require.NoError(t, history.Write(t.Context()))
	o, err := b.outboxRole(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- o.run(ctx) }()
	h := &handOver{t: t, b: b.parts, checkpoints: outbox.NewPostgres(b.pool)}
	require.Eventually(t, func() bool { return h.published(t.Context()) }, toolMax, 10*time.Millisecond)
	heads, err := b.store.Heads(t.Context())
	require.NoError(t, err)
	var total int64
	for _, head := range heads {
		total += head.Pos
	}
	end := func(shard int) int64 {
		lags, err := kafka.NewAdmin(b.kafka).Lag(t.Context(), "none", eventstore.Topic)
		require.NoError(t, err)
		return lags[shard].End
	}
	before := end(3)
	require.Greater(t, before, int64(20))

	var out bytes.Buffer
	part := republishCmd{b.ledger, settings, []string{"3:5"}, []string{"3:14"}, false}
	require.NoError(t, part.republish(t.Context(), b.parts, &out))
	require.Contains(t, out.String(), "10 events were published again")
	require.Equal(t, before+10, end(3))
	out.Reset()
	rest := republishCmd{b.ledger, settings, []string{"3:5"}, nil, false}
	require.NoError(t, rest.republish(t.Context(), b.parts, &out))
	require.Equal(t, before+10+heads[3].Pos-4, end(3))
	out.Reset()
	all := republishCmd{ledgerSettings: b.ledger, kafkaSettings: settings, All: true}
	require.NoError(t, all.Run(t.Context(), quiet()))
	require.Equal(t, before+10+heads[3].Pos-4+heads[3].Pos, end(3))

	tail, err := newLedgerTails(b.kafka).Tail(t.Context(), eventstore.Topic, 3)
	require.NoError(t, err)
	require.True(t, !tail.Known || tail.Pos == heads[3].Pos, "repetitions say nothing about the end")
	cancel()
	require.NoError(t, <-ended)
}

func TestRepublishRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for wrong, c := range map[string]republishCmd{
		"either":        {},
		"--all":         {All: true, From: []string{"1:1"}},
		"--from":        {From: []string{"1"}},
		"has one":       {From: []string{"1:1", "1:2"}},
		"no --from":     {From: []string{"1:5"}, To: []string{"2:9"}},
		"before it":     {From: []string{"1:5"}, To: []string{"1:4"}},
		"--to: ":        {From: []string{"1:5"}, To: []string{"x"}},
		"KAFKA_BROKERS": {All: true},
	} {
		require.ErrorContains(t, c.Run(t.Context(), quiet()), wrong)
	}
}

func TestARoleServesItsMetrics(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), toolMax)
	defer cancel()
	serves := newLogWait(servesMetrics, "addr")
	ended := make(chan error, 1)
	go func() {
		ended <- single(ctx, slog.New(serves), processSettings{"127.0.0.1:0"}, func(p *parts) ([][]role, error) {
			outboxObserver{p.observer}.Lag(3, 17, time.Minute)
			return [][]role{{{"wait", func(ctx context.Context) error { <-ctx.Done(); return nil }}}}, nil
		})
	}()
	var addr string
	select {
	case addr = <-serves.value:
	case err := <-ended:
		t.Fatalf("ended before it served its metrics: %v", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(page), `pingvas_outbox_lag_events{shard="3"} 17`)
	require.Contains(t, string(page), `pingvas_outbox_lag_seconds{shard="3"} 60`)
	cancel()
	require.NoError(t, <-ended)
	require.NotEmpty(t, processSettings{"nonsense"}.errors())
}

// logWait is a log that passes on what the first record with a message says under a key.
type logWait struct {
	slog.Handler
	message, key string
	value        chan string // capacity 1
}

func newLogWait(message, key string) *logWait {
	return &logWait{slog.NewTextHandler(io.Discard, nil), message, key, make(chan string, 1)}
}

// Handle implements slog.Handler.
func (w *logWait) Handle(_ context.Context, r slog.Record) error {
	if r.Message != w.message {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == w.key {
			select {
			case w.value <- a.Value.String():
			default: // not the first
			}
		}
		return true
	})
	return nil
}
