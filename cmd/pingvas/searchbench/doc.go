// Package searchbench measures search: how fast an index is built, how long a question takes in it, and how long an
// event takes until it is found.
package searchbench
