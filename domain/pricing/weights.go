package pricing

import (
	"strings"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of weights in a prompt.
const (
	// WeightDepthMax is how deep groups may nest: the engines' parsers take time that doubles with every level.
	WeightDepthMax = 2
	// weightSignsMax is how many signs may follow a group or a word, each a tenth more or less.
	weightSignsMax = 8
	weightMax      = 2
)

// CheckWeights returns CodeUnsupported at a field for a prompt whose weights cannot be read. A group of words in
// parentheses may be followed at once by a number from 0 to 2, or by signs: "(red)1.3 barn", "a (quiet)++ lake". A
// parenthesis that is meant as one has a backslash before it. Other operators are not known.
func CheckWeights(field, prompt string) error {
	if at := strings.IndexFunc(prompt, func(r rune) bool { return r == '(' || r == ')' }); at < 0 {
		return nil
	}
	depth := 0
	for i := 0; i < len(prompt); i++ {
		switch prompt[i] {
		case '\\':
			i++
		case '(':
			if depth++; depth > WeightDepthMax {
				return unsupported(field, "parentheses may nest %d deep", WeightDepthMax)
			}
			if isOperator(prompt[:i]) {
				return unsupported(field, `knows no operators such as .and( and .blend(; write \( for a parenthesis`)
			}
		case ')':
			if depth--; depth < 0 {
				return unsupported(field, `a parenthesis is closed that was not opened; write \) if it is meant as one`)
			}
			if err := checkWeight(field, prompt[i+1:]); err != nil {
				return err
			}
		}
	}
	if depth > 0 {
		return unsupported(field, `a parenthesis is not closed; write \( if it is meant as one`)
	}
	return nil
}

// isOperator reports whether the text before a parenthesis ends in the name of one of Compel's operators.
func isOperator(before string) bool {
	for _, name := range []string{".and", ".add", ".blend", ".swap", ".attend", "withLora", "useLora"} {
		if strings.HasSuffix(before, name) {
			return true
		}
	}
	return false
}

// checkWeight looks at what follows a group at once.
func checkWeight(field, after string) error {
	signs := 0
	for signs < len(after) && (after[signs] == '+' || after[signs] == '-') && after[signs] == after[0] {
		signs++
	}
	if signs > weightSignsMax {
		return unsupported(field, "at most %d signs may follow a group", weightSignsMax)
	}
	if signs > 0 {
		after = after[signs:]
		if after != "" && after[0] >= '0' && after[0] <= '9' {
			return unsupported(field, "a weight is a number from 0 to %d, or signs", weightMax)
		}
		return nil
	}
	number := after[:len(after)-len(strings.TrimLeft(after, "0123456789."))]
	if number == "" || number[0] == '.' {
		return nil
	}
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(number, "."), ".")
	switch {
	case len(whole) > 1 || len(fraction) > 3 || strings.Contains(fraction, "."):
	case whole < "2", whole == "2" && strings.Trim(fraction, "0") == "":
		return nil
	}
	return unsupported(field, "the weight of a group is a number from 0 to %d", weightMax)
}

// unsupported is the refusal of what a model does not accept, at its field.
func unsupported(field, format string, args ...any) *domain.Error {
	e := domain.Errorf(domain.CodeUnsupported, format, args...)
	e.Field = field
	return e
}
