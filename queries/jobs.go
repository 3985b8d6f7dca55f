package queries

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// The questions in this file are the system's own: they look over all accounts.

// JobsMax bounds one answer of OpenJobs and each list of Due.
const JobsMax = 5000

// OpenJob is a generation that has not ended.
type OpenJob struct {
	Generation domain.GenerationID
	Account    domain.AccountID
	Pool       string
	Tier       domain.Tier
	Model      string
	EstimateMS int64 // estimated GPU time of the whole job
	Attempt    int
	Status     generation.Status // queued or running
	Worker     string            // empty unless it runs
	LeaseUntil time.Time         // zero unless it runs
	EnqueuedAt time.Time         // when it was requested; a requeue keeps its place
	Deadline   time.Time
}

// OpenJobs returns the open jobs whose id comes after the given one, ordered by id, at most JobsMax. Fewer than
// JobsMax are the last.
func (s *Service) OpenJobs(ctx context.Context, after domain.GenerationID) ([]OpenJob, error) {
	return system(ctx, s, s.views.generations, scanOpenJob, sqlOpenJobs, after, JobsMax)
}

func scanOpenJob(row pgx.CollectableRow) (OpenJob, error) {
	var j OpenJob
	var lease *time.Time
	err := row.Scan(&j.Generation, &j.Account, &j.Pool, &j.Tier, &j.Model, &j.EstimateMS, &j.Attempt, &j.Status,
		&j.Worker, &lease, &j.EnqueuedAt, &j.Deadline)
	j.LeaseUntil, j.EnqueuedAt, j.Deadline = orZero(lease), j.EnqueuedAt.UTC(), j.Deadline.UTC()
	return j, err
}

// system asks one view over all accounts.
func system[T any](
	ctx context.Context, s *Service, of projections.Progress, scan pgx.RowToFunc[T], sql string, args ...any,
) (list []T, err error) {
	err = projections.ReadSystem(ctx, s.cfg.Pool, []projections.Progress{of}, func(v projections.Snapshot) error {
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sql, args...)
		list, err = pgx.CollectRows(rows, scan)
		return err
	})
	return list, err
}

const sqlOpenJobs = `SELECT generation, account, pool, tier, model, estimate_ms, attempt, status, worker, lease_until,
	created_at, deadline FROM jobs
	WHERE ended_at IS NULL AND generation > $1 ORDER BY generation LIMIT $2`

// JobsPosition returns how far the view of open jobs knows each shard, indexed by shard. Ask before OpenJobs: what
// comes after these positions may or may not be in its answer, everything before is.
func (s *Service) JobsPosition(ctx context.Context) ([]eventstore.Position, error) {
	positions := make([]eventstore.Position, s.cfg.Ledger.Shards())
	for shard := range positions {
		at, err := s.views.generations.Position(ctx, s.cfg.Pool, shard)
		if err != nil {
			return nil, err
		}
		positions[shard] = at
	}
	return positions, nil
}

// DueJob is a generation that time has moved on.
type DueJob struct {
	Generation domain.GenerationID
	Account    domain.AccountID
}

// Due is what time has ended and nobody has made visible yet.
type Due struct {
	// Leases are running jobs whose lease has run out: end the lease.
	Leases []DueJob
	// Deadlines are open jobs whose deadline has passed and whose lease, if any, has run out: expire them.
	Deadlines []DueJob
	// Accounts have grants or open reservations that ran out: make it visible.
	Accounts []domain.AccountID
}

// Due returns what is due at a time, oldest first, at most JobsMax of each kind.
func (s *Service) Due(ctx context.Context, now time.Time) (Due, error) {
	var due Due
	var err error
	if due.Leases, err = s.dueJobs(ctx, sqlDueLeases, now); err != nil {
		return Due{}, err
	}
	if due.Deadlines, err = s.dueJobs(ctx, sqlDueDeadlines, now); err != nil {
		return Due{}, err
	}
	due.Accounts, err = system(ctx, s, s.views.balance, pgx.RowTo[domain.AccountID], sqlDueAccounts, now, JobsMax)
	return due, err
}

const (
	sqlDueLeases = `SELECT generation, account FROM jobs
		WHERE status = 'running' AND lease_until <= $1 ORDER BY lease_until, generation LIMIT $2`
	sqlDueDeadlines = `SELECT generation, account FROM jobs
		WHERE ended_at IS NULL AND deadline <= $1 AND (lease_until IS NULL OR lease_until <= $1)
		ORDER BY deadline, generation LIMIT $2`
	sqlDueAccounts = `SELECT account FROM (
			SELECT account, expires_at FROM reservations WHERE ended_at IS NULL AND expires_at <= $1
			UNION ALL
			SELECT account, expires_at FROM grants WHERE available > 0 AND expires_at <= $1
		) AS due GROUP BY account ORDER BY min(expires_at), account LIMIT $2`
)

func (s *Service) dueJobs(ctx context.Context, sql string, now time.Time) ([]DueJob, error) {
	return system(ctx, s, s.views.generations, pgx.RowToStructByPos[DueJob], sql, now, JobsMax)
}

// BacklogRow is the open work of one pool and tier.
type BacklogRow struct {
	Pool      string
	Tier      domain.Tier
	Queued    int64
	Running   int64
	QueuedMS  int64 // estimated GPU time
	RunningMS int64 // estimated GPU time, from the start
}

// Backlog returns the open work of every pool and tier that has any.
func (s *Service) Backlog(ctx context.Context) ([]BacklogRow, error) {
	return system(ctx, s, s.views.generations, pgx.RowToStructByPos[BacklogRow], sqlBacklog)
}

const sqlBacklog = `SELECT pool, tier, count(*) FILTER (WHERE status = 'queued'),
	count(*) FILTER (WHERE status = 'running'),
	coalesce(sum(estimate_ms) FILTER (WHERE status = 'queued'), 0)::bigint,
	coalesce(sum(estimate_ms) FILTER (WHERE status = 'running'), 0)::bigint
	FROM jobs WHERE ended_at IS NULL GROUP BY pool, tier ORDER BY pool, tier`
