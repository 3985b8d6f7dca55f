package api

import (
	"context"
	"slices"
	"time"

	openapitypes "github.com/oapi-codegen/runtime/types"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/queries"
)

// usageDaysDefault is how many days a usage report covers if it does not say from when.
const usageDaysDefault = 30

const day = 24 * time.Hour

// GetUsage implements gen.StrictServerInterface.
func (s *Server) GetUsage(ctx context.Context, request gen.GetUsageRequestObject) (gen.GetUsageResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	q := queries.UsageQuery{To: s.now().Truncate(day), By: usageBy(request.Params.GroupBy)}
	if to := request.Params.To; to != nil {
		q.To = to.Time
	}
	q.From = q.To.Add(-usageDaysDefault * day)
	if from := request.Params.From; from != nil {
		q.From = from.Time
	}
	report, as, err := s.queries.Usage(ctx, read, q)
	if err != nil {
		return nil, err
	}
	out := gen.UsageReport{
		From: openapitypes.Date{Time: q.From}, To: openapitypes.Date{Time: q.To},
		Data: make([]gen.UsageRow, len(report.Rows)),
		Total: gen.UsageTotal{
			Generations: report.Total.Generations, Succeeded: report.Total.Succeeded, Images: report.Total.Images,
			Credits: int64(report.Total.Credits), GpuMs: report.Total.GPUMS,
		},
	}
	for i, r := range report.Rows {
		out.Data[i] = toUsageRow(r, q.By)
	}
	return gen.GetUsage200JSONResponse{
		Body: out,
		Headers: gen.GetUsage200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

func usageBy(asked *[]gen.GetUsageParamsGroupBy) queries.UsageBy {
	if asked == nil {
		return queries.UsageBy{Day: true, Model: true}
	}
	by := func(what gen.GetUsageParamsGroupBy) bool { return slices.Contains(*asked, what) }
	return queries.UsageBy{
		Day: by(gen.GetUsageParamsGroupByDay), Model: by(gen.GetUsageParamsGroupByModel),
		Tier: by(gen.GetUsageParamsGroupByTier), Key: by(gen.GetUsageParamsGroupByKey),
	}
}

func toUsageRow(r queries.UsageRow, by queries.UsageBy) gen.UsageRow {
	out := gen.UsageRow{
		Model: opt(r.Model), Tier: opt(gen.Tier(r.Tier)), Generations: r.Generations, Succeeded: r.Succeeded,
		Images: r.Images, Credits: int64(r.Credits), GpuMs: r.GPUMS,
	}
	if by.Day {
		out.Day = &openapitypes.Date{Time: r.Day}
	}
	if by.Key {
		key := string(r.Key)
		out.Key = &key
	}
	return out
}
