package eventstore

import (
	"reflect"

	"github.com/pingvas/pingvas/domain"
)

// Encodes reports whether the codec writes an event without encoding/json.
func (c *Codec) Encodes(e domain.Event) (ok bool) {
	if t := c.types[e.EventName()]; t.encode != nil {
		_, ok = t.encode(nil, reflect.ValueOf(e))
	}
	return ok
}
