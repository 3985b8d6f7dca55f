// Mutate changes the product's code in one place at a time and asks the tests to notice. A change that they let pass
// shows behaviour that nothing holds, or code that has no effect.
//
// Each mutant is a copy of one file that the compiler is given in place of the real one (go test -overlay), so the
// tree is never touched. The package's own tests are run first, then those of the packages that depend on it.
package main
