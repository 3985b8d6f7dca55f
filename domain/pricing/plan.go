package pricing

import (
	"github.com/pingvas/pingvas/domain"
)

// Plan is what a subscription gives.
type Plan struct {
	Key     string         `json:"key"`
	Name    string         `json:"name"`
	Tier    domain.Tier    `json:"tier"`
	Credits domain.Credits `json:"credits"` // granted per month; for the free plan once
	// MonthlyCents is the price in US cents; nil means by agreement.
	MonthlyCents *int64 `json:"monthly_cents"`
	// AnnualDiscountPercent is taken off when a year is paid at once.
	AnnualDiscountPercent int `json:"annual_discount_percent"`
	// Slots is the number of generations that may be open at once.
	Slots int `json:"slots"`
	// CreditLine is how far an account may go below zero, for plans invoiced by usage.
	CreditLine domain.Credits `json:"credit_line"`
}

// PlanFree is the key of the plan that every account begins with.
const PlanFree = "free"

// Plans returns the plans, cheapest first.
func Plans() []Plan {
	cents := func(c int64) *int64 { return &c }
	return []Plan{
		{Key: PlanFree, Name: "Free", Tier: domain.TierFree, Credits: 100, MonthlyCents: cents(0), Slots: 4},
		{Key: "starter", Name: "Starter", Tier: domain.TierStarter, Credits: 2_500, MonthlyCents: cents(25_00),
			AnnualDiscountPercent: 17, Slots: 8},
		{Key: "pro", Name: "Pro", Tier: domain.TierPro, Credits: 7_500, MonthlyCents: cents(75_00),
			AnnualDiscountPercent: 17, Slots: 16},
		{Key: "studio", Name: "Studio", Tier: domain.TierStudio, Credits: 15_000, MonthlyCents: cents(150_00),
			AnnualDiscountPercent: 17, Slots: 32},
		{Key: "enterprise", Name: "Enterprise", Tier: domain.TierEnterprise, Slots: 128, CreditLine: 100_000},
	}
}

// PlanByKey returns the plan with this key, or CodeInvalid.
func PlanByKey(key string) (Plan, error) {
	for _, p := range Plans() {
		if p.Key == key {
			return p, nil
		}
	}
	return Plan{}, domain.FieldErrorf("/plan", "there is no such plan")
}
