// Package library is how a customer orders their pictures: the boards they are put on and the searches that are kept, a
// pure decider with one stream for each account. Which pictures are on a board stands in the streams of the pictures.
package library
