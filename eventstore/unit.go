package eventstore

import (
	"slices"
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

// CheckBatches returns CodeInvalid if Store.Append must refuse the whole call, whatever is recorded. Every store calls
// it first. What is not JSON is for the store to refuse: a database does so anyway.
func CheckBatches(shards int, batches []Batch) error {
	units, most := 0, 0
	for _, b := range batches {
		most = max(most, min(len(b.Units), UnitsMax))
	}
	c := unitCheck{
		shards: shards, accounts: make(map[domain.AccountID]struct{}, most), streams: make(map[string]int64, most),
	}
	for i, b := range batches {
		if units += len(b.Units); units > UnitsMax {
			return domain.Errorf(domain.CodeInvalid, "%d units in one append, at most %d", units, UnitsMax)
		}
		if err := checkShard(b.Shard, shards); err != nil {
			return err
		}
		if slices.ContainsFunc(batches[:i], func(other Batch) bool { return other.Shard == b.Shard }) {
			return domain.Errorf(domain.CodeInvalid, "shard %d has two batches in one append", b.Shard)
		}
		if err := c.batch(b); err != nil {
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

// CheckKeys returns CodeInvalid for more than KeysMax keys.
func CheckKeys(keys []OutcomeKey) error {
	if len(keys) > KeysMax {
		return domain.Errorf(domain.CodeInvalid, "%d keys in one read, at most %d", len(keys), KeysMax)
	}
	return nil
}

func checkShard(shard, shards int) error {
	if shard < 0 || shard >= shards {
		return domain.Errorf(domain.CodeInvalid, "shard %d of a ledger with %d shards", shard, shards)
	}
	return nil
}

// unitCheck is what has been seen in the units before.
type unitCheck struct {
	shards           int
	shard            int
	accounts         map[domain.AccountID]struct{} // of the shard
	streams          map[string]int64              // of the shard, at these versions
	events, outcomes int
	reads            int
	bytes            int
}

// batch begins with the units of another shard.
func (c *unitCheck) batch(b Batch) error {
	c.shard = b.Shard
	clear(c.accounts)
	clear(c.streams)
	for _, u := range b.Units {
		if err := c.unit(u); err != nil {
			return err
		}
	}
	return nil
}

func (c *unitCheck) unit(u Unit) error {
	if err := u.Account.Check(); err != nil {
		return err
	}
	c.events += len(u.Events)
	c.outcomes += len(u.Outcomes)
	c.reads += len(u.Reads)
	accounts := len(c.accounts)
	c.accounts[u.Account] = struct{}{}
	switch {
	case ShardOf(u.Account, c.shards) != c.shard:
		return domain.Errorf(domain.CodeInvalid, "account %s is not of shard %d", u.Account, c.shard)
	case len(c.accounts) == accounts:
		return domain.Errorf(domain.CodeInvalid, "account %s has two units in one append", u.Account)
	case len(u.Events)+len(u.Outcomes)+len(u.Reads) == 0:
		return domain.Errorf(domain.CodeInvalid, "the unit of account %s is empty", u.Account)
	case c.events > EventsMax || c.outcomes > EventsMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d events or outcomes in one append", EventsMax)
	case c.reads > EventsMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d streams read in one append", EventsMax)
	}
	for _, r := range u.Reads {
		if err := checkName("stream", r.Stream, StreamBytesMax); err != nil {
			return err
		}
	}
	for i, e := range u.Events {
		if err := c.event(u.Events[:i], e); err != nil {
			return err
		}
	}
	return c.keys(u)
}

// event checks an event that follows others of its unit.
func (c *unitCheck) event(before []NewEvent, e NewEvent) error {
	if err := checkName("stream", e.Stream, StreamBytesMax); err != nil {
		return err
	}
	if err := checkName("event type", e.Type, TypeBytesMax); err != nil {
		return err
	}
	previous, follows := c.streams[e.Stream]
	c.streams[e.Stream] = e.Version
	c.bytes += len(e.Data) + len(e.Metadata)
	switch {
	case follows && !hasStream(before, e.Stream):
		return domain.Errorf(domain.CodeInvalid, "two units of one append write stream %q", e.Stream)
	case e.Version < 1 || follows && e.Version != previous+1:
		return domain.Errorf(domain.CodeInvalid, "version %d of stream %q does not follow %d",
			e.Version, e.Stream, previous)
	case len(e.Data)+len(e.Metadata) > EventBytesMax:
		return domain.Errorf(domain.CodeInvalid, "an event of %d bytes, at most %d",
			len(e.Data)+len(e.Metadata), EventBytesMax)
	case c.bytes > AppendBytesMax:
		return domain.Errorf(domain.CodeInvalid, "more than %d bytes in one append", AppendBytesMax)
	case len(e.Data) == 0 || len(e.Metadata) == 0:
		return NotJSON()
	}
	return nil
}

// hasStream reports whether one of the events is of the stream, and looks at the last first, which most likely is.
func hasStream(events []NewEvent, stream string) bool {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Stream == stream {
			return true
		}
	}
	return false
}

func (c *unitCheck) keys(u Unit) error {
	last := 0
	seen := make(map[string]struct{}, len(u.Outcomes))
	for i, o := range u.Outcomes {
		if err := CheckKey(o.Key); err != nil {
			return err
		}
		c.bytes += len(o.Body)
		seen[o.Key] = struct{}{}
		switch {
		case len(seen) <= i:
			return domain.Errorf(domain.CodeInvalid, "one unit has two outcomes for one idempotency key")
		case o.Events < 0 || o.Events > len(u.Events):
			return domain.Errorf(domain.CodeInvalid, "an outcome after %d of %d events", o.Events, len(u.Events))
		case o.Events > 0 && o.Events <= last:
			return domain.Errorf(domain.CodeInvalid, "an outcome after %d events follows one after %d", o.Events, last)
		case len(o.Body) > EventBytesMax:
			return domain.Errorf(domain.CodeInvalid, "an outcome of %d bytes, at most %d", len(o.Body), EventBytesMax)
		case c.bytes > AppendBytesMax:
			return domain.Errorf(domain.CodeInvalid, "more than %d bytes in one append", AppendBytesMax)
		case o.Span < min(o.Events, 1) || o.Span > max(0, o.Events-last):
			return domain.Errorf(domain.CodeInvalid, "a command with %d of %d events of its own", o.Span, o.Events)
		case o.Body == nil && o.Events == 0:
			return domain.Errorf(domain.CodeInvalid, "an outcome that nothing tells")
		case o.Body != nil && len(o.Body) == 0:
			return NotJSON()
		}
		last = max(last, o.Events)
	}
	return nil
}

// NotJSON returns the CodeInvalid of data, metadata or an outcome that is not JSON in UTF-8.
func NotJSON() error {
	return domain.Errorf(domain.CodeInvalid, "data, metadata or an outcome of an append is not JSON in UTF-8")
}

// checkName refuses what a text column cannot hold or an index cannot find.
func checkName(what, name string, bytesMax int) error {
	if name == "" || len(name) > bytesMax || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return domain.Errorf(domain.CodeInvalid, "%s must be 1 to %d bytes of UTF-8 without NUL, got %d bytes",
			what, bytesMax, len(name))
	}
	return nil
}
