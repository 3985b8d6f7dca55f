package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/queries"
)

// CreateGeneration implements gen.StrictServerInterface. Nothing in the answer comes from elsewhere than the request
// and the recorded outcome, so a replay is the same to the byte.
func (s *Server) CreateGeneration(
	ctx context.Context, request gen.CreateGenerationRequestObject,
) (gen.CreateGenerationResponseObject, error) {
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	spec, err := fromRequest(request.Body)
	if err != nil {
		return nil, err
	}
	quote, err := s.readQuote(request.Body.Quote)
	if err != nil {
		return nil, err
	}
	inputs := s.findInputs(ctx, &spec)
	if inputs != nil && domain.CodeOf(inputs) != domain.CodePicture {
		return nil, inputs // an outage is no outcome
	}
	receipt, err := s.ledger.RequestGeneration(ctx, caller(ctx, once), commands.RequestGeneration{
		Generation:  domain.GenerationID(s.newID(domain.PrefixGeneration)),
		Reservation: domain.ReservationID(s.newID(domain.PrefixReservation)),
		Key:         callOf(ctx).who.Key, Spec: spec, Quote: quote, Inputs: inputs, Pace: s.pace, At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	body := toRequested(receipt, spec)
	return gen.CreateGeneration201JSONResponse{
		Body: body,
		Headers: gen.CreateGeneration201ResponseHeaders{
			Location: &body.Links.Self, PingvasPosition: position(receipt.Position),
			IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// fromRequest fills in the model's defaults and draws a seed if none is given.
func fromRequest(in *gen.GenerationRequest) (generation.Spec, error) {
	model, err := pricing.Current().Model(in.Model)
	if err != nil {
		return generation.Spec{}, err
	}
	spec := generation.Spec{
		Terms:  wanted{in.Operation, in.Width, in.Height, in.Steps, in.Count, nil}.terms(model),
		Prompt: in.Prompt, NegativePrompt: or(in.NegativePrompt), Guidance: model.Guidance.Default,
		Scheduler: model.Schedulers[0], Seed: uint32(or(in.Seed)), Tags: or(in.Tags),
	}
	if in.Guidance != nil {
		spec.Guidance = *in.Guidance
	}
	if in.Scheduler != nil {
		spec.Scheduler = *in.Scheduler
	}
	bring(&spec, in, model)
	if in.Seed == nil {
		spec.Seed, err = drawSeed()
	}
	return spec, err
}

func drawSeed() (uint32, error) {
	var seed [4]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return 0, fmt.Errorf("draw a seed: %w", err)
	}
	return binary.BigEndian.Uint32(seed[:]), nil
}

func (s *Server) readQuote(token *string) (*pricing.Quote, error) {
	if token == nil {
		return nil, nil
	}
	quote, err := s.quotes.Read(*token)
	return &quote, err
}

// ListGenerations implements gen.StrictServerInterface.
func (s *Server) ListGenerations(
	ctx context.Context, request gen.ListGenerationsRequestObject,
) (gen.ListGenerationsResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	page, as, err := s.queries.Generations(ctx, read, queries.GenerationsQuery{
		Page: toPage(p.Cursor, p.Limit), Status: generation.Status(or(p.Status)), Open: or(p.Open),
	})
	if err != nil {
		return nil, err
	}
	out := gen.GenerationPage{Data: make([]gen.Generation, len(page.Generations)), NextCursor: opt(page.Next)}
	out.HasMore = page.Next != ""
	for i, g := range page.Generations {
		if out.Data[i], err = s.toGeneration(ctx, g); err != nil {
			return nil, err
		}
	}
	return gen.ListGenerations200JSONResponse{
		Body: out,
		Headers: gen.ListGenerations200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// GetGeneration implements gen.StrictServerInterface.
func (s *Server) GetGeneration(
	ctx context.Context, request gen.GetGenerationRequestObject,
) (gen.GetGenerationResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	found, as, err := s.queries.Generation(ctx, read, domain.GenerationID(request.Generation))
	if err != nil {
		return nil, err
	}
	body, err := s.toGeneration(ctx, found)
	if err != nil {
		return nil, err
	}
	tag := fmt.Sprintf(`W/"%d-%s"`, found.Version, found.Changed)
	return gen.GetGeneration200JSONResponse{
		Body: body,
		Headers: gen.GetGeneration200ResponseHeaders{
			ETag: &tag, PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// cancelBody is what makes two calls to cancel the same.
type cancelBody struct {
	Generation string
	AtMost     *domain.Credits
}

// CancelGeneration implements gen.StrictServerInterface.
func (s *Server) CancelGeneration(
	ctx context.Context, request gen.CancelGenerationRequestObject,
) (gen.CancelGenerationResponseObject, error) {
	atMost := (*domain.Credits)(request.Params.ChargeAtMost)
	var once *commands.Idempotency
	if key := request.Params.IdempotencyKey; key != nil {
		var err error
		if once, err = idempotency(ctx, http.MethodPost, *key, cancelBody{request.Generation, atMost}); err != nil {
			return nil, err
		}
	}
	id := domain.GenerationID(request.Generation)
	receipt, err := s.ledger.CancelGeneration(ctx, caller(ctx, once), id, atMost, s.now())
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	r := receipt.Result
	return gen.CancelGeneration200JSONResponse{
		Body: gen.Cancellation{
			ID: string(r.Generation), Status: gen.Status(r.Status), Settled: int64(r.Settled), Released: int64(r.Released),
		},
		Headers: gen.CancelGeneration200ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

func toPage(cursor *string, limit *int32) queries.Page {
	return queries.Page{Cursor: or(cursor), Limit: int(or(limit))}
}
