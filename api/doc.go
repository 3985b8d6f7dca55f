// Package api is the public HTTP API of pingvas, the internal one that workers claim jobs through, and the pages that
// explain both.
//
// # Guarantees
//
//   - openapi.yaml is the contract. Its types and routes are generated from it (package gen), and every request is
//     validated against it before a handler runs. Unknown fields and parameters are refused.
//   - Every error is a problem (RFC 9457) of the one catalogue in problems.go. What is not a refusal of the domain or
//     of this package answers "internal" with the request id; its text goes to the log only.
//   - What belongs to another account answers exactly like what does not exist.
//   - Time and ids enter here: the commands below get both as fields.
//
// # A request's way
//
// The handlers around the router (around.go) also see what matches no route: request id, access log, metrics, recover,
// body limit, headers. Inside a route come the API key, the contract's validation, then the generated strict server,
// then one method of Server per operation, in one file per resource. Handlers return errors; fail turns them into
// problems in one place.
//
// # What it does not do
//
// It decides nothing about credits or jobs: commands and queries do. It knows no adapter: port.go says what it needs.
package api
