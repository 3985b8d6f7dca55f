package api_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/queries"
)

// fakeKeys holds secrets in the clear. One lock makes it safe.
type fakeKeys struct {
	mu      sync.Mutex
	secrets map[string]api.Identity
	keys    map[domain.AccountID][]api.APIKey
	revoked map[domain.KeyID]bool
}

func newFakeKeys() *fakeKeys {
	return &fakeKeys{
		secrets: map[string]api.Identity{}, keys: map[domain.AccountID][]api.APIKey{}, revoked: map[domain.KeyID]bool{},
	}
}

var _ api.Keys = (*fakeKeys)(nil)

func (k *fakeKeys) Authenticate(_ context.Context, secret string) (api.Identity, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	who, ok := k.secrets[secret]
	if !ok || k.revoked[who.Key] {
		return api.Identity{}, api.ErrUnknownKey
	}
	return who, nil
}

func (k *fakeKeys) Create(
	_ context.Context, owner domain.AccountID, id domain.KeyID, name string,
) (api.APIKey, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, secret := k.add(owner, id, name)
	return key, secret, nil
}

func (k *fakeKeys) CreateFirst(
	_ context.Context, owner domain.AccountID, id domain.KeyID, name string,
) (api.APIKey, string, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys[owner]) > 0 {
		return api.APIKey{}, "", false, nil
	}
	key, secret := k.add(owner, id, name)
	return key, secret, true, nil
}

func (k *fakeKeys) add(owner domain.AccountID, id domain.KeyID, name string) (api.APIKey, string) {
	key := api.APIKey{ID: id, Name: name, Prefix: "pv_…", Created: time.Unix(0, 0).UTC()}
	secret := "pv_" + strings.TrimPrefix(string(id), domain.PrefixKey) + "_secret"
	k.keys[owner] = append(k.keys[owner], key)
	k.secrets[secret] = api.Identity{Key: id, Account: owner}
	return key, secret
}

func (k *fakeKeys) List(_ context.Context, owner domain.AccountID) ([]api.APIKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.keys[owner]), func(key api.APIKey) bool { return k.revoked[key.ID] }), nil
}

func (k *fakeKeys) Revoke(_ context.Context, owner domain.AccountID, id domain.KeyID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.ContainsFunc(k.keys[owner], func(key api.APIKey) bool { return key.ID == id }) {
		return domain.Errorf(domain.CodeNotFound, "there is no such key")
	}
	k.revoked[id] = true
	return nil
}

// fakePictures holds what was uploaded, by key; no picture is one that cannot be used.
type fakePictures struct {
	mu      sync.Mutex
	uploads map[string]api.Inspected
	away    bool
}

func (p *fakePictures) PresignUpload(
	_ context.Context, u api.Upload, _ time.Duration,
) (string, map[string]string, error) {
	return fmt.Sprintf("https://pictures.test/%s?bytes=%d", u.Key, u.Bytes),
		map[string]string{"Content-Type": u.ContentType}, nil
}

func (p *fakePictures) Inspect(_ context.Context, key string) (api.Inspected, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return api.Inspected{}, domain.Errorf(domain.CodeUnavailable, "away")
	}
	found, ok := p.uploads[key]
	if !ok {
		return found, domain.Errorf(domain.CodePicture, "nothing was uploaded there")
	}
	return found, nil
}

func (*fakePictures) PresignGet(_ context.Context, key, filename string, ttl time.Duration) (string, error) {
	return fmt.Sprintf("https://pictures.test/%s?name=%s&ttl=%s", key, filename, ttl), nil
}

func (*fakePictures) PresignPut(
	_ context.Context, key, contentType string, _ time.Duration,
) (string, map[string]string, error) {
	return "https://pictures.test/" + key + "?put", map[string]string{"Content-Type": contentType}, nil
}

// fakeQueries answers by folding the account's events at each call, so it is never behind. Lists are one page.
type fakeQueries struct {
	store eventstore.Store
	codec *eventstore.Codec
	now   func() time.Time
	// fail, if set, is what every query answers; it may panic.
	fail func() error
}

var _ api.Queries = (*fakeQueries)(nil)

// facts are what the events of one account say.
type facts struct {
	account     *account.State
	opened      account.Opened
	generations []queries.Generation // oldest first
	marks       map[domain.ImageID]image.State
	library     library.State
	lines       []queries.Line
	as          queries.As
}

func (q *fakeQueries) facts(ctx context.Context, owner domain.AccountID) (facts, error) {
	f := facts{account: account.Initial(), marks: map[domain.ImageID]image.State{}}
	if q.fail != nil {
		if err := q.fail(); err != nil {
			return f, err
		}
	}
	all, err := q.store.ReadShard(ctx, eventstore.ShardOf(owner, q.store.Shards()), 0, eventstore.ReadMax)
	if err != nil {
		return f, err
	}
	for _, e := range all {
		meta, err := e.Meta()
		if err != nil {
			return f, err
		}
		event, err := q.codec.Decode(ctx, e)
		if err != nil {
			return f, err
		}
		f.as.Position = e.Position()
		if meta.Account == owner {
			f.add(e, event)
		}
	}
	if !f.account.Exists() {
		return f, domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	return f, nil
}

func (f *facts) add(e eventstore.Envelope, event domain.Event) {
	switch kind, _, _ := strings.Cut(e.Stream, "-"); kind {
	case "account":
		f.account = account.Evolve(f.account, event)
		if opened, ok := event.(account.Opened); ok {
			f.opened = opened
		}
		if posted, ok := event.(domain.Posted); ok {
			f.post(e, posted)
		}
	case "generation":
		f.generation(e, event)
	case "image":
		id := domain.ImageID(strings.TrimPrefix(e.Stream, eventstore.ImageStream("")))
		f.marks[id] = image.Evolve(f.marks[id], event)
	case "library":
		f.library = library.Evolve(f.library, event)
	}
}

func (f *facts) post(e eventstore.Envelope, posted domain.Posted) {
	line := queries.Line{Position: e.Position(), Event: e.Type, Kind: "granted", At: e.RecordedAt}
	for _, p := range posted.Postings() {
		line.Postings = append(line.Postings, queries.Posting{
			Position: e.Position(), Event: e.Type, Book: p.Book, Grant: p.Grant, Amount: p.Amount, At: e.RecordedAt,
		})
	}
	f.lines = append(f.lines, line)
}

func (f *facts) generation(e eventstore.Envelope, event domain.Event) {
	if requested, ok := event.(generation.Requested); ok {
		f.generations = append(f.generations, queries.Generation{
			ID: requested.Generation, Status: generation.StatusQueued, Attempt: 1, Spec: requested.Spec,
			Pool: requested.Pool, Tier: requested.Tier, EstimateMS: requested.EstimateMillis,
			Queue: &queries.QueuePlace{Ahead: 2, AheadMS: 5000},
			Settlement: queries.Settlement{
				Quoted: requested.Reserved, Reserved: requested.Reserved, Policy: requested.Policy,
				PriceBook: requested.PriceBook, Postings: f.lines[len(f.lines)-1].Postings,
			},
			CreatedAt: requested.At, Deadline: requested.Deadline,
		})
	}
	for i := range f.generations {
		g := &f.generations[i]
		if eventstore.GenerationStream(g.ID) != e.Stream {
			continue
		}
		g.Version, g.Changed = e.Version, e.Position()
		switch event := event.(type) {
		case generation.Claimed:
			g.Status, g.Attempt, g.StartedAt, g.Queue = generation.StatusRunning, event.Attempt, event.At, nil
		case generation.Requeued:
			g.Status, g.Attempt, g.Cause = generation.StatusQueued, event.Attempt, event.Cause
		case generation.Cancelled:
			g.Status, g.EndedAt, g.Queue = generation.StatusCancelled, event.At, nil
		case generation.Completed:
			g.Status, g.EndedAt, g.Engine = generation.StatusSucceeded, event.At, event.Engine
			for _, made := range event.Images {
				g.Images = append(g.Images, queries.Image{
					ID: made.Image, Generation: g.ID, Spec: g.Spec, Engine: event.Engine, Key: made.Key,
					ThumbnailKey: made.ThumbnailKey, ContentType: made.ContentType, Bytes: made.Bytes,
					SHA256: made.SHA256, Width: made.Width, Height: made.Height, Seed: made.Seed, CreatedAt: event.At,
				})
			}
		}
	}
}

func (f *facts) images() []queries.Image {
	var out []queries.Image
	for _, g := range f.generations {
		out = append(out, g.Images...)
	}
	for i := range out {
		s := f.marks[out[i].ID]
		out[i].Tags, out[i].Favourite, out[i].Rating = s.Tags, s.Favourite, s.Rating
		out[i].Boards = f.library.Existing(s.Boards)
	}
	return slices.DeleteFunc(out, func(m queries.Image) bool { return f.marks[m.ID].Deleted })
}

func (q *fakeQueries) Account(ctx context.Context, r queries.Read) (queries.Account, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	return queries.Account{
		ID: r.Account, Name: f.opened.Name, Plan: f.account.Plan, Tier: f.account.Tier, Slots: f.account.Limits.Slots,
		OpenedAt: f.opened.At, Version: 1,
	}, f.as, err
}

func (q *fakeQueries) Balance(ctx context.Context, r queries.Read, at time.Time) (queries.Balance, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	b := queries.Balance{
		At: q.now(), Available: f.account.Totals.Available, Reserved: f.account.Totals.Reserved,
		Consumed: f.account.Totals.Consumed, Granted: -f.account.Totals.Issuance, Version: 1,
	}
	if !at.IsZero() {
		b.At = at
	}
	for _, g := range f.account.Grants() {
		b.Grants = append(b.Grants, queries.Grant{
			Grant: g.ID, Source: string(g.Source), Priority: g.Priority, Available: g.Available, Reserved: g.Reserved,
			EffectiveAt: g.Effective, ExpiresAt: g.Expires,
		})
	}
	return b, f.as, err
}

func (q *fakeQueries) Statement(
	ctx context.Context, r queries.Read, _ queries.StatementQuery,
) (queries.StatementPage, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	return queries.StatementPage{Lines: f.lines, Next: "more"}, f.as, err
}

func (q *fakeQueries) Usage(
	ctx context.Context, r queries.Read, u queries.UsageQuery,
) (queries.UsageReport, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	sum := queries.UsageSum{Generations: 1}
	return queries.UsageReport{
		Rows: []queries.UsageRow{{Day: u.To, Model: "flux-schnell", UsageSum: sum}}, Total: sum,
	}, f.as, err
}

func (q *fakeQueries) Generation(
	ctx context.Context, r queries.Read, id domain.GenerationID,
) (queries.Generation, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	for _, g := range f.generations {
		if g.ID == id {
			return g, f.as, err
		}
	}
	if err == nil {
		err = domain.Errorf(domain.CodeNotFound, "there is no such generation")
	}
	return queries.Generation{}, f.as, err
}

func (q *fakeQueries) Generations(
	ctx context.Context, r queries.Read, _ queries.GenerationsQuery,
) (queries.GenerationPage, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	f.as.Stale = true
	return queries.GenerationPage{Generations: f.generations}, f.as, err
}

func (q *fakeQueries) Image(
	ctx context.Context, r queries.Read, id domain.ImageID,
) (queries.Image, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	for _, m := range f.images() {
		if m.ID == id {
			return m, f.as, err
		}
	}
	if err == nil {
		err = domain.Errorf(domain.CodeNotFound, "there is no such image")
	}
	return queries.Image{}, f.as, err
}

func (q *fakeQueries) Images(
	ctx context.Context, r queries.Read, ask queries.ImagesQuery,
) (queries.ImagePage, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	if err != nil {
		return queries.ImagePage{}, f.as, err
	}
	images, err := f.through(ask.ImageFilter)
	page := queries.ImagePage{Images: images}
	if n := ask.Limit; n > 0 && len(images) > n {
		page = queries.ImagePage{Images: images[:n], Next: "next"}
	}
	return page, f.as, err
}

func (f *facts) through(filter queries.ImageFilter) ([]queries.Image, error) {
	if _, ok := f.library.Board(filter.Board); !ok && filter.Board != "" && filter.Board != image.Unfiled {
		return nil, domain.Errorf(domain.CodeNotFound, "there is no such board")
	}
	return slices.DeleteFunc(f.images(), func(m queries.Image) bool {
		return !filter.Matches(image.State{Tags: m.Tags, Favourite: m.Favourite, Rating: m.Rating, Boards: m.Boards})
	}), nil
}

func (q *fakeQueries) CountImages(
	ctx context.Context, r queries.Read, filter queries.ImageFilter,
) (queries.ImageCount, queries.As, error) {
	page, as, err := q.Images(ctx, r, queries.ImagesQuery{ImageFilter: filter})
	return queries.ImageCount{Images: int64(len(page.Images))}, as, err
}

func (q *fakeQueries) Boards(ctx context.Context, r queries.Read) ([]queries.Board, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	boards := make([]queries.Board, len(f.library.Boards))
	for i, b := range f.library.Boards {
		boards[i] = queries.Board{ID: b.ID, Name: b.Name, CreatedAt: q.now()}
		for _, m := range f.images() {
			if slices.Contains(m.Boards, b.ID) {
				boards[i].Images++
				boards[i].Cover = &queries.Cover{Image: m.ID, ThumbnailKey: m.ThumbnailKey}
			}
		}
	}
	return boards, f.as, err
}

func (q *fakeQueries) Board(
	ctx context.Context, r queries.Read, id domain.BoardID,
) (queries.Board, queries.As, error) {
	boards, as, err := q.Boards(ctx, r)
	for _, b := range boards {
		if b.ID == id {
			return b, as, err
		}
	}
	return queries.Board{}, as, cmp.Or(err, error(domain.Errorf(domain.CodeNotFound, "there is no such board")))
}

func (q *fakeQueries) SavedSearches(ctx context.Context, r queries.Read) ([]queries.SavedSearch, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	kept := make([]queries.SavedSearch, len(f.library.Searches))
	for i, k := range f.library.Searches {
		kept[i] = queries.SavedSearch{ID: k.ID, Name: k.Name, Query: k.Query, CreatedAt: q.now()}
	}
	return kept, f.as, err
}

func (q *fakeQueries) SavedSearch(
	ctx context.Context, r queries.Read, id domain.SearchID,
) (queries.SavedSearch, queries.As, error) {
	kept, as, err := q.SavedSearches(ctx, r)
	for _, k := range kept {
		if k.ID == id {
			return k, as, err
		}
	}
	return queries.SavedSearch{}, as, cmp.Or(err, error(domain.Errorf(domain.CodeNotFound, "there is no such search")))
}

// month is all that ever was, whatever the month.
func (f *facts) month(at time.Time) queries.Month {
	return queries.Month{
		First: at, Closing: queries.Funds{Available: f.account.Totals.Available},
		Kinds: []queries.KindTotal{{Kind: "granted", Lines: int64(len(f.lines))}},
	}
}

func (q *fakeQueries) Months(ctx context.Context, r queries.Read) ([]queries.Month, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	return []queries.Month{f.month(q.now())}, f.as, err
}

func (q *fakeQueries) Month(
	ctx context.Context, r queries.Read, at time.Time, p queries.Page,
) (queries.MonthPage, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	page := queries.MonthPage{Month: f.month(at), Lines: f.lines}
	if half := len(f.lines) / 2; p.Cursor == "" && half > 0 {
		page.Lines, page.Next = f.lines[:half], "more"
	} else if p.Cursor != "" {
		page.Lines = f.lines[half:]
	}
	return page, f.as, err
}

func (q *fakeQueries) Search(
	ctx context.Context, r queries.Read, _ queries.SearchQuery,
) (queries.SearchPage, queries.As, error) {
	f, err := q.facts(ctx, r.Account)
	return queries.SearchPage{Images: f.images(), Total: int64(len(f.images()))}, f.as, err
}

func (q *fakeQueries) Backlog(context.Context) ([]queries.BacklogRow, error) {
	return []queries.BacklogRow{{Pool: "gpu", Tier: domain.TierFree, Queued: 2, QueuedMS: 3000, RunningMS: 500}}, nil
}
