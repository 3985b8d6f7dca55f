// Package search is the view through which images are found. Its rows are the documents; an Engine holds the index
// over them.
//
// The engine is written after the rows and before the transaction commits. Every document carries the position of the
// event that made it so, and an engine leaves out what is not newer, so a batch that is applied again does no harm.
package search
