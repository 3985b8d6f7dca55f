package ledgerbench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	// ImagesPerJob is how many images each generation of Pictures makes, and EventsPerJob how many events.
	ImagesPerJob = 4
	EventsPerJob = 5
	// jobsUnit is how many generations are appended at once.
	jobsUnit  = 200
	imageSide = 1024 // pixels
)

// Pictures says what to write: accounts with generations that were settled and the images they made.
type Pictures struct {
	Store eventstore.Store
	// Snapshots gets those that the ledger would have left.
	Snapshots eventstore.Snapshots
	Codec     *eventstore.Codec
	// Images in all, of which the first account has Own, and the others the rest in equal parts.
	Images, Own int
	Accounts    int
	// Progress gets a line now and then. Nil is silent.
	Progress io.Writer
}

// Write appends the events as fast as the store takes them.
func (p Pictures) Write(ctx context.Context) error {
	var written atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for shard, authors := range byShard(p.Codec, 0, p.Accounts, p.Store.Shards()) {
		group.Go(func() error {
			for _, a := range authors {
				images := (p.Images - p.Own) / max(1, p.Accounts-1)
				if a.number == 0 {
					images = p.Own
				}
				if err := p.account(ctx, shard, a, images/ImagesPerJob); err != nil {
					return err
				}
				written.Add(int64(images))
			}
			if p.Progress != nil {
				fmt.Fprintf(p.Progress, "%d of %d images written\n", written.Load(), p.Images)
			}
			return nil
		})
	}
	return group.Wait()
}

func (p Pictures) account(ctx context.Context, shard int, a *Author, jobs int) error {
	u, err := a.Open(ctx)
	if err != nil {
		return err
	}
	for {
		for range min(jobs, jobsUnit) {
			if err := a.job(ctx, &u); err != nil {
				return err
			}
		}
		if err := appendAll(ctx, p.Store, shard, []eventstore.Unit{u}); err != nil {
			return err
		}
		if commands.SnapshotDue(a.state, a.version-a.saved) {
			if err := a.save(ctx, p.Snapshots, shard); err != nil {
				return err
			}
		}
		if jobs -= jobsUnit; jobs <= 0 {
			return nil
		}
		u = eventstore.Unit{Account: a.id}
	}
}

// tagsOf spread over the jobs, each of which moves its account on by two versions.
func tagsOf(version int64) []string { return []string{"bench", fmt.Sprintf("tag %d", version/2%50)} }

// job adds a generation from its request to its settlement.
func (a *Author) job(ctx context.Context, u *eventstore.Unit) error {
	at, n := now(), a.version
	id := domain.GenerationID(domain.PrefixGeneration + a.pick.id())
	hold := domain.ReservationID(domain.PrefixReservation + a.pick.id())
	spec := generation.Spec{
		Terms: pricing.Terms{Operation: "text_to_image", Model: "sdxl-1.0", Width: imageSide, Height: imageSide, Steps: 30,
			Count: ImagesPerJob},
		Prompt: fmt.Sprintf("a lighthouse on a cliff above the ocean at sunset, number %d", n), Seed: uint32(n),
		Tags: tagsOf(n),
	}
	done := generation.Completed{
		Generation: id, Account: a.id, Attempt: 1, Engine: "bench", EngineVersion: "1", GPUMillis: 9000, At: at,
	}
	for i := range ImagesPerJob {
		image := domain.ImageID(domain.PrefixImage + a.pick.id())
		done.Images = append(done.Images, generation.Image{
			Image: image, Key: "images/" + string(image) + ".png", ThumbnailKey: "images/" + string(image) + ".webp",
			ContentType: "image/png", Bytes: 1_500_000, SHA256: strings.Repeat("0f", 32), Width: imageSide, Height: imageSide,
			Seed: uint32(n) + uint32(i),
		})
	}
	stream := eventstore.GenerationStream(id)
	if err := a.fact(ctx, u, stream, 1, generation.Requested{
		Generation: id, Account: a.id, Spec: spec, Pool: pricing.PoolGPU, Tier: domain.TierPro, Reservation: hold,
		Reserved: reserveAmount, PriceBook: "bench", Policy: "bench", EstimateMillis: 9000,
		Deadline: at.Add(time.Hour), At: at,
	}); err != nil {
		return err
	}
	if err := a.do(ctx, u, "request_generation", account.Reserve{
		Reservation: hold, Generation: id, Amount: reserveAmount,
		Use:       account.Use{Model: "sdxl-1.0", Operation: "text_to_image"},
		PriceBook: "bench", Expires: at.Add(reservationTTL), At: at,
	}); err != nil {
		return err
	}
	claim := generation.Claimed{Generation: id, Attempt: 1, Worker: "bench", LeaseUntil: at.Add(time.Minute), At: at}
	if err := a.fact(ctx, u, stream, 2, claim); err != nil {
		return err
	}
	if err := a.fact(ctx, u, stream, 3, done); err != nil {
		return err
	}
	return a.do(ctx, u, "settle", account.Settle{Reservation: hold, Charge: reserveAmount, Policy: "bench", At: at})
}

// fact adds an event of another stream than the account's.
func (a *Author) fact(ctx context.Context, u *eventstore.Unit, stream string, version int64, e domain.Event) error {
	metadata, err := json.Marshal(eventstore.Metadata{Account: a.id, Command: "generation", Actor: "bench"})
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	data, err := a.codec.Encode(ctx, a.id, e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	u.Events = append(u.Events, eventstore.NewEvent{
		Stream: stream, Version: version, Type: e.EventName(), Data: data, Metadata: metadata,
	})
	return nil
}
