package opensearchtest

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// analysis is how an index cuts texts.
type analysis struct {
	Analyzers  map[string]analyzer  `json:"analyzer"`
	Tokenizers map[string]tokenizer `json:"tokenizer"`
}

type analyzer struct {
	Type      string   `json:"type"`
	Tokenizer string   `json:"tokenizer"`
	Filter    []string `json:"filter"`
}

type tokenizer struct {
	Type       string `json:"type"`
	Decompound string `json:"decompound_mode"`
}

const (
	noriTokenizer = "nori_tokenizer"
	whitespace    = "whitespace"
)

// noriFilters are the only filters that are known here; all of them are always used together.
var noriFilters = []string{"nori_part_of_speech", "nori_readingform", "lowercase"}

func (a analysis) check(nori bool) error {
	for name, t := range a.Tokenizers {
		if t.Type != noriTokenizer || !nori {
			return illegal("Unknown tokenizer type [%s] for [%s]", t.Type, name)
		}
		if !slices.Contains([]string{"none", "discard", "mixed"}, t.Decompound) {
			return illegal("No enum constant DecompoundMode.%s", strings.ToUpper(t.Decompound))
		}
	}
	for name, one := range a.Analyzers {
		_, own := a.Tokenizers[one.Tokenizer]
		switch {
		case one.Type != "custom":
			return illegal("Unknown analyzer type [%s] for [%s]", one.Type, name)
		case own && !slices.Equal(one.Filter, noriFilters), !own && len(one.Filter) > 0:
			return illegal("Custom Analyzer [%s] failed to find filter under name %v", name, one.Filter)
		case !own && one.Tokenizer != whitespace:
			return illegal("analyzer [%s] must specify either an analyzer type, or a tokenizer", name)
		}
	}
	return nil
}

func (s *Server) analyze(_ []string, _ *http.Request, body []byte) (any, error) {
	var ask struct {
		Tokenizer string `json:"tokenizer"`
		Text      string `json:"text"`
	}
	if err := strict(body, &ask); err != nil {
		return nil, err
	}
	if ask.Tokenizer != noriTokenizer || !s.plugin {
		return nil, illegal("failed to find global tokenizer under [%s]", ask.Tokenizer)
	}
	var tokens []any
	for _, t := range nori(ask.Text, "discard") {
		tokens = append(tokens, object{"token": t.text, "position": t.at})
	}
	return object{"tokens": tokens}, nil
}

// token is a word of a text and its place.
type token struct {
	text string
	at   int
}

// gap is between the values of a field.
const gap = 100

func (a analysis) tokens(name string, texts []string) []token {
	var all []token
	start := 0
	for _, text := range texts {
		cut := spaces(text)
		if t, ok := a.Tokenizers[a.Analyzers[name].Tokenizer]; ok {
			cut = nori(text, t.Decompound)
		}
		next := start
		for _, one := range cut {
			one.at += start
			next = max(next, one.at+gap)
			all = append(all, one)
		}
		start = next
	}
	return all
}

func spaces(text string) []token {
	var all []token
	for i, word := range strings.FieldsFunc(text, unicode.IsSpace) {
		all = append(all, token{text: word, at: i})
	}
	return all
}

// morphemes is what the real Nori makes of some words: the whole, if it has parts, and its parts.
var morphemes = map[string]struct {
	whole string
	parts []string
}{
	"내리는": {parts: []string{"내리"}}, "내렸다": {"내렸", []string{"내리"}},
	"잔다": {"잔다", []string{"자"}}, "잤다": {"잤", []string{"자"}},
	"첫눈": {"첫눈", []string{"첫", "눈"}}, "눈물": {"눈물", []string{"눈", "물"}},
	"길고양이": {parts: []string{"길", "고양이"}}, "창가에서": {"창가", []string{"창", "가"}},
	"고양이": {parts: []string{"고양이"}},
}

// endings are some of those that the real one drops.
var endings = []string{"에서", "에게", "으로", "는", "가", "을", "를", "이", "의", "은"}

// nori stands in for the real one: it knows some words, and cuts common endings off others.
func nori(text, mode string) []token {
	var all []token
	at := 0
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
	for _, word := range strings.FieldsFunc(text, between) {
		word = strings.ToLower(word)
		known, ok := morphemes[word]
		if !ok {
			known.parts = []string{word}
			for _, ending := range endings {
				if rest, cut := strings.CutSuffix(word, ending); cut && rest != "" {
					known.parts = []string{rest}
					break
				}
			}
		}
		if known.whole != "" && mode != "discard" {
			all = append(all, token{text: known.whole, at: at})
		}
		if known.whole == "" || mode != "none" {
			for i, part := range known.parts {
				all = append(all, token{text: part, at: at + i})
			}
		}
		at += len(known.parts)
	}
	return all
}
