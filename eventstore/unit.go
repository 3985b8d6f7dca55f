package eventstore

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
)

// More bounds, most of them of one call.
const (
	ShardsMax      = 1024     // shards of a ledger
	StreamBytesMax = 255      // the name of a stream
	TypeBytesMax   = 255      // the name of an event type
	AppendBytesMax = 64 << 20 // data, metadata and outcome bodies of one append
	StreamsMax     = 1024     // streams of one read
)

// CheckUnits returns CodeInvalid if Store.Append must refuse the whole call, whatever is recorded. Every store calls
// it first.
func CheckUnits(shard, shards int, units []Unit) error {
	if err := checkShard(shard, shards); err != nil {
		return err
	}
	if len(units) > UnitsMax {
		return domain.Errorf(domain.CodeInvalid, "%d units in one append, at most %d", len(units), UnitsMax)
	}
	c := unitCheck{shard: shard, shards: shards, accounts: map[domain.AccountID]bool{}, streams: map[string]int{}}
	for i, u := range units {
		if err := c.unit(i, u); err != nil {
			return err
		}
	}
	return nil
}

// CheckRead returns CodeInvalid for a shard that does not exist or a limit outside 1 to ReadMax.
func CheckRead(shard, shards, limit int) error {
	if limit < 1 || limit > ReadMax {
		return domain.Errorf(domain.CodeInvalid, "a read of %d events, must be 1 to %d", limit, ReadMax)
	}
	return checkShard(shard, shards)
}

// CheckStreams returns CodeInvalid if there are more than StreamsMax streams or if one is named twice.
func CheckStreams(after []StreamVersion) error {
	if len(after) > StreamsMax {
		return domain.Errorf(domain.CodeInvalid, "%d streams in one read, at most %d", len(after), StreamsMax)
	}
	seen := make(map[string]bool, len(after))
	for _, a := range after {
		if seen[a.Stream] {
			return domain.Errorf(domain.CodeInvalid, "stream %q is named twice", a.Stream)
		}
		if err := checkName("stream", a.Stream, StreamBytesMax); err != nil {
			return err
		}
		seen[a.Stream] = true
	}
	return nil
}

// CheckKey returns CodeInvalid for an idempotency key that cannot be recorded.
func CheckKey(key string) error { return checkName("idempotency key", key, KeyBytesMax) }

func checkShard(shard, shards int) error {
	if shard < 0 || shard >= shards {
		return domain.Errorf(domain.CodeInvalid, "shard %d of a ledger with %d shards", shard, shards)
	}
	return nil
}

// unitCheck is what has been seen in the units before.
type unitCheck struct {
	shard, shards    int
	accounts         map[domain.AccountID]bool
	streams          map[string]int // the unit that writes the stream
	events, outcomes int
	reads            int
	bytes            int
}

func (c *unitCheck) unit(index int, u Unit) error {
	if err := u.Account.Check(); err != nil {
		return err
	}
	c.events += len(u.Events)
	c.outcomes += len(u.Outcomes)
	c.reads += len(u.Reads)
	switch {
	case ShardOf(u.Account, c.shards) != c.shard:
		return domain.Errorf(domain.CodeInvalid, "account %s is not of shard %d", u.Account, c.shard)
	case c.accounts[u.Account]:
		return domain.Errorf(domain.CodeInvalid, "account %s has two units in one append", u.Account)
	case len(u.Events)+len(u.Outcomes)+len(u.Reads) == 0:
		return domain.Errorf(domain.CodeInvalid, "the unit of account %s is empty", u.Account)
	case c.events > EventsMax || c.outcomes > EventsMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d events or outcomes in one append", EventsMax)
	case c.reads > EventsMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d streams read in one append", EventsMax)
	}
	c.accounts[u.Account] = true
	for _, r := range u.Reads {
		if err := checkName("stream", r.Stream, StreamBytesMax); err != nil {
			return err
		}
	}
	versions := make(map[string]int64, len(u.Events))
	for _, e := range u.Events {
		if err := c.event(index, versions, e); err != nil {
			return err
		}
	}
	return c.keys(u)
}

func (c *unitCheck) event(index int, versions map[string]int64, e NewEvent) error {
	if err := checkName("stream", e.Stream, StreamBytesMax); err != nil {
		return err
	}
	if err := checkName("event type", e.Type, TypeBytesMax); err != nil {
		return err
	}
	if other, ok := c.streams[e.Stream]; ok && other != index {
		return domain.Errorf(domain.CodeInvalid, "two units of one append write stream %q", e.Stream)
	}
	c.streams[e.Stream] = index
	previous, follows := versions[e.Stream]
	versions[e.Stream] = e.Version
	c.bytes += len(e.Data) + len(e.Metadata)
	switch {
	case e.Version < 1 || follows && e.Version != previous+1:
		return domain.Errorf(domain.CodeInvalid, "version %d of stream %q does not follow %d",
			e.Version, e.Stream, previous)
	case len(e.Data)+len(e.Metadata) > EventBytesMax:
		return domain.Errorf(domain.CodeInvalid, "an event of %d bytes, at most %d",
			len(e.Data)+len(e.Metadata), EventBytesMax)
	case c.bytes > AppendBytesMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d bytes in one append", AppendBytesMax)
	case !isJSON(e.Data) || !isJSON(e.Metadata):
		return domain.Errorf(domain.CodeInvalid, "data or metadata of stream %q is not JSON in UTF-8", e.Stream)
	}
	return nil
}

func (c *unitCheck) keys(u Unit) error {
	seen := make(map[string]bool, len(u.Outcomes))
	for _, o := range u.Outcomes {
		if err := CheckKey(o.Key); err != nil {
			return err
		}
		c.bytes += len(o.Body)
		switch {
		case seen[o.Key]:
			return domain.Errorf(domain.CodeInvalid, "one unit has two outcomes for one idempotency key")
		case o.Events < 0 || o.Events > len(u.Events):
			return domain.Errorf(domain.CodeInvalid, "an outcome after %d of %d events", o.Events, len(u.Events))
		case len(o.Body) > EventBytesMax:
			return domain.Errorf(domain.CodeInvalid, "an outcome of %d bytes, at most %d", len(o.Body), EventBytesMax)
		case c.bytes > AppendBytesMax:
			return domain.Errorf(domain.CodeInvalid, "more than %d bytes in one append", AppendBytesMax)
		case !isJSON(o.Body):
			return domain.Errorf(domain.CodeInvalid, "the body of an outcome is not JSON in UTF-8")
		}
		seen[o.Key] = true
	}
	return nil
}

// checkName refuses what a text column cannot hold or an index cannot find.
func checkName(what, name string, bytesMax int) error {
	if name == "" || len(name) > bytesMax || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return domain.Errorf(domain.CodeInvalid, "%s must be 1 to %d bytes of UTF-8 without NUL, got %d bytes",
			what, bytesMax, len(name))
	}
	return nil
}

// isJSON is stricter than json.Valid, which lets bytes that are not UTF-8 pass.
func isJSON(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }
