// Package opensearchtest is a search server for tests: of the protocol of OpenSearch and Elasticsearch what the adapter
// uses, as a real server answers it, and nothing else. A path, a parameter, a field or a clause that it does not know
// is an error, so that the adapter cannot come to use what only this server allows. It takes its rules from a real
// OpenSearch 2.19: external versions, strict mappings, routing to shards, aliases, what is seen only after a refresh.
//
// Faults can be ordered: see Fault.
package opensearchtest
