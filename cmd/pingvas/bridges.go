package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/vault"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
)

// apiKeys lets the API use the vault.
type apiKeys struct{ vault *vault.Vault }

var _ api.Keys = apiKeys{}

// Authenticate implements api.Keys.
func (k apiKeys) Authenticate(ctx context.Context, secret string) (api.Identity, error) {
	who, err := k.vault.Authenticate(ctx, secret)
	if errors.Is(err, vault.ErrUnknownKey) {
		return api.Identity{}, api.ErrUnknownKey
	}
	return api.Identity(who), err
}

// Create implements api.Keys.
func (k apiKeys) Create(
	ctx context.Context, account domain.AccountID, id domain.KeyID, name string,
) (api.APIKey, string, error) {
	key, secret, err := k.vault.Create(ctx, account, id, name)
	return api.APIKey(key), secret, err
}

// CreateFirst implements api.Keys.
func (k apiKeys) CreateFirst(
	ctx context.Context, account domain.AccountID, id domain.KeyID, name string,
) (api.APIKey, string, bool, error) {
	key, secret, made, err := k.vault.CreateFirst(ctx, account, id, name)
	return api.APIKey(key), secret, made, err
}

// List implements api.Keys.
func (k apiKeys) List(ctx context.Context, account domain.AccountID) ([]api.APIKey, error) {
	keys, err := k.vault.List(ctx, account)
	if err != nil {
		return nil, err
	}
	out := make([]api.APIKey, len(keys))
	for i, key := range keys {
		out[i] = api.APIKey(key)
	}
	return out, nil
}

// Revoke implements api.Keys.
func (k apiKeys) Revoke(ctx context.Context, account domain.AccountID, id domain.KeyID) error {
	return k.vault.Revoke(ctx, account, id)
}

// apiPictures lets the API give out URLs of the picture store.
type apiPictures struct{ store *s3.Client }

var _ api.Pictures = apiPictures{}

// PresignGet implements api.Pictures.
func (p apiPictures) PresignGet(ctx context.Context, key, filename string, ttl time.Duration) (string, error) {
	return p.store.PresignGet(ctx, key, filename, ttl)
}

// PresignPut implements api.Pictures.
func (p apiPictures) PresignPut(
	ctx context.Context, key, contentType string, ttl time.Duration,
) (string, map[string]string, error) {
	url, signed, err := p.store.PresignPut(ctx, s3.Upload{Key: key, ContentType: contentType, TTL: ttl})
	return url, flat(signed), err
}

func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name := range h {
		out[name] = h.Get(name)
	}
	return out
}
