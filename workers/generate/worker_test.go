package generate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/generate"
)

const lease = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is everything around a worker, in memory: topics, the service, the picture store and the engine. Its fields are
// set before the worker starts, or under mu.
type stage struct {
	mu        sync.Mutex
	offers    map[string][]*message.Message // by topic
	caughtUp  bool                          // whether the end of the topics is reported
	published map[string][]*message.Message
	refuse    func(topic string) error
	bids      []generate.Bid
	claim     func(generate.Bid) (generate.Assignment, bool, error)
	extend    func() (time.Time, error)
	extended  []time.Duration // since the start of the test
	handBacks int
	uploads   []string
	store     func() (status int, err error)
	describe  error
	draw      func(ctx context.Context, report func(generate.Progress)) (generate.Output, error)
	began     time.Time
	outcomes  []generate.Outcome
	forgotten []string
}

func newStage(jobs int) *stage {
	s := &stage{
		offers: map[string][]*message.Message{}, published: map[string][]*message.Message{}, caughtUp: true,
		refuse: func(string) error { return nil }, store: func() (int, error) { return http.StatusOK, nil },
		began: time.Now(),
	}
	s.extend = func() (time.Time, error) { return time.Now().Add(lease), nil }
	s.draw = func(context.Context, func(generate.Progress)) (generate.Output, error) { return picture(), nil }
	for i := range jobs {
		o := generation.Offer{
			Generation: domain.GenerationID(fmt.Sprintf("gen_%026d", i)), Account: "00000000000000aa", Pool: "gpu",
			Tier: domain.TierPro, Model: "m", Attempt: 1, EstimateMillis: 5000, Enqueued: time.Now(),
		}
		msg, err := workers.NewMessage(string(o.Generation), o)
		if err != nil {
			panic(err)
		}
		topic := generation.OfferTopic("gpu", o.Tier)
		s.offers[topic] = append(s.offers[topic], msg)
	}
	s.claim = func(b generate.Bid) (generate.Assignment, bool, error) { return s.assign(b.Candidates[0]), true, nil }
	return s
}

func (s *stage) assign(c generate.Candidate) generate.Assignment {
	return generate.Assignment{
		Fence: generate.Fence{Generation: c.Generation, Account: c.Account, Attempt: 1},
		Spec:  generation.Spec{Terms: pricing.Terms{Model: "m", Count: 1}}, EstimateMillis: 5000,
		LeaseUntil: time.Now().Add(lease), Requested: time.Now(),
		Uploads: []generate.Upload{{Key: "k", URL: "http://store/1", ThumbnailKey: "t", ThumbnailURL: "http://store/2"}},
	}
}

func picture() generate.Output {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		panic(err)
	}
	return generate.Output{Images: []generate.Image{{PNG: file.Bytes(), Width: 8, Height: 8}}, Engine: "e", Version: "1"}
}

// run runs a worker for a while of the bubble's time.
func (s *stage) run(t *testing.T, d time.Duration, change func(*generate.Config)) {
	t.Helper()
	cfg := generate.Config{
		Worker: "w", Pool: "gpu", Engine: s, Claims: claims{s}, Offers: s.subscribe, Publisher: s,
		Uploads: &http.Client{Transport: s}, Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		Observe: func(o generate.Outcome, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.outcomes = append(s.outcomes, o)
		},
	}
	if change != nil {
		change(&cfg)
	}
	w, err := generate.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	time.Sleep(d)
	cancel()
	require.NoError(t, <-done)
}

func (s *stage) results(t *testing.T) []generation.Result {
	t.Helper()
	var results []generation.Result
	for _, msg := range s.published[generation.TopicResults] {
		var r generation.Result
		require.NoError(t, json.Unmarshal(msg.Payload, &r))
		results = append(results, r)
	}
	return results
}

func (s *stage) subscribe(caughtUp func(string)) (message.Subscriber, error) {
	return subscriber{s, caughtUp}, nil
}

type subscriber struct {
	s        *stage
	caughtUp func(string)
}

func (f subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for _, msg := range f.s.offers[topic] {
			out <- msg
			<-msg.Acked()
		}
		if f.s.caughtUp {
			f.caughtUp(topic)
		}
		<-ctx.Done()
	}()
	return out, nil
}

func (subscriber) Close() error { return nil }

func (s *stage) Publish(topic string, messages ...*message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuse(topic); err != nil {
		return err
	}
	s.published[topic] = append(s.published[topic], messages...)
	return nil
}

func (*stage) Close() error { return nil }

type claims struct{ s *stage }

func (c claims) Claim(_ context.Context, bid generate.Bid) (generate.Assignment, bool, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.bids = append(c.s.bids, bid)
	return c.s.claim(bid)
}

func (c claims) Extend(context.Context, generate.Fence) (time.Time, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.extended = append(c.s.extended, time.Since(c.s.began))
	return c.s.extend()
}

func (c claims) HandBack(context.Context, generate.Fence, string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.handBacks++
	return nil
}

func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads = append(s.uploads, r.Method)
	status, err := s.store()
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, err
}

func (s *stage) Describe(context.Context) (generate.Description, error) {
	return generate.Description{Models: []string{"m"}}, s.describe
}

func (s *stage) Generate(ctx context.Context, _ generate.Job, report func(generate.Progress)) (generate.Output, error) {
	return s.draw(ctx, report)
}

func (s *stage) Forget(_ context.Context, id string, _ int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, id)
	return nil
}

func hang(ctx context.Context, _ func(generate.Progress)) (generate.Output, error) {
	<-ctx.Done()
	return generate.Output{}, ctx.Err()
}

func TestProgressIsThrottledAndNeverBlocksTheEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1)
		s.refuse = func(topic string) error {
			if topic == generation.TopicProgress {
				time.Sleep(100 * time.Millisecond) // a slow broker
			}
			return nil
		}
		s.draw = func(_ context.Context, report func(generate.Progress)) (generate.Output, error) {
			for i := range 100 {
				report(generate.Progress{Stage: "denoising", Images: 1, Fraction: float64(i) / 100})
				time.Sleep(20 * time.Millisecond)
			}
			return picture(), nil
		}
		s.run(t, 3*time.Second, nil)
		frames := s.published[generation.TopicProgress]
		require.GreaterOrEqual(t, len(frames), 3)
		require.LessOrEqual(t, len(frames), 5, "two a second")
		last := -1.0
		for _, msg := range frames {
			var p generation.Progress
			require.NoError(t, json.Unmarshal(msg.Payload, &p))
			require.Greater(t, p.Fraction, last)
			last = p.Fraction
		}
		require.Equal(t, []generate.Outcome{generate.OutcomeCompleted}, s.outcomes)
	})
}

func TestTheLeaseIsAskedForOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1)
		s.draw = func(context.Context, func(generate.Progress)) (generate.Output, error) {
			time.Sleep(35 * time.Second)
			return picture(), nil
		}
		s.run(t, time.Minute, nil)
		require.Len(t, s.extended, 17)
		for i, at := range s.extended {
			require.Equal(t, time.Duration(i+1)*2*time.Second, at)
		}
		require.Len(t, s.results(t), 1)
	})
}

func TestTheEngineStopsWhenTheLeaseRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1)
		s.draw = hang
		s.extend = func() (time.Time, error) { return time.Time{}, errors.New("no route to the API") }
		s.run(t, 2*lease, nil)
		require.Equal(t, []generate.Outcome{generate.OutcomeLost}, s.outcomes)
		require.InDelta(t, lease.Seconds(), s.extended[len(s.extended)-1].Seconds(), 1.1)
		require.Empty(t, s.results(t))
		require.Zero(t, s.handBacks)
	})
}

func TestAHangingEngineIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1)
		s.draw = hang
		s.run(t, 20*time.Minute, nil)
		results := s.results(t)
		require.Len(t, results, 1)
		require.Equal(t, &generation.Failure{Cause: "interrupted", Retry: true}, results[0].Failure)
	})
}

func TestAResultIsRepeatedUntilTheBrokerHasIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1)
		refused := 0
		s.refuse = func(topic string) error {
			if topic == generation.TopicResults && refused < 20 {
				refused++
				return errors.New("no broker")
			}
			return nil
		}
		s.run(t, 5*time.Minute, nil)
		require.Equal(t, 20, refused)
		require.Len(t, s.results(t), 1)
		require.Equal(t, []generate.Outcome{generate.OutcomeCompleted}, s.outcomes)
	})
}

func TestUploadsAreRepeatedWhereThatHelps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		status  []int // then 200
		uploads int
		cause   string
	}{
		{"away for a moment", []int{503, 500, 429}, 5, ""},
		{"forbidden", []int{403}, 1, generate.CauseUpload},
		{"away", slices.Repeat([]int{503}, 10), 5, generate.CauseUpload},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(1)
				s.store = func() (int, error) {
					if i := len(s.uploads) - 1; i < len(c.status) {
						return c.status[i], nil
					}
					return http.StatusOK, nil
				}
				s.run(t, time.Minute, nil)
				require.GreaterOrEqual(t, len(s.uploads), c.uploads)
				require.LessOrEqual(t, len(s.uploads), 2*c.uploads, "the picture and its thumbnail")
				results := s.results(t)
				require.Len(t, results, 1)
				if c.cause == "" {
					require.Nil(t, results[0].Failure)
				} else {
					require.Equal(t, &generation.Failure{Cause: c.cause, Retry: true}, results[0].Failure)
				}
			})
		})
	}
}

func TestAnEngineThatIsDownDoesNotUseUpTheJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(1000)
		s.draw = func(context.Context, func(generate.Progress)) (generate.Output, error) {
			return generate.Output{}, &generate.EngineError{Class: generate.ClassUnavailable}
		}
		s.run(t, time.Minute, nil)
		require.GreaterOrEqual(t, len(s.bids), 3)
		require.LessOrEqual(t, len(s.bids), 7)

		s = newStage(1)
		s.describe = errors.New("starting")
		s.run(t, time.Minute, nil)
		require.Empty(t, s.bids)
	})
}

func TestRefusedJobsRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(40)
		s.claim = func(generate.Bid) (generate.Assignment, bool, error) { return generate.Assignment{}, false, nil }
		s.run(t, 20*time.Second, nil)
		require.LessOrEqual(t, len(s.bids), 22)
		asked := map[domain.GenerationID]int{}
		for _, bid := range s.bids {
			require.LessOrEqual(t, len(bid.Candidates), generate.CandidatesMax)
			for _, c := range bid.Candidates {
				asked[c.Generation]++
			}
		}
		require.Len(t, asked, 40, "all had their turn")
	})
}

func TestNothingIsClaimedBeforeTheListIsWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(3)
		s.caughtUp = false
		s.run(t, time.Minute, nil)
		require.Empty(t, s.bids)
	})
}

func TestSlotsWorkSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(9)
		s.draw = func(context.Context, func(generate.Progress)) (generate.Output, error) {
			time.Sleep(10 * time.Second)
			return picture(), nil
		}
		s.run(t, 31*time.Second, func(c *generate.Config) { c.Slots = 3 })
		require.Len(t, s.results(t), 9)
		seen := map[domain.GenerationID]bool{}
		for _, r := range s.results(t) {
			require.False(t, seen[r.Generation])
			seen[r.Generation] = true
		}
	})
}
