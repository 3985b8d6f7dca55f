package words

import (
	"slices"
	"strings"
	"unicode"

	"github.com/blevesearch/go-porterstemmer"
	"golang.org/x/text/unicode/norm"
)

const (
	// textBytesMax is how much of a text is looked at.
	textBytesMax = 64 << 10
	// wordRunesMax is where a longer word is cut.
	wordRunesMax = 64
	// askedMax is how many words of a question count.
	askedMax = 32
	// boundary stands between words in the index, so that pairs of two words are not neighbours. No word is like it.
	boundary = "."
)

// word is a run of letters and digits of one kind, normalised and in lower case.
type word struct {
	runes []rune
	cjk   bool // has no spaces to rely on: Hangul, Han, Kana
}

// cut returns the words of a text. Everything but letters, digits, their marks and pictographs separates words; an
// apostrophe inside a word is dropped.
func cut(text string) []word {
	text = norm.NFKC.String(strings.ToValidUTF8(text[:min(len(text), textBytesMax)], " "))
	var all []word
	var run word
	end := func() {
		if len(run.runes) > 0 {
			all = append(all, run)
		}
		run = word{}
	}
	for _, r := range text {
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.So, r):
			end()
			all = append(all, word{runes: []rune{r}})
		case r == '\'' || r == '’' || unicode.IsMark(r) && len(run.runes) == 0:
		case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r):
			end()
		default:
			if !unicode.IsMark(r) && len(run.runes) > 0 && run.cjk != isCJK(r) {
				end()
			}
			if len(run.runes) == 0 {
				run.cjk = isCJK(r)
			}
			if run.cjk || len(run.runes) < wordRunesMax {
				run.runes = append(run.runes, r)
			}
		}
	}
	end()
	return all
}

// prolonged is the length mark of Kana, which counts as common to all scripts.
const prolonged = 'ー'

func isCJK(r rune) bool {
	return r == prolonged || unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// terms returns what a word is indexed by: its stem, or its pairs.
func (w word) terms() []string {
	if !w.cjk {
		return []string{stem(w.runes)}
	}
	var pairs []string
	for i := range len(w.runes) - 1 {
		pairs = append(pairs, string(w.runes[i:i+2]))
	}
	return pairs
}

// singles returns the characters by which a word can be found alone.
func (w word) singles() []string {
	if !w.cjk {
		return nil
	}
	var out []string
	for i, r := range w.runes {
		if i == 0 || !unicode.Is(unicode.Hangul, r) || !unicode.Is(unicode.Hangul, w.runes[i-1]) {
			out = append(out, string(r))
		}
	}
	return out
}

func stem(runes []rune) string {
	english := !slices.ContainsFunc(runes, func(r rune) bool { return r < 'a' || r > 'z' })
	if english && len(runes) > 2 {
		return porterstemmer.StemString(string(runes))
	}
	return string(runes)
}

// Indexed returns texts as an index holds them, each in a field that is cut at spaces alone: terms, whose order
// counts, and characters that count alone.
func Indexed(texts ...string) (terms, singles string) {
	var t, s []string
	for _, text := range texts {
		for _, w := range cut(text) {
			t = append(append(t, w.terms()...), boundary)
			s = append(s, w.singles()...)
		}
	}
	return strings.Join(t, " "), strings.Join(s, " ")
}

// Count returns how many words a text has.
func Count(text string) int { return len(cut(text)) }

// Asked is one word of a question. A document matches if it has the terms next to each other, or the single one.
type Asked struct {
	Text   string   // the word as it was asked for, for engines that know more of the language
	Terms  []string // at least one, unless Single is set
	Single string
}

// Ask returns the words of a question, all of which must match. None means that nothing matches.
func Ask(text string) []Asked {
	all := cut(text)
	asked := make([]Asked, 0, min(len(all), askedMax))
	for _, w := range all[:min(len(all), askedMax)] {
		a := Asked{Text: string(w.runes[:min(len(w.runes), wordRunesMax)])}
		w.runes = withoutParticle(w.runes)
		if a.Terms = w.terms(); len(a.Terms) == 0 {
			a.Single = string(w.runes)
		}
		a.Terms = a.Terms[:min(len(a.Terms), wordRunesMax)]
		asked = append(asked, a)
	}
	return asked
}
