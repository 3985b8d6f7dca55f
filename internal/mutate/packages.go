package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// rapid draws anew in every run and takes its time to make a failure small. A mutant must meet the same draws every
// time, and how small its failure is interests nobody.
const rapid = "pgregory.net/rapid"

func rapidFlags() []string { return []string{"-rapid.seed=1", "-rapid.shrinktime=0s"} }

// quickFlags makes a first round in which rapid tries little: most mutants fall to something else or at once.
func quickFlags() []string { return append(rapidFlags(), "-rapid.checks=20") }

// pack is a package with its tests.
type pack struct {
	Path    string
	Dir     string
	Files   []string // absolute, without tests
	Tests   bool
	Rounds  [][]string          // flags of the test binary, for one run after the other
	Imports map[string]struct{} // what its tests link, itself included
}

// listed is what go list tells of a package or, with ForTest set, of a package as a test sees it.
type listed struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Deps         []string
}

// load lists the packages with what their tests link, sorted by path.
func load(ctx context.Context, dir string, patterns []string) ([]pack, error) {
	args := append([]string{"list", "-test", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Deps"}, patterns...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir, command.Stderr = dir, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", strings.Join(patterns, " "), err)
	}
	all := map[string]listed{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		all[l.ImportPath] = l
	}
	return join(all), nil
}

// join puts each package together with the test binary that go list shows beside it.
func join(all map[string]listed) []pack {
	var packs []pack
	for path, l := range all {
		if strings.HasSuffix(path, ".test") || strings.Contains(path, " ") {
			continue
		}
		p := pack{Path: path, Dir: l.Dir, Rounds: [][]string{nil}, Imports: map[string]struct{}{}}
		p.Tests = len(l.TestGoFiles)+len(l.XTestGoFiles) > 0
		for _, name := range l.GoFiles {
			p.Files = append(p.Files, filepath.Join(l.Dir, name))
		}
		for _, dep := range all[path+".test"].Deps {
			name, _, _ := strings.Cut(dep, " ") // "a [b.test]" is a as the test of b sees it
			p.Imports[name] = struct{}{}
		}
		if _, uses := p.Imports[rapid]; uses {
			p.Rounds = [][]string{quickFlags(), rapidFlags()}
		}
		packs = append(packs, p)
	}
	slices.SortFunc(packs, func(a, b pack) int { return strings.Compare(a.Path, b.Path) })
	return packs
}

// judges returns the packages whose tests see the package: itself first.
func judges(path string, packs []pack) []pack {
	var own, others []pack
	for _, p := range packs {
		_, uses := p.Imports[path]
		switch {
		case !p.Tests:
		case p.Path == path:
			own = append(own, p)
		case uses:
			others = append(others, p)
		}
	}
	return append(own, others...)
}
