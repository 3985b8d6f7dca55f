package api

import (
	"context"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/queries"
)

// toRequested returns a generation as it was queued. The reservation is the event before the request: both were
// appended together, and the request came last.
func toRequested(receipt commands.Receipt[commands.RequestedGeneration], spec generation.Spec) gen.Generation {
	r := receipt.Result
	spec.Terms, spec.Guidance, spec.Scheduler = r.Terms, r.Guidance, r.Scheduler
	spec.Seed, spec.Tags = r.Seed, r.Tags
	reserved := eventstore.Position{Shard: receipt.Position.Shard, Pos: receipt.Position.Pos - 1}
	event := account.CreditsReserved{Slices: r.Slices}
	postings := make([]queries.Posting, 0, 2*len(r.Slices))
	for _, p := range event.Postings() {
		postings = append(postings, queries.Posting{
			Position: reserved, Event: event.EventName(), Book: p.Book, Grant: p.Grant, Amount: p.Amount, At: r.At,
		})
	}
	return gen.Generation{
		ID: string(r.Generation), Status: gen.StatusQueued, Version: 1, Attempt: 1, Request: toSpec(spec),
		Settlement: toSettlement(queries.Settlement{
			Quote: r.Quote, Quoted: r.Credits, Reserved: r.Credits, Policy: r.Policy, PriceBook: r.PriceBook,
			Postings: postings,
		}),
		Images: []gen.Image{}, CreatedAt: r.At, Deadline: r.Deadline, Links: linksOf(r.Generation),
	}
}

func (s *Server) toGeneration(ctx context.Context, g queries.Generation) (gen.Generation, error) {
	images, err := s.toImages(ctx, g.Images)
	if err != nil {
		return gen.Generation{}, err
	}
	return gen.Generation{
		ID: string(g.ID), Status: gen.Status(g.Status), Version: g.Version, Cause: opt(g.Cause),
		Attempt: int32(g.Attempt), Request: toSpec(g.Spec), Queue: toQueue(g), Settlement: toSettlement(g.Settlement),
		Images: images, Engine: opt(g.Engine), EngineVersion: opt(g.EngineVersion), GpuMs: opt(g.GPUMS),
		CreatedAt: g.CreatedAt, StartedAt: opt(g.StartedAt), EndedAt: opt(g.EndedAt), Deadline: g.Deadline,
		Links: linksOf(g.ID),
	}, nil
}

func toSpec(s generation.Spec) gen.GenerationSpec {
	out := gen.GenerationSpec{
		Operation: s.Operation, Model: s.Model, Prompt: s.Prompt, NegativePrompt: opt(s.NegativePrompt),
		Width: int32(s.Width), Height: int32(s.Height), Steps: int32(s.Steps), Count: int32(s.Count),
		Scheduler: opt(s.Scheduler), Seed: int64(s.Seed), Tags: list(s.Tags),
	}
	if s.Guidance != 0 { // zero is what models without guidance have
		out.Guidance = &s.Guidance
	}
	showInputs(&out, s)
	return out
}

// toQueue returns the place of a queued generation. The shorter estimate is that of the job alone, the longer one has
// one worker do all jobs ahead first.
func toQueue(g queries.Generation) *gen.QueuePlace {
	if g.Queue == nil {
		return nil
	}
	least, most := g.EstimateMS, g.EstimateMS+g.Queue.AheadMS
	out := gen.QueuePlace{
		Ahead: int32(g.Queue.Ahead), Reason: gen.QueuePlaceReasonWaitingForWorker,
		EstimateMsMin: &least, EstimateMsMax: &most,
	}
	if g.Queue.Retrying {
		out.Reason = gen.QueuePlaceReasonRetrying
	}
	return &out
}

func toSettlement(s queries.Settlement) gen.Settlement {
	return gen.Settlement{
		Quote: opt(s.Quote), Quoted: int64(s.Quoted), Reserved: int64(s.Reserved), Settled: int64(s.Settled),
		Released: int64(s.Released), Waived: int64(s.Waived), Policy: s.Policy, PriceBook: s.PriceBook,
		Postings: toPostings(s.Postings),
	}
}

func toPostings(postings []queries.Posting) []gen.Posting {
	out := make([]gen.Posting, len(postings))
	for i, p := range postings {
		out[i] = gen.Posting{
			Position: p.Position.String(), Event: p.Event, Book: gen.PostingBook(p.Book), Grant: opt(string(p.Grant)),
			Amount: int64(p.Amount), At: p.At,
		}
	}
	return out
}

func linksOf(id domain.GenerationID) gen.GenerationLinks {
	self := "/v1/generations/" + string(id)
	return gen.GenerationLinks{
		Self: self, Events: self + "/events", Cancel: self + "/cancel",
		Images: "/v1/images?generation=" + string(id), Statement: "/v1/statement?generation=" + string(id),
	}
}

// list returns what JSON shows as an array, also if it is empty.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
