// Package bleve is the search engine that lives in the process: indexes in a folder, or in memory.
//
// They are disposable. What does not open, or was made by another version of this package, is made anew; its id is
// another then, which tells the runner of the view to fill it again.
//
// An index is a set of partitions, and an account lies in one of them: a search then reads little of what belongs to
// others. With 16 partitions, a question of an account with 50,000 of a million images takes a third of the time, and
// one for words that stand next to each other a seventh.
//
// Words are cut and matched as package words says.
package bleve
