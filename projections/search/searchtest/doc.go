// Package searchtest is the test kit of search engines: what every engine must do, and an engine in memory.
package searchtest
