package account

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Command is a wish that the decider turns into events or refuses. Time and ids are part of it.
type Command interface{ command() }

// Open creates the account.
type Open struct {
	Account domain.AccountID
	Name    string
	Plan    string
	Tier    domain.Tier
	Limits  Limits
	At      time.Time
}

// GrantCredits adds credits. A zero Expires means never.
type GrantCredits struct {
	Grant     domain.GrantID
	Source    Source
	Priority  int
	Amount    domain.Credits
	Effective time.Time
	Expires   time.Time
	Scope     Scope
	Reason    string
	At        time.Time
}

// Reserve holds credits until Expires. Without a generation it is for work that is done elsewhere.
type Reserve struct {
	Reservation domain.ReservationID
	Generation  domain.GenerationID
	Amount      domain.Credits
	Use         Use
	PriceBook   string
	Quote       string
	Expires     time.Time
	At          time.Time
}

// Extend moves the expiry of an open reservation to a later time. An earlier time changes nothing.
type Extend struct {
	Reservation domain.ReservationID
	Expires     time.Time
	At          time.Time
}

// Settle ends a reservation with a charge between 0 and its amount.
type Settle struct {
	Reservation domain.ReservationID
	Charge      domain.Credits
	Policy      string
	At          time.Time
}

// Release ends a reservation without a charge.
type Release struct {
	Reservation domain.ReservationID
	Reason      string
	Policy      string
	At          time.Time
}

// ExpireDue makes visible what time has already ended.
type ExpireDue struct{ At time.Time }

// ChangeTier gives the account another plan, tier and limits.
type ChangeTier struct {
	Plan   string
	Tier   domain.Tier
	Limits Limits
	At     time.Time
}

func (Open) command()         {}
func (GrantCredits) command() {}
func (Reserve) command()      {}
func (Extend) command()       {}
func (Settle) command()       {}
func (Release) command()      {}
func (ExpireDue) command()    {}
func (ChangeTier) command()   {}

// Shortfall is the detail of CodeInsufficientCredits.
type Shortfall struct {
	Required  domain.Credits `json:"required"`
	Available domain.Credits `json:"available"` // for this model and operation, credit line included
	Reserved  domain.Credits `json:"reserved"`  // held by open reservations of the account
}

// Busy is the detail of CodeConcurrencyLimit.
type Busy struct {
	Open  int `json:"open"`
	Limit int `json:"limit"`
}
