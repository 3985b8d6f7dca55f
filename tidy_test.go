package pingvas_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// The house limits. They are ratchets: raise one only with a note in docs/decisions.
const (
	functionLinesMax = 70
	fileLinesMax     = 400
	testFileLinesMax = 800
	lineCharsMax     = 120
)

// banned text and what to do instead. The patterns are put together so that this file does not match itself.
var banned = map[*regexp.Regexp]string{
	regexp.MustCompile(`FIX` + `ME`):                     "mend it, or write an issue and name its number",
	regexp.MustCompile(`\bTO` + `DO\b`):                  "do it, or write an issue and name its number",
	regexp.MustCompile(`\bt\.Sk` + `ip(f|Now)?\(`):       "fail with what to install; nothing is skipped",
	regexp.MustCompile(`func in` + `it\(\)`):             "a constructor",
	regexp.MustCompile(`context\.TO` + `DO\(`):           "the context of the caller",
	regexp.MustCompile(`fmt\.Print(ln|f)?` + `\("DEBUG`): "log/slog",
	regexp.MustCompile(`"/(wo` + `rk|ro` + `ot)/`):       "no path of one machine",
}

func TestTidy(t *testing.T) {
	t.Parallel()
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := name != "." && strings.HasPrefix(name, ".")
		if d.IsDir() && (hidden || d.Name() == "node_modules" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		return checkFile(t, name)
	}))
	require.Positive(t, files)
}

func checkFile(t *testing.T, name string) error {
	source, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(file) {
		return nil
	}
	checkLines(t, name, strings.Split(string(source), "\n"))
	for pattern, instead := range banned {
		if at := pattern.FindIndex(source); at != nil {
			t.Errorf("%s: %q: use instead: %s", name, source[at[0]:at[1]], instead)
		}
	}
	if !strings.HasSuffix(name, "_test.go") {
		checkFunctions(t, set, file)
	}
	return nil
}

func checkLines(t *testing.T, name string, lines []string) {
	limit := fileLinesMax
	if strings.HasSuffix(name, "_test.go") {
		limit = testFileLinesMax
	}
	if len(lines) > limit+1 {
		t.Errorf("%s has %d lines, more than %d", name, len(lines)-1, limit)
	}
	for i, line := range lines {
		tag := strings.HasSuffix(line, "`") // a struct tag cannot be broken
		if n := utf8.RuneCountInString(line); n > lineCharsMax && !tag {
			t.Errorf("%s:%d has %d characters, more than %d", name, i+1, n, lineCharsMax)
		}
	}
}

func checkFunctions(t *testing.T, set *token.FileSet, file *ast.File) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > functionLinesMax {
			t.Errorf("%s: %s has %d lines, more than %d", set.Position(f.Pos()), f.Name.Name, n, functionLinesMax)
		}
	}
}
