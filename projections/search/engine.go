package search

import (
	"context"
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
	Version int64
}

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
	// Limit is the size of the page, at least 1.
	Limit int
	// After is the Next of the page before.
	After string
}

// Result is one page, best first if the query has words, else newest first.
type Result struct {
	Images []domain.ImageID
	Total  int64
	// Next is where the next page begins. It is empty on the last page.
	Next string
}

// Engine finds images. Implementations pass searchtest.Run. Methods are safe for concurrent use.
type Engine interface {
	// ID identifies the contents of the index. It changes when they are lost or cleared.
	ID(ctx context.Context) (string, error)
	// Clear empties the index.
	Clear(ctx context.Context) error
	// Index puts documents in. What has a version that is not higher than that of an image's last change is left out.
	// All of it can be found when Index returns.
	Index(ctx context.Context, docs []Document) error
	// Delete takes documents out. A later Index of an older version does not bring them back.
	Delete(ctx context.Context, removals []Removal) error
	// Search returns one page. It returns CodeInvalid at "cursor" for an After that it did not give.
	Search(ctx context.Context, q Query) (Result, error)
}
