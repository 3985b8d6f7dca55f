package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// Bounds of a usage report.
const (
	// UsageDaysMax is how far the last day may be from the first.
	UsageDaysMax = 366
	// UsageRowsMax is how many rows it may have.
	UsageRowsMax = 10_000
)

// UsageQuery asks for the use in an interval of days in UTC, both included, one row for each combination of what By
// asks for.
type UsageQuery struct {
	From, To time.Time
	By       UsageBy
}

// UsageBy says what the rows of a report are told apart by.
type UsageBy struct{ Day, Model, Tier, Key bool }

// UsageRow is the use of one combination. What the rows are not told apart by is empty.
type UsageRow struct {
	Day   time.Time // midnight UTC
	Model string
	Tier  domain.Tier
	Key   domain.KeyID // empty also for use without an API key
	UsageSum
}

// UsageSum is what was used.
type UsageSum struct {
	Generations int64 // ended in the time
	Succeeded   int64
	Images      int64
	Credits     domain.Credits // settled in the time
	GPUMS       int64
}

// UsageReport is the use with its sum over all rows.
type UsageReport struct {
	Rows  []UsageRow
	Total UsageSum
}

// Usage returns one row for each combination with any use: by day, oldest first, then by model, tier and key. It
// returns CodeInvalid at "to" if the interval is reversed or longer than UsageDaysMax, and at "group_by" for more than
// UsageRowsMax rows.
func (s *Service) Usage(ctx context.Context, r Read, q UsageQuery) (UsageReport, As, error) {
	from, to := day(q.From), day(q.To)
	if to.Before(from) || to.Sub(from) > UsageDaysMax*24*time.Hour {
		return UsageReport{}, As{}, domain.FieldErrorf("to", "must be the first day or at most %d days after it",
			UsageDaysMax)
	}
	var report UsageReport
	as, err := s.read(ctx, r, []projections.Progress{s.views.usage}, func(v projections.Snapshot) (err error) {
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sqlUsage, r.Account, from, to, q.By.Day, q.By.Model, q.By.Tier, q.By.Key, UsageRowsMax+1)
		if report.Rows, err = pgx.CollectRows(rows, scanUsage); err != nil {
			return fmt.Errorf("read the usage: %w", err)
		}
		return nil
	})
	if len(report.Rows) > UsageRowsMax {
		return UsageReport{}, as, domain.FieldErrorf("group_by", "the report has more than %d rows: ask for fewer days or "+
			"for less detail", UsageRowsMax)
	}
	for _, row := range report.Rows {
		report.Total.add(row.UsageSum)
	}
	return report, as, err
}

func (s *UsageSum) add(o UsageSum) {
	s.Generations, s.Succeeded, s.Images = s.Generations+o.Generations, s.Succeeded+o.Succeeded, s.Images+o.Images
	s.Credits, s.GPUMS = s.Credits+o.Credits, s.GPUMS+o.GPUMS
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

const sqlUsage = `SELECT day, model, tier, key, sum(generations)::bigint, sum(succeeded)::bigint, sum(images)::bigint,
	sum(credits)::bigint, sum(gpu_ms)::bigint
	FROM (SELECT CASE WHEN $4 THEN day END AS day, CASE WHEN $5 THEN model ELSE '' END AS model,
			CASE WHEN $6 THEN tier ELSE '' END AS tier, CASE WHEN $7 THEN key ELSE '' END AS key,
			generations, succeeded, images, credits, gpu_ms
		FROM days WHERE account = $1 AND day BETWEEN $2 AND $3) AS used
	GROUP BY day, model, tier, key ORDER BY day, model, tier, key LIMIT $8`

func scanUsage(row pgx.CollectableRow) (UsageRow, error) {
	var u UsageRow
	var day *time.Time
	err := row.Scan(&day, &u.Model, &u.Tier, &u.Key, &u.Generations, &u.Succeeded, &u.Images, &u.Credits, &u.GPUMS)
	u.Day = orZero(day)
	return u, err
}
