package eventstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Hash is a SHA-256 digest.
type Hash [sha256.Size]byte

// RequestHash is the first half of a SHA-256 over a request: enough to tell the requests of one account under one
// idempotency key apart.
type RequestHash [sha256.Size / 2]byte

// HashRequest returns the hash of a request's canonical bytes.
func HashRequest(canonical []byte) RequestHash {
	digest := sha256.Sum256(canonical)
	return RequestHash(digest[:len(RequestHash{})])
}

// String returns the digest in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// canonicalFormat is the version of the canonical bytes. It is part of them.
const canonicalFormat = 1

// leafPrefix keeps leaves apart from the inner nodes of a Merkle tree over them (RFC 6962, section 2.1).
const leafPrefix = 0

// AppendCanonical appends the bytes that an event's hash covers: the format version, then shard, stream, version,
// type, data and metadata. Numbers are big-endian, strings and bytes follow their length in 4 bytes. The time of
// recording and the position are not covered; the position is part of the chain.
func AppendCanonical(b []byte, shard int, e NewEvent) []byte {
	b = append(b, canonicalFormat)
	b = binary.BigEndian.AppendUint32(b, uint32(shard))
	b = appendField(b, e.Stream)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Version))
	b = appendField(b, e.Type)
	b = appendField(b, e.Data)
	return appendField(b, e.Metadata)
}

func appendField[T string | []byte](b []byte, field T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(field))), field...)
}

// usualBytes is how many canonical bytes most events have at most: they are put together on the stack.
const usualBytes = 1 << 10

// LeafHash returns SHA-256(0x00 ‖ canonical bytes).
func LeafHash(shard int, e NewEvent) Hash {
	var room [usualBytes]byte
	return sha256.Sum256(AppendCanonical(append(room[:0], leafPrefix), shard, e))
}

// ChainHash returns SHA-256(previous chain hash ‖ position ‖ leaf hash). The chain of an empty shard is all zeros.
func ChainHash(previous Hash, pos int64, leaf Hash) Hash {
	var b [2*sha256.Size + 8]byte
	copy(b[:], previous[:])
	binary.BigEndian.PutUint64(b[sha256.Size:], uint64(pos))
	copy(b[sha256.Size+8:], leaf[:])
	return sha256.Sum256(b[:])
}

// New returns the event without what recording added.
func (e Envelope) New() NewEvent {
	return NewEvent{Stream: e.Stream, Version: e.Version, Type: e.Type, Data: e.Data, Metadata: e.Metadata}
}
