// Package pgtest gives each test a PostgreSQL database of its own.
//
//	func TestAppend(t *testing.T) {
//		t.Parallel()
//		pool := pgtest.New(t, pgtest.Schema{Hash: postgres.MigrationHash(), Migrate: postgres.Migrate})
//		...
//	}
//
// The database is a clone (some ten milliseconds) of a template that is migrated once per Schema.Hash. It is dropped
// after the test; after a failed test it stays for an hour and the log shows the psql line. Roles belong to the whole
// server, so migrations must create them only where they are missing. Migrations of templates never run concurrently.
//
// Server: the one of TEST_DATABASE_URL (a superuser URL), else a throwaway server of this user, started by the first
// test that needs it and shared by all test processes. It trades durability for speed (fsync is off). Tests of crashes
// take [Durable] instead. Where no server can be started the test fails and says what to do; nothing is skipped.
//
// Nothing needs tidying up, however tests end. A test holds a shared advisory lock through its own connection, which
// the kernel closes with the process. A session inside the throwaway server, the keeper, stops the server when nobody
// has held that lock for some seconds. Databases whose tests died are dropped by the next test that comes. The data
// folder (one per user, below the temporary folder) is used again by the next run, and made anew if it is broken.
package pgtest
