package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// prices are what one picture of each model costs, by the oracle's own list.
var prices = map[string]int64{"flux-schnell": 2, "sdxl-1.0": 4, "flux-dev": 10}

func models() []string { return []string{"flux-dev", "flux-schnell", "sdxl-1.0"} }

// terms are those of the list: default size and steps.
var terms = map[string]pricing.Terms{
	"flux-schnell": {Operation: "text_to_image", Model: "flux-schnell", Width: 1024, Height: 1024, Steps: 4},
	"sdxl-1.0":     {Operation: "text_to_image", Model: "sdxl-1.0", Width: 1024, Height: 1024, Steps: 30},
	"flux-dev":     {Operation: "text_to_image", Model: "flux-dev", Width: 1024, Height: 1024, Steps: 28},
}

// guidance is what the models begin with.
var guidance = map[string]float64{"sdxl-1.0": 7, "flux-dev": 3.5}

// customer does one thing after the other, each until it was answered.
type customer struct {
	w       *world
	name    string
	account domain.AccountID
	rng     *rand.Rand
	orders  []order
	left    bool
	over    chan struct{}

	mu   sync.Mutex
	acks []ack
}

// order is a command under an idempotency key. It is the same however often it is sent, but for the ids that the API
// gives out anew each time.
type order struct {
	kind, key string
	do        func(context.Context, *life, commands.Caller) (answer, error)
}

// answer is what a command answered, without its type.
type answer struct {
	result   any
	position eventstore.Position
}

// ack is an answer that a customer got: from now on it must hold.
type ack struct {
	kind, key string
	account   domain.AccountID
	code      domain.Code
	result    string // JSON
	position  eventstore.Position
	id        string // of what was made
}

func answered[R any](r commands.Receipt[R], err error) (answer, error) {
	return answer{r.Result, r.Position}, err
}

func (w *world) addCustomers() {
	for i := range w.plan.customers {
		c := &customer{
			w: w, name: "customer-" + strconv.Itoa(i+1), account: domain.AccountID(fmt.Sprintf("acc_%026d", i+1)),
			rng: rand.New(rand.NewPCG(w.seed, uint64(i)+1)), over: make(chan struct{}),
		}
		w.customers = append(w.customers, c)
		go c.live()
	}
}

// id gives out an id. It is called by the only goroutine that does not rest.
func (w *world) id(prefix string) string {
	w.ids++
	digits := strconv.Itoa(w.ids)
	const zeros = "00000000000000000000000000"
	return prefix + zeros[len(digits):] + digits
}

func (c *customer) live() {
	defer close(c.over)
	defer func() { c.left = true }()
	c.send(c.open())
	for range 2 + c.rng.IntN(c.w.plan.orders) {
		if !c.rest(c.w.plan.gap) {
			return
		}
		c.act()
	}
}

// rest waits a while, and reports whether the world goes on.
func (c *customer) rest(most time.Duration) bool {
	time.Sleep(time.Duration(c.rng.Int64N(int64(most))))
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return !c.w.closed
}

func (c *customer) act() {
	switch p := c.rng.IntN(100); {
	case p < 46:
		c.send(c.request())
	case p < 60:
		c.cancel()
	case p < 70:
		c.send(c.grant())
	case p < 82:
		c.hold()
	case p < 92:
		c.send(c.orders[c.rng.IntN(len(c.orders))])
	case p < 96:
		c.misuse()
	default:
		c.send(c.changePlan())
	}
}

// send sends an order until it is answered, now and then by two ways at once.
func (c *customer) send(o order) *ack {
	if !slices.ContainsFunc(c.orders, func(other order) bool { return other.key == o.key }) {
		c.orders = append(c.orders, o)
	}
	if c.rng.IntN(8) == 0 {
		patience := c.patience()
		var second sync.WaitGroup
		second.Go(func() { c.try(o, "b", patience) })
		defer second.Wait()
	}
	for {
		if a := c.try(o, "a", c.patience()); a != nil {
			return a
		}
		if !c.rest(time.Second) {
			return nil
		}
	}
}

func (c *customer) patience() time.Duration {
	return 500*time.Millisecond + time.Duration(c.rng.Int64N(int64(patienceMax)))
}

// try sends an order once and returns the answer, if there is one.
func (c *customer) try(o order, way string, patience time.Duration) *ack {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	value, err := c.w.ask(ctx, nil, o.kind, c.name+" "+o.key+way, func(ctx context.Context, api *life) (any, error) {
		return o.do(ctx, api, commands.Caller{
			Account: c.account, Actor: "customer",
			Idempotency: &commands.Idempotency{Key: o.key, RequestHash: eventstore.RequestHash{byte(len(o.kind))}},
		})
	})
	a := ack{kind: o.kind, key: o.key, account: c.account}
	code, refused := refusal(err)
	switch {
	case err != nil && !refused:
		return nil
	case err != nil:
		a.code = code
	default:
		got := value.(answer)
		text, err := json.Marshal(got.result)
		if err != nil {
			c.w.fault("encode an answer: " + err.Error())
		}
		a.result, a.position, a.id = string(text), got.position, idOf(got.result)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks = append(c.acks, a)
	return &a
}

func idOf(result any) string {
	switch r := result.(type) {
	case commands.RequestedGeneration:
		return string(r.Generation)
	case commands.Ended:
		return string(r.Generation)
	case commands.Granted:
		return string(r.Grant)
	case commands.Reserved:
		return string(r.Reservation)
	case commands.EndedReservation:
		return string(r.Reservation)
	}
	return ""
}

func (c *customer) order(kind string, do func(context.Context, *life, commands.Caller) (answer, error)) order {
	return order{kind, kind + "-" + strconv.Itoa(len(c.orders)), do}
}

func (c *customer) open() order {
	return c.order("open", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		return answered(api.ledger.OpenAccount(ctx, who, commands.OpenAccount{
			Name: "Ada", Grant: domain.GrantID(c.w.id("grt_")), At: api.now(),
		}))
	})
}

func (c *customer) request() order {
	t := terms[models()[c.rng.IntN(len(prices))]]
	t.Count = 1 + c.rng.IntN(2)
	spec := generation.Spec{
		Terms: t, Prompt: "a lighthouse", Scheduler: "euler", Seed: 7, Guidance: guidance[t.Model],
	}
	return c.order("request", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		return answered(api.ledger.RequestGeneration(ctx, who, commands.RequestGeneration{
			Generation: domain.GenerationID(c.w.id("gen_")), Reservation: domain.ReservationID(c.w.id("res_")),
			Spec: spec, At: api.now(),
		}))
	})
}

// cancel ends one of the customer's generations, or somebody else's.
func (c *customer) cancel() {
	of := c
	if c.rng.IntN(8) == 0 {
		of = c.w.customers[c.rng.IntN(len(c.w.customers))]
	}
	made := of.made("request")
	if len(made) == 0 {
		return
	}
	id := domain.GenerationID(made[c.rng.IntN(len(made))])
	c.send(c.order("cancel", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		return answered(api.ledger.CancelGeneration(ctx, who, id, nil, api.now()))
	}))
}

// made lists what the customer knows that it has made, in order.
func (c *customer) made(kind string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var made []string
	for _, a := range c.acks {
		if a.kind == kind && a.id != "" {
			made = append(made, a.id)
		}
	}
	slices.Sort(made)
	return slices.Compact(made)
}

func (c *customer) grant() order {
	in := account.GrantCredits{
		Source: account.SourcePromotion, Priority: c.rng.IntN(3) * 50, Amount: domain.Credits(1 + c.rng.IntN(40)),
	}
	lasts := time.Duration(c.rng.Int64N(int64(grantMax)))
	for range c.rng.IntN(2) {
		lasts = 0
	}
	return c.order("grant", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		in := in
		in.Grant, in.At, in.Effective = domain.GrantID(c.w.id("grt_")), api.now(), api.now()
		if lasts > 0 {
			in.Expires = in.At.Add(lasts + time.Second)
		}
		return answered(api.ledger.GrantCredits(ctx, who, in))
	})
}

// hold reserves credits by hand, and mostly settles or releases them.
func (c *customer) hold() {
	amount := domain.Credits(1 + c.rng.IntN(50))
	lasts := time.Second + time.Duration(c.rng.Int64N(int64(grantMax)))
	charge := domain.Credits(c.rng.IntN(int(amount) + 1))
	way := c.rng.IntN(4)
	a := c.send(c.order("reserve", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		return answered(api.ledger.ReserveCredits(ctx, who, account.Reserve{
			Reservation: domain.ReservationID(c.w.id("res_")), Generation: domain.GenerationID(c.w.id("gen_")),
			Amount: amount, Use: account.Use{Model: "flux-dev", Operation: "text_to_image"}, PriceBook: "by hand",
			Expires: api.now().Add(lasts), At: api.now(),
		}))
	}))
	if a == nil || a.code != "" || way == 0 || !c.rest(c.w.plan.gap) {
		return
	}
	id := domain.ReservationID(a.id)
	c.send(c.order("end", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		if way == 1 {
			return answered(api.ledger.ReleaseCredits(ctx, who, account.Release{
				Reservation: id, Reason: "by hand", Policy: "by hand", At: api.now(),
			}))
		}
		return answered(api.ledger.SettleCredits(ctx, who, account.Settle{
			Reservation: id, Charge: charge, Policy: "by hand", At: api.now(),
		}))
	}))
}

// misuse sends another request under a key that was used before.
func (c *customer) misuse() {
	o := c.orders[c.rng.IntN(len(c.orders))]
	a := c.send(order{"misuse of " + o.kind, o.key, o.do})
	if a != nil && a.code != domain.CodeIdempotencyMismatch {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		c.w.wrong = append(c.w.wrong, fmt.Sprintf("%s: the key %s was used for another request: %q", c.name, o.key, a.code))
	}
}

func (c *customer) changePlan() order {
	plan := []string{"free", "starter", "pro"}[c.rng.IntN(3)]
	return c.order("plan", func(ctx context.Context, api *life, who commands.Caller) (answer, error) {
		return answered(api.ledger.ChangePlan(ctx, who, plan, api.now()))
	})
}
