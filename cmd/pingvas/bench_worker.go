package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/pingvas/pingvas/adapters/invokefake"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// benchWorkerCmd is `pingvas bench worker`.
type benchWorkerCmd struct {
	Jobs  int           `default:"200" help:"Jobs, of one picture of 1024×1024 pixels each."`
	Every time.Duration `default:"300ms" help:"Time between two jobs; a job that takes longer makes the next one wait."`
	Step  time.Duration `default:"10ms" help:"Time of one of the four steps of a job on the fake image server."`
	JSON  string        `name:"json" placeholder:"FILE" help:"Write the figures to a file as JSON, too."`
}

// workerOverhead is what a job takes beside the image server's own time. Times are in milliseconds.
type workerOverhead struct {
	Jobs   int          `json:"jobs"`
	Before overheadPart `json:"claim_to_engine_start_ms"`
	After  overheadPart `json:"engine_end_to_settled_ms"`
}

type overheadPart struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	Max float64 `json:"max"`
}

// Run implements the command.
func (c *benchWorkerCmd) Run(ctx context.Context, log *slog.Logger) error {
	if c.Jobs < 1 {
		return errors.New("--jobs must be at least 1")
	}
	fmt.Printf("bench worker: %s, %d cores, %d jobs on a fake image server\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), c.Jobs)
	out, err := c.measure(ctx, log, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Printf("claim to engine start:  p50 %5.1f ms, p95 %5.1f ms, max %5.1f ms\n", out.Before.P50, out.Before.P95,
		out.Before.Max)
	fmt.Printf("engine end to settled:  p50 %5.1f ms, p95 %5.1f ms, max %5.1f ms\n", out.After.P50, out.After.P95,
		out.After.Max)
	return benchOutput{JSON: c.JSON}.write("bench worker", out)
}

// measure runs a whole instance whose worker uses a fake image server in this process, and asks it for pictures.
func (c *benchWorkerCmd) measure(ctx context.Context, log *slog.Logger, notes io.Writer) (workerOverhead, error) {
	fake, url, stop, err := startFake(ctx, invokefake.Config{Step: c.Step, Photos: true})
	if err != nil {
		return workerOverhead{}, err
	}
	defer stop()
	dir, remove, err := tempFolder("bench-worker")
	if err != nil {
		return workerOverhead{}, err
	}
	defer remove()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dev := devCmd{
		Data: dir, devPorts: devPorts{Addr: "127.0.0.1:0"}, Slots: 1, Grace: time.Second,
		engineSettings: engineSettings{Engine: engineInvokeAI, URL: url},
	}
	running, ended, err := dev.startReady(ctx, log)
	if err != nil {
		return workerOverhead{}, err
	}
	load := workerLoad{parts: running.parts, fake: fake, cfg: *c, notes: notes}
	out, err := load.run(ctx)
	cancel()
	return out, errors.Join(err, <-ended)
}

// startFake serves a fake image server on a free port.
func startFake(ctx context.Context, cfg invokefake.Config) (_ *invokefake.Server, url string, stop func(), err error) {
	fake, err := invokefake.New(cfg)
	if err != nil {
		return nil, "", nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fake.Close()
		return nil, "", nil, fmt.Errorf("listen for the fake image server: %w", err)
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: probeHeaderMax}
	go func() { _ = server.Serve(listener) }()
	return fake, "http://" + listener.Addr().String(), func() {
		fake.Close()
		_ = server.Close()
	}, nil
}

// workerLoad asks for pictures, one after another, and reads from the ledger when what happened.
type workerLoad struct {
	*parts
	fake  *invokefake.Server
	cfg   benchWorkerCmd
	notes io.Writer
	owner commands.Caller
}

// benchJobMax bounds the wait for one job.
const benchJobMax = time.Minute

func (w *workerLoad) run(ctx context.Context) (workerOverhead, error) {
	if err := w.open(ctx); err != nil {
		return workerOverhead{}, err
	}
	var before, after []time.Duration
	for i := range w.cfg.Jobs {
		next := time.Now().Add(w.cfg.Every)
		b, a, err := w.job(ctx, i)
		if err != nil {
			return workerOverhead{}, err
		}
		before, after = append(before, b), append(after, a)
		if (i+1)%50 == 0 {
			fmt.Fprintf(w.notes, "%d of %d jobs\n", i+1, w.cfg.Jobs)
		}
		select {
		case <-ctx.Done():
			return workerOverhead{}, ctx.Err()
		case <-time.After(time.Until(next)):
		}
	}
	return workerOverhead{w.cfg.Jobs, overheadOf(before), overheadOf(after)}, nil
}

func overheadOf(times []time.Duration) overheadPart {
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
	}
	return overheadPart{P50: at(0.5), P95: at(0.95), Max: at(1)}
}

// open opens an account that may ask for as much as it likes.
func (w *workerLoad) open(ctx context.Context) error {
	w.owner = commands.Caller{Account: "acc_00000000000000000000000001", Actor: "bench"}
	_, err := w.ledger.OpenAccount(ctx, w.owner, commands.OpenAccount{
		Name: "bench", Grant: "grt_00000000000000000000000001", At: now(),
	})
	if err != nil {
		return fmt.Errorf("open the account: %w", err)
	}
	_, err = w.ledger.GrantCredits(ctx, w.owner, account.GrantCredits{
		Grant: "grt_00000000000000000000000002", Amount: 1 << 30, Source: account.SourceAdjustment, At: now(),
	})
	if err != nil {
		return fmt.Errorf("grant credits: %w", err)
	}
	return nil
}

// job asks for one picture, waits until it is settled, and returns the time before and after the engine's.
func (w *workerLoad) job(ctx context.Context, i int) (before, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, benchJobMax)
	defer cancel()
	id := domain.GenerationID(fmt.Sprintf("gen_%026d", i+1))
	receipt, err := w.ledger.RequestGeneration(ctx, w.owner, commands.RequestGeneration{
		Generation: id, Reservation: domain.ReservationID(fmt.Sprintf("res_%026d", i+1)), At: now(),
		Spec: generation.Spec{
			Terms: pricing.Terms{
				Operation: pricing.OperationTextToImage, Model: "flux-schnell", Width: 1024, Height: 1024, Steps: 4, Count: 1,
			},
			Prompt: "a lighthouse", Scheduler: "euler", Seed: uint32(i),
		},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a picture: %w", err)
	}
	claimed, settled, err := w.settled(ctx, receipt.Position, id)
	if err != nil {
		return 0, 0, fmt.Errorf("wait for a picture: %w", err)
	}
	marks := w.fake.MarksOf(string(id))
	return marks.Started.Sub(claimed), settled.Sub(marks.Completed), nil
}

// settledEvery is the time between two looks at the ledger.
const settledEvery = 5 * time.Millisecond

// settled waits until a job is complete and returns when it was claimed and settled.
func (w *workerLoad) settled(
	ctx context.Context, after eventstore.Position, id domain.GenerationID,
) (claimed, settled time.Time, err error) {
	for {
		page, err := w.store.ReadShard(ctx, after.Shard, after.Pos, eventstore.ReadMax)
		if err != nil {
			return claimed, settled, err
		}
		for _, e := range page {
			after.Pos = e.Pos
			if e.Stream != eventstore.GenerationStream(id) {
				continue
			}
			switch e.Type {
			case generation.Claimed{}.EventName():
				var event generation.Claimed
				if err := json.Unmarshal(e.Data, &event); err != nil {
					return claimed, settled, err
				}
				claimed = event.At
			case generation.Completed{}.EventName(): // its settlement was recorded with it
				return claimed, e.RecordedAt, nil
			case generation.Failed{}.EventName(), generation.Requeued{}.EventName():
				return claimed, settled, errors.New("an attempt has failed")
			}
		}
		select {
		case <-ctx.Done():
			return claimed, settled, ctx.Err()
		case <-time.After(settledEvery):
		}
	}
}
