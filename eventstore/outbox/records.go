package outbox

import (
	"fmt"

	"github.com/pingvas/pingvas/eventstore"
)

// toRecords makes the records of events that must follow each other from a position on.
func toRecords(batch []eventstore.Envelope, first int64) ([]Record, error) {
	records := make([]Record, len(batch))
	for i, e := range batch {
		if e.Pos != first+int64(i) {
			return nil, fmt.Errorf("the ledger has a gap before %s", e.Position())
		}
		meta, err := e.Meta()
		if err != nil {
			return nil, fmt.Errorf("decode the metadata of %s: %w", e.Position(), err)
		}
		records[i] = Record{Key: string(meta.Account), Value: e.Data, Headers: e.Headers()}
	}
	return records, nil
}
