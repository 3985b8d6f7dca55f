package bleve_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// Whatever is asked with whatever cursor is answered or refused, and never with a stranger's image.
func FuzzQuestion(f *testing.F) {
	const stranger = "acc_00000000000000000000000002"
	for _, seed := range [][3]string{
		{"a cat", "cat", ""}, {"고양이 猫", "cat' -dog", `["1","2"]`}, {"\xff\x00", "*:* account:acc", `["a","b","c"]`},
		{"é", "(", "null"}, {"🐱", "^~\"", `[]`}, {strings.Repeat("a", 100), "0x1p-2", `["-Inf","",""]`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	engine, version := open(f, ""), int64(0)
	f.Fuzz(func(t *testing.T, text, words, after string) {
		version++
		mine := document()
		mine.Prompt, mine.Tags, mine.NegativePrompt, mine.Version = text, []string{text, words}, text, version
		theirs := mine
		theirs.Image, theirs.Account = "img_00000000000000000000000002_0", stranger
		require.NoError(t, engine.Index(t.Context(), []search.Document{mine, theirs}))
		for _, ask := range []search.Query{
			{Words: words, After: after}, {Words: words, Negative: text, Tags: []string{words}, Model: text},
		} {
			ask.Account, ask.Limit = account, 2
			result, err := engine.Search(t.Context(), ask)
			if err != nil {
				var refused *domain.Error
				require.True(t, errors.As(err, &refused), err)
				require.Equal(t, domain.CodeInvalid, refused.Code)
			}
			require.LessOrEqual(t, result.Total, int64(1))
			for _, image := range result.Images {
				require.Equal(t, mine.Image, image)
			}
		}
	})
}
