package api

import (
	"context"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// historyPage is how many events of a generation are read at once; it seldom has more than ten.
const historyPage = 200

// history reads what happened to a generation from the record, which is never behind.
type history struct {
	store eventstore.Store
	codec *eventstore.Codec
}

// statusChange is a new status of a generation.
type statusChange struct {
	version int64
	status  generation.Status
	attempt int
	cause   string
	at      time.Time
	// position is that of the event, and of all that was recorded with it: read models that know it know the settlement.
	position eventstore.Position
}

// changes are the status changes after a version.
type changes struct {
	list     []statusChange
	version  int64 // of the newest event, whether it changed the status or not
	position eventstore.Position
}

// final reports whether the last change was the end.
func (c changes) final() bool { return len(c.list) > 0 && c.list[len(c.list)-1].status.Final() }

// owns returns CodeNotFound unless the generation is the account's.
func (h history) owns(ctx context.Context, account domain.AccountID, id domain.GenerationID) error {
	_, err := h.read(ctx, account, eventstore.StreamVersion{Stream: eventstore.GenerationStream(id)}, 1)
	return err
}

// after returns what changed after a version, or CodeNotFound unless the generation is the account's. Version 0 is
// before everything, and nothing after it means that there is no such generation.
func (h history) after(
	ctx context.Context, account domain.AccountID, id domain.GenerationID, version int64,
) (changes, error) {
	out := changes{version: version}
	for {
		from := eventstore.StreamVersion{Stream: eventstore.GenerationStream(id), Version: out.version}
		page, err := h.read(ctx, account, from, historyPage)
		if err != nil {
			return changes{}, err
		}
		for _, e := range page {
			event, err := h.codec.Decode(ctx, e)
			if err != nil {
				return changes{}, fmt.Errorf("read the history of %s: %w", id, err)
			}
			if change, ok := changeOf(event); ok {
				change.version, change.position = e.Version, e.Position()
				out.list = append(out.list, change)
			}
			out.version, out.position = e.Version, e.Position()
		}
		if len(page) < historyPage {
			return out, nil
		}
	}
}

func (h history) read(
	ctx context.Context, account domain.AccountID, from eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	missing := domain.Errorf(domain.CodeNotFound, "there is no such generation")
	shard := eventstore.ShardOf(account, h.store.Shards())
	page, err := h.store.ReadStreams(ctx, shard, []eventstore.StreamVersion{from}, limit)
	if err != nil {
		return nil, fmt.Errorf("read the stream %s: %w", from.Stream, err)
	}
	if len(page) == 0 {
		if from.Version == 0 {
			return nil, missing
		}
		return nil, nil
	}
	meta, err := page[0].Meta()
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", page[0].Position(), err)
	}
	if meta.Account != account {
		return nil, missing
	}
	return page, nil
}

// changeOf returns the status that an event leads to, and false for one that leaves it.
func changeOf(e domain.Event) (statusChange, bool) {
	switch e := e.(type) {
	case generation.Requested:
		return statusChange{status: generation.StatusQueued, attempt: 1, at: e.At}, true
	case generation.Claimed:
		return statusChange{status: generation.StatusRunning, attempt: e.Attempt, at: e.At}, true
	case generation.Requeued:
		return statusChange{status: generation.StatusQueued, attempt: e.Attempt, cause: e.Cause, at: e.At}, true
	case generation.Completed:
		return statusChange{status: generation.StatusSucceeded, attempt: e.Attempt, at: e.At}, true
	case generation.Failed:
		status := generation.StatusFailed
		if e.Blocked {
			status = generation.StatusBlocked
		}
		return statusChange{status: status, attempt: e.Attempt, cause: e.Cause, at: e.At}, true
	case generation.Cancelled:
		return statusChange{status: generation.StatusCancelled, attempt: e.Attempt, at: e.At}, true
	case generation.Expired:
		return statusChange{status: generation.StatusExpired, attempt: e.Attempt, at: e.At}, true
	}
	return statusChange{}, false
}
