package queries

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// Generation is one request for images with its settlement.
type Generation struct {
	ID     domain.GenerationID
	Status generation.Status
	// Version is that of the generation's stream. The settlement may change without it, by an expiry made visible.
	Version int64
	// Changed is the position of the newest event that changed anything here, the settlement included; the marks of
	// its images are not.
	Changed       eventstore.Position
	Cause         string // why it failed or is tried again
	Attempt       int
	Worker        string // empty unless it runs
	Spec          generation.Spec
	Pool          string
	Tier          domain.Tier
	EstimateMS    int64 // estimated GPU time of the whole job
	Queue         *QueuePlace
	Settlement    Settlement
	Images        []Image // in their order; deleted ones are left out
	Engine        string
	EngineVersion string
	GPUMS         int64     // 0 until it succeeded
	CreatedAt     time.Time // when it was requested
	StartedAt     time.Time // of the attempt that runs or ended it; zero if none has begun
	EndedAt       time.Time // zero while open
	Deadline      time.Time
}

// QueuePlace is where a queued generation waits.
type QueuePlace struct {
	// Ahead counts the queued jobs of the same pool and tier, of all accounts, that were requested before.
	Ahead int
	// AheadMS is the estimated GPU time of those jobs.
	AheadMS int64
	// Retrying says that an attempt has already been made.
	Retrying bool
}

// Settlement is what a generation costs. Quoted = Reserved + Settled + Released.
type Settlement struct {
	Reservation domain.ReservationID
	Quote       string // empty if none was given
	Quoted      domain.Credits
	Reserved    domain.Credits // held now
	Settled     domain.Credits // charged
	Released    domain.Credits // given back, less what a late settlement took of it
	Waived      domain.Credits // due and not charged; part of Released
	Policy      string
	PriceBook   string
	Postings    []Posting // oldest first
}

// GenerationsQuery asks for generations.
type GenerationsQuery struct {
	Page
	Status generation.Status // empty means all
	Open   bool              // only those that have not ended
}

// GenerationPage is a page of generations, newest first.
type GenerationPage struct {
	Generations []Generation
	Next        string // empty on the last page
}

// Generation returns one generation of the account, or CodeNotFound.
func (s *Service) Generation(ctx context.Context, r Read, id domain.GenerationID) (Generation, As, error) {
	var g []Generation
	as, err := s.withImages(ctx, r, s.one, func(v projections.Snapshot) (_ []Generation, err error) {
		if id.Check() == nil {
			g, err = readGenerations(ctx, v, sqlGeneration, r.Account, id)
		}
		if err == nil && len(g) == 0 {
			err = domain.Errorf(domain.CodeNotFound, "there is no such generation")
		}
		return g, err
	})
	if err != nil {
		return Generation{}, as, err
	}
	return g[0], as, nil
}

// Generations returns the account's generations, newest first.
func (s *Service) Generations(ctx context.Context, r Read, q GenerationsQuery) (GenerationPage, As, error) {
	limit, err := q.size()
	if err != nil {
		return GenerationPage{}, As{}, err
	}
	filter := []any{"generations", r.Account, q.Status, q.Open}
	before, last := endOfTime, domain.GenerationID("")
	if q.Cursor != "" {
		if err := s.openCursor(q.Cursor, filter, &before, &last); err != nil {
			return GenerationPage{}, As{}, err
		}
	}
	var page GenerationPage
	as, err := s.withImages(ctx, r, s.list, func(v projections.Snapshot) ([]Generation, error) {
		page = GenerationPage{}
		status := projections.Text(string(q.Status))
		g, err := readGenerations(ctx, v, sqlGenerations, r.Account, status, q.Open, before, last, limit+1)
		if len(g) > limit {
			g = g[:limit]
			page.Next = s.sealCursor(filter, g[limit-1].CreatedAt, g[limit-1].ID)
		}
		page.Generations = g
		return g, err
	})
	return page, as, err
}

// reader is Service.list or Service.one.
type reader func(
	ctx context.Context, r Read, of []projections.Progress, do func(projections.Snapshot) error,
) (As, error)

// withImages reads generations and adds their images. Where the gallery is behind the end of one of them it waits, for
// a bounded time: who sees that a generation succeeded wants to see its images.
func (s *Service) withImages(
	ctx context.Context, r Read, read reader, do func(projections.Snapshot) ([]Generation, error),
) (As, error) {
	var missing eventstore.Position
	both := func(v projections.Snapshot) error {
		missing = eventstore.Position{}
		list, err := do(v)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, g := range list {
			if g.Status == generation.StatusSucceeded && g.Changed.Pos > max(v.Positions[1], missing.Pos) {
				missing = g.Changed
			}
		}
		return addImages(ctx, v, r.Account, list)
	}
	views := []projections.Progress{s.views.generations, s.views.gallery}
	as, err := read(ctx, r, views, both)
	if err != nil || missing.IsZero() {
		return as, err
	}
	if _, err := s.views.gallery.WaitFor(ctx, s.cfg.Pool, missing, missingWaitMax); err != nil {
		return as, err
	}
	return read(ctx, r, views, both)
}

func addImages(ctx context.Context, v projections.Snapshot, id domain.AccountID, list []Generation) error {
	var ids []string
	at := map[domain.GenerationID]*Generation{}
	for i := range list {
		if list[i].Status == generation.StatusSucceeded {
			ids = append(ids, string(list[i].ID))
			at[list[i].ID] = &list[i]
		}
	}
	if len(ids) == 0 {
		return nil
	}
	images, err := readImages(ctx, v, sqlImagesOfGenerations, id, ids)
	for _, image := range images {
		g := at[image.Generation]
		g.Images = append(g.Images, image)
	}
	return err
}
