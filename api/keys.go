package api

import (
	"context"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
)

// ListKeys implements gen.StrictServerInterface.
func (s *Server) ListKeys(ctx context.Context, _ gen.ListKeysRequestObject) (gen.ListKeysResponseObject, error) {
	list, err := s.keys.List(ctx, callOf(ctx).who.Account)
	if err != nil {
		return nil, err
	}
	out := gen.KeyList{Data: make([]gen.Key, len(list))}
	for i, k := range list {
		out.Data[i] = gen.Key{
			ID: string(k.ID), Name: k.Name, Prefix: k.Prefix, CreatedAt: k.Created, LastUsedAt: opt(k.LastUsed),
		}
	}
	return gen.ListKeys200JSONResponse(out), nil
}

// CreateKey implements gen.StrictServerInterface.
func (s *Server) CreateKey(
	ctx context.Context, request gen.CreateKeyRequestObject,
) (gen.CreateKeyResponseObject, error) {
	name, err := cleanName(request.Body.Name)
	if err != nil {
		return nil, err
	}
	id := domain.KeyID(s.newID(domain.PrefixKey))
	key, secret, err := s.keys.Create(ctx, callOf(ctx).who.Account, id, name)
	if err != nil {
		return nil, err
	}
	return gen.CreateKey201JSONResponse(toNewKey(key, secret)), nil
}

// RevokeKey implements gen.StrictServerInterface.
func (s *Server) RevokeKey(
	ctx context.Context, request gen.RevokeKeyRequestObject,
) (gen.RevokeKeyResponseObject, error) {
	if err := s.keys.Revoke(ctx, callOf(ctx).who.Account, domain.KeyID(request.Key)); err != nil {
		return nil, err
	}
	return gen.RevokeKey204Response{}, nil
}

func toNewKey(k APIKey, secret string) gen.NewKey {
	return gen.NewKey{
		ID: string(k.ID), Name: k.Name, Prefix: k.Prefix, Secret: opt(secret), CreatedAt: k.Created,
		LastUsedAt: opt(k.LastUsed),
	}
}
