package searchbench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// imagesEach is how many images a generation makes.
const imagesEach = 2

// unitsMax is how many accounts are written at once.
const unitsMax = 500

// History writes generations to a ledger as the ledger would have written them, without accounts and credits.
type History struct {
	Store    eventstore.Store
	Codec    *eventstore.Codec
	Accounts int
	// Progress gets a line now and then. Nil is silent.
	Progress io.Writer

	generator *generator
	next      int64
}

// Write appends generations with so many images in all, spread over the accounts.
func (h *History) Write(ctx context.Context, images int64) error {
	units := map[int][]eventstore.Unit{}
	waiting, owner := 0, 0
	for written := int64(0); written < images; written += imagesEach {
		owner = (owner + 1) % h.Accounts
		u, _, err := h.generation(ctx, accountID(owner))
		if err != nil {
			return err
		}
		shard := eventstore.ShardOf(u.Account, h.Store.Shards())
		units[shard] = append(units[shard], u)
		if waiting++; waiting < min(unitsMax, h.Accounts) && written+imagesEach < images {
			continue
		}
		for shard, list := range units {
			if err := h.append(ctx, shard, list); err != nil {
				return err
			}
		}
		units, waiting = map[int][]eventstore.Unit{}, 0
		if h.Progress != nil && written%(images/10+1) < unitsMax*imagesEach {
			fmt.Fprintf(h.Progress, "%d of %d images recorded\n", written, images)
		}
	}
	return nil
}

func (h *History) append(ctx context.Context, shard int, units []eventstore.Unit) error {
	out, err := h.Store.Append(ctx, []eventstore.Batch{{Shard: shard, Units: units}})
	if err != nil {
		return fmt.Errorf("append %d generations: %w", len(units), err)
	}
	for _, r := range out[0].Results {
		if r.Status != eventstore.StatusAppended {
			return fmt.Errorf("a generation was not appended: status %d", r.Status)
		}
	}
	return nil
}

// One appends one generation of an account and returns its first image.
func (h *History) One(ctx context.Context, owner domain.AccountID) (domain.ImageID, error) {
	u, image, err := h.generation(ctx, owner)
	if err != nil {
		return "", err
	}
	return image, h.append(ctx, eventstore.ShardOf(owner, h.Store.Shards()), []eventstore.Unit{u})
}

// generation makes the two events that the view needs.
func (h *History) generation(ctx context.Context, owner domain.AccountID) (eventstore.Unit, domain.ImageID, error) {
	if h.generator == nil {
		h.generator = newGenerator(2)
	}
	g, n := h.generator, h.next
	h.next++
	at := start().Add(time.Duration(n) * time.Second)
	id := generationID(n)
	requested := generation.Requested{
		Generation: id, Account: owner, Pool: "gpu", Tier: domain.TierPro, At: at, Deadline: at.Add(time.Hour),
		Spec: generation.Spec{
			Terms:  pricing.Terms{Operation: pricing.OperationTextToImage, Model: g.model(), Width: 1024, Height: 768, Count: 2},
			Prompt: g.prompt(), NegativePrompt: "blurry, low quality, 흐림", Tags: g.tags(),
		},
	}
	completed := generation.Completed{Generation: id, Account: owner, Attempt: 1, At: at}
	for i := range imagesEach {
		completed.Images = append(completed.Images, generation.Image{
			Image: imageID(n, i), Key: "k", ThumbnailKey: "t", Width: 1024, Height: 768, Seed: g.rand.Uint32(),
		})
	}
	u := eventstore.Unit{Account: owner}
	metadata, err := json.Marshal(eventstore.Metadata{Account: owner, Command: "bench", Actor: "bench"})
	if err != nil {
		return u, "", fmt.Errorf("encode metadata: %w", err)
	}
	for i, e := range []domain.Event{requested, completed} {
		data, err := h.Codec.Encode(ctx, owner, e)
		if err != nil {
			return u, "", fmt.Errorf("encode an event: %w", err)
		}
		u.Events = append(u.Events, eventstore.NewEvent{
			Stream: eventstore.GenerationStream(id), Version: int64(i + 1), Type: e.EventName(), Data: data, Metadata: metadata,
		})
	}
	return u, completed.Images[0].Image, nil
}
