// Package postgres keeps the record in PostgreSQL 14 or newer, in the schema "ledger".
//
// # Guarantees
//
//   - It passes storetest.Run, also with several processes on one database.
//   - An append is one statement, hence one round trip and one transaction. See ledger.append in the migrations for the
//     locks that make positions complete and for why it cannot deadlock.
//   - Triggers refuse UPDATE, DELETE and TRUNCATE of what was recorded, for the owner and superusers too.
//   - Migrations are embedded; any number of processes may migrate at once.
//
// # What it asks of its connections
//
// ByIndex for plans that stay right as the ledger grows, and WaitForCancelled for appends that are given up: the first
// costs time if it is missing, the second what is said about such an append.
//
// # What it does not do
//
// It never retries: an append that failed may have been recorded, and only the caller can see which.
package postgres
