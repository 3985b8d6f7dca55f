//go:build tools

// Package tools pins the programs that the Makefile builds. They are a module of their own, so that the product does
// not depend on them.
package tools

import (
	_ "honnef.co/go/tools/cmd/staticcheck" // make lint
)
