// Package cleanup makes visible what time has ended: leases of workers that are gone, jobs past their deadline, grants
// and reservations that have run out.
//
// It also removes the files of images that their owners have deleted, following the ledger's events.
//
// A view says what is due, and is only a hint: the ledger decides each case by the account's own events, so a view that
// is late or wrong costs a round, never a credit. Several sweepers may run at once.
package cleanup
