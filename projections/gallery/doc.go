// Package gallery is the view of delivered pictures with what made them, what they cost, and their owner's marks.
package gallery
