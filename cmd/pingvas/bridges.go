package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/vault"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/workers/picture"
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

// inspectionsMax bounds the pictures that are looked at at once: each takes some 100 MiB and a core.
const inspectionsMax = 2

// apiPictures lets the API give out URLs of the picture store and look at what customers have written there.
type apiPictures struct {
	store *s3.Client
	// turns has a place for each inspection.
	turns chan struct{}
}

func newAPIPictures(store *s3.Client) apiPictures {
	return apiPictures{store, make(chan struct{}, inspectionsMax)}
}

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

// PresignUpload implements api.Pictures.
func (p apiPictures) PresignUpload(
	ctx context.Context, u api.Upload, ttl time.Duration,
) (string, map[string]string, error) {
	url, signed, err := p.store.PresignPut(ctx, s3.Upload{Key: u.Key, ContentType: u.ContentType, Size: u.Bytes, TTL: ttl})
	signed.Del("Content-Length") // every HTTP client sets it, and browsers let nobody else
	return url, flat(signed), err
}

// Inspect implements api.Pictures.
func (p apiPictures) Inspect(ctx context.Context, key string) (api.Inspected, error) {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return api.Inspected{}, ctx.Err()
	}
	file, err := p.store.Get(ctx, key, picture.InputBytesMax)
	switch {
	case errors.Is(err, s3.ErrNotFound):
		return api.Inspected{}, domain.Errorf(domain.CodePicture, "nothing was uploaded there")
	case errors.Is(err, s3.ErrTooLarge):
		return api.Inspected{}, domain.Errorf(domain.CodePicture, "has more than %d MiB", picture.InputBytesMax>>20)
	case err != nil:
		return api.Inspected{}, domain.Errorf(domain.CodeUnavailable, "the picture store does not answer")
	}
	info, err := picture.Inspect(ctx, file)
	var bad *picture.BadInputError
	if errors.As(err, &bad) {
		return api.Inspected{}, domain.Errorf(domain.CodePicture, "%s", bad.Reason)
	}
	sum := sha256.Sum256(file)
	return api.Inspected{
		ContentType: info.ContentType, Bytes: int64(len(file)), SHA256: hex.EncodeToString(sum[:]),
		Width: info.Width, Height: info.Height,
	}, err
}

func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name := range h {
		out[name] = h.Get(name)
	}
	return out
}
