package postgres

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgtype"

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
	heads []eventstore.Head // after the call, if the known ones are the shards' and every unit is appended

	shard, known, check, last, lastChain array
	knownChain                           array // NULL where the head is not known

	unit, eventShard, pos     array
	streamID, stream, version array
	kind, data, metadata      array
	leaf, chain               array
	keyID, requestHash, span  array // NULL where the event ends no command with a key
	outcome                   array // NULL where the events tell it, too
	outcomes                  int   // of events that do not tell them

	readUnit, readShard, readStreamID, readVersion array

	refusedUnit, refusedShard, refusedAccount array
	refusedKeyID, refusedHash, refusedBody    array
}

// newColumns takes the batches in this order.
func newColumns(batches []eventstore.Batch, order []int) *columns {
	c := sizeOf(batches).room()
	for _, i := range order {
		c.add(batches[i])
	}
	return c
}

// size is how many there are of what columns hold, and how many bytes those have that are not all of one length.
type size struct {
	shards, events, reads, refused                               int
	streams, kinds, data, metadata, outcomes, accounts, refusals int
}

func sizeOf(batches []eventstore.Batch) size {
	s := size{shards: len(batches)}
	for _, b := range batches {
		for _, u := range b.Units {
			s.events += len(u.Events)
			s.reads += len(u.Reads)
			for _, e := range u.Events {
				s.streams += len(e.Stream)
				s.kinds += len(e.Type)
				s.data += len(e.Data)
				s.metadata += len(e.Metadata)
			}
			for _, o := range u.Outcomes {
				if o.Events > 0 {
					s.outcomes += len(o.Body)
					continue
				}
				s.refused++
				s.accounts += len(u.Account)
				s.refusals += len(o.Body)
			}
		}
	}
	return s
}

func (s size) room() *columns {
	int2s := func(n int) array { return newArray(pgtype.Int2OID, n, 2*n) }
	int4s := func(n int) array { return newArray(pgtype.Int4OID, n, 4*n) }
	int8s := func(n int) array { return newArray(pgtype.Int8OID, n, 8*n) }
	bools := func(n int) array { return newArray(pgtype.BoolOID, n, n) }
	ids := func(n int) array { return newArray(pgtype.UUIDOID, n, len(id{})*n) }
	hashes := func(n int) array { return newArray(pgtype.ByteaOID, n, len(eventstore.Hash{})*n) }
	texts := func(n, bytes int) array { return newArray(pgtype.TextOID, n, bytes) }
	jsons := func(n, bytes int) array { return newArray(pgtype.JSONOID, n, bytes) }
	return &columns{
		shard: int2s(s.shards), known: int8s(s.shards), knownChain: hashes(s.shards), check: bools(s.shards),
		last: int8s(s.shards), lastChain: hashes(s.shards),

		unit: int4s(s.events), eventShard: int2s(s.events), pos: int8s(s.events), streamID: ids(s.events),
		stream: texts(s.events, s.streams), version: int8s(s.events), kind: texts(s.events, s.kinds),
		data: jsons(s.events, s.data), metadata: jsons(s.events, s.metadata), leaf: hashes(s.events),
		chain: hashes(s.events), keyID: ids(s.events), requestHash: ids(s.events), span: int2s(s.events),
		outcome: jsons(s.events, s.outcomes),

		readUnit: int4s(s.reads), readShard: int2s(s.reads), readStreamID: ids(s.reads), readVersion: int8s(s.reads),

		refusedUnit: int4s(s.refused), refusedShard: int2s(s.refused), refusedAccount: texts(s.refused, s.accounts),
		refusedKeyID: ids(s.refused), refusedHash: ids(s.refused), refusedBody: jsons(s.refused, s.refusals),
	}
}

func (c *columns) add(b eventstore.Batch) {
	head := eventstore.Head{}
	c.shard.addInt2(b.Shard)
	if b.Known != nil {
		head = *b.Known
		c.knownChain.addBytes(head.Chain[:])
	} else {
		c.knownChain.addNull()
	}
	c.known.addInt8(head.Pos)
	c.check.addBool(b.Check)
	for _, u := range b.Units {
		c.units++
		head = c.events(b.Shard, head, u)
		c.reads(b.Shard, u)
		c.refusals(b.Shard, u)
	}
	c.heads = append(c.heads, head)
	c.last.addInt8(head.Pos)
	c.lastChain.addBytes(head.Chain[:])
}

// events adds the events of a unit, each with the outcome of the command that it ends. It returns the head after them,
// on the assumption that the head before them is the shard's.
func (c *columns) events(shard int, head eventstore.Head, u eventstore.Unit) eventstore.Head {
	rest := u.Outcomes // in the order of their events
	for i, e := range u.Events {
		head = c.event(shard, head, e)
		for len(rest) > 0 && rest[0].Events <= i {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].Events == i+1 {
			c.outcomeOf(u.Account, rest[0])
		} else {
			c.noOutcome()
		}
	}
	return head
}

func (c *columns) event(shard int, head eventstore.Head, e eventstore.NewEvent) eventstore.Head {
	leaf := eventstore.LeafHash(shard, e)
	head = eventstore.Head{Pos: head.Pos + 1, Chain: eventstore.ChainHash(head.Chain, head.Pos+1, leaf)}
	stream := streamID(shard, e.Stream)
	c.unit.addInt4(c.units)
	c.eventShard.addInt2(shard)
	c.pos.addInt8(head.Pos)
	c.streamID.addBytes(stream[:])
	c.stream.addText(e.Stream)
	c.version.addInt8(e.Version)
	c.kind.addText(e.Type)
	c.data.addBytes(e.Data)
	c.metadata.addBytes(e.Metadata)
	c.leaf.addBytes(leaf[:])
	c.chain.addBytes(head.Chain[:])
	return head
}

func (c *columns) outcomeOf(account domain.AccountID, o eventstore.NewOutcome) {
	key := keyID(account, o.Key)
	c.keyID.addBytes(key[:])
	c.requestHash.addBytes(o.RequestHash[:])
	c.span.addInt2(o.Span)
	if o.Body == nil {
		c.outcome.addNull()
		return
	}
	c.outcome.addBytes(o.Body)
	c.outcomes++
}

func (c *columns) noOutcome() {
	c.keyID.addNull()
	c.requestHash.addNull()
	c.span.addNull()
	c.outcome.addNull()
}

func (c *columns) reads(shard int, u eventstore.Unit) {
	for _, r := range u.Reads {
		stream := streamID(shard, r.Stream)
		c.readUnit.addInt4(c.units)
		c.readShard.addInt2(shard)
		c.readStreamID.addBytes(stream[:])
		c.readVersion.addInt8(r.Version)
	}
}

// refusals adds the outcomes that have no event whose row they could be in.
func (c *columns) refusals(shard int, u eventstore.Unit) {
	for _, o := range u.Outcomes {
		if o.Events > 0 {
			continue
		}
		key := keyID(u.Account, o.Key)
		c.refusedUnit.addInt4(c.units)
		c.refusedShard.addInt2(shard)
		c.refusedAccount.addText(string(u.Account))
		c.refusedKeyID.addBytes(key[:])
		c.refusedHash.addBytes(o.RequestHash[:])
		c.refusedBody.addBytes(o.Body)
	}
}
