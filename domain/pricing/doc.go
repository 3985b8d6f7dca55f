// Package pricing holds what things cost as versioned data: the models and their price book, the plans, and quotes
// that bind.
package pricing
