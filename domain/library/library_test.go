package library_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/library"
)

func TestMain(m *testing.M) { domaintest.Main(m) }

const accountID = domain.AccountID("acc_00000000000000000000000001")

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func board(n int) domain.BoardID   { return domain.BoardID(fmt.Sprintf("brd_%026d", n)) }
func search(n int) domain.SearchID { return domain.SearchID(fmt.Sprintf("sch_%026d", n)) }

func TestBoards(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, library.Decider())
	create := library.CreateBoard{Board: board(2), Account: accountID, Name: "  Winter \t poster ", At: epoch}
	s.When(create).Then(library.BoardCreated{Board: board(2), Account: accountID, Name: "Winter poster", At: epoch})
	s.When(create).Refused(domain.CodeConflict)
	s.When(library.CreateBoard{Board: board(2), Name: "other"}).Refused(domain.CodeConflict)
	s.When(library.CreateBoard{Board: board(1), Name: "WINTER POSTER"}).Refused(domain.CodeConflict)
	s.When(library.CreateBoard{Board: board(1), Name: " "}).Refused(domain.CodeInvalid)
	s.When(library.CreateBoard{Board: board(1), Name: "바다", At: epoch})
	require.NoError(t, s.Err())

	rename := library.RenameBoard{Board: board(2), Account: accountID, Name: "winter Poster", At: epoch}
	s.When(rename).Then(library.BoardRenamed(rename)).When(rename).Then()
	s.When(library.RenameBoard{Board: board(2), Name: "바다"}).Refused(domain.CodeConflict)
	s.When(library.RenameBoard{Board: board(2), Name: "a\x00"}).Refused(domain.CodeInvalid)
	s.When(library.RenameBoard{Board: board(3), Name: "x"}).Refused(domain.CodeNotFound)
	b, ok := s.State().Board(board(2))
	require.True(t, ok)
	require.Equal(t, library.Board{ID: board(2), Name: "winter Poster"}, b)

	gone := library.DeleteBoard{Board: board(2), Account: accountID, At: epoch}
	s.When(gone).Then(library.BoardDeleted(gone)).When(gone).Refused(domain.CodeNotFound)
	require.Equal(t, []domain.BoardID{board(1)}, s.State().Existing([]domain.BoardID{board(2), board(1)}))
	_, ok = s.State().Board(board(2))
	require.False(t, ok)
}

func TestSearches(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, library.Decider())
	save := library.SaveSearch{Search: search(1), Account: accountID, Name: " foxes ", Query: `{"q":"fox"}`, At: epoch}
	saved := library.SearchSaved{Search: search(1), Account: accountID, Name: "foxes", Query: `{"q":"fox"}`, At: epoch}
	s.When(save).Then(saved).When(save).Refused(domain.CodeConflict)
	save.Search = search(2)
	s.When(save).Refused(domain.CodeConflict)
	save.Name = "\x00"
	s.When(save).Refused(domain.CodeInvalid)
	save.Name, save.Query = "large", strings.Repeat("x", library.QueryBytesMax+1)
	s.When(save).Refused(domain.CodeInvalid)
	save.Query = "\xff"
	s.When(save).Refused(domain.CodeInvalid)
	save.Query = save.Query[:0] + strings.Repeat("x", library.QueryBytesMax)
	s.When(save)
	require.NoError(t, s.Err())

	name, query := "two foxes", `{"q":"two foxes"}`
	change := library.ChangeSearch{Search: search(1), Account: accountID, Name: &name, At: epoch}
	saved.Name = name
	s.When(change).Then(saved).When(change).Then()
	change.Query, saved.Query = &query, query
	s.When(change).Then(saved).When(change).Then()
	taken := "LARGE"
	s.When(library.ChangeSearch{Search: search(1), Name: &taken}).Refused(domain.CodeConflict)
	s.When(library.ChangeSearch{Search: search(3), Name: &name}).Refused(domain.CodeNotFound)
	k, ok := s.State().Search(search(1))
	require.True(t, ok)
	require.Equal(t, library.Search{ID: search(1), Name: name, Query: query}, k)

	gone := library.DeleteSearch{Search: search(1), Account: accountID, At: epoch}
	s.When(gone).Then(library.SearchDeleted(gone)).When(gone).Refused(domain.CodeNotFound)
	require.Len(t, s.State().Searches, 1)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	s := library.Initial()
	decide := func(c library.Command) error {
		events, err := library.Decide(s, c)
		for _, e := range events {
			s = library.Evolve(s, e)
		}
		return err
	}
	for n := range library.BoardsMax {
		require.NoError(t, decide(library.CreateBoard{Board: board(n), Name: fmt.Sprint("board ", n)}))
	}
	err := decide(library.CreateBoard{Board: board(library.BoardsMax), Name: "one more"})
	require.Equal(t, domain.CodeConflict, domain.CodeOf(err))
	for n := range library.SearchesMax {
		require.NoError(t, decide(library.SaveSearch{Search: search(n), Name: fmt.Sprint("search ", n)}))
	}
	err = decide(library.SaveSearch{Search: search(library.SearchesMax), Name: "one more"})
	require.Equal(t, domain.CodeConflict, domain.CodeOf(err))
	require.NoError(t, library.Check(s))
}

func TestNormalName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("길", library.NameRunesMax)
	for name, want := range map[string]string{" a \n b ": "a b", long: long, "눈 산": "눈 산"} {
		got, err := library.NormalName(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", " \t", long + "a", "a\x00b", "\xff"} {
		_, err := library.NormalName(name)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%q", name)
	}
}

// TestLibraryIsAMap compares with maps of names, whatever is asked for in whatever order, and checks that no state that
// somebody holds changes behind their back.
func TestLibraryIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, boards, searches := library.Initial(), map[domain.BoardID]string{}, map[domain.SearchID]string{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n, name := rapid.IntRange(0, 6).Draw(t, "n"), rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
			var c library.Command
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				c = library.CreateBoard{Board: board(n), Name: name}
			case 1:
				c = library.RenameBoard{Board: board(n), Name: name}
			case 2:
				c = library.DeleteBoard{Board: board(n)}
			case 3:
				c = library.SaveSearch{Search: search(n), Name: name}
			case 4:
				c = library.ChangeSearch{Search: search(n), Name: &name}
			case 5:
				c = library.DeleteSearch{Search: search(n)}
			}
			before := library.State{Boards: slices.Clone(s.Boards), Searches: slices.Clone(s.Searches)}
			events, err := library.Decide(s, c)
			next := s
			for _, e := range events {
				next = library.Evolve(next, e)
			}
			require.Equal(t, before, s)
			s = next
			require.NoError(t, library.Check(s))
			apply(t, c, err, boards, searches)
		}
		require.Len(t, s.Boards, len(boards))
		require.Len(t, s.Searches, len(searches))
		for _, b := range s.Boards {
			require.Equal(t, boards[b.ID], b.Name)
		}
		for _, k := range s.Searches {
			require.Equal(t, searches[k.ID], k.Name)
		}
	})
}

// apply does to the maps what the command should do, and compares the refusal.
func apply(
	t *rapid.T, c library.Command, err error, boards map[domain.BoardID]string, searches map[domain.SearchID]string,
) {
	code := domain.Code("")
	put := func(exists, taken, is bool, do func()) {
		switch {
		case exists != is && is:
			code = domain.CodeNotFound
		case exists != is || taken:
			code = domain.CodeConflict
		default:
			do()
		}
	}
	taken := func(names map[string]bool, own, name string) bool { return names[name] && own != name }
	boardNames, searchNames := named(boards), named(searches)
	switch c := c.(type) {
	case library.CreateBoard:
		_, ok := boards[c.Board]
		put(ok, boardNames[c.Name], false, func() { boards[c.Board] = c.Name })
	case library.RenameBoard:
		own, ok := boards[c.Board]
		put(ok, taken(boardNames, own, c.Name), true, func() { boards[c.Board] = c.Name })
	case library.DeleteBoard:
		_, ok := boards[c.Board]
		put(ok, false, true, func() { delete(boards, c.Board) })
	case library.SaveSearch:
		_, ok := searches[c.Search]
		put(ok, searchNames[c.Name], false, func() { searches[c.Search] = c.Name })
	case library.ChangeSearch:
		own, ok := searches[c.Search]
		put(ok, taken(searchNames, own, *c.Name), true, func() { searches[c.Search] = *c.Name })
	case library.DeleteSearch:
		_, ok := searches[c.Search]
		put(ok, false, true, func() { delete(searches, c.Search) })
	}
	require.Equal(t, code, domain.CodeOf(err), "%T %+v", c, c)
}

func named[K comparable](things map[K]string) map[string]bool {
	names := map[string]bool{}
	for name := range maps.Values(things) {
		names[name] = true
	}
	return names
}

func TestCheckFindsBrokenStates(t *testing.T) {
	t.Parallel()
	two := []library.Board{{ID: board(1), Name: "a"}, {ID: board(2), Name: "A"}}
	require.ErrorContains(t, library.Check(library.State{Boards: two}), "the name")
	two = []library.Board{two[1], {ID: board(1), Name: "b"}}
	require.ErrorContains(t, library.Check(library.State{Boards: two}), "its place")
	kept := []library.Search{{ID: search(1), Name: "a"}, {ID: search(2), Name: "A"}}
	require.ErrorContains(t, library.Check(library.State{Searches: kept}), "the name")
	kept = []library.Search{kept[1], {ID: search(1), Name: "b"}}
	require.ErrorContains(t, library.Check(library.State{Searches: kept}), "its place")
	two = make([]library.Board, library.BoardsMax+1)
	require.ErrorContains(t, library.Check(library.State{Boards: two}), "501 boards")
	kept = make([]library.Search, library.SearchesMax+1)
	require.ErrorContains(t, library.Check(library.State{Searches: kept}), "101 saved")
}

func TestProgrammingErrorsPanic(t *testing.T) {
	t.Parallel()
	decide := func() { _, _ = library.Decide(library.Initial(), nil) }
	require.PanicsWithValue(t, "library: command <nil> is not decided", decide)
	require.PanicsWithValue(t, "library: event <nil> is not folded", func() { library.Evolve(library.Initial(), nil) })
}
