// Package projectiontest is the test kit of the views: a ledger in memory, random histories made by the deciders, and
// the laws that every view must keep.
package projectiontest
