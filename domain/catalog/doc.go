// Package catalog lists every event type of the ledger.
package catalog
