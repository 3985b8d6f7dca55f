package main

import (
	"go/ast"
	"go/token"
)

// statement adds the mutants that leave a statement out. It stays in the text under a condition that never holds, so
// that the names in it are still used and the mutant compiles.
func (f *finder) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); !ok || called(call) != "panic" {
			f.leaveOut(s)
		}
	case *ast.AssignStmt:
		f.assignment(s)
	case *ast.IncDecStmt:
		f.leaveOut(s)
		f.splice("operator", s.TokPos, s.TokPos+2, opposite(s.Tok).String())
	case *ast.IfStmt:
		f.conditions[s.Cond] = true
		f.replace("branch", s.Cond, "("+f.text(s.Cond)+") && false")
		f.replace("branch", s.Cond, "("+f.text(s.Cond)+") || true")
	case *ast.BranchStmt:
		if s.Label == nil && (s.Tok == token.CONTINUE || s.Tok == token.BREAK) {
			f.replace("jump", s, opposite(s.Tok).String())
		}
	case *ast.ReturnStmt:
		f.returned(s)
	}
}

func (f *finder) leaveOut(s ast.Stmt) { f.replace("statement", s, "if false { "+f.text(s)+" }") }

func (f *finder) assignment(s *ast.AssignStmt) {
	switch s.Tok {
	case token.DEFINE:
	case token.ASSIGN:
		if len(s.Lhs) == 1 || len(s.Lhs) != len(s.Rhs) {
			f.leaveOut(s)
			return
		}
		for i, left := range s.Lhs {
			f.replace("statement", s.Rhs[i], f.text(left)) // x, y = x, b: this part is left out
		}
	case token.ADD_ASSIGN, token.SUB_ASSIGN, token.MUL_ASSIGN, token.QUO_ASSIGN:
		f.leaveOut(s)
		f.splice("operator", s.TokPos, s.TokPos+2, opposite(s.Tok).String())
	default:
		f.leaveOut(s)
	}
}

// returned spoils what a function returns: an error or a list is swallowed, a truth is turned round.
func (f *finder) returned(s *ast.ReturnStmt) {
	if f.result == nil || len(s.Results) != f.result.NumFields() {
		return
	}
	for i, value := range s.Results {
		switch kind := f.result.List[min(i, len(f.result.List)-1)].Type.(type) {
		case *ast.Ident:
			if kind.Name == "error" && f.text(value) != "nil" {
				f.replace("result", value, "nil")
			}
			if name, ok := value.(*ast.Ident); kind.Name == "bool" && (!ok || name.Name != "true" && name.Name != "false") {
				f.replace("result", value, "!("+f.text(value)+")")
			}
		case *ast.ArrayType, *ast.MapType:
			if f.text(value) != "nil" {
				f.replace("result", value, "nil")
			}
		}
	}
}

func opposite(t token.Token) token.Token {
	return map[token.Token]token.Token{
		token.INC: token.DEC, token.DEC: token.INC, token.ADD_ASSIGN: token.SUB_ASSIGN,
		token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
		token.CONTINUE: token.BREAK, token.BREAK: token.CONTINUE,
	}[t]
}
