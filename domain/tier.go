package domain

// Tier is the service class of an account. It decides the queue that its jobs wait in.
type Tier string

// The tiers, best first.
const (
	TierEnterprise Tier = "enterprise"
	TierStudio     Tier = "studio"
	TierPro        Tier = "pro"
	TierStarter    Tier = "starter"
	TierFree       Tier = "free"
)

// Tiers returns all tiers, best first.
func Tiers() []Tier {
	return []Tier{TierEnterprise, TierStudio, TierPro, TierStarter, TierFree}
}

// Weight is the tier's share of the workers when every tier has work waiting.
func (t Tier) Weight() int {
	switch t {
	case TierEnterprise:
		return 16
	case TierStudio:
		return 8
	case TierPro:
		return 4
	case TierStarter:
		return 2
	case TierFree:
		return 1
	}
	return 0
}

// Check returns CodeInvalid for a tier that does not exist.
func (t Tier) Check() error {
	if t.Weight() == 0 {
		return Errorf(CodeInvalid, "there is no tier %q", string(t))
	}
	return nil
}
