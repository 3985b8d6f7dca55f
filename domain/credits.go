package domain

// Credits is an amount of credits: a whole number, never a fraction.
type Credits int64

// MaxCredits bounds every amount in a command and every total of an account (10^15), so that sums of any two totals
// stay far from overflow and the fold can add without checks.
const MaxCredits Credits = 1_000_000_000_000_000

// CheckAmount reports an amount that is not between 1 and MaxCredits with CodeInvalid.
func (c Credits) CheckAmount(field string) error {
	if c < 1 || c > MaxCredits {
		return Errorf(CodeInvalid, "%s must be between 1 and %d credits, not %d", field, MaxCredits, c)
	}
	return nil
}

// Add returns c + d, or CodeInvalid if the sum leaves [-MaxCredits, MaxCredits]. Both must lie in that range.
func (c Credits) Add(d Credits) (Credits, error) {
	sum := c + d
	if sum > MaxCredits || sum < -MaxCredits {
		return 0, Errorf(CodeInvalid, "the total of %d and %d credits is out of range", c, d)
	}
	return sum, nil
}
