package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/projections"
)

// digestSettings say how often read models publish their digests.
type digestSettings struct {
	DigestEvery time.Duration `name:"digest-every" env:"PINGVAS_DIGEST_EVERY" default:"24h" help:"How often each read model publishes its digest, for audit verify to compare; 0 for never. It reads all rows of the model."`
}

func (s digestSettings) errors() []error {
	if s.DigestEvery < 0 {
		return []error{errors.New("PINGVAS_DIGEST_EVERY is negative")}
	}
	return nil
}

// digestEveryDefault is for pingvas dev.
const digestEveryDefault = 24 * time.Hour

// digestLook is how often it is seen whether digests are due.
const digestLook = time.Minute

// digestRole publishes the digests of all views when they are due. It may run in several processes.
func (p *parts) digestRole(every time.Duration) role {
	return role{"digests", func(ctx context.Context) error {
		if every == 0 {
			return nil
		}
		tick := time.NewTicker(min(every, digestLook))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := p.publishDigests(ctx, every); err != nil && ctx.Err() == nil {
				p.log.WarnContext(ctx, "digests could not be published; another try follows", slog.Any("error", err))
			}
		}
	}}
}

func (p *parts) publishDigests(ctx context.Context, every time.Duration) error {
	var errs []error
	for _, view := range rowViews() {
		if _, err := projections.PublishDue(ctx, p.views, view, p.store.Shards(), every); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", view.Name(), err))
		}
	}
	return errors.Join(errs...)
}
