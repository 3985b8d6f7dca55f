// Package s3 stores objects in one bucket of S3 or of a server that speaks its protocol.
//
// It defines no port: each consumer states the few methods it needs. Presigned URLs are bearer secrets; they are
// returned to the caller and never logged or put into errors here.
package s3
