package pricing

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// QuoteTTL is how long a quote binds.
const QuoteTTL = 15 * time.Minute

// Quote is a promised price. A request with the same terms by the same account costs exactly this much until the
// quote expires, whatever happens to the price book meanwhile.
type Quote struct {
	ID        string           `json:"id"`
	Account   domain.AccountID `json:"account"`
	Terms     Terms            `json:"terms"`
	Credits   domain.Credits   `json:"credits"`
	PriceBook string           `json:"price_book"`
	Millis    int64            `json:"millis"` // estimated GPU time
	Expires   time.Time        `json:"expires_at"`
}

// Redeem returns CodeQuoteMismatch if the quote was given to another account or for other terms, and
// CodeQuoteExpired if it binds no more.
func (q Quote) Redeem(account domain.AccountID, t Terms, at time.Time) error {
	if q.Account != account || q.Terms != t {
		return domain.Errorf(domain.CodeQuoteMismatch, "the quote was given for another request")
	}
	if !q.Expires.After(at) {
		return domain.Errorf(domain.CodeQuoteExpired, "the quote expired at %s", q.Expires.Format(time.RFC3339))
	}
	return nil
}
