//go:build race

package commands_test

// stepsUsual is how many commands TestModel sends by default: fewer under the race detector.
const stepsUsual = 10_000
