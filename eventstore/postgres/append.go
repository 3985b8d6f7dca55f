package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
)

// A call of ledger.append asks for one value, since a set of twelve columns that are NULL would cost Postgres 10 µs
// more. It leaves out the arrays that are empty, of streams that were only read and of refusals: they would cost 8.
var (
	appendSQL      = appendOf(appendParameters)
	appendReadsSQL = appendOf(27)
	appendOnlySQL  = appendOf(23)
)

const appendParameters = 33

func appendOf(parameters int) string {
	numbers := make([]string, parameters)
	for i := range numbers {
		numbers[i] = "$" + strconv.Itoa(i+1)
	}
	return "SELECT ledger.append(" + strings.Join(numbers, ", ") + ")"
}

// SQLSTATEs that an append can meet.
const (
	uniqueViolation = "23505"
	notJSON         = "22P02" // invalid_text_representation
	notText         = "22021" // character_not_in_repertoire
	tooDeep         = "54001" // statement_too_complex
	planChanged     = "0A000" // feature_not_supported: a migration came after the statement was prepared
)

// Append implements eventstore.Store in one round trip. Only a key that was used before takes a second one.
func (s *Store) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	if err := eventstore.CheckBatches(s.shards, batches); err != nil {
		return nil, err
	}
	if len(batches) == 0 {
		return nil, ctx.Err()
	}
	// Locks are taken by ascending shard. The answers are in the caller's order.
	order := ascending(batches)
	out, err := s.append(ctx, batches, order)
	if sqlState(err) == uniqueViolation {
		out, err = s.append(ctx, forgetHeads(batches), order)
	}
	switch sqlState(err) {
	case notJSON, notText, tooDeep:
		return nil, eventstore.NotJSON()
	}
	if err != nil {
		return nil, failed(ctx, "append to the ledger", err)
	}
	return out, nil
}

func ascending(batches []eventstore.Batch) []int {
	order := make([]int, len(batches))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return batches[a].Shard - batches[b].Shard })
	return order
}

func forgetHeads(batches []eventstore.Batch) []eventstore.Batch {
	out := slices.Clone(batches)
	for i := range out {
		out[i].Known = nil
	}
	return out
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func (s *Store) append(ctx context.Context, batches []eventstore.Batch, order []int) ([]eventstore.Appended, error) {
	c := newColumns(batches, order)
	var answer []byte
	err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) (err error) {
		answer, err = c.append(ctx, conn.Conn())
		return err
	})
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return asKnown(batches, order, c), nil
	}
	var firstPos, lastPos []int64
	var firstChain, lastChain [][]byte
	var statuses []int16
	var m missed
	err = pgtype.NewMap().Scan(pgtype.RecordOID, pgx.BinaryFormatCode, answer, pgtype.CompositeFields{
		&firstPos, &firstChain, &lastPos, &lastChain, &statuses,
		&m.shard, &m.pos, &m.stream, &m.version, &m.kind, &m.data, &m.metadata,
	})
	if err != nil {
		return nil, err
	}
	out := make([]eventstore.Appended, len(batches))
	for n, i := range order {
		before := eventstore.Head{Pos: firstPos[n], Chain: eventstore.Hash(firstChain[n])}
		out[i] = eventstore.Appended{
			Before: before, After: eventstore.Head{Pos: lastPos[n], Chain: eventstore.Hash(lastChain[n])},
			Results: results(batches[i].Units, statuses, before.Pos), Missed: m.of(batches[i].Shard),
		}
		statuses = statuses[len(batches[i].Units):]
	}
	return out, nil
}

// append calls ledger.append. The answer is in the binary format, or nil.
func (c *columns) append(ctx context.Context, conn *pgx.Conn) (answer []byte, err error) {
	sql, parameters := c.call()
	answer, err = ask(ctx, conn, sql, parameters)
	if sqlState(err) == planChanged { // so nothing was done
		if err := conn.Deallocate(ctx, sql); err != nil {
			return nil, err
		}
		answer, err = ask(ctx, conn, sql, parameters)
	}
	return answer, err
}

// ask returns the one value that a statement returns, which is prepared once on each connection. Parameters and answer
// are as they go over the wire.
func ask(ctx context.Context, conn *pgx.Conn, sql string, parameters [][]byte) (answer []byte, err error) {
	statement, err := conn.Prepare(ctx, sql, sql)
	if err != nil {
		return nil, err
	}
	binaries := []int16{pgx.BinaryFormatCode}
	result := conn.PgConn().ExecStatement(ctx, statement, parameters, binaries, binaries)
	for result.NextRow() {
		answer = bytes.Clone(result.Values()[0])
	}
	_, err = result.Close()
	return answer, err
}

// call returns the shortest statement that says it all.
func (c *columns) call() (sql string, parameters [][]byte) {
	if c.outcomes == 0 {
		c.outcome.count = 0 // what is missing at the end of an array is NULL
	}
	int4 := func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
	parameters = append(make([][]byte, 0, appendParameters),
		c.shard.value(), c.known.value(), c.knownChain.value(), c.check.value(), c.last.value(), c.lastChain.value(),
		int4(c.units), int4(eventstore.MissedMax),
		c.unit.value(), c.eventShard.value(), c.pos.value(), c.streamID.value(), c.stream.value(), c.version.value(),
		c.kind.value(), c.data.value(), c.metadata.value(), c.leaf.value(), c.chain.value(),
		c.keyID.value(), c.requestHash.value(), c.span.value(), c.outcome.value())
	if c.readUnit.count+c.refusedUnit.count == 0 {
		return appendOnlySQL, parameters
	}
	parameters = append(parameters,
		c.readUnit.value(), c.readShard.value(), c.readStreamID.value(), c.readVersion.value())
	if c.refusedUnit.count == 0 {
		return appendReadsSQL, parameters
	}
	return appendSQL, append(parameters,
		c.refusedUnit.value(), c.refusedShard.value(), c.refusedAccount.value(), c.refusedKeyID.value(),
		c.refusedHash.value(), c.refusedBody.value())
}

// asKnown returns the answer to batches that were appended whole on the heads that the caller knew.
func asKnown(batches []eventstore.Batch, order []int, c *columns) []eventstore.Appended {
	statuses := make([]int16, c.units)
	for i := range statuses {
		statuses[i] = int16(eventstore.StatusAppended)
	}
	out := make([]eventstore.Appended, len(batches))
	for n, i := range order {
		out[i] = eventstore.Appended{
			Before: *batches[i].Known, After: c.heads[n],
			Results: results(batches[i].Units, statuses, batches[i].Known.Pos),
		}
		statuses = statuses[len(batches[i].Units):]
	}
	return out
}

// results returns what became of the units of a batch that found the shard at this head.
func results(units []eventstore.Unit, statuses []int16, head int64) []eventstore.Result {
	out := make([]eventstore.Result, len(units))
	for i, u := range units {
		out[i].Status = eventstore.Status(statuses[i])
		if out[i].Status != eventstore.StatusAppended {
			continue
		}
		out[i].First = head
		if len(u.Events) > 0 {
			out[i].First++
		}
		head += int64(len(u.Events))
	}
	return out
}

// missed are the arrays of what others have appended meanwhile.
type missed struct {
	shard          []int16
	pos, version   []int64
	stream, kind   []string
	data, metadata [][]byte
}

// of returns the events of one shard.
func (m *missed) of(shard int) []eventstore.Envelope {
	var out []eventstore.Envelope
	for i, s := range m.shard {
		if int(s) == shard {
			out = append(out, eventstore.Envelope{
				Shard: shard, Pos: m.pos[i], Stream: m.stream[i], Version: m.version[i], Type: m.kind[i],
				Data: m.data[i], Metadata: m.metadata[i],
			})
		}
	}
	return out
}
