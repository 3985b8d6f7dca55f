// Package opensearch is the search engine on a server: OpenSearch 2 and later, or Elasticsearch 8 and later.
//
// # Indexes and aliases
//
// An index is named after the version of its mapping, how it reads Korean, and chance. Two aliases say what it is for:
// one is read, the other is written to. Both are on the same index, except while one is built beside the one that
// answers. Writes name the alias and require it, so a lost index is an error and never one that the server makes up.
//
// # Versions
//
// Every write carries the position of its event as an external version, so what comes late or twice is refused by the
// server itself. A removal is written too, as a document without an owner: a real deletion would be forgotten by the
// server after a minute (index.gc_deletes), and a late write could then bring the image back.
//
// # Owners
//
// Documents are routed by owner, and every search is: it looks at one shard, with the owner as the first filter.
//
// # Words
//
// They are cut by package words, as for every engine. Where the server has Nori, a second field holds the Korean
// morphemes of the text, and a word matches in either: 잤다 then finds 잔다. Without Nori, Korean is found by its pairs of
// syllables alone (the cut that the server calls cjk), and every start says so.
package opensearch
