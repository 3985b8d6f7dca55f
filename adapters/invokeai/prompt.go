package invokeai

import (
	"strings"

	"github.com/pingvas/pingvas/domain/pricing"
)

// compelText prepares a prompt for the encoders that read weights in it. What is written as the catalogue allows it
// keeps its meaning; anything else is text. Compel's own parser takes time that doubles with every level of nesting,
// so it must not see parentheses that nobody has counted.
func compelText(text string) string {
	escape := []string{`"`, `\"`}
	if pricing.CheckWeights("", text) != nil {
		escape = append(escape, `(`, `\(`, `)`, `\)`)
	}
	return strings.NewReplacer(append([]string{`\(`, `\(`, `\)`, `\)`, `\"`, `\"`}, escape...)...).Replace(text)
}
