// Package vault keeps the secrets of accounts in mutable Postgres tables, apart from the ledger: API keys as hashes,
// and the data keys that seal personal data inside events, wrapped by a master key.
//
// An API key reads pv_<key id>_<secret>, with 256 random bits as the secret. Only its SHA-256 is stored: a random
// secret of that length needs no slow hash.
//
// Erasing a data key erases the person: nothing that was sealed with it can be read again, in the ledger, in Kafka or
// in backups of either.
package vault
