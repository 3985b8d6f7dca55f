package main

import (
	"fmt"
	"io"
	"path/filepath"
)

// tally counts the mutants of one package, or of all.
type tally struct{ Killed, Survived int }

func (t tally) all() int { return t.Killed + t.Survived }

func (t *tally) add(v verdict) {
	switch v {
	case killed:
		t.Killed++
	case survived:
		t.Survived++
	case impossible:
	}
}

// percent returns the killed share; of no mutants, all are killed.
func (t tally) percent() float64 {
	if t.all() == 0 {
		return 100
	}
	return 100 * float64(t.Killed) / float64(t.all())
}

// report writes what became of the mutants, package by package, then every survivor with its change, and returns the
// sum.
func report(w io.Writer, root string, tried []trial) tally {
	var names []string
	var total tally
	each := map[string]*tally{}
	for _, t := range tried {
		if each[t.Package] == nil {
			names = append(names, t.Package)
			each[t.Package] = &tally{}
		}
		each[t.Package].add(t.verdict)
		total.add(t.verdict)
	}
	for _, name := range names {
		line(w, name, *each[name])
	}
	line(w, "all", total)
	for _, t := range tried {
		if t.verdict != survived {
			continue
		}
		file := t.File
		if short, err := filepath.Rel(root, t.File); err == nil {
			file = short
		}
		_, _ = fmt.Fprintf(w, "\n%s:%d (%s)\n%s", file, t.Line, t.Operator, t.diff(t.source))
	}
	return total
}

func line(w io.Writer, name string, t tally) {
	_, _ = fmt.Fprintf(w, "%-50s %4d mutants %4d killed %3d survived %6.1f %%\n",
		name, t.all(), t.Killed, t.Survived, t.percent())
}
