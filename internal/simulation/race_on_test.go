//go:build race

package simulation

// seedsUsual is how many seeds run by default: fewer under the race detector, which makes each some ten times slower.
const seedsUsual = 1_000
