package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
	"github.com/pingvas/pingvas/eventstore"
)

// Start is when a history begins.
func Start() time.Time { return time.Date(2026, 1, 31, 22, 0, 0, 0, time.UTC) }

// History makes random histories with the deciders: what it records could have happened.
type History struct {
	Ledger   *Ledger
	Accounts []*Customer
	// Now is the time of the newest event.
	Now time.Time

	t    testing.TB
	rand *rand.Rand
	ids  int
}

// Customer is an account of a history with everything it has.
type Customer struct {
	ID          domain.AccountID
	State       *account.State
	Facts       []domain.Event // of the account's stream, in order
	Generations []*Job
	Metered     domain.Credits // charged for work that is done elsewhere
	Images      []*Picture
	Library     library.State
}

// Job is a generation of a history.
type Job struct {
	ID    domain.GenerationID
	State generation.State
}

// Picture is an image of a history.
type Picture struct {
	ID    domain.ImageID
	State image.State
}

// NewHistory returns a history with some open accounts. The same seed gives the same history.
func NewHistory(t testing.TB, seed uint64, accounts int) *History {
	t.Helper()
	h := &History{Ledger: NewLedger(t), Now: Start(), t: t, rand: rand.New(rand.NewPCG(seed, seed))}
	for range accounts {
		c := &Customer{ID: domain.AccountID(h.id(domain.PrefixAccount)), State: account.Initial()}
		h.Accounts = append(h.Accounts, c)
		h.must(c, account.Open{
			Account: c.ID, Name: "이름 name", Plan: "pro", Tier: domain.TierPro,
			Limits: account.Limits{Slots: 6, CreditLine: domain.Credits(h.rand.IntN(2) * 40)}, At: h.Now,
		})
		h.grant(c)
	}
	return h
}

// Play does random things.
func (h *History) Play(steps int) {
	for range steps {
		switch n := h.rand.IntN(60); {
		case n == 0:
			h.Now = h.Now.Add(6 * time.Hour)
		case n < 40:
			h.Now = h.Now.Add(time.Duration(1+h.rand.IntN(6*60)) * time.Second)
		}
		h.step(h.Accounts[h.rand.IntN(len(h.Accounts))])
	}
}

func (h *History) step(c *Customer) {
	switch n := h.rand.IntN(20); {
	case n < 2:
		h.grant(c)
	case n < 6:
		h.Request(c, h.prompt(), h.tags())
	case n < 14:
		if job := pick(h, open(c.Generations)); job != nil {
			h.work(c, job)
		}
	case n < 15:
		h.try(c, account.ExpireDue{At: h.Now})
	case n < 16:
		limits := account.Limits{Slots: 4 + h.rand.IntN(4), CreditLine: domain.Credits(h.rand.IntN(60))}
		h.try(c, account.ChangeTier{Plan: "studio", Tier: domain.TierStudio, Limits: limits, At: h.Now})
	case n < 17:
		if job := pick(h, open(c.Generations)); job != nil {
			h.try(c, account.Extend{
				Reservation: job.State.Request.Reservation, Expires: h.Now.Add(4 * time.Hour), At: h.Now,
			})
		}
	case n < 18:
		h.meter(c)
	case n < 19:
		h.shelve(c)
	default:
		for range 2 {
			if picture := pick(h, c.Images); picture != nil {
				h.mark(c, picture)
			}
		}
	}
}

func (h *History) grant(c *Customer) {
	sources := []account.Source{account.SourcePlan, account.SourceTopUp, account.SourcePromotion}
	g := account.GrantCredits{
		Grant: domain.GrantID(h.id(domain.PrefixGrant)), Source: sources[h.rand.IntN(len(sources))],
		Priority: 40 + h.rand.IntN(3), Amount: domain.Credits(1 + h.rand.IntN(200)), Effective: h.Now, At: h.Now,
	}
	if h.rand.IntN(4) == 0 {
		g.Effective = h.Now.Add(time.Duration(1+h.rand.IntN(20)) * time.Hour)
	}
	if h.rand.IntN(2) == 0 {
		g.Expires = g.Effective.Add(time.Duration(1+h.rand.IntN(30)) * time.Hour)
	}
	if h.rand.IntN(5) == 0 {
		g.Scope = account.Scope{Models: []string{"flux-dev"}}
	}
	h.must(c, g)
}

// Request asks for images and reserves their credits. It returns nil if the account refuses.
func (h *History) Request(c *Customer, prompt string, tags []string) *Job {
	models := []string{"sdxl-1.0", "flux-dev"}
	deadline := h.Now.Add(time.Duration(1+h.rand.IntN(8)) * time.Hour)
	r := generation.Request{
		Generation: domain.GenerationID(h.id(domain.PrefixGeneration)), Account: c.ID, Key: h.key(),
		Spec: generation.Spec{
			Terms: pricing.Terms{
				Operation: pricing.OperationTextToImage, Model: models[h.rand.IntN(len(models))],
				Width: 512 + 64*h.rand.IntN(3), Height: 512, Steps: 30, Count: 1 + h.rand.IntN(3),
			},
			Prompt: prompt, NegativePrompt: "blurry 흐림", Guidance: 7.5, Scheduler: "euler", Seed: h.rand.Uint32(),
			Tags: tags,
		},
		Pool: pricing.PoolGPU, Tier: c.State.Tier, Reservation: domain.ReservationID(h.id(domain.PrefixReservation)),
		Reserved: domain.Credits(1 + h.rand.IntN(40)), PriceBook: "2026-11-01", Policy: "2026-11-01",
		EstimateMillis: 9000, Deadline: deadline, At: h.Now,
	}
	reserved, err := account.Decide(c.State, account.Reserve{
		Reservation: r.Reservation, Generation: r.Generation, Amount: r.Reserved, PriceBook: r.PriceBook,
		Use: account.Use{Model: r.Spec.Model, Operation: r.Spec.Operation}, Expires: deadline, At: h.Now,
	})
	if err != nil {
		return nil
	}
	requested, err := generation.Decide(generation.Initial(), r)
	require.NoError(h.t, err)
	job := &Job{ID: r.Generation, State: generation.Initial()}
	c.Generations = append(c.Generations, job)
	h.record(c, job, requested, reserved)
	return job
}

// meter holds credits for work that is done elsewhere, and ends the hold, unless the account refuses.
func (h *History) meter(c *Customer) {
	held := domain.ReservationID(h.id(domain.PrefixReservation))
	h.try(c, account.Reserve{
		Reservation: held, Amount: domain.Credits(1 + h.rand.IntN(9)), PriceBook: "metered",
		Use: account.Use{Model: "flux-dev"}, Expires: h.Now.Add(time.Hour), At: h.Now,
	})
	switch h.rand.IntN(3) {
	case 0:
		before := c.State.Totals.Consumed
		h.try(c, account.Settle{
			Reservation: held, Charge: domain.Credits(h.rand.IntN(9)), Policy: "metered", At: h.Now,
		})
		c.Metered += c.State.Totals.Consumed - before
	case 1:
		h.try(c, account.Release{Reservation: held, Reason: "released", Policy: "metered", At: h.Now})
	default: // it expires
	}
}

// work lets something happen to an open job.
func (h *History) work(c *Customer, job *Job) {
	attempt, lease := job.State.Attempt, h.Now.Add(time.Duration(1+h.rand.IntN(60))*time.Minute)
	if job.State.Status == generation.StatusQueued {
		claim := generation.Claim{Worker: fmt.Sprintf("gpu-%d", h.rand.IntN(9)), LeaseUntil: lease, At: h.Now}
		rare := []generation.Command{generation.Cancel{At: h.Now}, generation.Expire{At: h.Now}, claim}
		if h.rand.IntN(4) > 0 || !h.Do(c, job, rare[h.rand.IntN(len(rare))]) {
			h.Do(c, job, claim)
		}
		return
	}
	commands := []generation.Command{
		h.Completion(job, 1+h.rand.IntN(job.State.Request.Spec.Count)),
		h.Completion(job, job.State.Request.Spec.Count), h.Completion(job, job.State.Request.Spec.Count),
		h.Completion(job, job.State.Request.Spec.Count),
		generation.ExtendLease{Attempt: attempt, LeaseUntil: lease, At: h.Now},
		generation.HandBack{Attempt: attempt, Cause: generation.CauseHandedBack, At: h.Now},
		generation.EndLease{At: h.Now}, generation.Expire{At: h.Now}, generation.Cancel{At: h.Now},
		generation.Fail{Attempt: attempt, Blocked: h.rand.IntN(2) == 0, Cause: "engine_error", At: h.Now},
	}
	h.Do(c, job, commands[h.rand.IntN(len(commands))])
}

// Completion returns the command that delivers images.
func (h *History) Completion(job *Job, images int) generation.Complete {
	complete := generation.Complete{
		Attempt: job.State.Attempt, Engine: "sketch", EngineVersion: "1", GPUMillis: 5000, At: h.Now,
	}
	for n := range images {
		id := domain.NewImageID(job.ID, n)
		complete.Images = append(complete.Images, generation.Image{
			Image: id, Key: string(id) + ".png", ThumbnailKey: string(id) + ".webp", ContentType: "image/png", Bytes: 1000,
			SHA256: fmt.Sprintf("%064x", h.rand.Uint64()), Width: job.State.Request.Spec.Width,
			Height: job.State.Request.Spec.Height, Seed: job.State.Request.Spec.Seed + uint32(n),
		})
	}
	return complete
}

// Do decides a command on a job and, if it ends the job, settles it as the policy says. It reports whether the
// command was accepted.
func (h *History) Do(c *Customer, job *Job, command generation.Command) bool {
	events, err := generation.Decide(job.State, command)
	if err != nil {
		return false
	}
	after := job.State
	for _, e := range events {
		after = generation.Evolve(after, e)
	}
	var settled []domain.Event
	if after.Status.Final() && !job.State.Status.Final() {
		settled = h.settle(c, after)
	}
	h.record(c, job, events, settled)
	return true
}

func (h *History) settle(c *Customer, ended generation.State) []domain.Event {
	charge := settlement.Current().Charge(ended.Outcome(), ended.Request.Reserved)
	var command account.Command = account.Settle{
		Reservation: ended.Request.Reservation, Charge: charge, Policy: ended.Request.Policy, At: h.Now,
	}
	if charge == 0 {
		command = account.Release{
			Reservation: ended.Request.Reservation, Reason: string(ended.Status), Policy: ended.Request.Policy, At: h.Now,
		}
	}
	events, err := account.Decide(c.State, command)
	if domain.CodeOf(err) == domain.CodeAlreadyEnded {
		return nil
	}
	require.NoError(h.t, err)
	return events
}

// record appends the events of a job and of its account, in either order, as one unit.
func (h *History) record(c *Customer, job *Job, events, credits []domain.Event) {
	var facts []Fact
	for _, e := range events {
		job.State = generation.Evolve(job.State, e)
		facts = append(facts, Fact{eventstore.GenerationStream(job.ID), e})
		if done, ok := e.(generation.Completed); ok {
			for _, i := range done.Images {
				c.Images = append(c.Images, &Picture{ID: i.Image, State: image.Initial()})
			}
		}
	}
	if h.rand.IntN(2) == 0 {
		facts = append(facts, h.credit(c, credits)...)
	} else {
		facts = append(h.credit(c, credits), facts...)
	}
	h.Ledger.Append(h.t, c.ID, facts...)
}

// credit folds events of the account and returns them as facts.
func (h *History) credit(c *Customer, events []domain.Event) []Fact {
	var facts []Fact
	for _, e := range events {
		c.State = account.Evolve(c.State, e)
		c.Facts = append(c.Facts, e)
		facts = append(facts, Fact{eventstore.AccountStream(c.ID), e})
	}
	return facts
}

func (h *History) must(c *Customer, command account.Command) {
	events, err := account.Decide(c.State, command)
	require.NoError(h.t, err)
	h.Ledger.Append(h.t, c.ID, h.credit(c, events)...)
}

// try records what the account decides, which may be nothing.
func (h *History) try(c *Customer, command account.Command) {
	if events, err := account.Decide(c.State, command); err == nil {
		h.Ledger.Append(h.t, c.ID, h.credit(c, events)...)
	}
}

func (h *History) mark(c *Customer, p *Picture) {
	var command image.Command
	switch n := h.rand.IntN(14); {
	case n >= 11:
		command = image.File{Image: p.ID, Account: c.ID, Boards: h.boards(c), At: h.Now}
	case n >= 8:
		command = image.Rate{Image: p.ID, Account: c.ID, Rating: h.rand.IntN(image.RatingMax + 1), At: h.Now}
	case n < 4:
		command = image.Tag{Image: p.ID, Account: c.ID, Tags: h.tags(), At: h.Now}
	case n < 7:
		command = image.Favourite{Image: p.ID, Account: c.ID, Favourite: !p.State.Favourite, At: h.Now}
	default:
		command = image.Delete{Image: p.ID, Account: c.ID, Keys: []string{"k"}, At: h.Now}
	}
	h.Mark(c, p, command)
}

// Mark records what the image decides, which may be nothing.
func (h *History) Mark(c *Customer, p *Picture, command image.Command) {
	events, err := image.Decide(p.State, command)
	if err != nil {
		return
	}
	for _, e := range events {
		p.State = image.Evolve(p.State, e)
		h.Ledger.Append(h.t, c.ID, Fact{eventstore.ImageStream(p.ID), e})
	}
}

func (h *History) prompt() string {
	prompts := []string{
		"눈 덮인 산 위의 고양이", "바닷가의 등대, 해 질 녘", "a cat on a snowy mountain", "two foxes, watercolour",
	}
	return prompts[h.rand.IntN(len(prompts))]
}

func (h *History) tags() []string {
	all := []string{"Winter", "cat", "고양이", "포스터"}
	tags, err := image.NormalTags(all[:h.rand.IntN(len(all)+1)])
	require.NoError(h.t, err)
	if len(tags) == 0 {
		return nil
	}
	return tags
}

func (h *History) id(prefix string) string {
	h.ids++
	return fmt.Sprintf("%s%026d", prefix, h.ids)
}

// key returns one of two API keys, or none.
func (h *History) key() domain.KeyID {
	n := h.rand.IntN(3)
	if n == 0 {
		return ""
	}
	return domain.KeyID(fmt.Sprintf("%s%026d", domain.PrefixKey, n))
}

func open(jobs []*Job) []*Job {
	var out []*Job
	for _, j := range jobs {
		if !j.State.Status.Final() {
			out = append(out, j)
		}
	}
	return out
}

func pick[T any](h *History, from []*T) *T {
	if len(from) == 0 {
		return nil
	}
	return from[h.rand.IntN(len(from))]
}
