package generate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers/picture"
)

// thumbnailEdge is the longer edge of a thumbnail in pixels.
const thumbnailEdge = 384

// contentType is that of every picture; thumbnails are JPEG.
const contentType = "image/png"

// CauseUpload is the cause of a failure when the pictures could not be stored.
const CauseUpload = "upload_failed"

// errUpload marks that the pictures could not be stored.
var errUpload = errors.New("store the pictures")

// delivery makes what an engine drew into what the customer gets.
type delivery struct {
	client *http.Client
	job    Assignment
	now    func() time.Time
}

// deliver annotates, shrinks and uploads the pictures, and returns what the result says of them.
func (d delivery) deliver(ctx context.Context, out Output) ([]generation.Image, error) {
	if len(out.Images) == 0 {
		return nil, &EngineError{Class: ClassUnknown, Message: "the engine brought no picture"}
	}
	count := min(len(out.Images), len(d.job.Uploads), d.job.Spec.Count)
	images := make([]generation.Image, 0, count)
	for i := range count {
		image, err := d.one(ctx, out, i)
		if err != nil {
			return nil, fmt.Errorf("deliver image %d: %w", i, err)
		}
		images = append(images, image)
	}
	return images, nil
}

func (d delivery) one(ctx context.Context, out Output, i int) (generation.Image, error) {
	drawn, place := out.Images[i], d.job.Uploads[i]
	file, err := picture.Annotate(drawn.PNG, d.metadata(out, drawn))
	if err != nil {
		return generation.Image{}, fmt.Errorf("annotate: %w", err)
	}
	if err := d.store(ctx, place, file); err != nil {
		return generation.Image{}, err
	}
	sum := sha256.Sum256(file)
	return generation.Image{
		Image: domain.NewImageID(d.job.Generation, i), Key: place.Key, ThumbnailKey: place.ThumbnailKey,
		ContentType: contentType, Bytes: int64(len(file)), SHA256: hex.EncodeToString(sum[:]),
		Width: drawn.Width, Height: drawn.Height, Seed: drawn.Seed,
	}, nil
}

// store makes the thumbnail while the picture is on its way, and stores both.
func (d delivery) store(ctx context.Context, place Upload, file []byte) error {
	both, ctx := errgroup.WithContext(ctx)
	put := func(o object) error {
		if err := upload(ctx, d.client, o); err != nil {
			return fmt.Errorf("%w: %w", errUpload, err)
		}
		return nil
	}
	both.Go(func() error { return put(object{place.URL, place.Headers, file}) })
	both.Go(func() error {
		small, _, _, err := picture.Thumbnail(file, thumbnailEdge)
		if err != nil {
			return fmt.Errorf("make the thumbnail: %w", err)
		}
		return put(object{place.ThumbnailURL, place.ThumbnailHeaders, small})
	})
	return both.Wait()
}

func (d delivery) metadata(out Output, drawn Image) picture.Metadata {
	s := d.job.Spec
	return picture.Metadata{
		Generation: string(d.job.Generation), Engine: out.Engine, EngineVersion: out.Version, Model: s.Model,
		Prompt: s.Prompt, NegativePrompt: s.NegativePrompt, Seed: drawn.Seed, Steps: s.Steps, Guidance: s.Guidance,
		Scheduler: s.Scheduler, Width: drawn.Width, Height: drawn.Height, CreatedAt: d.now(),
	}
}

// failureOf says what an error of an attempt means for the job.
func failureOf(err error) generation.Failure {
	var engine *EngineError
	switch {
	case errors.Is(err, errUpload):
		return generation.Failure{Cause: CauseUpload, Retry: true}
	case errors.Is(err, errInput):
		return generation.Failure{Cause: CauseInput, Retry: true}
	case !errors.As(err, &engine):
		return generation.Failure{Cause: string(ClassUnknown), Retry: true}
	case engine.Class == ClassInvalid:
		return generation.Failure{Cause: string(engine.Class)}
	case engine.Class == ClassModerated:
		return generation.Failure{Cause: string(engine.Class), Blocked: true}
	default:
		return generation.Failure{Cause: string(engine.Class), Retry: true}
	}
}
