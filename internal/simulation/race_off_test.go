//go:build !race

package simulation

// seedsUsual is how many seeds run by default.
const seedsUsual = 10_000
