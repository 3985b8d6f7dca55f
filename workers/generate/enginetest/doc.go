// Package enginetest is what every generate.Engine must do, as tests.
package enginetest
