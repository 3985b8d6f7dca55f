package search

import (
	"encoding/json"
	"math/bits"
	"strings"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search/words"
)

// BrevityMax is the class of the longest prompts.
const BrevityMax = 15

// Brevity returns the class of a prompt's length in SortBest: 0 for no word, then one more for each doubling. It is of
// the prompt alone, which never changes.
func Brevity(prompt string) int { return min(bits.Len(uint(words.Count(prompt))), BrevityMax) }

// Order returns the order of the answer: SortBest needs words.
func (q Query) Order() Sort {
	if q.Sort == SortBest && strings.TrimSpace(q.Words+q.Negative) == "" {
		return SortNewest
	}
	return q.Sort
}

// Place is where an image stands in any order.
type Place struct {
	Brevity int
	Micros  int64 // since 1970, of its creation
	Image   domain.ImageID
}

// PlaceOf returns the place of a document.
func PlaceOf(d Document) Place {
	return Place{Brevity: Brevity(d.Prompt), Micros: d.CreatedAt.UnixMicro(), Image: d.Image}
}

// Next returns the text for Result.Next.
func (p Place) Next() string {
	text, err := json.Marshal([]any{p.Brevity, p.Micros, p.Image})
	if err != nil {
		panic("search: encode a place: " + err.Error()) // numbers and text
	}
	return string(text)
}

// Place returns the place that After names, false for none, or CodeInvalid at "cursor".
func (q Query) Place() (Place, bool, error) {
	if q.After == "" {
		return Place{}, false, nil
	}
	var p Place
	fields := []any{&p.Brevity, &p.Micros, &p.Image}
	refused := domain.FieldErrorf("cursor", "is not one that was given")
	if json.Unmarshal([]byte(q.After), &fields) != nil || p.Next() != q.After || p.Image.Check() != nil ||
		p.Brevity < 0 || p.Brevity > BrevityMax {
		return Place{}, false, refused
	}
	return p, true, nil
}

// Micros returns the bounds of From and To in whole microseconds since 1970: at or after, and before. A time between
// two microseconds counts as the later one.
func Micros(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }
