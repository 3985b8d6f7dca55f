package queries_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/queries"
)

// tables returns every table of the live copies, with its schema.
func (f *fixture) tables(t *testing.T) (tables []string) {
	t.Helper()
	for _, view := range f.views() {
		schema := projectiontest.Schema(t, f.pool, view)
		projectiontest.AsOwner(t, f.pool, func(tx pgx.Tx) error {
			rows, _ := tx.Query(t.Context(), `SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = $1`, schema)
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			tables = append(tables, found...)
			return err
		})
	}
	require.Greater(t, len(tables), len(f.views()))
	return tables
}

// as runs do as a role, with a tenant if there is one.
func (f *fixture) as(t *testing.T, role string, tenant domain.AccountID, do func(tx pgx.Tx) error) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
		if tenant != "" {
			_, err := tx.Exec(t.Context(), `SELECT set_config($1, $2, true)`, projections.SettingTenant, tenant)
			require.NoError(t, err)
		}
		_, err := tx.Exec(t.Context(), `SELECT set_config('role', $1, true)`, role)
		require.NoError(t, err)
		return do(tx)
	})
}

func count(t *testing.T, tx pgx.Tx, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, tx.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// TestAForgottenPredicateShowsNothing asks every table of every view without any condition.
func TestAForgottenPredicateShowsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 60, 400)
	mine, empty, seen := f.Accounts[0].ID, 0, 0
	for _, table := range f.tables(t) {
		everything, whose := `SELECT count(*) FROM `+table, `SELECT count(*) FROM `+table+` WHERE account = $1`
		var all, ours int
		projectiontest.AsOwner(t, f.pool, func(tx pgx.Tx) error {
			all, ours = count(t, tx, everything), count(t, tx, whose, mine)
			return nil
		})
		require.NoError(t, f.as(t, projections.RoleReader, "", func(tx pgx.Tx) error {
			require.Zero(t, count(t, tx, everything), "%s without a tenant", table)
			return nil
		}))
		require.NoError(t, f.as(t, projections.RoleReader, mine, func(tx pgx.Tx) error {
			require.Equal(t, ours, count(t, tx, everything), table)
			require.Equal(t, ours, count(t, tx, whose, mine), table)
			require.Zero(t, count(t, tx, whose, f.Accounts[1].ID), table)
			return nil
		}))
		if all > ours && ours > 0 {
			seen++
		}
		if all == 0 {
			empty++
		}
	}
	require.Greater(t, seen, 8, "tables with rows of several accounts prove something")
	require.Less(t, empty, 4)
}

// TestTheTenantEndsWithTheTransaction asks on one and the same connection.
func TestTheTenantEndsWithTheTransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 61, 100)
	conn, err := f.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	schema := projectiontest.Schema(t, f.pool, balance.New())
	for _, tenant := range []domain.AccountID{f.Accounts[0].ID, ""} {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		if tenant != "" {
			_, err = tx.Exec(t.Context(), `SELECT set_config($1, $2, true)`, projections.SettingTenant, tenant)
			require.NoError(t, err)
		}
		_, err = tx.Exec(t.Context(), `SELECT set_config('role', $1, true)`, projections.RoleReader)
		require.NoError(t, err)
		n := count(t, tx, `SELECT count(*) FROM `+schema+`.grants`)
		require.Equal(t, tenant != "", n > 0)
		require.NoError(t, tx.Commit(t.Context()))
	}
}

// requireDenied checks that Postgres refuses for want of a right.
func requireDenied(t *testing.T, err error, what string) {
	t.Helper()
	var answer *pgconn.PgError
	require.ErrorAs(t, err, &answer, what)
	require.Equal(t, "42501", answer.Code, "%s: %v", what, err)
}

func TestRolesMayNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 62, 100)
	for _, table := range f.tables(t) {
		for _, refused := range []struct{ role, sql string }{
			{projections.RoleApp, `SELECT FROM ` + table},
			{projections.RoleReader, `DELETE FROM ` + table},
			{projections.RoleReader, `UPDATE ` + table + ` SET shard = 1`},
			{projections.RoleOperator, `DELETE FROM ` + table},
			{projections.RoleProjector, `DROP TABLE ` + table},
			{projections.RoleProjector, `ALTER TABLE ` + table + ` DISABLE ROW LEVEL SECURITY`},
		} {
			requireDenied(t, f.as(t, refused.role, f.Accounts[0].ID, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), refused.sql)
				return err
			}), refused.role+": "+refused.sql)
		}
	}
	projectiontest.AsOwner(t, f.pool, func(tx pgx.Tx) error {
		require.Zero(t, count(t, tx, `SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pingvas_%'
			AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb)`))
		require.Zero(t, count(t, tx, `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname ~ '_v[0-9]+_b[0-9]+$' AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`))
		return nil
	})
	_, err := f.pool.Exec(t.Context(), `DELETE FROM projections.checkpoints`)
	requireDenied(t, err, "checkpoints")
}

// ownerURL returns the URL of an empty database for a login that may create roles and is no superuser.
func ownerURL(t *testing.T) string {
	t.Helper()
	admin, err := url.Parse(pgtest.URL(t, pgtest.Schema{}))
	require.NoError(t, err)
	var random [6]byte
	_, _ = rand.Read(random[:])
	name := "pgt_owner_" + hex.EncodeToString(random[:])
	exec := func(sql string) {
		conn, err := pgx.Connect(t.Context(), admin.String())
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), sql)
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
	}
	exec(fmt.Sprintf(`CREATE ROLE %s LOGIN CREATEROLE PASSWORD 'example'; GRANT CREATE ON DATABASE %s TO %s`, name,
		admin.Path[1:], name))
	t.Cleanup(func() {
		conn, err := pgx.Connect(t.Context(), admin.String())
		if err == nil {
			_, err = conn.Exec(t.Context(), fmt.Sprintf(`DROP OWNED BY %s CASCADE; DROP ROLE %s`, name, name))
			_ = conn.Close(t.Context())
		}
		if err != nil {
			t.Logf("the role %s stays: %v", name, err)
		}
	})
	owner := *admin
	owner.User = url.UserPassword(name, "example")
	return owner.String()
}

// TestAnOwnerWhoIsNoSuperuser lets a plain login with CREATEROLE own the views.
func TestAnOwnerWhoIsNoSuperuser(t *testing.T) {
	t.Parallel()
	address := ownerURL(t)
	owner, err := pgxpool.New(t.Context(), address)
	require.NoError(t, err)
	defer owner.Close()
	require.NoError(t, projections.Migrate(t.Context(), owner))
	require.NoError(t, projections.Migrate(t.Context(), owner), "again")
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	projections.As(config, projections.RoleApp)
	f := &fixture{History: projectiontest.NewHistory(t, 63, 2), signal: &projections.Signal{}}
	f.Play(100)
	f.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer f.pool.Close()
	f.catchUp(t, balance.New())
	f.service, err = queries.New(queries.Config{Pool: f.pool, Ledger: f.Ledger, CursorKey: make([]byte, 32)})
	require.NoError(t, err)
	b, _, err := f.service.Balance(t.Context(), f.read(f.Accounts[0]), time.Time{})
	require.NoError(t, err)
	require.Positive(t, b.Granted)
	verifier := projections.Verifier{Ledger: f.Ledger, Decoder: f.Ledger.Codec, Pool: f.pool, Projection: balance.New()}
	shards, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	for _, s := range shards {
		require.True(t, s.Equal())
		require.NotEqual(t, eventstore.Hash{}, s.Live)
	}
	_, err = (&projections.Rebuild{Config: f.config(balance.New())}).Run(t.Context())
	require.NoError(t, err)
}

// TestAPositionBeyondTheLedgerIsNotWaitedFor asks for what nobody has recorded.
func TestAPositionBeyondTheLedgerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 64, 50)
	c := f.Accounts[0]
	beyond := f.head(t, c)
	beyond.Pos += 1_000_000
	start := time.Now()
	_, as, err := f.service.Balance(t.Context(), queries.Read{Account: c.ID, Min: beyond}, time.Time{})
	require.NoError(t, err)
	require.True(t, as.Stale)
	require.Less(t, time.Since(start), queries.WaitMax, "it is known at once")
}

// TestAViewThatIsBeingBuiltIsUnavailable asks before the first copy of a version is live.
func TestAViewThatIsBeingBuiltIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 65, 20)
	require.NoError(t, projections.Drop(t.Context(), f.pool, balance.New()))
	require.NoError(t, projections.Setup(t.Context(), f.pool, balance.New(), projectiontest.Shards))
	_, _, err := f.service.Balance(t.Context(), f.read(f.Accounts[0]), time.Time{})
	requireCode(t, domain.CodeUnavailable, err)
	f.catchUp(t, balance.New())
	_, _, err = f.service.Balance(t.Context(), f.read(f.Accounts[0]), time.Time{})
	require.NoError(t, err)
}
