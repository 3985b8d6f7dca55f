// Package statement is the view of an account's movements of credits: one line per event, with what was available and
// reserved before and after it, why it came, and its postings.
package statement
