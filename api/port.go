package api

import (
	"context"
	"errors"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/queries"
)

// ErrUnknownKey is what Keys answers for every secret that is malformed, unknown or revoked.
var ErrUnknownKey = errors.New("no such API key")

// Identity is whom an API key stands for.
type Identity struct {
	Key     domain.KeyID
	Account domain.AccountID
}

// APIKey describes an API key without its secret.
type APIKey struct {
	ID       domain.KeyID
	Name     string
	Prefix   string // the part of the secret that may be shown
	Created  time.Time
	LastUsed time.Time // zero if never
}

// Keys holds the API keys. It stores hashes, never secrets. Safe for concurrent use.
type Keys interface {
	// Authenticate returns whom a secret stands for, or ErrUnknownKey.
	Authenticate(ctx context.Context, secret string) (Identity, error)
	// Create makes a key and returns it with its secret. CodeConflict if the account has too many already.
	Create(ctx context.Context, account domain.AccountID, id domain.KeyID, name string) (APIKey, string, error)
	// CreateFirst makes the account's first key. It returns false, and no key, if the account ever had one.
	CreateFirst(ctx context.Context, account domain.AccountID, id domain.KeyID, name string) (APIKey, string, bool, error)
	// List returns the account's keys that are not revoked, oldest first.
	List(ctx context.Context, account domain.AccountID) ([]APIKey, error)
	// Revoke ends a key. Revoking it again changes nothing. CodeNotFound if the account never had it.
	Revoke(ctx context.Context, account domain.AccountID, id domain.KeyID) error
}

// Pictures gives out URLs that work for a while without any other key. Safe for concurrent use.
type Pictures interface {
	// PresignGet returns a URL to read an object from. With a file name browsers save it, without one they show it.
	PresignGet(ctx context.Context, key, filename string, ttl time.Duration) (string, error)
	// PresignPut returns a URL to write an object to and the headers that the write must carry.
	PresignPut(ctx context.Context, key, contentType string, ttl time.Duration) (string, map[string]string, error)
	// PresignUpload returns the same for an object of exactly this many bytes. A header that every client sends by
	// itself is not among those that it returns.
	PresignUpload(ctx context.Context, u Upload, ttl time.Duration) (string, map[string]string, error)
	// Inspect looks at a picture that a customer has written, to its end. It returns CodePicture if there is none, or
	// none that can be worked with. It bounds how many are looked at at once.
	Inspect(ctx context.Context, key string) (Inspected, error)
}

// Upload is an object that a customer may write.
type Upload struct {
	Key, ContentType string
	Bytes            int64
}

// Inspected is what a picture was found to be.
type Inspected struct {
	ContentType   string
	Bytes         int64
	SHA256        string // hex
	Width, Height int
}

// Queries answers from the read models. *queries.Service does.
type Queries interface {
	Account(ctx context.Context, r queries.Read) (queries.Account, queries.As, error)
	Balance(ctx context.Context, r queries.Read, at time.Time) (queries.Balance, queries.As, error)
	Statement(ctx context.Context, r queries.Read, q queries.StatementQuery) (queries.StatementPage, queries.As, error)
	Months(ctx context.Context, r queries.Read) ([]queries.Month, queries.As, error)
	Month(ctx context.Context, r queries.Read, at time.Time, p queries.Page) (queries.MonthPage, queries.As, error)
	Usage(ctx context.Context, r queries.Read, q queries.UsageQuery) (queries.UsageReport, queries.As, error)
	Generation(ctx context.Context, r queries.Read, id domain.GenerationID) (queries.Generation, queries.As, error)
	Generations(
		ctx context.Context, r queries.Read, q queries.GenerationsQuery,
	) (queries.GenerationPage, queries.As, error)
	Image(ctx context.Context, r queries.Read, id domain.ImageID) (queries.Image, queries.As, error)
	Images(ctx context.Context, r queries.Read, q queries.ImagesQuery) (queries.ImagePage, queries.As, error)
	CountImages(ctx context.Context, r queries.Read, f queries.ImageFilter) (queries.ImageCount, queries.As, error)
	Boards(ctx context.Context, r queries.Read) ([]queries.Board, queries.As, error)
	Board(ctx context.Context, r queries.Read, id domain.BoardID) (queries.Board, queries.As, error)
	SavedSearches(ctx context.Context, r queries.Read) ([]queries.SavedSearch, queries.As, error)
	SavedSearch(ctx context.Context, r queries.Read, id domain.SearchID) (queries.SavedSearch, queries.As, error)
	Search(ctx context.Context, r queries.Read, q queries.SearchQuery) (queries.SearchPage, queries.As, error)
	Backlog(ctx context.Context) ([]queries.BacklogRow, error)
}

var _ Queries = (*queries.Service)(nil)

// Check is one thing that must work before the server may get requests.
type Check struct {
	Name string
	// Ready returns nil, or why it is not ready. Whoever asks /ready sees the name; the reason goes to the log.
	Ready func(ctx context.Context) error
	// Advisory says that the server stays ready without it; the answer then has a warning.
	Advisory bool
}
