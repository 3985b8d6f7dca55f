package api

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// actorAdmin is who an operator is in the record.
const actorAdmin = "admin"

// Bounds of a grant's text.
const (
	reasonBytesMax = 200
	scopeItemsMax  = 32
	scopeBytesMax  = 64
)

type grantRequest struct {
	Source      account.Source `json:"source"`
	Amount      domain.Credits `json:"amount"`
	Priority    *int           `json:"priority"`     // the usual one without
	EffectiveAt *time.Time     `json:"effective_at"` // now without
	ExpiresAt   *time.Time     `json:"expires_at"`   // never without
	Models      []string       `json:"models"`       // all without
	Operations  []string       `json:"operations"`   // all without
	Reason      string         `json:"reason"`
}

func (g grantRequest) check() error {
	if err := g.Source.Check(); err != nil {
		return invalidField("/source", "is not a source of grants")
	}
	if len(g.Reason) > reasonBytesMax {
		return invalidField("/reason", "is too long")
	}
	for pointer, items := range map[string][]string{"/models": g.Models, "/operations": g.Operations} {
		if len(items) > scopeItemsMax {
			return invalidField(pointer, "has too many items")
		}
		for _, item := range items {
			if item == "" || len(item) > scopeBytesMax {
				return invalidField(pointer, "has an item that is empty or too long")
			}
		}
	}
	return nil
}

func (g grantRequest) command(id domain.GrantID, now time.Time) account.GrantCredits {
	c := account.GrantCredits{
		Grant: id, Source: g.Source, Priority: account.PriorityUsual, Amount: g.Amount, Effective: now,
		Expires: micros(or(g.ExpiresAt)), Scope: account.Scope{Models: g.Models, Operations: g.Operations},
		Reason: g.Reason, At: now,
	}
	if g.Priority != nil {
		c.Priority = *g.Priority
	}
	if g.EffectiveAt != nil {
		c.Effective = micros(*g.EffectiveAt)
	}
	return c
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// grant gives an account credits.
func (s *Server) grant(r *http.Request) (reply, error) {
	in, err := decodeBody[grantRequest](r)
	if err != nil {
		return reply{}, err
	}
	if err := in.check(); err != nil {
		return reply{}, err
	}
	who, err := adminCaller(r, in)
	if err != nil {
		return reply{}, err
	}
	command := in.command(domain.GrantID(s.newID(domain.PrefixGrant)), s.now())
	receipt, err := s.ledger.GrantCredits(r.Context(), who, command)
	if err != nil {
		return reply{}, refused(r.Context(), receipt, err)
	}
	return reply{
		status: http.StatusCreated, body: receipt.Result, position: receipt.Position, replayed: receipt.Replayed,
	}, nil
}

type planRequest struct {
	Plan string `json:"plan"`
}

// changePlan gives an account the tier and limits of a plan.
func (s *Server) changePlan(r *http.Request) (reply, error) {
	in, err := decodeBody[planRequest](r)
	if err != nil {
		return reply{}, err
	}
	who, err := adminCaller(r, in)
	if err != nil {
		return reply{}, err
	}
	receipt, err := s.ledger.ChangePlan(r.Context(), who, in.Plan, s.now())
	if err != nil {
		return reply{}, refused(r.Context(), receipt, err)
	}
	return reply{
		status: http.StatusOK, body: receipt.Result, position: receipt.Position, replayed: receipt.Replayed,
	}, nil
}

// adminCaller acts for the account in the path, once under the request's idempotency key.
func adminCaller(r *http.Request, body any) (commands.Caller, error) {
	c := callOf(r.Context())
	id := domain.AccountID(mux.Vars(r)["account"])
	if id.Check() != nil {
		return commands.Caller{}, domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	c.who.Account = id
	once, err := idempotency(r.Context(), r.Method, r.Header.Get(headerKey), body)
	return commands.Caller{Account: id, Actor: actorAdmin, Correlation: c.id, Idempotency: once}, err
}
