// Package balance is the view of accounts and their credits, by grant.
//
// It holds what is so now and every movement with the time of its event. The figures at any time are therefore those
// of now less the movements after that time, and then with everything ended that time has ended by then: open
// reservations and grants that have run out. This is what account.State.At says of the events up to that time.
//
// The credit line is a grant by the name of account.LineGrant: what is available of it is the used line, negative.
package balance
