package account

import (
	"slices"

	"github.com/pingvas/pingvas/domain"
)

// The events that move credits.
var (
	_ domain.Posted = CreditsGranted{}
	_ domain.Posted = CreditsReserved{}
	_ domain.Posted = CreditsSettled{}
	_ domain.Posted = CreditsReleased{}
	_ domain.Posted = ReservationExpired{}
	_ domain.Posted = GrantExpired{}
)

// Postings implements domain.Posted.
func (e CreditsGranted) Postings() []domain.Posting {
	return domain.Transfer(domain.BookIssuance, domain.BookAvailable, e.Grant, e.Amount)
}

// Postings implements domain.Posted.
func (e CreditsReserved) Postings() []domain.Posting {
	return transfer(nil, domain.BookAvailable, domain.BookReserved, e.Slices)
}

// Postings implements domain.Posted.
func (e CreditsSettled) Postings() []domain.Posting {
	from := domain.BookReserved
	if e.Late {
		from = domain.BookAvailable
	}
	postings := transfer(nil, from, domain.BookConsumed, e.Charged)
	return transfer(postings, domain.BookReserved, domain.BookAvailable, e.Returned)
}

// Postings implements domain.Posted.
func (e CreditsReleased) Postings() []domain.Posting {
	return transfer(nil, domain.BookReserved, domain.BookAvailable, e.Slices)
}

// Postings implements domain.Posted.
func (e ReservationExpired) Postings() []domain.Posting {
	return transfer(nil, domain.BookReserved, domain.BookAvailable, e.Slices)
}

// Postings implements domain.Posted.
func (e GrantExpired) Postings() []domain.Posting {
	return domain.Transfer(domain.BookAvailable, domain.BookBreakage, e.Grant, e.Amount)
}

// transfer adds what moves the parts from one book to another.
func transfer(postings []domain.Posting, from, to domain.Book, parts []Slice) []domain.Posting {
	postings = slices.Grow(postings, 2*len(parts))
	for _, p := range parts {
		postings = append(postings, domain.Transfer(from, to, p.Grant, p.Amount)...)
	}
	return postings
}
