// Package usage is the view of what was used: per account, day in UTC, model and tier.
package usage
