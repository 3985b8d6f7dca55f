package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// step is one command as a client sends it to a process. Exactly one of the pointers is set.
type step struct {
	N       int // no other call has it; the events that it causes carry it as their correlation
	Account domain.AccountID
	Key     string // the idempotency key, or empty
	Body    byte   // stands for the hash of the request
	At      time.Time

	Open    *commands.OpenAccount         `json:",omitempty"`
	Plan    *string                       `json:",omitempty"`
	Grant   *account.GrantCredits         `json:",omitempty"`
	Reserve *account.Reserve              `json:",omitempty"`
	Settle  *account.Settle               `json:",omitempty"`
	Release *account.Release              `json:",omitempty"`
	Many    []commands.ReservationCommand `json:",omitempty"`
	Expire  *account.ExpireDue            `json:",omitempty"`
	Request *commands.RequestGeneration   `json:",omitempty"`
	Job     *jobStep                      `json:",omitempty"`
	Image   *commands.UpdateImage         `json:",omitempty"`
	Delete  *domain.ImageID               `json:",omitempty"`
}

// jobStep is a command on a generation.
type jobStep struct {
	ID      domain.GenerationID
	Do      string // one of the verbs
	Attempt int
	Images  int
	Blocked bool
	AtMost  *domain.Credits
}

// The verbs of a jobStep.
const (
	doClaim    = "claim"
	doExtend   = "extend"
	doComplete = "complete"
	doFail     = "fail"
	doHandBack = "hand back"
	doGiveUp   = "give up"
	doCancel   = "cancel"
	doEndLease = "end lease"
	doExpire   = "expire"
)

const causeGivenUp = "engine_error"

// kind names the command for people and for the count of what happened.
func (s step) kind() string {
	switch {
	case s.Open != nil:
		return "open"
	case s.Plan != nil:
		return "plan"
	case s.Grant != nil:
		return "grant"
	case s.Reserve != nil:
		return "reserve"
	case s.Settle != nil:
		return "settle"
	case s.Release != nil:
		return "release"
	case s.Many != nil:
		return "many"
	case s.Expire != nil:
		return "expire"
	case s.Request != nil:
		return "request"
	case s.Job != nil:
		return "job " + s.Job.Do
	case s.Image != nil:
		return "image"
	}
	return "delete"
}

// subject names the reservation, grant or job that the command is about.
func (s step) subject() string {
	switch {
	case s.Grant != nil:
		return string(s.Grant.Grant)
	case s.Reserve != nil:
		return string(s.Reserve.Reservation)
	case s.Settle != nil:
		return string(s.Settle.Reservation)
	case s.Release != nil:
		return string(s.Release.Reservation)
	case s.Request != nil:
		return string(s.Request.Generation)
	case s.Job != nil:
		return string(s.Job.ID)
	}
	return ""
}

// String returns the command in full, so that a failure can be done again by hand.
func (s step) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return s.kind() + " " + string(text)
}

func (s step) caller() commands.Caller {
	c := commands.Caller{Account: s.Account, Actor: "model", Correlation: strconv.Itoa(s.N)}
	if s.Key != "" {
		c.Idempotency = &commands.Idempotency{Key: s.Key, RequestHash: eventstore.RequestHash{s.Body}}
	}
	return c
}

// reply is what a process answered, in a form that can be sent and compared.
type reply struct {
	Result   string `json:",omitempty"` // JSON
	Code     domain.Code
	Field    string
	Msg      string
	Detail   string // JSON
	Position eventstore.Position
	Replayed bool
}

// same reports whether two answers say the same of a command.
func (r reply) same(other reply) bool {
	r.Replayed, other.Replayed = false, false
	return r == other
}

// unrun reports whether the answer says that nothing was done, and that the same command may be sent again.
func (r reply) unrun() bool {
	return r.Code == domain.CodeStaleVersion || r.Code == domain.CodeUnavailable
}

func (r reply) String() string {
	if r.Code != "" {
		return fmt.Sprintf("%s %q %s %s replayed=%t", r.Code, r.Msg, r.Field, r.Detail, r.Replayed)
	}
	return fmt.Sprintf("%s at %s replayed=%t", r.Result, r.Position, r.Replayed)
}

// text returns JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func told[R any](r commands.Receipt[R], err error) reply {
	out := reply{Position: r.Position, Replayed: r.Replayed}
	if err == nil {
		out.Result = text(r.Result)
		return out
	}
	out.Code, out.Msg = domain.CodeOf(err), err.Error()
	var e *domain.Error
	if errors.As(err, &e) {
		out.Field, out.Msg = e.Field, e.Msg
		if e.Detail != nil {
			out.Detail = text(e.Detail)
		}
	}
	return out
}

// run sends the command to a ledger.
func (s step) run(ctx context.Context, l *commands.Ledger) reply {
	c := s.caller()
	switch {
	case s.Open != nil:
		return told(l.OpenAccount(ctx, c, *s.Open))
	case s.Plan != nil:
		return told(l.ChangePlan(ctx, c, *s.Plan, s.At))
	case s.Grant != nil:
		return told(l.GrantCredits(ctx, c, *s.Grant))
	case s.Reserve != nil:
		return told(l.ReserveCredits(ctx, c, *s.Reserve))
	case s.Settle != nil:
		return told(l.SettleCredits(ctx, c, *s.Settle))
	case s.Release != nil:
		return told(l.ReleaseCredits(ctx, c, *s.Release))
	case s.Many != nil:
		made, err := l.RunReservations(ctx, c, s.Many)
		for i := range made.Result {
			if r := made.Result[i].Refusal; r != nil {
				silent := *r
				silent.Msg = "" // the model has no words
				made.Result[i].Refusal = &silent
			}
		}
		return told(made, err)
	case s.Expire != nil:
		return told(l.ExpireDue(ctx, c, s.Expire.At))
	case s.Request != nil:
		return told(l.RequestGeneration(ctx, c, *s.Request))
	case s.Job != nil:
		return s.Job.run(ctx, l, c, s.At)
	case s.Image != nil:
		return told(l.UpdateImage(ctx, c, *s.Image))
	}
	return told(l.DeleteImage(ctx, c, *s.Delete, s.At))
}

func (j jobStep) run(ctx context.Context, l *commands.Ledger, c commands.Caller, at time.Time) reply {
	switch j.Do {
	case doClaim:
		claim, err := l.Claim(ctx, c, commands.ClaimGeneration{Worker: "w", Pool: pricing.PoolGPU, At: at}, j.ID)
		return told(commands.Receipt[commands.Claim]{Result: claim}, err)
	case doExtend:
		until, err := l.ExtendLease(ctx, c, j.ID, j.Attempt, at)
		return told(commands.Receipt[time.Time]{Result: until}, err)
	case doComplete:
		return told(l.CompleteGeneration(ctx, c, j.ID, generation.Complete{
			Attempt: j.Attempt, Images: pictures(j.ID, j.Images), At: at,
		}))
	case doFail:
		return told(l.FailGeneration(ctx, c, j.ID, generation.Fail{Attempt: j.Attempt, Blocked: j.Blocked, At: at}))
	case doHandBack:
		return told(l.HandBackGeneration(ctx, c, j.ID, generation.HandBack{
			Attempt: j.Attempt, Cause: generation.CauseHandedBack, At: at,
		}))
	case doGiveUp:
		return told(l.HandBackGeneration(ctx, c, j.ID, generation.HandBack{
			Attempt: j.Attempt, Cause: causeGivenUp, At: at,
		}))
	case doCancel:
		return told(l.CancelGeneration(ctx, c, j.ID, j.AtMost, at))
	case doEndLease:
		return told(l.EndLease(ctx, c, j.ID, at))
	}
	return told(l.ExpireGeneration(ctx, c, j.ID, at))
}
