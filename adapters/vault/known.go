package vault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of trusting API keys that were found to be right. A revoked one works for trustedFor at most on servers that
// have just seen it.
const (
	knownMax   = 1 << 16
	trustedFor = 5 * time.Second
	// againAfter is the age of a check after which a key that is used is checked again, together with others: a query
	// for each, every few seconds, takes a server longer than the commands if it has thousands of callers.
	againAfter = 2 * time.Second
	// gatherFor is how long those others gather, againMax how many keys are checked at once.
	gatherFor    = 100 * time.Millisecond
	againMax     = 1000
	againTimeout = 5 * time.Second
)

// digest is that of a key with its secret.
type digest [sha256.Size]byte

// checked is a key that was found to be right.
type checked struct {
	digest digest
	who    Identity
	at     time.Time // before it was looked at
	due    bool      // it is to be checked again
}

// known are the keys that were lately found to be right, and used.
type known struct {
	mu       sync.Mutex
	keys     *simplelru.LRU[digest, *checked]
	due      []*checked
	checking bool
}

func newKnown() (*known, error) {
	keys, err := simplelru.NewLRU[digest, *checked](knownMax, nil)
	return &known{keys: keys}, err
}

// find returns whom a key stands for if it is trusted. Where again is true, the caller has due keys checked.
func (k *known) find(d digest, now time.Time) (who Identity, trusted, again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, found := k.keys.Get(d)
	if !found || now.Sub(c.at) >= trustedFor {
		return Identity{}, false, false
	}
	if now.Sub(c.at) >= againAfter && !c.due {
		c.due = true
		k.due = append(k.due, c)
		again, k.checking = !k.checking, true
	}
	return c.who, true, again
}

func (k *known) add(c *checked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys.Add(c.digest, c)
}

// forget has a key looked at again before it is trusted.
func (k *known) forget(id domain.KeyID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.keys.Values() {
		if c.who.Key == id {
			k.keys.Remove(c.digest)
		}
	}
}

// next returns some of the keys that are due, or none: then their caller is done.
func (k *known) next() []*checked {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.due), againMax)
	next := k.due[:n:n]
	if k.due = k.due[n:]; n == 0 {
		k.due, k.checking = nil, false
	}
	return next
}

// settle notes which of the keys were still right at a time. Without an answer they are trusted until their time is up.
func (k *known) settle(all []*checked, live map[domain.KeyID]bool, at time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range all {
		c.due = false
		switch {
		case err != nil:
		case live[c.who.Key]:
			c.at = at
		default:
			k.keys.Remove(c.digest)
		}
	}
}

// checkAgain checks keys that are used until none is due.
func (v *Vault) checkAgain() {
	for full := false; ; {
		if !full {
			time.Sleep(gatherFor)
		}
		due := v.known.next()
		if len(due) == 0 {
			return
		}
		at := v.now()
		live, err := v.live(due, at)
		v.known.settle(due, live, at, err)
		full = len(due) == againMax
	}
}

// Rows that somebody else holds are left out, so that two processes never wait for each other.
const selectLiveKeys = `
WITH used AS (
	UPDATE vault.api_keys SET last_used_at = $2 WHERE id IN (
		SELECT id FROM vault.api_keys
		WHERE id = ANY($1) AND revoked_at IS NULL AND coalesce(last_used_at, created_at) <= $3
		FOR UPDATE SKIP LOCKED))
SELECT id FROM vault.api_keys WHERE id = ANY($1) AND revoked_at IS NULL`

// live returns which of the keys are not revoked, and notes that they were used.
func (v *Vault) live(all []*checked, now time.Time) (map[domain.KeyID]bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), againTimeout)
	defer cancel()
	ids := make([]domain.KeyID, len(all))
	for i, c := range all {
		ids[i] = c.who.Key
	}
	rows, err := v.pool.Query(ctx, selectLiveKeys, ids, now, now.Add(-usedEvery))
	if err != nil {
		return nil, fmt.Errorf("check API keys again: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[domain.KeyID])
	if err != nil {
		return nil, fmt.Errorf("check API keys again: %w", err)
	}
	live := make(map[domain.KeyID]bool, len(found))
	for _, id := range found {
		live[id] = true
	}
	return live, nil
}
