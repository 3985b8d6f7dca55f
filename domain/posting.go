package domain

// Book names a side of the double-entry ledger. Every customer account has one of each.
type Book string

// The books. Issuance is the source of all credits and therefore never positive.
const (
	BookIssuance  Book = "issuance"
	BookAvailable Book = "available"
	BookReserved  Book = "reserved"
	BookConsumed  Book = "consumed"
	BookBreakage  Book = "breakage"
	BookDebt      Book = "debt"
)

// Books returns all books in their order on a trial balance.
func Books() []Book {
	return []Book{BookIssuance, BookAvailable, BookReserved, BookConsumed, BookBreakage, BookDebt}
}

// Posting moves an amount into a book (positive) or out of it (negative).
type Posting struct {
	Book   Book    `json:"book"`
	Grant  GrantID `json:"grant,omitempty"`
	Amount Credits `json:"amount"`
}

// Posted is an event that moves credits. Its postings sum to zero.
type Posted interface {
	Event
	Postings() []Posting
}

// Transfer returns the two postings that move an amount of one grant between books, and none for zero.
func Transfer(from, to Book, grant GrantID, amount Credits) []Posting {
	if amount == 0 {
		return nil
	}
	return []Posting{{from, grant, -amount}, {to, grant, amount}}
}

// Sum adds the amounts of the postings.
func Sum(postings []Posting) Credits {
	var total Credits
	for _, p := range postings {
		total += p.Amount
	}
	return total
}
