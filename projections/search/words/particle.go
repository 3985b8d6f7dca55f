package words

import (
	"slices"
	"unicode"
)

// coda is what a syllable must end in before a particle.
type coda int

const (
	anyCoda   coda = iota
	withCoda       // a consonant
	noCoda         // a vowel
	noOrRieul      // a vowel or ㄹ
)

// particles end Korean nouns. Longer ones come first, since some end in others.
var particles = []struct {
	text  []rune
	after coda
}{
	{[]rune("에서는"), anyCoda}, {[]rune("에서도"), anyCoda}, {[]rune("으로는"), withCoda}, {[]rune("에게서"), anyCoda},
	{[]rune("한테서"), anyCoda}, {[]rune("에서"), anyCoda}, {[]rune("에게"), anyCoda}, {[]rune("에는"), anyCoda},
	{[]rune("으로"), withCoda}, {[]rune("까지"), anyCoda}, {[]rune("부터"), anyCoda}, {[]rune("처럼"), anyCoda},
	{[]rune("보다"), anyCoda}, {[]rune("한테"), anyCoda}, {[]rune("에"), anyCoda}, {[]rune("의"), anyCoda},
	{[]rune("도"), anyCoda}, {[]rune("만"), anyCoda}, {[]rune("은"), withCoda}, {[]rune("을"), withCoda},
	{[]rune("과"), withCoda}, {[]rune("는"), noCoda}, {[]rune("가"), noCoda}, {[]rune("를"), noCoda},
	{[]rune("와"), noCoda}, {[]rune("로"), noOrRieul},
}

// stemSyllablesMin is how many syllables a particle must leave: what is shorter may be a word of its own.
const stemSyllablesMin = 2

// withoutParticle cuts the particle off a Korean word. What remains matches whatever the whole word matches, and more.
func withoutParticle(word []rune) []rune {
	if slices.ContainsFunc(word, func(r rune) bool { return !syllable(r) }) {
		return word
	}
	for _, p := range particles {
		rest := len(word) - len(p.text)
		if rest >= stemSyllablesMin && slices.Equal(word[rest:], p.text) && p.after.allows(word[rest-1]) {
			return word[:rest]
		}
	}
	return word
}

// The composed syllables of Unicode stand in an order that tells the consonant at their end.
const (
	syllableFirst = '가'
	syllableLast  = '힣'
	codas         = 28
	rieul         = 8
)

func syllable(r rune) bool {
	return unicode.Is(unicode.Hangul, r) && r >= syllableFirst && r <= syllableLast
}

func (c coda) allows(before rune) bool {
	switch end := (before - syllableFirst) % codas; c {
	case withCoda:
		return end != 0
	case noCoda:
		return end == 0
	case noOrRieul:
		return end == 0 || end == rieul
	case anyCoda:
	}
	return true
}
