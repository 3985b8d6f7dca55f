// Package image is what a customer does with one of their pictures after it was made: a pure decider.
// The picture itself comes into being with generation.completed; this stream begins with the customer's first act.
package image
