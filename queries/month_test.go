package queries_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/queries"
)

// lines returns a month with all of its lines.
func (f *fixture) month(t *testing.T, c *projectiontest.Customer, at time.Time) queries.MonthPage {
	t.Helper()
	var month queries.MonthPage
	month.Lines = all(t, 9, func(p queries.Page) ([]queries.Line, string, error) {
		page, _, err := f.service.Month(t.Context(), f.read(c), at, p)
		month.Month = page.Month
		return page.Lines, page.Next, err
	})
	return month
}

// TestMonthsAreAChain compares months with their lines, and the lines of all months with the whole statement.
func TestMonthsAreAChain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 25, 900)
	crossed := 0
	for _, c := range f.Accounts {
		whole := all(t, 50, func(p queries.Page) ([]queries.Line, string, error) {
			page, _, err := f.service.Statement(t.Context(), f.read(c), queries.StatementQuery{Page: p})
			return page.Lines, page.Next, err
		})
		months, as, err := f.service.Months(t.Context(), f.read(c))
		require.NoError(t, err)
		require.Equal(t, f.head(t, c), as.Position)
		if len(months) > 1 {
			crossed++
		}
		var funds queries.Funds
		for i := len(months) - 1; i >= 0; i-- {
			month := f.month(t, c, months[i].First.Add(12*time.Hour))
			require.Equal(t, months[i], month.Month)
			require.Equal(t, funds, month.Opening, "a month begins with what the one before has ended with")
			requireMonth(t, month)
			for _, l := range month.Lines {
				require.Equal(t, whole[len(whole)-1], l)
				whole = whole[:len(whole)-1]
			}
			funds = month.Closing
		}
		require.Empty(t, whole, "every line is booked in one month")
		require.Equal(t, queries.Funds{Available: c.State.Totals.Available, Reserved: c.State.Totals.Reserved}, funds)
		later := f.month(t, c, f.Now.AddDate(0, 3, 0))
		require.Equal(t, queries.Month{First: later.First, Opening: funds, Closing: funds}, later.Month)
		require.Empty(t, later.Lines)
		before := f.month(t, c, projectiontest.Start().AddDate(0, -1, 0))
		require.Equal(t, queries.MonthPage{Month: queries.Month{First: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)}}, before)
	}
	require.Positive(t, crossed, "the history must have more than one month")
}

// requireMonth adds up the lines of a month.
func requireMonth(t *testing.T, m queries.MonthPage) {
	t.Helper()
	require.NotEmpty(t, m.Lines)
	funds, kinds := m.Opening, map[string]queries.KindTotal{}
	for _, l := range m.Lines {
		require.Equal(t, funds, queries.Funds{Available: l.AvailableBefore, Reserved: l.ReservedBefore})
		funds = queries.Funds{Available: l.AvailableAfter, Reserved: l.ReservedAfter}
		k := kinds[l.Kind]
		kinds[l.Kind] = queries.KindTotal{
			Kind: l.Kind, Lines: k.Lines + 1, Amount: k.Amount + l.Amount, Returned: k.Returned + l.Returned,
			Waived: k.Waived + l.Waived,
		}
		require.False(t, l.At.After(m.First.AddDate(0, 1, 0)), "a line may be booked late, never early")
	}
	require.Equal(t, funds, m.Closing)
	require.Len(t, m.Kinds, len(kinds))
	for _, k := range m.Kinds {
		require.Equal(t, kinds[k.Kind], k)
	}
}

// TestUsageByAnything asks for every combination: the sums are always the same, and the keys are those of the requests.
func TestUsageByAnything(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 26, 900)
	for _, c := range f.Accounts {
		var total *queries.UsageSum
		for bits := range 16 {
			q := queries.UsageQuery{From: projectiontest.Start(), To: f.Now, By: queries.UsageBy{
				Day: bits&1 > 0, Model: bits&2 > 0, Tier: bits&4 > 0, Key: bits&8 > 0,
			}}
			report, _, err := f.service.Usage(t.Context(), f.read(c), q)
			require.NoError(t, err)
			if total == nil {
				total = &report.Total
			}
			require.Equal(t, *total, report.Total)
			var sum queries.UsageSum
			seen := map[queries.UsageRow]bool{}
			for _, row := range report.Rows {
				sum.Generations, sum.Credits = sum.Generations+row.Generations, sum.Credits+row.Credits
				row.UsageSum = queries.UsageSum{}
				require.False(t, seen[row], "%+v is there twice", row)
				seen[row] = true
				require.Equal(t, q.By.Day, !row.Day.IsZero())
				require.Equal(t, q.By.Model, row.Model != "")
				require.Equal(t, q.By.Tier, row.Tier != "")
				require.True(t, q.By.Key || row.Key == "")
			}
			require.Equal(t, total.Generations, sum.Generations)
			require.Equal(t, total.Credits, sum.Credits)
		}
		report, _, err := f.service.Usage(t.Context(), f.read(c), queries.UsageQuery{
			From: projectiontest.Start(), To: f.Now, By: queries.UsageBy{Key: true},
		})
		require.NoError(t, err)
		want := map[domain.KeyID]int64{}
		for _, job := range c.Generations {
			if job.State.Status.Final() {
				want[job.State.Request.Key]++
			}
		}
		require.Greater(t, len(want), 1)
		require.Len(t, report.Rows, len(want))
		for _, row := range report.Rows {
			require.Equal(t, want[row.Key], row.Generations)
		}
	}
}
