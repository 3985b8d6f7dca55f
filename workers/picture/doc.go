// Package picture holds the pure functions on encoded pictures that workers share: what a PNG says about itself, and
// its thumbnail. Nothing here does I/O; every input is taken to be hostile.
package picture
