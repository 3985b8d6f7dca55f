// Package settlement decides what a generation costs once it has ended: a versioned table from how and when it ended
// to the share of the reserved credits that is charged.
package settlement
