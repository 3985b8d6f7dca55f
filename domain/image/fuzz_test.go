package image_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
)

// Tags in their normal form are clean, unlike each other, and stay as they are.
func FuzzNormalTags(f *testing.F) {
	for _, seed := range []string{
		"", "cat,Cat, cat ", "a\u00a0b", "ſ,s,S", "İ,i̇", "a\x00b", "\xff", "\u2028", strings.Repeat("é", 65),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		tags, err := image.NormalTags(strings.Split(list, ","))
		if err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			require.Nil(t, tags)
			return
		}
		require.LessOrEqual(t, len(tags), image.TagsMax)
		require.True(t, slices.IsSorted(tags))
		seen := map[string]bool{}
		for _, tag := range tags {
			require.NotEmpty(t, tag)
			require.True(t, utf8.ValidString(tag))
			require.LessOrEqual(t, utf8.RuneCountInString(tag), image.TagRunesMax)
			require.Equal(t, strings.TrimSpace(tag), tag)
			require.False(t, strings.ContainsFunc(tag, unicode.IsControl))
			require.False(t, seen[strings.ToLower(tag)])
			seen[strings.ToLower(tag)] = true
		}
		again, err := image.NormalTags(tags)
		require.NoError(t, err)
		require.Equal(t, tags, again)
	})
}
