package bleve_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
)

// TestEveryWordFindsItsText puts any text in and asks for each of its words, and for all of them.
func TestEveryWordFindsItsText(t *testing.T) {
	t.Parallel()
	engine := open(t, "")
	doc := document()
	rapid.Check(t, func(r *rapid.T) {
		odd := []rune("abcs ed'고양이가눈 산,漢字かター.É1２ \u0301\u1100\u1161🐱\x00")
		alphabet := rapid.RuneFrom(odd, unicode.Latin, unicode.Hangul)
		doc.Prompt = rapid.StringOfN(alphabet, 1, 30, -1).Draw(r, "prompt")
		doc.Version++
		require.NoError(r, engine.Index(t.Context(), []search.Document{doc}))
		for _, word := range append(strings.Fields(doc.Prompt), doc.Prompt) {
			result, err := engine.Search(t.Context(), search.Query{Account: account, Words: word, Limit: 1})
			require.NoError(r, err)
			if strings.ContainsFunc(word, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
				require.Len(r, result.Images, 1, "%q in %q", word, doc.Prompt)
			}
		}
	})
}

// TestAnyQuestionIsAnswered asks anything of an index with one stranger's document: no error, nothing found.
func TestAnyQuestionIsAnswered(t *testing.T) {
	t.Parallel()
	engine := open(t, "")
	theirs := document()
	theirs.Account = "acc_00000000000000000000000002"
	require.NoError(t, engine.Index(t.Context(), []search.Document{theirs}))
	rapid.Check(t, func(r *rapid.T) {
		result, err := engine.Search(t.Context(), search.Query{
			Account: account, Words: rapid.String().Draw(r, "words"), Negative: rapid.String().Draw(r, "negative"),
			Tags: rapid.SliceOfN(rapid.String(), 0, 3).Draw(r, "tags"), Model: rapid.String().Draw(r, "model"), Limit: 1,
		})
		require.NoError(r, err)
		require.Empty(r, result.Images)
		require.Zero(r, result.Total)
	})
}

// TestTheViewFillsALostIndex runs the view into an index whose folder is emptied in between.
func TestTheViewFillsALostIndex(t *testing.T) {
	t.Parallel()
	h := projectiontest.NewHistory(t, 60, 3)
	h.Play(500)
	pool, folder := projectiontest.Database(t), t.TempDir()
	fill := func(dir string) int64 {
		engine, err := bleve.Open(bleve.Config{Dir: dir})
		require.NoError(t, err)
		projectiontest.CatchUp(t, projections.Config{
			Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: pool, Projection: search.New(engine),
		})
		var found int64
		for _, c := range h.Accounts {
			result, err := engine.Search(t.Context(), search.Query{Account: c.ID, Words: "고양이", Limit: 100})
			require.NoError(t, err)
			found += result.Total
		}
		require.NoError(t, engine.Close())
		return found
	}
	first := fill(folder)
	require.Positive(t, first)
	require.Equal(t, first, fill(folder), "the index is used again")
	require.Equal(t, first, fill(t.TempDir()), "an empty index is filled from the beginning")
}
