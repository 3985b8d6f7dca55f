package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// id is what streams and idempotency keys are looked up by, see ledger.stream_id and ledger.key_id.
type id = [16]byte

func streamID(shard int, stream string) id {
	var room [2 + eventstore.StreamBytesMax]byte
	b := binary.BigEndian.AppendUint16(room[:0], uint16(shard))
	sum := sha256.Sum256(append(b, stream...))
	return id(sum[:16])
}

func keyID(account domain.AccountID, key string) id {
	var room [2 * eventstore.KeyBytesMax]byte
	b := append(room[:0], account...)
	b = append(b, 0)
	sum := sha256.Sum256(append(b, key...))
	return id(sum[:16])
}

// columns are the arrays that ledger.append takes: the batches turned on their side. Units count from 1.
type columns struct {
	units int

	shard      []int16
	known      []int64
	knownChain [][]byte // nil where the head is not known
	check      []bool
	last       []int64
	lastChain  [][]byte

	unit        []int32
	eventShard  []int16
	pos         []int64
	streamID    []id
	stream      []string
	version     []int64
	kind        []string
	data        [][]byte
	metadata    [][]byte
	leaf        [][]byte
	chain       [][]byte
	keyID       []*id // nil where the event ends no command with a key
	requestHash []*id
	span        []*int16
	outcome     [][]byte // nil where the events tell it, too

	readUnit     []int32
	readShard    []int16
	readStreamID []id
	readVersion  []int64

	refusedUnit    []int32
	refusedShard   []int16
	refusedAccount []string
	refusedKeyID   []id
	refusedHash    []id
	refusedBody    [][]byte
}

// newColumns takes the batches in this order.
func newColumns(batches []eventstore.Batch, order []int) *columns {
	c := roomFor(batches)
	for _, i := range order {
		c.add(batches[i])
	}
	if !slices.ContainsFunc(c.outcome, func(body []byte) bool { return body != nil }) {
		c.outcome = c.outcome[:0] // what is missing at the end of an array is NULL
	}
	return c
}

// roomFor makes no array nil: that would be NULL.
func roomFor(batches []eventstore.Batch) *columns {
	events, reads, refused := 0, 0, 0
	for _, b := range batches {
		for _, u := range b.Units {
			events += len(u.Events)
			reads += len(u.Reads)
			for _, o := range u.Outcomes {
				if o.Events == 0 {
					refused++
				}
			}
		}
	}
	return &columns{
		unit: make([]int32, 0, events), eventShard: make([]int16, 0, events), pos: make([]int64, 0, events),
		streamID: make([]id, 0, events), stream: make([]string, 0, events), version: make([]int64, 0, events),
		kind: make([]string, 0, events), data: make([][]byte, 0, events),
		metadata: make([][]byte, 0, events), leaf: make([][]byte, 0, events), chain: make([][]byte, 0, events),
		keyID: make([]*id, 0, events), requestHash: make([]*id, 0, events), span: make([]*int16, 0, events),
		outcome: make([][]byte, 0, events),

		readUnit: make([]int32, 0, reads), readShard: make([]int16, 0, reads),
		readStreamID: make([]id, 0, reads), readVersion: make([]int64, 0, reads),

		refusedUnit: make([]int32, 0, refused), refusedShard: make([]int16, 0, refused),
		refusedAccount: make([]string, 0, refused), refusedKeyID: make([]id, 0, refused),
		refusedHash: make([]id, 0, refused), refusedBody: make([][]byte, 0, refused),
	}
}

func (c *columns) add(b eventstore.Batch) {
	head := eventstore.Head{}
	c.shard = append(c.shard, int16(b.Shard))
	if b.Known != nil {
		head = *b.Known
		c.knownChain = append(c.knownChain, b.Known.Chain[:])
	} else {
		c.knownChain = append(c.knownChain, nil)
	}
	c.known = append(c.known, head.Pos)
	c.check = append(c.check, b.Check)
	for _, u := range b.Units {
		c.units++
		first := len(c.unit)
		for _, e := range u.Events {
			head = c.event(b.Shard, head, e)
		}
		for _, r := range u.Reads {
			c.readUnit = append(c.readUnit, int32(c.units))
			c.readShard = append(c.readShard, int16(b.Shard))
			c.readStreamID = append(c.readStreamID, streamID(b.Shard, r.Stream))
			c.readVersion = append(c.readVersion, r.Version)
		}
		for _, o := range u.Outcomes {
			c.outcomeOf(b.Shard, first, u, o)
		}
	}
	c.last = append(c.last, head.Pos)
	c.lastChain = append(c.lastChain, head.Chain[:])
}

// event returns the head after the event, on the assumption that the head before it is the shard's.
func (c *columns) event(shard int, head eventstore.Head, e eventstore.NewEvent) eventstore.Head {
	leaf := eventstore.LeafHash(shard, e)
	head = eventstore.Head{Pos: head.Pos + 1, Chain: eventstore.ChainHash(head.Chain, head.Pos+1, leaf)}
	c.unit = append(c.unit, int32(c.units))
	c.eventShard = append(c.eventShard, int16(shard))
	c.pos = append(c.pos, head.Pos)
	c.streamID = append(c.streamID, streamID(shard, e.Stream))
	c.stream = append(c.stream, e.Stream)
	c.version = append(c.version, e.Version)
	c.kind = append(c.kind, e.Type)
	c.data = append(c.data, e.Data)
	c.metadata = append(c.metadata, e.Metadata)
	c.leaf = append(c.leaf, leaf[:])
	c.chain = append(c.chain, head.Chain[:])
	c.keyID = append(c.keyID, nil)
	c.requestHash = append(c.requestHash, nil)
	c.span = append(c.span, nil)
	c.outcome = append(c.outcome, nil)
	return head
}

// outcomeOf puts an outcome into the row of its event, or into one of its own. first is the unit's first event.
func (c *columns) outcomeOf(shard, first int, u eventstore.Unit, o eventstore.NewOutcome) {
	key := keyID(u.Account, o.Key)
	if o.Events > 0 {
		i, hash, span := first+o.Events-1, id(o.RequestHash), int16(o.Span)
		c.keyID[i], c.requestHash[i], c.span[i], c.outcome[i] = &key, &hash, &span, o.Body
		return
	}
	c.refusedUnit = append(c.refusedUnit, int32(c.units))
	c.refusedShard = append(c.refusedShard, int16(shard))
	c.refusedAccount = append(c.refusedAccount, string(u.Account))
	c.refusedKeyID = append(c.refusedKeyID, key)
	c.refusedHash = append(c.refusedHash, id(o.RequestHash))
	c.refusedBody = append(c.refusedBody, o.Body)
}
