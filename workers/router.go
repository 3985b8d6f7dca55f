package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// How a message that fails is tried again before it goes back to its subscriber.
const (
	retriesMax      = 3
	retryFirst      = 50 * time.Millisecond
	retryMax        = time.Second
	retryMultiplier = 3
	// TimeoutDefault bounds one try of a handler.
	TimeoutDefault = 30 * time.Second
	// closeTimeout bounds the wait for handlers at the end.
	closeTimeout = 10 * time.Second
)

// errPoison marks errors that another try cannot mend.
var errPoison = errors.New("cannot be handled")

// Poison marks an error of a handler: the message can never be handled and becomes a dead letter.
func Poison(err error) error { return fmt.Errorf("%w: %w", errPoison, err) }

// Handled is what became of one delivery of a message.
type Handled struct {
	Handler string
	Took    time.Duration
	// Err is nil after success and for dead letters; Poisoned tells those apart.
	Err      error
	Poisoned bool
}

// Config is what a Router needs.
type Config struct {
	// DeadLetters gets what can never be handled. Required.
	DeadLetters message.Publisher
	// Observe is told of every delivery, for metrics, by several handlers at a time; nil means nobody is.
	Observe func(Handled)
	// Timeout bounds one try; 0 means TimeoutDefault.
	Timeout time.Duration
	// Log is required.
	Log *slog.Logger
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.DeadLetters == nil {
		errs = append(errs, errors.New("workers: no publisher for dead letters"))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("workers: a timeout of %s", c.Timeout))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("workers: no logger"))
	}
	return errors.Join(errs...)
}

// Handler handles the messages of one topic.
type Handler struct {
	// Name is unique within the router.
	Name, Topic string
	Subscriber  message.Subscriber
	// Handle returns nil when the message is done with. The context ends with the subscription and at the timeout.
	Handle func(ctx context.Context, msg *message.Message) error
}

// Router hands messages to handlers. See the package for what it does with errors.
type Router struct {
	cfg    Config
	router *message.Router
}

// NewRouter returns a router without handlers.
func NewRouter(c Config) (*Router, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = TimeoutDefault
	}
	// What Watermill calls info is one line for each step of starting and stopping.
	levels := map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout},
		watermill.NewSlogLoggerWithLevelMapping(c.Log, levels))
	if err != nil {
		return nil, fmt.Errorf("make a router: %w", err)
	}
	return &Router{cfg: c, router: router}, nil
}

// Add adds a handler. All handlers must be added before Run. It returns an error for a name or topic that is empty.
func (r *Router) Add(h Handler) error {
	if h.Name == "" || h.Topic == "" || h.Subscriber == nil || h.Handle == nil {
		return errors.New("workers: a handler needs a name, a topic, a subscriber and a function")
	}
	retry := middleware.Retry{
		MaxRetries: retriesMax, InitialInterval: retryFirst, MaxInterval: retryMax, Multiplier: retryMultiplier,
		ShouldRetry:         func(p middleware.RetryParams) bool { return !hopeless(p.Err) },
		ResetContextOnRetry: true, // else the timeout of the first try would end the second
	}
	handler := r.router.AddConsumerHandler(h.Name, h.Topic, h.Subscriber, func(msg *message.Message) error {
		return h.Handle(msg.Context(), msg)
	})
	// The first is the outermost. The recoverer is the innermost, so that a panic is an error to all the others.
	handler.AddMiddleware(r.observe(h.Name), r.bury(h), r.noteFailure(h.Name), retry.Middleware,
		middleware.Timeout(r.cfg.Timeout), middleware.Recoverer)
	return nil
}

// hopeless says which errors another try cannot mend.
func hopeless(err error) bool {
	var panicked middleware.RecoveredPanicError
	return errors.Is(err, errPoison) || errors.As(err, &panicked)
}

// Run hands out messages until ctx ends, then waits a bounded time for the handlers and returns nil.
func (r *Router) Run(ctx context.Context) error {
	if err := r.router.Run(ctx); err != nil {
		return fmt.Errorf("run the router: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("run the router: all subscriptions have ended")
	}
	return nil
}

// metadataPoisoned is set by noteFailure for observe, which sees no error of what became a dead letter.
const metadataPoisoned = "kafka_poisoned"

func (r *Router) observe(name string) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			started := time.Now()
			produced, err := next(msg)
			if r.cfg.Observe != nil {
				poisoned := err == nil && msg.Metadata.Get(metadataPoisoned) != ""
				r.cfg.Observe(Handled{Handler: name, Took: time.Since(started), Err: err, Poisoned: poisoned})
			}
			return produced, err
		}
	}
}

// bury publishes what can never be handled as a dead letter. Where that fails, too, the message stays where it is.
// Watermill's own poison queue does not tell the partition, the offset and the attempts.
func (r *Router) bury(h Handler) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			produced, err := next(msg)
			if err == nil || !hopeless(err) {
				return produced, err
			}
			if lost := r.cfg.DeadLetters.Publish(DeadLetterTopic(h.Topic), deadLetter(h, msg, err)); lost != nil {
				return produced, errors.Join(err, fmt.Errorf("publish the dead letter: %w", lost))
			}
			return produced, nil
		}
	}
}

// noteFailure logs an error once, and leaves it where the subscriber finds it.
func (r *Router) noteFailure(name string) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx := msg.Context() // the inner middleware leaves another behind
			produced, err := next(msg)
			if err == nil || ctx.Err() != nil {
				return produced, err
			}
			msg.Metadata.Set(metadataNackReason, err.Error())
			if hopeless(err) {
				msg.Metadata.Set(metadataPoisoned, "true")
			}
			r.cfg.Log.Error("a message was not handled", slog.String("handler", name),
				slog.String("correlation", Correlation(msg)), slog.Bool("dead_letter", hopeless(err)),
				slog.Any("error", err))
			return produced, err
		}
	}
}
