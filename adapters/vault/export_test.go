package vault

// Bounds that tests reach.
const (
	TrustedFor = trustedFor
	AgainAfter = againAfter
)

// Checking reports whether keys are being checked again.
func (v *Vault) Checking() bool {
	v.known.mu.Lock()
	defer v.known.mu.Unlock()
	return v.known.checking
}
