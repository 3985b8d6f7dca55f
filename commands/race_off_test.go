//go:build !race

package commands_test

// stepsUsual is how many commands TestModel sends by default.
const stepsUsual = 50_000
