package search

import (
	"context"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Document is what can be found of one image.
type Document struct {
	Image          domain.ImageID
	Account        domain.AccountID
	Prompt         string
	NegativePrompt string
	Tags           []string
	Model          string
	Width          int // pixels
	Height         int // pixels
	Seed           uint32
	CreatedAt      time.Time
	Favourite      bool
	// Version is the position in the shard of the event that made the document so. It never changes account.
	Version int64
}

// Removal takes a document out of the index.
type Removal struct {
	Image   domain.ImageID
	Account domain.AccountID
	Version int64
}

// Sort is the order of an answer. All orders are made of what never changes in an image, so a change to an image cannot
// move it to a page that was or was not read yet, and what others have in the index shifts nothing.
type Sort string

// The orders.
const (
	// SortBest is how much of the prompt the words are: short prompts first, in classes of doubling length, and newest
	// first in a class. Without words it is SortNewest.
	SortBest   Sort = ""
	SortNewest Sort = "newest"
	SortOldest Sort = "oldest"
)

// FacetMax is how many values a facet has at most.
const FacetMax = 20

// Query asks for images of one account. Zero fields do not filter. Text is words and nothing else: no engine reads
// operators in it.
type Query struct {
	// Account is who owns the images. It is mandatory.
	Account domain.AccountID
	// Words must all match in the prompt or the tags. Text without any letter or digit matches nothing.
	Words string
	// Negative are words that must all match in the negative prompt.
	Negative string
	// Tags must all be there; letter case is set aside.
	Tags      []string
	Model     string
	Favourite *bool
	Width     int
	Height    int
	Seed      *uint32
	From      time.Time // made at or after
	To        time.Time // made before
	Sort      Sort
	// Facets asks for the facets of all that match, not of the page alone.
	Facets bool
	// Limit is the size of the page, at least 1.
	Limit int
	// After is the Next of the page before.
	After string
}

// Result is one page.
type Result struct {
	Images []domain.ImageID
	Total  int64
	Facets Facets
	// Next is where the next page begins. It is empty on the last page. Every engine understands it.
	Next string
}

// Facets counts what matches.
type Facets struct {
	Models     []Count
	Tags       []Count // in lower case
	Favourites int64
}

// Count is how many images have a value; the most frequent come first, then by value.
type Count struct {
	Value  string
	Images int64
}

// Engine finds images. Implementations pass searchtest.Run. Methods are safe for concurrent use.
//
// An engine has an index that answers and may have one that takes its place as soon as it is filled: Clear begins an
// empty one, which Index and Delete write to from then on, and Swap lets it answer. The one that answers stands still
// meanwhile. Beside is for the other kind of rebuild, in which it goes on.
type Engine interface {
	// ID identifies the contents of the index that is written to. It changes when they are lost or cleared.
	ID(ctx context.Context) (string, error)
	// Clear begins an empty index beside the one that answers, in place of any that is built already.
	Clear(ctx context.Context) error
	// Swap lets the index of this ID answer from now on, and removes the other. It does nothing if it does so already,
	// or if the ID is not that of the index that is written to any more.
	Swap(ctx context.Context, id string) error
	// Index puts documents in. What has a version that is not higher than that of an image's last change is left out.
	// All of it can be found when Index returns, unless the index is one that is built. Its error holds a
	// *RejectedError if a document is at fault, which no other try can mend.
	Index(ctx context.Context, docs []Document) error
	// Delete takes documents out. A later Index of an older version does not bring them back.
	Delete(ctx context.Context, removals []Removal) error
	// Beside begins an empty index beside that of the engine, in place of what an earlier call has left, and returns an
	// engine whose writes go there, while those of this one go where they went. Its Swap lets it take the place of this
	// one's index, for readers and writers.
	Beside(ctx context.Context) (Engine, error)
	// Discard removes what was begun and does not answer.
	Discard(ctx context.Context) error
	// Search returns one page of what the account owns and nothing else. It returns CodeInvalid at "cursor" for an
	// After that was not given, and CodeUnavailable as long as no index answers.
	Search(ctx context.Context, q Query) (Result, error)
}

// RejectedError is a document that an engine does not take.
type RejectedError struct {
	Image  domain.ImageID
	Reason string
}

// Error implements error.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("the search engine does not take %s: %s", e.Image, e.Reason)
}

// Unbuilt is the answer of an engine that has no index yet that answers.
func Unbuilt() error { return domain.Errorf(domain.CodeUnavailable, "the search index is being built") }

// Check returns an error for a query that no engine may answer: one without an owner could show anyone's images.
func (q Query) Check() error {
	if q.Account == "" || q.Limit < 1 {
		return fmt.Errorf("a search needs an account and a limit, not %q and %d", q.Account, q.Limit)
	}
	switch q.Sort {
	case SortBest, SortNewest, SortOldest:
		return nil
	}
	return domain.FieldErrorf("sort", "is not one of newest, oldest or empty")
}
