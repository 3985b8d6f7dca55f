package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// mutant is one change to one file: the bytes from Start to End become Text.
type mutant struct {
	Package  string // import path
	File     string
	Line     int
	Operator string
	Start    int
	End      int
	Text     string
}

// apply returns the changed source.
func (m mutant) apply(source []byte) []byte {
	return slices.Concat(source[:m.Start], []byte(m.Text), source[m.End:])
}

// diff returns the lines that the mutant changes, before and after, as a reader would want to see them.
func (m mutant) diff(source []byte) string {
	first := bytes.LastIndexByte(source[:m.Start], '\n') + 1
	last := len(source)
	if n := bytes.IndexByte(source[m.End:], '\n'); n >= 0 {
		last = m.End + n
	}
	before := string(source[first:last])
	after := string(source[first:m.Start]) + m.Text + string(source[m.End:last])
	return prefixed("-", before) + prefixed("+", after)
}

func prefixed(sign, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "    %s %s\n", sign, strings.TrimSpace(line))
	}
	return b.String()
}

// mutants returns every mutant of a file in the order of its text.
func mutants(pkg, name string, source []byte) ([]mutant, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	base := mutant{Package: pkg, File: name}
	f := finder{set: set, file: file, source: source, base: base, conditions: map[ast.Expr]bool{}}
	ast.Inspect(file, f.visit)
	slices.SortStableFunc(f.found, func(a, b mutant) int { return a.Start - b.Start })
	return f.found, nil
}

// finder collects the mutants of one file.
type finder struct {
	set    *token.FileSet
	file   *ast.File
	source []byte
	base   mutant
	found  []mutant
	result *ast.FieldList // of the function around
	// conditions are those of the if statements met so far.
	conditions map[ast.Expr]bool
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

// replace adds the mutant that has text in place of n.
func (f *finder) replace(operator string, n ast.Node, text string) {
	f.splice(operator, n.Pos(), n.End(), text)
}

func (f *finder) splice(operator string, from, to token.Pos, text string) {
	m := f.base
	m.Line, m.Operator, m.Text = f.set.Position(from).Line, operator, text
	m.Start, m.End = f.offset(from), f.offset(to)
	f.found = append(f.found, m)
}

// visit goes down everywhere but into what only words a message: nobody wants tests of that.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.FuncDecl:
		f.result = n.Type.Results
	case *ast.FuncLit:
		around := f.result
		f.result = n.Type.Results
		ast.Inspect(n.Body, f.visit)
		f.result = around
		return false
	case *ast.CallExpr:
		return f.call(n)
	case *ast.CompositeLit:
		f.elements(n)
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		f.unary(n)
	case *ast.BasicLit:
		f.number(n)
	case *ast.Ident:
		f.boolean(n)
	case *ast.KeyValueExpr:
		f.field(n)
	case *ast.CaseClause:
		f.caseValues(n)
	case ast.Stmt:
		f.statement(n)
	}
	return true
}
