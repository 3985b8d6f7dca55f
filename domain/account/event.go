package account

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Limits are the account's bounds besides its credits.
type Limits struct {
	// Slots is the number of reservations that may be open at once.
	Slots int `json:"slots"`
	// CreditLine is how far the account may go below zero, for customers who are invoiced by usage.
	CreditLine domain.Credits `json:"credit_line,omitempty"`
}

// Opened is the first event of every account.
type Opened struct {
	Account domain.AccountID `json:"account"`
	Name    string           `json:"name,omitempty" pii:"seal"`
	Plan    string           `json:"plan"`
	Tier    domain.Tier      `json:"tier"`
	Limits  Limits           `json:"limits"`
	At      time.Time        `json:"at"`
}

// CreditsGranted adds credits.
type CreditsGranted struct {
	Grant     domain.GrantID `json:"grant"`
	Source    Source         `json:"source"`
	Priority  int            `json:"priority"`
	Amount    domain.Credits `json:"amount"`
	Effective time.Time      `json:"effective_at"`
	Expires   time.Time      `json:"expires_at,omitzero"`
	Scope     Scope          `json:"scope,omitzero"`
	// RepaysLine is the part of Amount that pays back the used credit line instead of becoming spendable.
	RepaysLine domain.Credits `json:"repays_line,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	At         time.Time      `json:"at"`
}

// CreditsReserved holds credits, for a generation or, without one, for work that is done elsewhere.
type CreditsReserved struct {
	Reservation domain.ReservationID `json:"reservation"`
	Generation  domain.GenerationID  `json:"generation,omitempty"`
	Amount      domain.Credits       `json:"amount"`
	Slices      []Slice              `json:"slices"`
	Use         Use                  `json:"use"`
	PriceBook   string               `json:"price_book"`
	Quote       string               `json:"quote,omitempty"`
	Expires     time.Time            `json:"expires_at"`
	At          time.Time            `json:"at"`
}

// ReservationExtended moves the expiry of an open reservation.
type ReservationExtended struct {
	Reservation domain.ReservationID `json:"reservation"`
	Expires     time.Time            `json:"expires_at"`
	At          time.Time            `json:"at"`
}

// CreditsSettled ends a reservation with a charge. What was reserved and not charged is returned.
type CreditsSettled struct {
	Reservation domain.ReservationID `json:"reservation"`
	Generation  domain.GenerationID  `json:"generation,omitempty"`
	Charged     []Slice              `json:"charged,omitempty"`
	Returned    []Slice              `json:"returned,omitempty"`
	// Late says that the reservation had expired, so the charge was drawn from what was available then.
	Late bool `json:"late,omitempty"`
	// Waived is what a late settlement could not find and does not claim.
	Waived domain.Credits `json:"waived,omitempty"`
	Policy string         `json:"policy"`
	At     time.Time      `json:"at"`
}

// CreditsReleased ends a reservation without a charge.
type CreditsReleased struct {
	Reservation domain.ReservationID `json:"reservation"`
	Generation  domain.GenerationID  `json:"generation,omitempty"`
	Slices      []Slice              `json:"slices"`
	Reason      string               `json:"reason"`
	Policy      string               `json:"policy"`
	At          time.Time            `json:"at"`
}

// ReservationExpired ends a reservation that nobody settled or released in time.
type ReservationExpired struct {
	Reservation domain.ReservationID `json:"reservation"`
	Generation  domain.GenerationID  `json:"generation,omitempty"`
	Slices      []Slice              `json:"slices"`
	Expired     time.Time            `json:"expired_at"`
	At          time.Time            `json:"at"`
}

// GrantExpired takes back what was left of a grant at its expiry, or what came back to it afterwards.
type GrantExpired struct {
	Grant   domain.GrantID `json:"grant"`
	Amount  domain.Credits `json:"amount"`
	Expired time.Time      `json:"expired_at"`
	At      time.Time      `json:"at"`
}

// TierChanged gives the account another plan, tier and limits.
type TierChanged struct {
	Plan   string      `json:"plan"`
	Tier   domain.Tier `json:"tier"`
	Limits Limits      `json:"limits"`
	At     time.Time   `json:"at"`
}

// EventName implements domain.Event.
func (Opened) EventName() string { return "account.opened.v1" }

// EventName implements domain.Event.
func (CreditsGranted) EventName() string { return "account.credits_granted.v1" }

// EventName implements domain.Event.
func (CreditsReserved) EventName() string { return "account.credits_reserved.v1" }

// EventName implements domain.Event.
func (ReservationExtended) EventName() string { return "account.reservation_extended.v1" }

// EventName implements domain.Event.
func (CreditsSettled) EventName() string { return "account.credits_settled.v1" }

// EventName implements domain.Event.
func (CreditsReleased) EventName() string { return "account.credits_released.v1" }

// EventName implements domain.Event.
func (ReservationExpired) EventName() string { return "account.reservation_expired.v1" }

// EventName implements domain.Event.
func (GrantExpired) EventName() string { return "account.grant_expired.v1" }

// EventName implements domain.Event.
func (TierChanged) EventName() string { return "account.tier_changed.v1" }

// Events returns the type of every event of the account stream.
func Events() []domain.EventType {
	return []domain.EventType{
		domain.TypeOf[Opened](),
		domain.TypeOf[CreditsGranted](),
		domain.TypeOf[CreditsReserved](),
		domain.TypeOf[ReservationExtended](),
		domain.TypeOf[CreditsSettled](),
		domain.TypeOf[CreditsReleased](),
		domain.TypeOf[ReservationExpired](),
		domain.TypeOf[GrantExpired](),
		domain.TypeOf[TierChanged](),
	}
}
