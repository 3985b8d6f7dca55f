package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// swaps lists what each binary operator becomes: of a comparison first the one beside its bound.
func swaps() map[token.Token][]token.Token {
	return map[token.Token][]token.Token{
		token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
		token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
		token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
		token.ADD: {token.SUB}, token.SUB: {token.ADD},
		token.MUL: {token.QUO}, token.QUO: {token.MUL}, token.REM: {token.MUL},
		token.LAND: {token.LOR}, token.LOR: {token.LAND},
	}
}

func (f *finder) binary(n *ast.BinaryExpr) {
	if n.Op == token.ADD && (isString(n.X) || isString(n.Y)) {
		return
	}
	for i, op := range swaps()[n.Op] {
		if negates := i == 1 || n.Op == token.EQL || n.Op == token.NEQ; negates && f.conditions[n] {
			continue // whatever notices that a branch is always taken, or never, notices this
		}
		f.splice("operator", n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op.String())
	}
}

func isString(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}

func (f *finder) unary(n *ast.UnaryExpr) {
	if n.Op == token.NOT || n.Op == token.SUB {
		f.replace("sign", n, f.text(n.X))
	}
}

func (f *finder) number(n *ast.BasicLit) {
	if n.Kind != token.STRING {
		f.replace("number", n, "("+n.Value+" + 1)")
	}
}

func (f *finder) boolean(n *ast.Ident) {
	if value, err := strconv.ParseBool(n.Name); err == nil && len(n.Name) > 1 {
		f.replace("boolean", n, strconv.FormatBool(!value))
	}
}

// field leaves a field of a literal at its zero value.
func (f *finder) field(n *ast.KeyValueExpr) {
	if _, named := n.Key.(*ast.Ident); named {
		f.drop("field", n)
	}
}

// elements drops an element of a list.
func (f *finder) elements(n *ast.CompositeLit) {
	if _, list := n.Type.(*ast.ArrayType); !list {
		return
	}
	for _, element := range n.Elts {
		f.drop("element", element)
	}
}

// drop takes n out of a literal, with the comma behind it.
func (f *finder) drop(operator string, n ast.Expr) {
	rest := f.source[f.offset(n.End()):]
	space := len(rest) - len(bytes.TrimLeft(rest, " \t\n"))
	if rest[space] == ',' {
		f.splice(operator, n.Pos(), n.End()+token.Pos(space+1), "")
		return
	}
	f.replace(operator, n, "")
}

// caseValues drops one of several values of a case.
func (f *finder) caseValues(n *ast.CaseClause) {
	if len(n.List) < 2 {
		return
	}
	for i, value := range n.List {
		if i == 0 {
			f.splice("case", value.Pos(), n.List[1].Pos(), "")
			continue
		}
		f.splice("case", n.List[i-1].End(), value.End(), "")
	}
}

// call reports whether to go on inside.
func (f *finder) call(n *ast.CallExpr) bool {
	name := called(n)
	switch {
	case slices.Contains([]string{"panic", "Errorf", "FieldErrorf", "Sprintf"}, name):
		return false
	case name == "min":
		f.replace("min and max", n.Fun, "max")
	case name == "max":
		f.replace("min and max", n.Fun, "min")
	case name == "append" && len(n.Args) > 1:
		// What was appended is still named, so that the mutant compiles.
		f.replace("append", n, f.text(n)+"[:len("+f.text(n.Args[0])+")]")
	}
	return true
}

func called(n *ast.CallExpr) string {
	switch fun := n.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}
