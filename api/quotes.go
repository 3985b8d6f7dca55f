package api

import (
	"context"
	"errors"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/pricing"
)

// prefixQuote begins the ids of quotes.
const prefixQuote = "quo_"

// CreateQuote implements gen.StrictServerInterface.
func (s *Server) CreateQuote(
	ctx context.Context, request gen.CreateQuoteRequestObject,
) (gen.CreateQuoteResponseObject, error) {
	in := request.Body
	book := pricing.Current()
	model, err := book.Model(in.Model)
	if err != nil {
		return nil, err
	}
	terms := wanted{in.Operation, in.Width, in.Height, in.Steps, in.Count, in.ControlCount}.terms(model)
	price, err := book.Price(terms)
	if err != nil {
		return nil, atCount(err)
	}
	quote := pricing.Quote{
		ID: s.newID(prefixQuote), Account: callOf(ctx).who.Account, Terms: terms, Credits: price.Credits,
		PriceBook: book.Version, Millis: price.Millis, Expires: s.now().Add(pricing.QuoteTTL),
	}
	token, err := s.quotes.Token(quote)
	if err != nil {
		return nil, err
	}
	return gen.CreateQuote200JSONResponse{
		Quote: token, Credits: int64(quote.Credits), Breakdown: toPriceLines(price.Breakdown),
		PriceBook: quote.PriceBook, EstimateMs: s.pace.Refine(model.Key, quote.Millis), ExpiresAt: quote.Expires,
	}, nil
}

// atCount names the field that a quote has for the controls, of which it gets the number alone.
func atCount(err error) error {
	var refused *domain.Error
	if errors.As(err, &refused) && refused.Field == "/controls" {
		at := *refused
		at.Field = "/control_count"
		return &at
	}
	return err
}

// wanted are the parts of a request that decide its price; nil means the model's default.
type wanted struct {
	operation                             *string
	width, height, steps, count, controls *int32
}

func (w wanted) terms(m pricing.Model) pricing.Terms {
	t := pricing.Terms{
		Operation: pricing.OperationTextToImage, Model: m.Key, Width: number(w.width, m.Size.Default),
		Height: number(w.height, m.Size.Default), Steps: number(w.steps, m.Steps.Default),
		Count: number(w.count, m.Count.Default), Controls: number(w.controls, 0),
	}
	if w.operation != nil {
		t.Operation = *w.operation
	}
	return t
}

func number(p *int32, standard int) int {
	if p == nil {
		return standard
	}
	return int(*p)
}

func toPriceLines(lines []pricing.Line) []gen.PriceLine {
	out := make([]gen.PriceLine, len(lines))
	for i, l := range lines {
		out[i] = gen.PriceLine{
			Label: l.Label, CreditsPerImage: int64(l.Unit), Images: int32(l.Images), Credits: int64(l.Credits),
		}
	}
	return out
}
