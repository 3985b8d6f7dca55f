// Package storetest is what every eventstore.Store must do, as tests and benchmarks, and builders of small events for
// the tests of those who use a store.
package storetest
