// Package memory keeps the record in memory: for tests, and for trying things out. It passes storetest.Run.
// Everything is lost when the process ends.
package memory
