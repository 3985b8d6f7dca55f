package eventstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/pingvas/pingvas/domain"
)

// Envelope is a recorded event, still encoded.
type Envelope struct {
	Shard      int
	Pos        int64
	Stream     string
	Version    int64
	Type       string
	Data       []byte
	Metadata   []byte
	RecordedAt time.Time
	Chain      Hash
}

// Position returns where the event stands.
func (e Envelope) Position() Position { return Position{e.Shard, e.Pos} }

// Metadata says where an event came from. It is recorded with every event and covered by its hash.
type Metadata struct {
	// Account is left out of events in the account's own stream.
	Account domain.AccountID `json:"account,omitempty"`
	// Command is the name of the use case, e.g. "request_generation".
	Command string `json:"command"`
	// Actor is who asked: an API key id, a worker, or "system".
	Actor string `json:"actor,omitempty"`
	// Correlation is the request id that the caller was given.
	Correlation string `json:"correlation,omitempty"`
}

// Meta decodes the metadata.
func (e Envelope) Meta() (Metadata, error) {
	var m Metadata
	err := jsonv2.Unmarshal(e.Metadata, &m)
	if m.Account == "" {
		id, _ := strings.CutPrefix(e.Stream, accountPrefix)
		m.Account = domain.AccountID(id)
	}
	return m, err
}

// JSON returns what json.Marshal returns. It is written for every event, so it is written out here.
func (m Metadata) JSON() []byte {
	const names = `{"account":"","command":"","actor":"","correlation":""}`
	b := make([]byte, 0, len(names)+len(m.Account)+len(m.Command)+len(m.Actor)+len(m.Correlation))
	b = append(b, '{')
	if m.Account != "" {
		b = append(appendText(append(b, `"account":`...), string(m.Account)), ',')
	}
	b = appendText(append(b, `"command":`...), m.Command)
	if m.Actor != "" {
		b = appendText(append(b, `,"actor":`...), m.Actor)
	}
	if m.Correlation != "" {
		b = appendText(append(b, `,"correlation":`...), m.Correlation)
	}
	return append(b, '}')
}

// appendText appends a string as json.Marshal writes it, which it is asked for where there is something to escape.
func appendText(b []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // every string has a JSON form
	}
	return append(b, quoted...)
}

// For returns the metadata of the command's events in a stream.
func (m Metadata) For(stream string) Metadata {
	if id, is := strings.CutPrefix(stream, accountPrefix); is && id == string(m.Account) {
		m.Account = ""
	}
	return m
}

// Position names one event of the whole ledger, or the place after it. The zero position is before all events.
type Position struct {
	Shard int
	Pos   int64
}

// String returns the form shard:pos.
func (p Position) String() string { return strconv.Itoa(p.Shard) + ":" + strconv.FormatInt(p.Pos, 10) }

// IsZero reports whether the position names no event.
func (p Position) IsZero() bool { return p.Pos == 0 }

// ParsePosition reads the form shard:pos, or returns CodeInvalid.
func ParsePosition(s string) (Position, error) {
	shard, pos, ok := strings.Cut(s, ":")
	n, errShard := strconv.ParseUint(shard, 10, 15)
	v, errPos := strconv.ParseInt(pos, 10, 64)
	p := Position{int(n), v}
	if !ok || errShard != nil || errPos != nil || v < 0 || p.String() != s {
		return Position{}, domain.Errorf(domain.CodeInvalid, "a position looks like 3:1042")
	}
	return p, nil
}

// AccountHash is a number that stands for an account where its id must not show.
type AccountHash uint64

// HashAccount returns the first 8 bytes of the SHA-256 of the account's id.
func HashAccount(account domain.AccountID) AccountHash {
	sum := sha256.Sum256([]byte(account))
	return AccountHash(binary.BigEndian.Uint64(sum[:8]))
}

// String returns 16 hexadecimal digits.
func (h AccountHash) String() string { return fmt.Sprintf("%016x", uint64(h)) }

// ParseAccountHash reads what String returns, or returns CodeInvalid.
func ParseAccountHash(s string) (AccountHash, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || AccountHash(n).String() != s {
		return 0, domain.Errorf(domain.CodeInvalid, "an account hash has 16 hexadecimal digits")
	}
	return AccountHash(n), nil
}

// Shard returns the shard of the account among this many. It is the same for ever.
func (h AccountHash) Shard(shards int) int { return int(uint64(h) % uint64(shards)) }

// ShardOf returns the shard in which all streams of an account lie.
func ShardOf(account domain.AccountID, shards int) int { return HashAccount(account).Shard(shards) }

const accountPrefix = "account-"

// AccountStream names the stream of the account's credits.
func AccountStream(id domain.AccountID) string { return accountPrefix + string(id) }

// GenerationStream names the stream of a generation.
func GenerationStream(id domain.GenerationID) string { return "generation-" + string(id) }

// ImageStream names the stream of an image.
func ImageStream(id domain.ImageID) string { return "image-" + string(id) }

// LibraryStream names the stream of an account's boards and saved searches.
func LibraryStream(id domain.AccountID) string { return "library-" + string(id) }
