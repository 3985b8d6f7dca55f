package projections

import (
	"context"
	_ "embed" // for roles.sql
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The roles of Postgres that programs take on. None is the owner of a table, none passes by row-level security, none
// can log in.
const (
	// RoleApp is what a connection has until it takes on another: it sees how far the views are, and nothing in them.
	RoleApp = "pingvas_app"
	// RoleReader sees the rows of the account that SettingTenant names, in tables that have a column account.
	RoleReader = "pingvas_reader"
	// RoleOperator sees the tables of Operated views, of all accounts.
	RoleOperator = "pingvas_operator"
	// RoleProjector writes to views, for all accounts.
	RoleProjector = "pingvas_projector"
)

// SettingTenant names the account whose rows RoleReader sees in the transaction. Without it there are none.
const SettingTenant = "pingvas.tenant"

// Operated is a Projection with tables that the system itself reads, over all accounts.
type Operated interface {
	Projection
	// OperatorTables names them.
	OperatorTables() []string
}

//go:embed roles.sql
var roles string

// insufficientPrivilege is what Postgres answers to whoever may not create roles.
const insufficientPrivilege = "42501"

// createRoles creates the roles that are missing in the cluster and lets the login take them on.
func createRoles(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, roles)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		return fmt.Errorf("create the roles %s, %s, %s and %s: the login may not; let an administrator do it "+
			"as docs/configuration.md says: %w", RoleApp, RoleReader, RoleOperator, RoleProjector, err)
	}
	if err != nil {
		return fmt.Errorf("create the roles of the views: %w", err)
	}
	return nil
}

// As makes the connections of a pool begin as a role of the views instead of as their login. The role must exist.
func As(config *pgxpool.Config, role string) { config.ConnConfig.RuntimeParams["role"] = role }

const (
	sqlTenantTables = `SELECT c.relname, EXISTS (SELECT FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = c.oid AND a.attname = 'account' AND NOT a.attisdropped)
		FROM pg_catalog.pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p')`
	// The subselect is evaluated once for a statement and not for each row.
	tenantIs = `account = (SELECT current_setting('` + SettingTenant + `', true))`
)

// protect puts row-level security on every table of a copy and says who may do what.
func (t target) protect(ctx context.Context, tx pgx.Tx) error {
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlTenantTables, t.quoted())
	type table struct {
		Name   string
		Tenant bool
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		return fmt.Errorf("list the tables of %s: %w", t.schema, err)
	}
	statements := []string{
		`GRANT USAGE ON SCHEMA ` + t.quoted() + ` TO ` + RoleReader + `, ` + RoleOperator + `, ` + RoleProjector,
	}
	for _, found := range tables {
		name := pgx.Identifier{t.schema, found.Name}.Sanitize()
		statements = append(statements,
			`ALTER TABLE `+name+` ENABLE ROW LEVEL SECURITY`, `ALTER TABLE `+name+` FORCE ROW LEVEL SECURITY`,
			`GRANT SELECT, INSERT, UPDATE, DELETE ON `+name+` TO `+RoleProjector,
			`CREATE POLICY projector ON `+name+` TO `+RoleProjector+` USING (true) WITH CHECK (true)`)
		if found.Tenant {
			statements = append(statements, `GRANT SELECT ON `+name+` TO `+RoleReader,
				`CREATE POLICY tenant ON `+name+` FOR SELECT TO `+RoleReader+` USING (`+tenantIs+`)`)
		}
	}
	for _, open := range t.operated {
		name := pgx.Identifier{t.schema, open}.Sanitize()
		statements = append(statements, `GRANT SELECT ON `+name+` TO `+RoleOperator,
			`CREATE POLICY operator ON `+name+` FOR SELECT TO `+RoleOperator+` USING (true)`)
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("protect the tables of %s: %w", t.schema, err)
		}
	}
	return nil
}
