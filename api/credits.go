package api

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/queries"
)

// GetBalance implements gen.StrictServerInterface.
func (s *Server) GetBalance(
	ctx context.Context, request gen.GetBalanceRequestObject,
) (gen.GetBalanceResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	b, as, err := s.queries.Balance(ctx, read, or(request.Params.At).UTC())
	if err != nil {
		return nil, err
	}
	tag := fmt.Sprintf(`W/"%d-%d"`, b.Version, b.At.UnixMicro())
	return gen.GetBalance200JSONResponse{
		Body: toBalance(b),
		Headers: gen.GetBalance200ResponseHeaders{
			ETag: &tag, PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

func toBalance(b queries.Balance) gen.Balance {
	out := gen.Balance{
		At: b.At, Available: int64(b.Available), Scheduled: int64(b.Scheduled), Reserved: int64(b.Reserved),
		Consumed: int64(b.Consumed), Expired: int64(b.Expired), Granted: int64(b.Granted),
		CreditLine: int64(b.CreditLine), CreditLineUsed: int64(b.CreditLineUsed),
		Grants: make([]gen.BalanceGrant, len(b.Grants)),
	}
	for i, g := range b.Grants {
		out.Grants[i] = gen.BalanceGrant{
			Grant: string(g.Grant), Source: g.Source, Priority: int32(g.Priority), Amount: int64(g.Amount),
			Available: int64(g.Available), Reserved: int64(g.Reserved), Consumed: int64(g.Consumed),
			Expired: opt(int64(g.Expired)), RepaidLine: opt(int64(g.RepaidLine)), EffectiveAt: g.EffectiveAt,
			ExpiresAt: opt(g.ExpiresAt), Models: optList(g.Models), Operations: optList(g.Operations),
		}
	}
	return out
}

func optList(items []string) *[]string {
	if len(items) == 0 {
		return nil
	}
	return &items
}

// GetStatement implements gen.StrictServerInterface.
func (s *Server) GetStatement(
	ctx context.Context, request gen.GetStatementRequestObject,
) (gen.GetStatementResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	only, err := s.ownGeneration(ctx, p.Generation)
	if err != nil {
		return nil, err
	}
	page, as, err := s.queries.Statement(ctx, read, queries.StatementQuery{
		Page: toPage(p.Cursor, p.Limit), Generation: only,
	})
	if err != nil {
		return nil, err
	}
	out := gen.StatementPage{Data: toLines(page.Lines), HasMore: page.Next != "", NextCursor: opt(page.Next)}
	return gen.GetStatement200JSONResponse{
		Body: out,
		Headers: gen.GetStatement200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// ownGeneration returns the generation that a filter names, or CodeNotFound unless it is the caller's.
func (s *Server) ownGeneration(ctx context.Context, filter *string) (domain.GenerationID, error) {
	if filter == nil {
		return "", nil
	}
	id := domain.GenerationID(*filter)
	return id, s.history.owns(ctx, callOf(ctx).who.Account, id)
}

func toLines(lines []queries.Line) []gen.StatementLine {
	out := make([]gen.StatementLine, len(lines))
	for i, line := range lines {
		out[i] = toLine(line)
	}
	return out
}

func toLine(l queries.Line) gen.StatementLine {
	return gen.StatementLine{
		Position: l.Position.String(), Event: l.Event, Kind: gen.StatementLineKind(l.Kind), Amount: int64(l.Amount),
		Returned: opt(int64(l.Returned)), Waived: opt(int64(l.Waived)), AvailableBefore: int64(l.AvailableBefore),
		AvailableAfter: int64(l.AvailableAfter), ReservedBefore: int64(l.ReservedBefore),
		ReservedAfter: int64(l.ReservedAfter), Generation: opt(string(l.Generation)), Grant: opt(string(l.Grant)),
		Cause: opt(l.Cause), At: l.At, Postings: toPostings(l.Postings),
	}
}
