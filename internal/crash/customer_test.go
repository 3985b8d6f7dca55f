package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const pathAccounts = "/v1/accounts"

const (
	// openingGrant is what the free plan gives once.
	openingGrant = 100
	// bothPercent of the commands are sent to both APIs at the same time.
	bothPercent        = 10
	thinkMin, thinkMax = 50 * time.Millisecond, 400 * time.Millisecond
)

// generation is what a customer knows of a job.
type generation struct {
	quoted, images int64
	cancelled      bool
	settled        int64 // of a cancellation
}

// account is what a customer knows of one: customers open another if the secret of the first got lost on its way.
type account struct {
	id, secret  string
	grants      map[string]int64 // without the opening grant
	generations map[string]*generation
	order       []string
	deleted     map[string]bool // images
	marked      map[string]bool
	last        string // newest position
}

// customer drives one account after the other, one command after the other.
type customer struct {
	client   *client
	number   int
	seed     uint64
	random   *rand.Rand
	commands int
	accounts []*account
	journal  []entry
}

func newCustomer(c *client, seed uint64, number int) *customer {
	return &customer{client: c, number: number, seed: seed, random: rand.New(rand.NewPCG(seed, 1000+uint64(number)))}
}

// run makes commands until stop closes, and returns when the last one was answered. It returns an error for an answer
// that cannot be right.
func (c *customer) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		if err := c.open(ctx); err != nil {
			return err
		}
		if c.current().secret != "" {
			break
		}
	}
	actions := []struct {
		weight int
		do     func(context.Context) error
	}{
		{50, c.request}, {12, c.cancel}, {14, c.grant}, {10, c.readBalance}, {10, c.touchImage}, {4, c.changePlan},
	}
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(between(c.random, thinkMin, thinkMax)):
		}
		draw := c.random.IntN(100)
		for _, action := range actions {
			if draw -= action.weight; draw < 0 {
				if err := action.do(ctx); err != nil {
					return fmt.Errorf("customer %d: %w", c.number, err)
				}
				break
			}
		}
	}
}

func (c *customer) current() *account { return c.accounts[len(c.accounts)-1] }

// command sends a command under a key of its own until it is answered, and notes the answer.
func (c *customer) command(ctx context.Context, q call) (*entry, error) {
	c.commands++
	q.key = fmt.Sprintf("crash-%016x-%d-%d", c.seed, c.number, c.commands)
	ask := c.client.ask
	if c.random.IntN(100) < bothPercent && q.path != pathAccounts {
		ask = c.client.askBoth
	}
	a, err := ask(ctx, c.random, q)
	if err != nil {
		return nil, err
	}
	e := entry{call: q, answer: a}
	if len(c.accounts) > 0 {
		e.account = c.current().id
		if a.position != "" {
			c.current().last = a.position
		}
	}
	c.journal = append(c.journal, e)
	return &c.journal[len(c.journal)-1], nil
}

func (c *customer) open(ctx context.Context) error {
	e, err := c.command(ctx, call{method: http.MethodPost, path: pathAccounts, payload: []byte(`{"name":"crash"}`)})
	if err != nil {
		return err
	}
	opened, err := decode[struct {
		Account struct{ ID string }
		Key     struct{ Secret string } `json:"api_key"`
	}](e.answer)
	if err != nil || e.status != http.StatusCreated || opened.Account.ID == "" {
		return fmt.Errorf("open an account: %d %s", e.status, e.body)
	}
	e.account, e.event = opened.Account.ID, "account."
	c.accounts = append(c.accounts, &account{
		id: opened.Account.ID, secret: opened.Key.Secret, grants: map[string]int64{},
		generations: map[string]*generation{}, deleted: map[string]bool{}, marked: map[string]bool{}, last: e.position,
	})
	return nil
}

// request asks for a generation, sometimes with a quote.
func (c *customer) request(ctx context.Context) error {
	a := c.current()
	models := []string{"sdxl-1.0", "flux-schnell", "flux-dev"}
	body := map[string]any{
		"model": models[c.random.IntN(len(models))], "prompt": fmt.Sprintf("a penguin, number %d", c.commands),
		"width": 256, "height": 256, "steps": 6 + c.random.IntN(6), "count": 1 + c.random.IntN(3),
	}
	if c.random.IntN(5) == 0 {
		quoted, err := c.quote(ctx, body)
		if err != nil {
			return err
		}
		body["quote"] = quoted
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	e, err := c.command(ctx, call{method: http.MethodPost, path: "/v1/generations", secret: a.secret, payload: text})
	if err != nil {
		return err
	}
	switch e.status {
	case http.StatusCreated:
	case http.StatusPaymentRequired, http.StatusTooManyRequests:
		return nil
	case http.StatusConflict: // a quote that expired during an outage
		if body["quote"] != nil {
			return nil
		}
		fallthrough
	default:
		return fmt.Errorf("request a generation: %d %s", e.status, e.body)
	}
	made, err := decode[shownGeneration](e.answer)
	if err != nil || made.ID == "" || made.Settlement.Quoted < 1 {
		return fmt.Errorf("request a generation: %s: %w", e.body, err)
	}
	if a.generations[made.ID] != nil {
		return fmt.Errorf("two keys made one generation: %s", made.ID)
	}
	e.event, e.id = "generation.requested", made.ID
	a.generations[made.ID] = &generation{quoted: made.Settlement.Quoted, images: int64(body["count"].(int))}
	a.order = append(a.order, made.ID)
	return nil
}

// shownGeneration is what the API says of a job.
type shownGeneration struct {
	ID, Status string
	Images     []struct{ ID string }
	Settlement struct{ Quoted, Reserved, Settled, Released, Waived int64 }
}

func (c *customer) quote(ctx context.Context, body map[string]any) (string, error) {
	in := map[string]any{}
	for _, field := range []string{"model", "width", "height", "steps", "count"} {
		in[field] = body[field]
	}
	text, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	a, err := c.client.ask(ctx, c.random,
		call{method: http.MethodPost, path: "/v1/quotes", secret: c.current().secret, payload: text})
	if err != nil {
		return "", err
	}
	out, err := decode[struct{ Quote string }](a)
	if err != nil || out.Quote == "" {
		return "", fmt.Errorf("ask for a quote: %d %s", a.status, a.body)
	}
	return out.Quote, nil
}

// cancel ends one of the last jobs, if it still can.
func (c *customer) cancel(ctx context.Context) error {
	a := c.current()
	if len(a.order) == 0 {
		return nil
	}
	id := a.order[max(0, len(a.order)-1-c.random.IntN(4))]
	path := "/v1/generations/" + id + "/cancel"
	if c.random.IntN(3) == 0 {
		path += "?charge_at_most=0"
	}
	e, err := c.command(ctx, call{method: http.MethodPost, path: path, secret: a.secret})
	if err != nil {
		return err
	}
	switch e.status {
	case http.StatusOK:
	case http.StatusConflict, http.StatusPreconditionFailed: // it has ended, or would cost something
		return nil
	default:
		return fmt.Errorf("cancel %s: %d %s", id, e.status, e.body)
	}
	done, err := decode[struct{ Settled, Released int64 }](e.answer)
	g := a.generations[id]
	if err != nil || done.Settled+done.Released != g.quoted || g.cancelled && g.settled != done.Settled {
		return fmt.Errorf("cancel %s of %d credits: %s: %w", id, g.quoted, e.body, err)
	}
	g.cancelled, g.settled = true, done.Settled
	return nil
}

// grant gives the account credits, some of which soon expire.
func (c *customer) grant(ctx context.Context) error {
	a := c.current()
	amount := 1 + c.random.Int64N(30)
	body := map[string]any{"source": "promotion", "amount": amount, "reason": "crash test"}
	if c.random.IntN(4) == 0 {
		body["expires_at"] = time.Now().UTC().Add(between(c.random, 5*time.Second, 20*time.Second))
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	path := "/internal/accounts/" + a.id + "/grants"
	e, err := c.command(ctx, call{method: http.MethodPost, path: path, secret: adminToken, payload: text})
	if err != nil {
		return err
	}
	if e.status == http.StatusBadRequest && body["expires_at"] != nil { // it had expired when it was decided
		return nil
	}
	out, err := decode[struct {
		Grant  string
		Amount int64
	}](e.answer)
	if err != nil || e.status != http.StatusCreated || out.Amount != amount {
		return fmt.Errorf("grant %d credits: %d %s", amount, e.status, e.body)
	}
	e.event, e.id = "account.credits_granted", out.Grant
	a.grants[out.Grant] = amount
	return nil
}

func (c *customer) changePlan(ctx context.Context) error {
	plan := []string{"free", "starter", "pro"}[c.random.IntN(3)]
	e, err := c.command(ctx, call{
		method: http.MethodPost, path: "/internal/accounts/" + c.current().id + "/plan", secret: adminToken,
		payload: fmt.Appendf(nil, `{"plan":%q}`, plan),
	})
	if err != nil {
		return err
	}
	if e.status != http.StatusOK {
		return fmt.Errorf("change the plan: %d %s", e.status, e.body)
	}
	return nil
}

// shownBalance is what the API says of the credits.
type shownBalance struct{ Available, Reserved, Consumed, Expired, Granted int64 }

// readBalance checks that a balance is one that could be.
func (c *customer) readBalance(ctx context.Context) error {
	a := c.current()
	got, err := c.client.ask(ctx, c.random,
		call{method: http.MethodGet, path: "/v1/balance?min_position=" + a.last, secret: a.secret})
	if err != nil {
		return err
	}
	b, err := decode[shownBalance](got)
	switch {
	case got.status == http.StatusNotFound: // the view is behind
		return nil
	case err != nil || got.status != http.StatusOK:
		return fmt.Errorf("read the balance: %d %s", got.status, got.body)
	case b.Available < 0 || b.Reserved < 0 || b.Available+b.Reserved+b.Consumed+b.Expired != b.Granted:
		return fmt.Errorf("the balance does not add up: %s", got.body)
	}
	return nil
}

// touchImage marks or deletes one of the newest images. A late repetition of either changes nothing.
func (c *customer) touchImage(ctx context.Context) error {
	a := c.current()
	got, err := c.client.ask(ctx, c.random, call{method: http.MethodGet, path: "/v1/images?limit=10", secret: a.secret})
	if err != nil {
		return err
	}
	page, err := decode[struct{ Data []struct{ ID string } }](got)
	if err != nil || got.status != http.StatusOK {
		return fmt.Errorf("list the images: %d %s", got.status, got.body)
	}
	if len(page.Data) == 0 {
		return nil
	}
	id := page.Data[c.random.IntN(len(page.Data))].ID
	if a.deleted[id] {
		return nil // the view is behind
	}
	q := call{method: http.MethodPatch, path: "/v1/images/" + id, secret: a.secret, payload: []byte(`{"favourite":true}`)}
	want := http.StatusOK
	if c.random.IntN(2) == 0 {
		q.method, q.payload, want = http.MethodDelete, nil, http.StatusNoContent
	}
	got, err = c.client.ask(ctx, c.random, q)
	if err != nil {
		return err
	}
	if got.status != want {
		return fmt.Errorf("%s %s: %d %s", q.method, q.path, got.status, got.body)
	}
	a.deleted[id] = q.method == http.MethodDelete
	a.marked[id] = true
	if got.position != "" {
		a.last = got.position
		c.journal = append(c.journal, entry{call: q, answer: got, account: a.id, event: "image."})
	}
	return nil
}
