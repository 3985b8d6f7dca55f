package image

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of what is written on one image.
const (
	TagsMax     = 32
	TagRunesMax = 64
	BoardsMax   = 32
)

// NormalTags trims the tags, drops empty and repeated ones (letter case set aside) and sorts them. It returns
// CodeInvalid at /tags for more than TagsMax tags, for one longer than TagRunesMax, and for control characters.
func NormalTags(tags []string) ([]string, error) {
	seen := map[string]bool{}
	normal := []string{}
	for _, tag := range tags {
		tag = strings.Join(strings.Fields(tag), " ")
		if !utf8.ValidString(tag) || strings.ContainsFunc(tag, unicode.IsControl) {
			return nil, domain.FieldErrorf("/tags", "a tag holds characters that are not text")
		}
		if utf8.RuneCountInString(tag) > TagRunesMax {
			return nil, domain.FieldErrorf("/tags", "a tag is longer than %d characters", TagRunesMax)
		}
		if folded := strings.ToLower(tag); tag != "" && !seen[folded] {
			seen[folded] = true
			normal = append(normal, tag)
		}
	}
	if len(normal) > TagsMax {
		return nil, domain.FieldErrorf("/tags", "%d tags are more than %d", len(normal), TagsMax)
	}
	slices.Sort(normal)
	return normal, nil
}

// NormalBoards drops repeated boards and sorts them. It returns CodeInvalid at /boards for more than BoardsMax.
func NormalBoards(boards []domain.BoardID) ([]domain.BoardID, error) {
	normal := append([]domain.BoardID{}, boards...)
	slices.Sort(normal)
	normal = slices.Compact(normal)
	if len(normal) > BoardsMax {
		return nil, domain.FieldErrorf("/boards", "an image on %d boards, at most %d", len(normal), BoardsMax)
	}
	return normal, nil
}

// WithoutTags returns the tags that are not among those to remove, letter case set aside.
func WithoutTags(tags, remove []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return hasTag(remove, tag) })
}

func hasTag(tags []string, want string) bool {
	want = strings.ToLower(want)
	return slices.ContainsFunc(tags, func(tag string) bool { return strings.ToLower(tag) == want })
}
