// Package bleve is the search engine that lives in the process: an index in a folder, or in memory.
//
// The index is disposable. One that does not open, or was made by another version of this package, is made anew; its
// id is another then, which tells the runner of the view to fill it again.
//
// # How words match
//
// Text is cut into words here, not by the engine, so that documents and questions are cut alike and no question is ever
// parsed as a query language. Words in Latin and other alphabets match by their English stem. Korean, Chinese and
// Japanese are not cut by spaces: a run of characters is indexed by its overlapping pairs, so a question matches
// inside compounds and before endings (고양이 finds 고양이가 and 길고양이).
// A question of one character matches a Hangul word that begins with it, and any Chinese or Japanese character.
package bleve
