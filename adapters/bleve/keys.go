package bleve

import (
	"fmt"
	"strconv"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// The lengths of the parts of a key.
const (
	brevityChars = 1
	microsChars  = 16
)

// signBit makes negative numbers sort before positive ones as unsigned ones.
const signBit = 1 << 63

// timeKey is the time of creation and then the image as one text that sorts: a second field would be read for every
// image that matches.
func timeKey(p search.Place) string {
	return fmt.Sprintf("%0*x%s", microsChars, uint64(p.Micros)^signBit, p.Image)
}

// bestKey puts short prompts above long ones.
func bestKey(p search.Place) string {
	return fmt.Sprintf("%0*x%s", brevityChars, search.BrevityMax-p.Brevity, timeKey(p))
}

// key is how an order is kept in the index.
type key struct {
	sort  string
	of    func(search.Place) string
	place func(string) (search.Place, error)
}

var keys = map[search.Sort]key{
	search.SortBest:   {"-" + fieldBest, bestKey, bestPlace},
	search.SortNewest: {"-" + fieldTime, timeKey, timePlace},
	search.SortOldest: {fieldTime, timeKey, timePlace},
}

func timePlace(k string) (search.Place, error) {
	if len(k) < microsChars {
		return search.Place{}, fmt.Errorf("the search index holds the key %q", k)
	}
	micros, err := strconv.ParseUint(k[:microsChars], 16, 64)
	if err != nil {
		return search.Place{}, fmt.Errorf("the search index holds the key %q", k)
	}
	return search.Place{Micros: int64(micros ^ signBit), Image: domain.ImageID(k[microsChars:])}, nil
}

func bestPlace(k string) (search.Place, error) {
	if len(k) < brevityChars {
		return search.Place{}, fmt.Errorf("the search index holds the key %q", k)
	}
	brevity, err := strconv.ParseInt(k[:brevityChars], 16, 8)
	if err != nil {
		return search.Place{}, fmt.Errorf("the search index holds the key %q", k)
	}
	p, err := timePlace(k[brevityChars:])
	p.Brevity = search.BrevityMax - int(brevity)
	return p, err
}
