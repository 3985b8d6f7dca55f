// Package generations is the view of requests for images: where each stands and what it costs. Dispatch reads the open
// ones of all accounts from it.
package generations
