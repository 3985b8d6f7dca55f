package eventstore

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Topic is the Kafka topic that carries the ledger: one partition per shard, in the order of the shard.
const Topic = "pingvas.events"

// Headers of a published event: CloudEvents 1.0 in the binary mode of its Kafka binding, with extensions for what the
// ledger adds. The value is the event's data; the key is the account.
const (
	HeaderID          = "ce_id" // shard:pos, stable over republishing
	HeaderSource      = "ce_source"
	HeaderType        = "ce_type"
	HeaderSpecVersion = "ce_specversion"
	HeaderTime        = "ce_time"
	HeaderSubject     = "ce_subject" // the stream
	HeaderContentType = "content-type"
	HeaderVersion     = "ce_streamversion"
	HeaderMetadata    = "ce_pingvasmetadata" // JSON, as it was hashed
	HeaderLeaf        = "ce_leafhash"        // hex
	HeaderChain       = "ce_chainhash"       // hex
)

// source is the value of HeaderSource.
const source = "/pingvas/ledger"

// Headers returns the Kafka headers of an event.
func (e Envelope) Headers() map[string]string {
	return map[string]string{
		HeaderID:          e.Position().String(),
		HeaderSource:      source,
		HeaderType:        e.Type,
		HeaderSpecVersion: "1.0",
		HeaderTime:        e.RecordedAt.UTC().Format(time.RFC3339Nano),
		HeaderSubject:     e.Stream,
		HeaderContentType: "application/json",
		HeaderVersion:     strconv.FormatInt(e.Version, 10),
		HeaderMetadata:    string(e.Metadata),
		HeaderLeaf:        LeafHash(e.Shard, e.New()).String(),
		HeaderChain:       e.Chain.String(),
	}
}

// FromWire returns the event that was published with these headers and this value. It checks the leaf hash, so what
// it accepts is what was recorded.
func FromWire(header func(name string) string, value []byte) (Envelope, error) {
	at, err := ParsePosition(header(HeaderID))
	if err != nil {
		return Envelope{}, fmt.Errorf("read %s: %w", HeaderID, err)
	}
	version, err := strconv.ParseInt(header(HeaderVersion), 10, 64)
	if err != nil {
		return Envelope{}, fmt.Errorf("read %s of %s: %w", HeaderVersion, at, err)
	}
	recorded, err := time.Parse(time.RFC3339Nano, header(HeaderTime))
	if err != nil {
		return Envelope{}, fmt.Errorf("read %s of %s: %w", HeaderTime, at, err)
	}
	e := Envelope{
		Shard: at.Shard, Pos: at.Pos, Stream: header(HeaderSubject), Version: version, Type: header(HeaderType),
		Data: value, Metadata: []byte(header(HeaderMetadata)), RecordedAt: recorded,
	}
	leaf, err := parseHash(header(HeaderLeaf))
	if err != nil {
		return Envelope{}, fmt.Errorf("read %s of %s: %w", HeaderLeaf, at, err)
	}
	if e.Chain, err = parseHash(header(HeaderChain)); err != nil {
		return Envelope{}, fmt.Errorf("read %s of %s: %w", HeaderChain, at, err)
	}
	if LeafHash(e.Shard, e.New()) != leaf {
		return Envelope{}, fmt.Errorf("event %s was changed on its way", at)
	}
	return e, nil
}

func parseHash(s string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%q is not a hash", s)
	}
	return Hash(b), nil
}
