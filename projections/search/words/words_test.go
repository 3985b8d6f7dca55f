package words

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// matches does by hand what an engine does with the two fields.
func matches(text, question string) bool {
	terms, singles := Indexed(text)
	asked := Ask(question)
	for _, w := range asked {
		field, want := singles, w.Single
		if w.Single == "" {
			field, want = terms, strings.Join(w.Terms, " ")
		}
		if !strings.Contains(" "+field+" ", " "+want+" ") {
			return false
		}
	}
	return len(asked) > 0
}

func TestEveryWordFindsItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		odd := []rune("abcs ed'고양이가는을에서의도눈 산,漢字かター.É1２ \u0301\u1100\u1161🐱\x00")
		text := rapid.StringOfN(rapid.RuneFrom(odd, unicode.Latin, unicode.Hangul), 1, 30, -1).Draw(r, "text")
		for _, word := range append(strings.Fields(text), text) {
			if strings.ContainsFunc(word, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
				require.True(r, matches(text, word), "%q in %q", word, text)
			}
		}
	})
}

func TestParticles(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		"고양이는": "고양이", "고양이를": "고양이", "사람은": "사람", "바다에서": "바다", "창가에": "창가", "눈사람으로": "눈사람",
		"서울로": "서울", "집에서는": "집에서", "고양이": "고양이", "사람이": "사람이", "소설가": "소설가", "눈물": "눈물",
		"바다은": "바다은", "사람를": "사람를", "고양이가": "고양이", "는": "는", "cats는": "cats는",
	} {
		require.Equal(t, want, string(withoutParticle([]rune(question))), question)
	}
	for _, question := range []string{"고양이는", "고양이에게", "고양이의"} {
		require.True(t, matches("고양이가 창가에서 잔다", question), question)
		require.False(t, matches("강아지가 창가에서 잔다", question), question)
	}
}
