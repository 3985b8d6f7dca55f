package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pingvas/pingvas/eventstore"
)

const appendSQL = `SELECT first_pos, first_chain, last_pos, last_chain, statuses,
	m_batch, m_pos, m_stream, m_version, m_type, m_data, m_metadata
FROM ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
	$23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)`

// SQLSTATEs that an append can meet.
const (
	uniqueViolation = "23505"
	notJSON         = "22P02" // invalid_text_representation
	notText         = "22021" // character_not_in_repertoire
	tooDeep         = "54001" // statement_too_complex
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
	var firstPos, lastPos []int64
	var firstChain, lastChain [][]byte
	var statuses []int16
	var m missed
	err := s.pool.QueryRow(ctx, appendSQL,
		c.shard, c.known, c.knownChain, c.check, c.last, c.lastChain, c.units, eventstore.MissedMax,
		c.unit, c.batch, c.pos, c.streamID, c.stream, c.version, c.begins, c.kind, c.data, c.metadata, c.leaf, c.chain,
		c.keyID, c.requestHash, c.span, c.outcome,
		c.readUnit, c.readBatch, c.readStreamID, c.readVersion,
		c.refusedUnit, c.refusedBatch, c.refusedAccount, c.refusedKeyID, c.refusedHash, c.refusedBody,
	).Scan(&firstPos, &firstChain, &lastPos, &lastChain, &statuses,
		&m.batch, &m.pos, &m.stream, &m.version, &m.kind, &m.data, &m.metadata)
	if err != nil {
		return nil, err
	}
	out := make([]eventstore.Appended, len(batches))
	for n, i := range order {
		before := eventstore.Head{Pos: firstPos[n], Chain: eventstore.Hash(firstChain[n])}
		out[i] = eventstore.Appended{
			Before: before, After: eventstore.Head{Pos: lastPos[n], Chain: eventstore.Hash(lastChain[n])},
			Results: results(batches[i].Units, statuses, before.Pos), Missed: m.of(n+1, batches[i].Shard),
		}
		statuses = statuses[len(batches[i].Units):]
	}
	return out, nil
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
	batch          []int32
	pos, version   []int64
	stream, kind   []string
	data, metadata [][]byte
}

// of returns the events of one batch, which counts from 1.
func (m *missed) of(batch, shard int) []eventstore.Envelope {
	var out []eventstore.Envelope
	for i, b := range m.batch {
		if int(b) == batch {
			out = append(out, eventstore.Envelope{
				Shard: shard, Pos: m.pos[i], Stream: m.stream[i], Version: m.version[i], Type: m.kind[i],
				Data: m.data[i], Metadata: m.metadata[i],
			})
		}
	}
	return out
}
