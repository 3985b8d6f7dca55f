// Package s3dev is the S3 server that `pingvas dev` runs in its own process, on a folder of the disk.
//
// gofakes3 speaks the protocol. What it does not do is done here: every request must carry a valid and unexpired
// Signature Version 4 (verify.go), and an object is on the disk whole or not at all (store.go).
//
// It is for development: no replication, versions, access policies or multipart uploads, and a listing reads every
// object.
package s3dev
