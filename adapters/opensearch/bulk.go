package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/words"
)

// Bounds of one request that writes.
const (
	bulkBytesMax = 4 << 20
	bulkItemsMax = 1000
)

// write is one document as it goes to the server: two lines.
type write struct {
	image domain.ImageID
	lines []byte
}

// Index implements search.Engine.
func (e *Engine) Index(ctx context.Context, docs []search.Document) error {
	if len(docs) == 0 {
		return nil
	}
	index, err := e.written(ctx)
	if err != nil {
		return err
	}
	nori := e.readsKorean(index)
	writes := make([]write, len(docs))
	for i, d := range docs {
		writes[i] = newWrite(d.Image, d.Account, d.Version, fields(d, nori))
	}
	return e.write(ctx, writes)
}

// Delete implements search.Engine. What is left of a document is its version.
func (e *Engine) Delete(ctx context.Context, removals []search.Removal) error {
	writes := make([]write, len(removals))
	for i, r := range removals {
		writes[i] = newWrite(r.Image, r.Account, r.Version, object{})
	}
	return e.write(ctx, writes)
}

// written returns the index that is written to.
func (e *Engine) written(ctx context.Context) (string, error) {
	found, err := e.indexes(ctx)
	if err != nil {
		return "", err
	}
	name := found.with(e.writeAlias())
	if !strings.HasPrefix(name, e.ours()) {
		return "", errors.New("the search server has no index of this mapping to write to")
	}
	return name, nil
}

func newWrite(image domain.ImageID, account domain.AccountID, version int64, fields object) write {
	action := object{"index": object{
		"_id": image, "routing": account, "version": version, "version_type": "external",
	}}
	var lines []byte
	for _, line := range []any{action, fields} {
		text, err := json.Marshal(line)
		if err != nil {
			panic(fmt.Sprintf("opensearch: encode a document: %v", err)) // texts and numbers
		}
		lines = append(append(lines, text...), '\n')
	}
	return write{image: image, lines: lines}
}

func fields(d search.Document, nori bool) object {
	terms, singles := words.Indexed(append([]string{d.Prompt}, d.Tags...)...)
	negative, negativeSingles := words.Indexed(d.NegativePrompt)
	tags := make([]string, len(d.Tags))
	for i, tag := range d.Tags {
		tags[i] = clipped(strings.ToLower(tag))
	}
	place := search.PlaceOf(d)
	all := object{
		fieldAccount: d.Account, fieldImage: d.Image, fieldTerms: terms, fieldSingles: singles,
		fieldNegative: negative, fieldNegativeSingles: negativeSingles, fieldTags: tags, fieldModel: clipped(d.Model),
		fieldWidth: d.Width, fieldHeight: d.Height, fieldSeed: d.Seed, fieldFavourite: d.Favourite,
		fieldCreated: place.Micros, fieldBrevity: place.Brevity,
	}
	if nori {
		all[fieldKorean] = append([]string{d.Prompt}, d.Tags...)
		all[fieldNegativeKorean] = d.NegativePrompt
	}
	return all
}

// clipped is a word that the server takes, whatever its length.
func clipped(word string) string {
	if len(word) > keywordBytesMax {
		return strings.ToValidUTF8(word[:keywordBytesMax], "")
	}
	return word
}

// write sends all of it, in order, and makes it visible if the index answers.
func (e *Engine) write(ctx context.Context, writes []write) error {
	for len(writes) > 0 {
		n, size := 0, 0
		for n < len(writes) && n < bulkItemsMax && (n == 0 || size+len(writes[n].lines) <= bulkBytesMax) {
			size += len(writes[n].lines)
			n++
		}
		if err := e.bulk(ctx, writes[:n]); err != nil {
			return err
		}
		writes = writes[n:]
		if len(writes) == 0 {
			return e.show(ctx)
		}
	}
	return nil
}

// show makes what was written visible, unless nobody looks at the index yet.
func (e *Engine) show(ctx context.Context) error {
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	index := found.with(e.writeAlias())
	if index == "" || index != found.with(e.readAlias()) {
		return nil
	}
	return e.refreshes.join(ctx, index, func(ctx context.Context) error { return e.refresh(ctx, index) })
}

// errPartly says that some writes must be tried again.
var errPartly = &statusError{Status: http.StatusTooManyRequests, Type: "partial", Reason: "some writes were refused"}

// bulk sends the writes until each is acknowledged, or refused for good, or the tries are over. It returns an error
// unless each is acknowledged: then none of them counts, and all are sent again some time.
func (e *Engine) bulk(ctx context.Context, open []write) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	try := 0
	err := retry(ctx, func() error {
		if try++; try > 1 {
			e.cfg.Observer.Retried(len(open))
		}
		answer, err := e.sendBulk(ctx, open)
		if err != nil {
			return err
		}
		again, err := answer.refused(open)
		if err != nil {
			return err
		}
		if open = again; len(open) > 0 {
			return errPartly
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d documents to the search index: %w", len(open), err)
	}
	return nil
}

func (e *Engine) sendBulk(ctx context.Context, writes []write) (bulkAnswer, error) {
	var lines bytes.Buffer
	for _, w := range writes {
		lines.Write(w.lines)
	}
	alias := true // a lost index is an error, and not made up by the server
	var answer bulkAnswer
	err := e.call(ctx, esapi.BulkRequest{
		Index: e.writeAlias(), Body: &lines, RequireAlias: &alias,
		Header: http.Header{"Content-Type": {"application/x-ndjson"}},
	}, &answer)
	return answer, err
}

// bulkAnswer is what became of each write, in order.
type bulkAnswer struct {
	Errors bool `json:"errors"`
	Items  []struct {
		Index struct {
			ID     string `json:"_id"`
			Status int    `json:"status"`
			Error  struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			} `json:"error"`
		} `json:"index"`
	} `json:"items"`
}

// refused returns the writes to try again. A conflict of versions is as good as a success: what is there is as new.
// Once nothing else is left, its error holds a *search.RejectedError for each document that no other try would mend.
func (a bulkAnswer) refused(writes []write) (again []write, err error) {
	if len(a.Items) != len(writes) {
		return nil, fmt.Errorf("%w: it tells of %d writes instead of %d", errNotUnderstood, len(a.Items), len(writes))
	}
	var rejected error
	var poison []write
	for i, item := range a.Items {
		result := item.Index
		switch status := result.Status; {
		case result.ID != string(writes[i].image):
			return nil, fmt.Errorf("%w: it tells of %q instead of %q", errNotUnderstood, result.ID, writes[i].image)
		case status == http.StatusOK, status == http.StatusCreated:
		case status == http.StatusConflict && result.Error.Type == "version_conflict_engine_exception":
		case busy(status):
			again = append(again, writes[i])
		case status == http.StatusBadRequest && !misplaced(result.Error.Type):
			reason := fmt.Sprintf("%s: %.300s", result.Error.Type, result.Error.Reason)
			rejected = errors.Join(rejected, &search.RejectedError{Image: writes[i].image, Reason: reason})
			poison = append(poison, writes[i])
		default:
			return nil, &statusError{Status: status, Type: result.Error.Type, Reason: result.Error.Reason}
		}
	}
	if len(again) > 0 {
		return append(again, poison...), nil // so that the last answer tells of it
	}
	return nil, rejected
}

// misplaced tells that the alias is at fault and not the document: on no index or on several. A word that is too long
// is of this type, too, but none is sent.
func misplaced(kind string) bool { return kind == "illegal_argument_exception" }
