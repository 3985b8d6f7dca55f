package postgres

import (
	"context"

	"github.com/pingvas/pingvas/eventstore"
)

const appendSQL = `SELECT head, statuses
FROM ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

// Append implements eventstore.Store in one round trip.
func (s *Store) Append(ctx context.Context, shard int, units []eventstore.Unit) ([]eventstore.Result, error) {
	if err := eventstore.CheckUnits(shard, s.shards, units); err != nil {
		return nil, err
	}
	if len(units) == 0 {
		return nil, ctx.Err()
	}
	c := newColumns(shard, units)
	var head int64
	var statuses []int16
	err := s.pool.QueryRow(ctx, appendSQL, shard, len(units),
		c.unit, c.stream, c.version, c.begins, c.kind, c.data, c.metadata, c.leaf,
		c.readUnit, c.readStream, c.readVersion,
		c.outcomeUnit, c.outcomeEvent, c.account, c.key, c.requestHash, c.body).Scan(&head, &statuses)
	if err != nil {
		return nil, failed(ctx, "append to the ledger", err)
	}
	results := make([]eventstore.Result, len(units))
	for i, status := range statuses {
		results[i], head = result(eventstore.Status(status), units[i], head)
	}
	return results, nil
}

// result returns what became of the unit and the head after it.
func result(status eventstore.Status, u eventstore.Unit, head int64) (eventstore.Result, int64) {
	switch {
	case status != eventstore.StatusAppended:
		return eventstore.Result{Status: status}, head
	case len(u.Events) == 0:
		return eventstore.Result{Status: status, First: head}, head
	default:
		return eventstore.Result{Status: status, First: head + 1}, head + int64(len(u.Events))
	}
}

// columns are the arrays that ledger.append takes: the units turned on their side. Units and events count from 1.
type columns struct {
	unit     []int32
	stream   []string
	version  []int64
	begins   []bool
	kind     []string
	data     [][]byte
	metadata [][]byte
	leaf     [][]byte

	readUnit    []int32
	readStream  []string
	readVersion []int64

	outcomeUnit  []int32
	outcomeEvent []int32
	account      []string
	key          []string
	requestHash  [][]byte
	body         [][]byte
}

func newColumns(shard int, units []eventstore.Unit) *columns {
	events, reads, outcomes := 0, 0, 0
	for _, u := range units {
		reads += len(u.Reads)
		events += len(u.Events)
		outcomes += len(u.Outcomes)
	}
	c := &columns{
		unit: make([]int32, 0, events), stream: make([]string, 0, events), version: make([]int64, 0, events),
		begins: make([]bool, 0, events), kind: make([]string, 0, events), data: make([][]byte, 0, events),
		metadata: make([][]byte, 0, events), leaf: make([][]byte, 0, events),
		readUnit: make([]int32, 0, reads), readStream: make([]string, 0, reads), readVersion: make([]int64, 0, reads),
		outcomeUnit: make([]int32, 0, outcomes), outcomeEvent: make([]int32, 0, outcomes),
		account: make([]string, 0, outcomes), key: make([]string, 0, outcomes),
		requestHash: make([][]byte, 0, outcomes), body: make([][]byte, 0, outcomes),
	}
	begun := make(map[string]bool, events)
	for i, u := range units {
		before := len(c.unit)
		for _, e := range u.Events {
			c.event(i+1, !begun[e.Stream], e, eventstore.LeafHash(shard, e))
			begun[e.Stream] = true
		}
		for _, r := range u.Reads {
			c.readUnit = append(c.readUnit, int32(i+1))
			c.readStream = append(c.readStream, r.Stream)
			c.readVersion = append(c.readVersion, r.Version)
		}
		for _, o := range u.Outcomes {
			c.outcome(i+1, before, u, o)
		}
	}
	return c
}

func (c *columns) event(unit int, begins bool, e eventstore.NewEvent, leaf eventstore.Hash) {
	c.unit = append(c.unit, int32(unit))
	c.stream = append(c.stream, e.Stream)
	c.version = append(c.version, e.Version)
	c.begins = append(c.begins, begins)
	c.kind = append(c.kind, e.Type)
	c.data = append(c.data, e.Data)
	c.metadata = append(c.metadata, e.Metadata)
	c.leaf = append(c.leaf, leaf[:])
}

func (c *columns) outcome(unit, before int, u eventstore.Unit, o eventstore.NewOutcome) {
	event := 0
	if o.Events > 0 {
		event = before + o.Events
	}
	c.outcomeUnit = append(c.outcomeUnit, int32(unit))
	c.outcomeEvent = append(c.outcomeEvent, int32(event))
	c.account = append(c.account, string(u.Account))
	c.key = append(c.key, o.Key)
	c.requestHash = append(c.requestHash, o.RequestHash[:])
	c.body = append(c.body, o.Body)
}
