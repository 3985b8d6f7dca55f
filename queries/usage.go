package queries

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// UsageDaysMax is how far the last day may be from the first.
const UsageDaysMax = 366

// UsageRow is the use of one model on one day.
type UsageRow struct {
	Day         time.Time // midnight UTC
	Model       string
	Generations int64 // ended that day
	Succeeded   int64
	Images      int64
	Credits     domain.Credits // settled that day
	GPUMS       int64
}

// Days is an interval of days in UTC, both included.
type Days struct {
	From, To time.Time
}

// Usage returns one row for each day and model with any use, oldest first. It returns CodeInvalid at "to" if the
// interval is reversed or longer than UsageDaysMax.
func (s *Service) Usage(ctx context.Context, r Read, d Days) ([]UsageRow, As, error) {
	from, to := day(d.From), day(d.To)
	if to.Before(from) || to.Sub(from) > UsageDaysMax*24*time.Hour {
		return nil, As{}, domain.FieldErrorf("to", "must be the first day or at most %d days after it", UsageDaysMax)
	}
	var report []UsageRow
	as, err := s.read(ctx, r, []projections.Progress{s.views.usage}, func(v projections.Snapshot) (err error) {
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sqlUsage, r.Account, from, to)
		report, err = pgx.CollectRows(rows, pgx.RowToStructByPos[UsageRow])
		return err
	})
	return report, as, err
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

const sqlUsage = `SELECT day, model, sum(generations)::bigint, sum(succeeded)::bigint, sum(images)::bigint,
	sum(credits)::bigint, sum(gpu_ms)::bigint FROM days
	WHERE account = $1 AND day BETWEEN $2 AND $3 GROUP BY day, model ORDER BY day, model`
