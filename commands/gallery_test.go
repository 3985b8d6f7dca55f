package commands_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

func boardID(n int) domain.BoardID   { return domain.BoardID(id("brd_", n)) }
func searchID(n int) domain.SearchID { return domain.SearchID(id("sch_", n)) }

// deliver makes the images of generation n.
func (b *bundle) deliver(t *testing.T, n, count int) []domain.ImageID {
	t.Helper()
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(n, count))
	require.NoError(t, err)
	b.claim(t, n, noon)
	_, err = b.ledger.CompleteGeneration(t.Context(), b.caller, gen(n), generation.Complete{
		Attempt: 1, Images: pictures(gen(n), count), At: noon,
	})
	require.NoError(t, err)
	var images []domain.ImageID
	for i := range count {
		images = append(images, domain.NewImageID(gen(n), i))
	}
	return images
}

func (b *bundle) board(t *testing.T, n int) domain.BoardID {
	t.Helper()
	made, err := b.ledger.CreateBoard(t.Context(), b.caller, library.CreateBoard{
		Board: boardID(n), Account: b.caller.Account, Name: fmt.Sprint("board ", n), At: noon,
	})
	require.NoError(t, err)
	return made.Result.ID
}

func (b *bundle) image(t *testing.T, id domain.ImageID) image.State {
	t.Helper()
	return replay(t, b, eventstore.ImageStream(id), image.Decider())
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create := library.CreateBoard{Board: boardID(1), Account: account1, Name: "Winter", At: noon}
	made, err := b.ledger.CreateBoard(t.Context(), keyed(b.caller, "k", 1), create)
	require.NoError(t, err)
	require.Equal(t, commands.Board{ID: boardID(1), Name: "Winter"}, made.Result)
	create.Board = boardID(2) // a retry draws a new id
	again, err := b.ledger.CreateBoard(t.Context(), keyed(b.caller, "k", 1), create)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, made.Result, again.Result)
	_, err = b.ledger.CreateBoard(t.Context(), b.caller, create)
	require.Equal(t, domain.CodeConflict, domain.CodeOf(err))
	renamed, err := b.ledger.RenameBoard(t.Context(), b.caller, library.RenameBoard{
		Board: boardID(1), Name: "Snow", At: noon,
	})
	require.NoError(t, err)
	require.Equal(t, "Snow", renamed.Result.Name)

	saved, err := b.ledger.SaveSearch(t.Context(), b.caller, library.SaveSearch{
		Search: searchID(1), Name: "a", Query: "{}",
	})
	require.NoError(t, err)
	require.Equal(t, commands.SavedSearch{ID: searchID(1), Name: "a", Query: "{}"}, saved.Result)
	name := "b"
	saved, err = b.ledger.ChangeSearch(t.Context(), b.caller, library.ChangeSearch{Search: searchID(1), Name: &name})
	require.NoError(t, err)
	require.Equal(t, commands.SavedSearch{ID: searchID(1), Name: "b", Query: "{}"}, saved.Result)
	_, err = b.ledger.DeleteSearch(t.Context(), b.caller, library.DeleteSearch{Search: searchID(1)})
	require.NoError(t, err)

	other := commands.Caller{Account: domain.AccountID(id("acc_", 2)), Actor: "test"}
	_, err = b.ledger.DeleteBoard(t.Context(), other, library.DeleteBoard{Board: boardID(1)})
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	_, err = b.ledger.DeleteBoard(t.Context(), b.caller, library.DeleteBoard{Board: boardID(1), Account: account1})
	require.NoError(t, err)
	left := replay(t, b, eventstore.LibraryStream(account1), library.Decider())
	require.Empty(t, left.Boards)
	require.Empty(t, left.Searches)
}

func TestImagesOnBoards(t *testing.T) {
	t.Parallel()
	b := setup(t)
	picture := b.deliver(t, 1, 1)[0]
	first, second := b.board(t, 1), b.board(t, 2)
	change := func(c commands.ImageChange) (commands.ImageMarks, error) {
		marks, err := b.ledger.UpdateImage(t.Context(), b.caller, commands.UpdateImage{
			Image: picture, ImageChange: c, At: noon,
		})
		return marks.Result, err
	}
	marks, err := change(commands.ImageChange{AddBoards: []domain.BoardID{second, first}})
	require.NoError(t, err)
	require.Equal(t, []domain.BoardID{first, second}, marks.Boards)
	again, err := change(commands.ImageChange{AddBoards: []domain.BoardID{second}})
	require.NoError(t, err)
	require.Equal(t, marks, again, "it changes nothing")
	_, err = change(commands.ImageChange{AddBoards: []domain.BoardID{boardID(9)}})
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	_, err = change(commands.ImageChange{RemoveBoards: []domain.BoardID{boardID(9)}})
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))

	_, err = b.ledger.DeleteBoard(t.Context(), b.caller, library.DeleteBoard{Board: second, Account: account1, At: noon})
	require.NoError(t, err)
	stars := 4
	marks, err = change(commands.ImageChange{Rating: &stars})
	require.NoError(t, err)
	require.Equal(t, []domain.BoardID{first}, marks.Boards, "a board that has ended is none")
	require.Equal(t, 4, marks.Rating)
	_, err = change(commands.ImageChange{AddBoards: []domain.BoardID{second}})
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	none := []domain.BoardID{}
	marks, err = change(commands.ImageChange{Boards: &none})
	require.NoError(t, err)
	require.Empty(t, marks.Boards)
}

// TestEndedBoardsTakeNoPlace puts an image on twice as many boards as it may be on; half of them end.
func TestEndedBoardsTakeNoPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	picture := b.deliver(t, 1, 1)[0]
	for n := range 2 * image.BoardsMax {
		board := b.board(t, n)
		_, err := b.ledger.UpdateImage(t.Context(), b.caller, commands.UpdateImage{
			Image: picture, ImageChange: commands.ImageChange{AddBoards: []domain.BoardID{board}}, At: noon,
		})
		require.NoError(t, err)
		if n%2 == 0 {
			_, err = b.ledger.DeleteBoard(t.Context(), b.caller, library.DeleteBoard{Board: board, Account: account1, At: noon})
			require.NoError(t, err)
		}
	}
}

func TestBulkImages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	images := append(b.deliver(t, 1, 3), b.deliver(t, 2, 2)...)
	board := b.board(t, 1)
	yes, stars := true, 3
	bulk := func(c commands.Caller, in commands.BulkImages) commands.BulkResult {
		t.Helper()
		in.At = noon
		done, err := b.ledger.BulkImages(t.Context(), c, in)
		require.NoError(t, err)
		return done.Result
	}
	all := commands.BulkImages{Images: images, Next: "next", Change: commands.ImageChange{
		AddTags: []string{"Bird"}, RemoveTags: []string{"SEA"}, Favourite: &yes, Rating: &stars,
		AddBoards: []domain.BoardID{board},
	}}
	require.Equal(t, commands.BulkResult{Changed: 5, Next: "next"}, bulk(keyed(b.caller, "k", 1), all))
	for _, id := range images {
		require.Equal(t, image.State{
			Tags: []string{"Bird"}, Favourite: true, Rating: 3, Boards: []domain.BoardID{board},
		}, b.image(t, id))
	}
	before := b.heads(t)
	other := all
	other.Next, other.Images = "elsewhere", images[:1]
	again := bulk(keyed(b.caller, "k", 1), other)
	require.Equal(t, commands.BulkResult{Changed: 5, Next: "next"}, again, "as the first time")
	all.Next = ""
	require.Equal(t, commands.BulkResult{Unchanged: 5}, bulk(b.caller, all))
	require.Equal(t, before, b.heads(t))

	absent := []domain.ImageID{domain.NewImageID(gen(1), 3), domain.NewImageID(gen(9), 0), "nonsense"}
	all.Images = absent
	require.Equal(t, commands.BulkResult{Skipped: 3}, bulk(b.caller, all))
	no := false
	require.Equal(t, commands.BulkResult{Skipped: 5}, bulk(b.caller, commands.BulkImages{
		Images: images, Filter: image.Filter{Favourite: &no}, Change: commands.ImageChange{Delete: true},
	}), "what is a favourite by now is not deleted")
	require.Equal(t, commands.BulkResult{Changed: 2, Skipped: 1}, bulk(b.caller, commands.BulkImages{
		Images: append(images[:2:2], images[0]), Change: commands.ImageChange{Delete: true},
	}), "deleted once")
	require.True(t, b.image(t, images[0]).Deleted)

	_, err := b.ledger.BulkImages(t.Context(), b.caller, commands.BulkImages{
		Images: images, Change: commands.ImageChange{AddBoards: []domain.BoardID{boardID(9)}},
	})
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	_, err = b.ledger.BulkImages(t.Context(), b.caller, commands.BulkImages{
		Images: make([]domain.ImageID, commands.BulkImagesMax+1),
	})
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	stranger := commands.Caller{Account: domain.AccountID(id("acc_", 2)), Actor: "test"}
	done, err := b.ledger.BulkImages(t.Context(), stranger, commands.BulkImages{
		Images: images, Change: commands.ImageChange{Delete: true},
	})
	require.NoError(t, err)
	require.Equal(t, commands.BulkResult{Skipped: 5}, done.Result)
}

// TestBulkRefusesImagesWhole asks for more than some of the images can take: these stay as they were, to the last mark.
func TestBulkRefusesImagesWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	images := b.deliver(t, 1, 3)
	var many []string
	for n := range image.TagsMax {
		many = append(many, fmt.Sprint("tag ", n))
	}
	_, err := b.ledger.UpdateImage(t.Context(), b.caller, commands.UpdateImage{
		Image: images[1], ImageChange: commands.ImageChange{Tags: &many}, At: noon,
	})
	require.NoError(t, err)
	full := b.image(t, images[1])
	yes, wrong, right := true, image.RatingMax+1, 2
	done, err := b.ledger.BulkImages(t.Context(), b.caller, commands.BulkImages{
		Images: images, At: noon,
		Change: commands.ImageChange{AddTags: []string{"one more"}, Favourite: &yes, Rating: &right},
	})
	require.NoError(t, err)
	require.Equal(t, 2, done.Result.Changed)
	require.Len(t, done.Result.Refused, 1)
	require.Equal(t, images[1], done.Result.Refused[0].Image)
	require.Equal(t, domain.CodeInvalid, done.Result.Refused[0].Code)
	require.Equal(t, full, b.image(t, images[1]))
	before := b.heads(t)
	done, err = b.ledger.BulkImages(t.Context(), b.caller, commands.BulkImages{
		Images: images, Change: commands.ImageChange{Tags: &[]string{"x"}, Rating: &wrong}, At: noon,
	})
	require.NoError(t, err)
	require.Len(t, done.Result.Refused, 3)
	require.Equal(t, before, b.heads(t))
	no := false
	marks, err := b.ledger.UpdateImage(t.Context(), b.caller, commands.UpdateImage{
		Image: images[0], ImageChange: commands.ImageChange{Favourite: &no}, At: noon,
	})
	require.NoError(t, err)
	require.Equal(t, []string{"one more", "sea"}, marks.Result.Tags, "what was refused is forgotten")
}
