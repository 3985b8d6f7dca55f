// Package usage is the view of what was used: per account, day in UTC, model, tier and API key.
package usage
