// Package words cuts texts and questions into words, for every search engine alike, so that what was put in one way is
// asked for in the same way and no question is ever parsed as a query language.
//
// Words in Latin and other alphabets match by their English stem. Korean, Chinese and Japanese are not cut by spaces: a
// run of characters is indexed by its overlapping pairs, so a question matches inside compounds and before endings
// (고양이 finds 고양이가 and 길고양이). A question of one character matches a Hangul word that begins with it, and any Chinese or
// Japanese character. A particle at the end of a Korean question is dropped where the last syllable before it can bear
// it and two syllables remain (고양이는 asks for 고양이); 이 is not, because too many nouns end in it.
package words
