package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/queries"
)

// csvLinesMax is how many movements one CSV may hold.
const csvLinesMax = 50_000

// monthForm is how a month is written.
const monthForm = "2006-01"

// ListStatements implements gen.StrictServerInterface.
func (s *Server) ListStatements(
	ctx context.Context, request gen.ListStatementsRequestObject,
) (gen.ListStatementsResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	months, as, err := s.queries.Months(ctx, read)
	if err != nil {
		return nil, err
	}
	out := gen.MonthList{Data: make([]gen.Month, len(months))}
	for i, m := range months {
		out.Data[i] = gen.Month{
			Month: m.First.Format(monthForm), Opening: toFunds(m.Opening), Closing: toFunds(m.Closing),
			Totals: toTotals(m.Kinds),
		}
	}
	return gen.ListStatements200JSONResponse{
		Body: out,
		Headers: gen.ListStatements200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// GetMonth implements gen.StrictServerInterface.
func (s *Server) GetMonth(ctx context.Context, request gen.GetMonthRequestObject) (gen.GetMonthResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	first, err := parseMonth(request.Month)
	if err != nil {
		return nil, err
	}
	m, as, err := s.queries.Month(ctx, read, first, toPage(p.Cursor, p.Limit))
	if err != nil {
		return nil, err
	}
	out := gen.MonthPage{
		Month: request.Month, Opening: toFunds(m.Opening), Closing: toFunds(m.Closing), Totals: toTotals(m.Kinds),
		Data: toLines(m.Lines), HasMore: m.Next != "", NextCursor: opt(m.Next),
	}
	return gen.GetMonth200JSONResponse{
		Body: out,
		Headers: gen.GetMonth200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// GetMonthCSV implements gen.StrictServerInterface.
func (s *Server) GetMonthCSV(
	ctx context.Context, request gen.GetMonthCSVRequestObject,
) (gen.GetMonthCSVResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	first, err := parseMonth(request.Month)
	if err != nil {
		return nil, err
	}
	var lines []queries.Line
	var month queries.MonthPage
	var as queries.As
	page := queries.Page{Limit: queries.LimitMax}
	for more := true; more; more = month.Next != "" {
		page.Cursor = month.Next
		if month, as, err = s.queries.Month(ctx, read, first, page); err != nil {
			return nil, err
		}
		lines = append(lines, month.Lines...)
		if len(lines) > csvLinesMax {
			return nil, domain.Errorf(domain.CodeConflict, "the month has more than %d lines", csvLinesMax)
		}
	}
	text, err := monthCSV(month.Month, lines)
	if err != nil {
		return nil, err
	}
	return gen.GetMonthCSV200TextCsvResponse{
		Body: bytes.NewReader(text), ContentLength: int64(len(text)),
		Headers: gen.GetMonthCSV200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// parseMonth reads a month of the form of the contract.
func parseMonth(text string) (time.Time, error) {
	first, err := time.Parse(monthForm, text)
	if err != nil {
		return first, invalidField("month", "is not a month, such as 2026-11")
	}
	return first, nil
}

// monthCSV writes a month as a table. What the closing line says is what the lines before it lead to, even if the month
// goes on while it is read.
func monthCSV(m queries.Month, lines []queries.Line) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	closing := m.Opening
	rows := [][]string{
		{"time", "kind", "amount", "returned", "waived", "available", "reserved", "generation", "grant", "cause", "position"},
		csvBalance("opening_balance", m.Opening),
	}
	for _, l := range lines {
		closing = queries.Funds{Available: l.AvailableAfter, Reserved: l.ReservedAfter}
		rows = append(rows, csvLine(l))
	}
	if err := w.WriteAll(append(rows, csvBalance("closing_balance", closing))); err != nil {
		return nil, fmt.Errorf("write the CSV of a month: %w", err)
	}
	return out.Bytes(), nil
}

func csvBalance(kind string, f queries.Funds) []string {
	return []string{"", kind, "", "", "", amount(f.Available), amount(f.Reserved), "", "", "", ""}
}

func csvLine(l queries.Line) []string {
	return []string{
		l.At.Format(time.RFC3339Nano), l.Kind, amount(l.Amount), amount(l.Returned), amount(l.Waived),
		amount(l.AvailableAfter), amount(l.ReservedAfter), string(l.Generation), string(l.Grant), l.Cause,
		l.Position.String(),
	}
}

func amount(c domain.Credits) string { return strconv.FormatInt(int64(c), 10) }

func toFunds(f queries.Funds) gen.Funds {
	return gen.Funds{Available: int64(f.Available), Reserved: int64(f.Reserved)}
}

func toTotals(kinds []queries.KindTotal) []gen.KindTotal {
	out := make([]gen.KindTotal, len(kinds))
	for i, k := range kinds {
		out[i] = gen.KindTotal{
			Kind: gen.KindTotalKind(k.Kind), Lines: k.Lines, Amount: int64(k.Amount), Returned: int64(k.Returned),
			Waived: int64(k.Waived),
		}
	}
	return out
}
