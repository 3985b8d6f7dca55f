package ledgerbench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Meter reads what the machine has spent so far: processor time and WAL. Nil measures nothing.
type Meter struct {
	pool *pgxpool.Pool
	// postmaster is the process of the Postgres server, or 0 if it does not run on this machine.
	postmaster int
	servers    []int // processes besides this one and Postgres
}

// NewMeter returns a meter for the Postgres server of the pool and for server processes that this one has started.
func NewMeter(ctx context.Context, pool *pgxpool.Pool, servers ...int) (*Meter, error) {
	var backend int
	if err := pool.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return nil, fmt.Errorf("find the Postgres server: %w", err)
	}
	return &Meter{pool: pool, postmaster: postmasterOf(backend), servers: servers}, nil
}

// reading is the state of all meters. Times are since the start of each process.
type reading struct {
	own, servers, postgres time.Duration
	known, pgKnown         bool // false where the operating system does not tell
	wal                    int64
}

func (m *Meter) read(ctx context.Context) (reading, error) {
	var r reading
	if m == nil {
		return r, nil
	}
	err := m.pool.QueryRow(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint`).Scan(&r.wal)
	if err != nil {
		return r, fmt.Errorf("read how much WAL was written: %w", err)
	}
	r.own, r.known = ownCPU()
	for _, pid := range m.servers {
		spent, ok := processCPU(pid)
		r.servers += spent
		r.known = r.known && ok
	}
	if m.postmaster != 0 {
		r.postgres, r.pgKnown = treeCPU(m.postmaster)
	}
	return r, nil
}

const sizeSQL = `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`

// size returns the bytes of all tables of a schema with their indexes.
func (m *Meter) size(ctx context.Context, schema string) (bytes int64, err error) {
	if m == nil {
		return 0, nil
	}
	if err := m.pool.QueryRow(ctx, sizeSQL, schema).Scan(&bytes); err != nil {
		return 0, fmt.Errorf("read the size of the tables: %w", err)
	}
	return bytes, nil
}

// Spent is what some rounds took in all.
type Spent struct {
	own, servers, postgres time.Duration
	unknown, pgUnknown     bool
	wal                    int64
}

func (s *Spent) add(before, after reading) {
	s.own += after.own - before.own
	s.servers += after.servers - before.servers
	s.postgres += after.postgres - before.postgres
	s.unknown = s.unknown || !after.known
	s.pgUnknown = s.pgUnknown || !after.pgKnown
	s.wal += after.wal - before.wal
}

// Cost is what one command takes. Processor times are in microseconds, nil where they are not known.
type Cost struct {
	// Own is this process: the load generator, and the ledger where it is called in process.
	Own *float64 `json:"own_cpu_us"`
	// Server is the HTTP server, where it is a process of its own.
	Server     *float64 `json:"server_cpu_us"`
	Postgres   *float64 `json:"postgres_cpu_us"`
	WALBytes   float64  `json:"wal_bytes"`
	TableBytes float64  `json:"table_bytes"` // indexes included
}

func (s Spent) per(commands, grown int64) Cost {
	n := float64(max(commands, 1))
	c := Cost{WALBytes: float64(s.wal) / n, TableBytes: float64(grown) / n}
	micros := func(d time.Duration, unknown bool) *float64 {
		if unknown {
			return nil
		}
		us := float64(d) / float64(time.Microsecond) / n
		return &us
	}
	c.Own, c.Postgres = micros(s.own, s.unknown), micros(s.postgres, s.pgUnknown)
	c.Server = micros(s.servers, s.unknown)
	return c
}

// String returns the cost for a table.
func (c Cost) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CPU µs/command: own %s", figure(c.Own))
	if c.Server == nil || *c.Server > 0 {
		fmt.Fprintf(&b, ", server %s", figure(c.Server))
	}
	fmt.Fprintf(&b, ", Postgres %s; bytes/command: WAL %.0f, tables %.0f", figure(c.Postgres), c.WALBytes, c.TableBytes)
	return b.String()
}

func figure(n *float64) string {
	if n == nil {
		return "n/a"
	}
	return fmt.Sprintf("%.0f", *n)
}
