package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/queries"
)

// firstKeyName is the name of the key that an account is opened with.
const firstKeyName = "first key"

// OpenAccount implements gen.StrictServerInterface. The account's id comes from the idempotency key, so that a retry
// finds the account of the first try.
func (s *Server) OpenAccount(
	ctx context.Context, request gen.OpenAccountRequestObject,
) (gen.OpenAccountResponseObject, error) {
	name, err := cleanName(request.Body.Name)
	if err != nil {
		return nil, err
	}
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	if len(once.Key) < openKeyBytesMin {
		return nil, invalidField(headerKey, fmt.Sprintf("must be hard to guess: at least %d characters", openKeyBytesMin))
	}
	who := caller(ctx, once)
	who.Account = accountFor(once.Key)
	receipt, err := s.ledger.OpenAccount(ctx, who, commands.OpenAccount{
		Name: name, Grant: domain.GrantID(s.newID(domain.PrefixGrant)), At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	key, err := s.firstKey(ctx, who.Account)
	if err != nil {
		return nil, err
	}
	return gen.OpenAccount201JSONResponse{
		Body: gen.OpenedAccount{Account: toOpened(receipt.Result, name), APIKey: key},
		Headers: gen.OpenAccount201ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// firstKey makes the first key of an account that has just been opened. It also does so for a replay if the server
// stopped in between. Otherwise it returns the oldest key without its secret, or nil if none is left.
func (s *Server) firstKey(ctx context.Context, account domain.AccountID) (*gen.NewKey, error) {
	id := domain.KeyID(s.newID(domain.PrefixKey))
	key, secret, made, err := s.keys.CreateFirst(ctx, account, id, firstKeyName)
	if err != nil {
		return nil, err
	}
	if made {
		view := toNewKey(key, secret)
		return &view, nil
	}
	rest, err := s.keys.List(ctx, account)
	if err != nil || len(rest) == 0 {
		return nil, err
	}
	view := toNewKey(rest[0], "")
	return &view, nil
}

// GetAccount implements gen.StrictServerInterface.
func (s *Server) GetAccount(ctx context.Context, _ gen.GetAccountRequestObject) (gen.GetAccountResponseObject, error) {
	account, _, err := s.queries.Account(ctx, queries.Read{Account: callOf(ctx).who.Account})
	if err != nil {
		return nil, err
	}
	return gen.GetAccount200JSONResponse{
		ID: string(account.ID), Name: opt(account.Name), Plan: account.Plan, Tier: gen.Tier(account.Tier),
		Slots: int32(account.Slots), CreditLine: int64(account.CreditLine), OpenedAt: account.OpenedAt,
	}, nil
}

// cleanName returns a name that a person gave to something, or invalid-request for characters that are not text.
func cleanName(name *string) (string, error) {
	if strings.ContainsFunc(or(name), unicode.IsControl) {
		return "", invalidField("/name", "holds characters that are not text")
	}
	return strings.TrimSpace(or(name)), nil
}

func toOpened(a commands.OpenedAccount, name string) gen.Account {
	return gen.Account{
		ID: string(a.Account), Name: opt(name), Plan: a.Plan, Tier: gen.Tier(a.Tier), Slots: int32(a.Limits.Slots),
		CreditLine: int64(a.Limits.CreditLine), OpenedAt: a.At,
	}
}

// reads says who reads and what the answer must know of.
func reads(ctx context.Context, minPosition *string) (queries.Read, error) {
	r := queries.Read{Account: callOf(ctx).who.Account}
	if minPosition == nil {
		return r, nil
	}
	var err error
	if r.Min, err = eventstore.ParsePosition(*minPosition); err != nil {
		return r, invalidField("min_position", "is not a position of ours")
	}
	return r, nil
}
