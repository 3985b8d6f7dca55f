package commands

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
	"github.com/pingvas/pingvas/eventstore"
)

// The life of a request.
const (
	// JobDeadline is how long a job may wait and run before it expires.
	JobDeadline = time.Hour
	// reservationGrace is how much longer its credits stay reserved, so that an end in time finds them.
	reservationGrace = 15 * time.Minute
)

// RequestGeneration reserves credits and queues a job in one step.
type RequestGeneration struct {
	Generation  domain.GenerationID
	Reservation domain.ReservationID
	Key         domain.KeyID
	Spec        generation.Spec
	Quote       *pricing.Quote // nil for the current price
	// Inputs is why the pictures that the request brings along cannot be used, or nil. It is an outcome like any other:
	// a repeated request gets the first answer, whatever has become of the pictures.
	Inputs error
	// Pace refines the estimate from what was measured; nil leaves it as it is in the price book.
	Pace *Pace
	At   time.Time
}

// RequestedGeneration is the job as it was queued.
type RequestedGeneration struct {
	Generation  domain.GenerationID  `json:"generation"`
	Reservation domain.ReservationID `json:"reservation"`
	Terms       pricing.Terms        `json:"terms"`
	Guidance    float64              `json:"guidance,omitempty"`
	Scheduler   string               `json:"scheduler,omitempty"`
	Seed        uint32               `json:"seed"`
	Tags        []string             `json:"tags"`
	Credits     domain.Credits       `json:"credits"`
	Slices      []account.Slice      `json:"slices"`
	PriceBook   string               `json:"price_book"`
	Policy      string               `json:"policy"`
	Quote       string               `json:"quote,omitempty"`
	Deadline    time.Time            `json:"deadline"`
	At          time.Time            `json:"at"`
}

// RequestGeneration runs the use case. Besides what run returns: CodeInvalid with the field at fault,
// CodeModelUnavailable, CodeQuoteExpired, CodeQuoteMismatch, CodeConcurrencyLimit and CodeInsufficientCredits.
func (l *Ledger) RequestGeneration(
	ctx context.Context, c Caller, in RequestGeneration,
) (Receipt[RequestedGeneration], error) {
	if err := checkSpec(&in.Spec); err != nil {
		return Receipt[RequestedGeneration]{}, err
	}
	return run(ctx, l, c, useCase[RequestedGeneration]{
		name:    "request_generation",
		streams: []string{eventstore.AccountStream(c.Account), eventstore.GenerationStream(in.Generation)},
		fresh:   eventstore.GenerationStream(in.Generation),
		seals:   true,
		decide:  func(w *work) (RequestedGeneration, error) { return in.decide(w, c.Account) },
	})
}

func (in RequestGeneration) decide(w *work, owner domain.AccountID) (RequestedGeneration, error) {
	if in.Inputs != nil {
		return RequestedGeneration{}, in.Inputs
	}
	quote, err := in.price(owner)
	if err != nil {
		return RequestedGeneration{}, err
	}
	model, err := pricing.Current().Model(in.Spec.Model)
	if err != nil {
		return RequestedGeneration{}, err
	}
	deadline := in.At.Add(JobDeadline)
	request := generation.Request{
		Generation: in.Generation, Account: owner, Key: in.Key, Spec: in.Spec, Pool: model.Pool,
		Tier: w.account.state.Tier, Reservation: in.Reservation, Reserved: quote.Credits, PriceBook: quote.PriceBook,
		Quote: quote.ID, Policy: settlement.Current().Version, Deadline: deadline, At: in.At,
		EstimateMillis: in.Pace.Refine(model.Key, quote.Millis),
	}
	reserve := account.Reserve{
		Reservation: in.Reservation, Generation: in.Generation, Amount: quote.Credits,
		Use:       account.Use{Model: in.Spec.Model, Operation: in.Spec.Operation},
		PriceBook: quote.PriceBook, Quote: quote.ID, Expires: deadline.Add(reservationGrace), At: in.At,
	}
	if err := w.onAccount(reserve); err != nil {
		return RequestedGeneration{}, err
	}
	if err := w.onGeneration(request); err != nil {
		return RequestedGeneration{}, err
	}
	reserved, _ := w.account.state.Reservation(in.Reservation)
	return RequestedGeneration{
		Generation: in.Generation, Reservation: in.Reservation, Terms: in.Spec.Terms, Guidance: in.Spec.Guidance,
		Scheduler: in.Spec.Scheduler, Seed: in.Spec.Seed, Tags: in.Spec.Tags, Credits: quote.Credits,
		Slices: reserved.Slices, PriceBook: quote.PriceBook,
		Policy: request.Policy, Quote: quote.ID, Deadline: deadline, At: in.At,
	}, nil
}

// price returns the quote that the caller redeems, or the current price as a quote without an id.
func (in RequestGeneration) price(owner domain.AccountID) (pricing.Quote, error) {
	if in.Quote != nil {
		return *in.Quote, in.Quote.Redeem(owner, in.Spec.Terms, in.At)
	}
	book := pricing.Current()
	price, err := book.Price(in.Spec.Terms)
	return pricing.Quote{Credits: price.Credits, PriceBook: book.Version, Millis: price.Millis}, err
}

// checkSpec refuses what no model can draw, and normalises the tags.
func checkSpec(s *generation.Spec) error {
	model, err := pricing.Current().Model(s.Model)
	if err != nil {
		return err
	}
	if err := model.Check(s.Terms); err != nil {
		return err
	}
	if s.Terms.Controls != len(s.Controls) {
		return domain.FieldErrorf("/controls", "%d are priced, %d are given", s.Terms.Controls, len(s.Controls))
	}
	if err := checkText("/prompt", s.Prompt); err != nil {
		return err
	}
	if strings.TrimSpace(s.Prompt) == "" {
		return domain.FieldErrorf("/prompt", "must not be blank")
	}
	if err := checkText("/negative_prompt", s.NegativePrompt); err != nil {
		return err
	}
	if err := model.CheckParams(paramsOf(s)); err != nil {
		return err
	}
	s.Tags, err = image.NormalTags(s.Tags)
	return err
}

func paramsOf(s *generation.Spec) pricing.Params {
	p := pricing.Params{
		Operation: s.Operation, Prompt: s.Prompt, NegativePrompt: s.NegativePrompt, Guidance: s.Guidance,
		Scheduler: s.Scheduler, Source: s.Source != nil, Strength: s.Strength, LoRAs: s.LoRAs,
	}
	for _, c := range s.Controls {
		p.Controls = append(p.Controls, c.Control)
	}
	return p
}

func checkText(field, text string) error {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, control) {
		return domain.FieldErrorf(field, "holds characters that are not text")
	}
	if utf8.RuneCountInString(text) > pricing.PromptRunesMax {
		return domain.FieldErrorf(field, "is longer than %d characters", pricing.PromptRunesMax)
	}
	return nil
}
