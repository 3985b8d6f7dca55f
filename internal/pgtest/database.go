package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	databasePrefix = "pgt_"
	templatePrefix = "pgtpl_"
	// keptFor is how long the database of a failed test stays.
	keptFor = time.Hour
	// templateAge is when a template is dropped; the next test that needs it makes it again.
	templateAge = 24 * time.Hour
)

// database is one test's database and the session whose lock marks it as in use.
type database struct {
	session session
	name    string
	// url is for the test, shown for the log: without the password of a server that is not ours.
	url, shown string
}

const (
	sqlTryLock      = `SELECT pg_try_advisory_lock($1, $2)`
	sqlLock         = `SELECT pg_advisory_lock($1, $2)`
	sqlUnlock       = `SELECT pg_advisory_unlock($1, $2)`
	sqlLockShared   = `SELECT pg_advisory_lock_shared($1, $2)`
	sqlUnlockShared = `SELECT pg_advisory_unlock_shared($1, $2)`
)

// open makes a database with the schema.
func (s server) open(ctx context.Context, schema Schema) (*database, error) {
	joined, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	db, err := joined.create(ctx, schema)
	if err != nil {
		return nil, errors.Join(err, joined.close(ctx))
	}
	if s.given != "" {
		// The URL was parsed when the database was made.
		parsed, _ := url.Parse(db.url)
		db.shown = parsed.Redacted()
	}
	// Housekeeping for runs that died; a test that has its database need not fail for it, and the next one tries again.
	_ = joined.sweep(ctx, s.keptFor)
	return db, nil
}

func (s session) create(ctx context.Context, schema Schema) (*database, error) {
	name, err := s.reserveName(ctx)
	if err != nil {
		return nil, err
	}
	dbURL, err := s.urlOf(name)
	if err != nil {
		return nil, err
	}
	if schema.Migrate == nil {
		err = s.exec(ctx, "CREATE DATABASE "+quoted(name))
	} else {
		err = s.clone(ctx, schema, name)
	}
	if err != nil {
		return nil, fmt.Errorf("create a test database: %w", err)
	}
	return &database{session: s, name: name, url: dbURL, shown: dbURL}, nil
}

// reserveName draws a name and takes the lock that keeps sweepers away, before the database exists.
func (s session) reserveName(ctx context.Context) (string, error) {
	for {
		id := rand.Uint32()
		var free bool
		if err := s.conn.QueryRow(ctx, sqlTryLock, databaseClass, int32(id)).Scan(&free); err != nil {
			return "", fmt.Errorf("reserve the name of a test database: %w", err)
		}
		if free {
			return fmt.Sprintf("%s%08x", databasePrefix, id), nil
		}
	}
}

func (s session) urlOf(name string) (string, error) {
	parsed, err := url.Parse(s.url)
	if err != nil {
		return "", errors.New("the URL of the test server cannot be parsed as postgres://user:password@host/database")
	}
	parsed.Path = "/" + name
	return parsed.String(), nil
}

// close drops the database, or keeps it for a look if the test failed, and leaves the server.
func (d *database) close(ctx context.Context, failed bool, test string) error {
	var err error
	if failed {
		note := fmt.Sprintf("kept %d %x", time.Now().Unix(), test)
		err = d.session.exec(ctx, "COMMENT ON DATABASE "+quoted(d.name)+" IS '"+note+"'")
	} else {
		err = d.session.drop(ctx, d.name)
	}
	return errors.Join(err, d.session.close(ctx))
}

func (s session) exec(ctx context.Context, sql string, args ...any) error {
	if _, err := s.conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (s session) drop(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+quoted(name)+" WITH (FORCE)")
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// template names the template of a schema and the lock that guards it.
type template struct {
	name string
	id   int32
}

func templateOf(schema Schema) template {
	sum := sha256.Sum256([]byte(schema.Hash))
	return template{
		name: templatePrefix + hex.EncodeToString(sum[:8]),
		id:   int32(binary.BigEndian.Uint32(sum[:4])),
	}
}

// clone copies the template, making it first if it is not there. Copies share the template's lock, so that neither
// a sweeper drops it nor a migration changes it under them.
func (s session) clone(ctx context.Context, schema Schema, name string) error {
	from := templateOf(schema)
	for {
		if err := s.exec(ctx, sqlLockShared, templateClass, from.id); err != nil {
			return err
		}
		ready, err := s.templateReady(ctx, from)
		if err == nil && ready {
			err = s.exec(ctx, "CREATE DATABASE "+quoted(name)+" TEMPLATE "+quoted(from.name))
		}
		err = errors.Join(err, s.exec(ctx, sqlUnlockShared, templateClass, from.id))
		if err != nil || ready {
			return err
		}
		if err := s.build(ctx, schema, from); err != nil {
			return err
		}
	}
}

const sqlTemplateReady = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn)`

// templateReady relies on build closing the template to connections as its last step.
func (s session) templateReady(ctx context.Context, t template) (bool, error) {
	var ready bool
	if err := s.conn.QueryRow(ctx, sqlTemplateReady, t.name).Scan(&ready); err != nil {
		return false, fmt.Errorf("look for the template database: %w", err)
	}
	return ready, nil
}

// build migrates the template, unless another test has done so while this one waited for the locks.
func (s session) build(ctx context.Context, schema Schema, t template) (err error) {
	for _, lock := range [][2]int32{{lockClass, lockMigration}, {templateClass, t.id}} {
		if err := s.exec(ctx, sqlLock, lock[0], lock[1]); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, s.exec(context.WithoutCancel(ctx), sqlUnlock, lock[0], lock[1]))
		}()
	}
	if ready, err := s.templateReady(ctx, t); err != nil || ready {
		return err
	}
	// A builder that died may have left a part of it.
	if err := s.drop(ctx, t.name); err != nil {
		return err
	}
	if err := s.exec(ctx, "CREATE DATABASE "+quoted(t.name)); err != nil {
		return err
	}
	target, err := s.urlOf(t.name)
	if err != nil {
		return err
	}
	if err := schema.Migrate(ctx, target); err != nil {
		return fmt.Errorf("migrate the template database: %w", err)
	}
	made := fmt.Sprintf("COMMENT ON DATABASE %s IS 'made %d'", quoted(t.name), time.Now().Unix())
	if err := s.exec(ctx, made); err != nil {
		return err
	}
	return s.exec(ctx, "ALTER DATABASE "+quoted(t.name)+" ALLOW_CONNECTIONS false")
}
