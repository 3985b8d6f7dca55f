package projectiontest

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

// shelve does something to the boards and the saved searches of a customer.
func (h *History) shelve(c *Customer) {
	names := []string{"Winter", "포스터", "cats", "drafts", "best"}
	name := names[h.rand.IntN(len(names))]
	board, search := domain.BoardID(h.id(domain.PrefixBoard)), domain.SearchID(h.id(domain.PrefixSearch))
	if all := c.Library.Boards; len(all) > 0 && h.rand.IntN(3) > 0 {
		board = all[h.rand.IntN(len(all))].ID
	}
	if all := c.Library.Searches; len(all) > 0 && h.rand.IntN(3) > 0 {
		search = all[h.rand.IntN(len(all))].ID
	}
	query := fmt.Sprintf(`{"q":"고양이 %d"}`, h.rand.IntN(9))
	commands := []library.Command{
		library.CreateBoard{Board: board, Account: c.ID, Name: name, At: h.Now},
		library.CreateBoard{Board: board, Account: c.ID, Name: name, At: h.Now},
		library.RenameBoard{Board: board, Account: c.ID, Name: name, At: h.Now},
		library.SaveSearch{Search: search, Account: c.ID, Name: name, Query: query, At: h.Now},
		library.SaveSearch{Search: search, Account: c.ID, Name: name, Query: query, At: h.Now},
		library.ChangeSearch{Search: search, Account: c.ID, Query: &query, At: h.Now},
		library.DeleteSearch{Search: search, Account: c.ID, At: h.Now},
		library.DeleteBoard{Board: board, Account: c.ID, At: h.Now},
	}
	h.Shelve(c, commands[h.rand.IntN(len(commands))])
}

// Shelve records what the library decides, which may be nothing.
func (h *History) Shelve(c *Customer, command library.Command) {
	events, err := library.Decide(c.Library, command)
	if err != nil {
		return
	}
	for _, e := range events {
		c.Library = library.Evolve(c.Library, e)
		h.Ledger.Append(h.t, c.ID, Fact{eventstore.LibraryStream(c.ID), e})
	}
}

// boards picks some of the boards of a customer.
func (h *History) boards(c *Customer) []domain.BoardID {
	var some []domain.BoardID
	for _, b := range c.Library.Boards {
		if h.rand.IntN(3) > 0 {
			some = append(some, b.ID)
		}
	}
	return some
}
