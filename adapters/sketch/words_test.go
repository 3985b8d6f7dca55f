package sketch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWordsAreUnderstood(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]theme{
		"A SUNSET, over the Ocean!":       sunset | sea,
		"cats on snowy mountains":         cat | snow | mountain,
		"노을이 지는 바다":                       sunset | sea,
		"고양이가 숲에서 달을 본다":                  cat | forest | moon | night,
		"밤하늘의 별":                          night | star,
		"눈 내리는 서울의 밤":                     snow | city | night,
		"달밤":                              moon | night,
		"비행기와 해변":                         0, // neither rain nor sun, though they begin like them
		"a sailboat":                      boat | sea,
		"concatenate the scattered":       0,
		"":                                0,
		"\x00\xff\xfe\x1b[31m \u202e cat": cat | hill,
	} {
		got := understand(prompt, "")
		if prompt == "비행기와 해변" {
			require.Zero(t, got&(rain|sun))
			continue
		}
		require.Equal(t, want, got, prompt)
	}
}

func TestNegativePromptTakesAway(t *testing.T) {
	t.Parallel()
	require.Equal(t, sea, understand("sea with boat and birds", "boats, 새"))
}

func TestUnknownWordsBecomeAbstract(t *testing.T) {
	t.Parallel()
	require.True(t, understand("quarterly report", "").isAbstract())
	require.True(t, understand("red", "").isAbstract())
	require.False(t, understand("red moon", "").isAbstract())
}

func TestOnlyTheBeginningOfALongPromptIsSearched(t *testing.T) {
	t.Parallel()
	require.Equal(t, sea, understand("sea "+strings.Repeat("가 ", maxRunes)+" forest", ""))
}

func FuzzPrompt(f *testing.F) {
	f.Add("a cat\x00by the sea", "blurry", uint32(1), uint8(0))
	f.Add("\xff\xfe 고양이가 \u202e"+strings.Repeat("숲", 10_000), "\x1b[2J", uint32(1<<31), uint8(9))
	f.Add("aurora rainbow balloon house boat bird city desert", "", uint32(0), uint8(255))
	f.Fuzz(func(t *testing.T, prompt, negative string, seed uint32, shape uint8) {
		r := request(prompt)
		r.NegativePrompt, r.Seed, r.Steps = negative, seed, 1
		r.Width, r.Height = MinEdge+int(shape&15), MinEdge+int(shape>>4)
		draw(t, r)
	})
}
