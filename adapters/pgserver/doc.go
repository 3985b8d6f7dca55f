// Package pgserver runs a private PostgreSQL cluster as a child process: the database of `pingvas dev` and of tests.
//
// What it does: finds PostgreSQL 14 or newer on the machine, or downloads it once into the cache folder; creates the
// cluster on first use; starts it on 127.0.0.1 with a generated password; stops it.
//
// Guarantees:
//   - Data is durable: fsync, full_page_writes and synchronous_commit stay on unless [Config.Settings] says otherwise.
//   - A cluster is created completely or not at all (it is made beside its place and renamed).
//   - One owner at a time: a lock file in the data folder, held while the owner lives, refuses a second one. A server
//     whose owner was killed is stopped (fast shutdown) by the next Start on the same folder. On Linux it also
//     stops by itself when its owner dies.
//   - Every wait is bounded.
//
// Root: PostgreSQL refuses to run as root, so it then runs as the owner of the existing cluster, else as the user
// postgres, else as nobody. That user must be able to reach the data folder. Where it cannot (typically below /root),
// the cluster is placed in a new folder below [Config.FallbackDir] and a file named "location" in the data folder says
// where; deleting the data folder then begins a new cluster and leaves the old one for the administrator to remove.
//
// Layout of the data folder: cluster/ (PGDATA), password, lock, server.log (of the running or last server; begun anew
// at each start), and location if the cluster lies elsewhere.
//
// What it does not do: upgrade a cluster to another major version (an existing cluster is only ever started with
// binaries of its own major version), replication, backups, Windows.
package pgserver
