package domain

import (
	"errors"
	"fmt"
)

// Code is the stable name of a kind of error. Codes are part of the public contract: the list only grows.
type Code string

// The codes. What each means to a caller stands in the API's problem catalogue.
const (
	CodeInvalid             Code = "invalid-request"
	CodeNotFound            Code = "not-found"
	CodeConflict            Code = "conflict"
	CodeForbidden           Code = "forbidden"
	CodeInsufficientCredits Code = "insufficient-credits"
	CodeConcurrencyLimit    Code = "concurrency-limit"
	CodeQuoteExpired        Code = "quote-expired"
	CodeQuoteMismatch       Code = "quote-mismatch"
	CodeModelUnavailable    Code = "model-unavailable"
	CodeUnsupported         Code = "unsupported-by-model"
	CodePicture             Code = "picture-unusable"
	CodeAlreadyEnded        Code = "already-ended"
	CodeStaleAttempt        Code = "stale-attempt"
	CodeAccountClosed       Code = "account-closed"
	CodeStaleVersion        Code = "stale-version"
	CodeIdempotencyMismatch Code = "idempotency-mismatch"
	CodePreconditionFailed  Code = "precondition-failed"
	CodeUnavailable         Code = "unavailable"
	CodeInternal            Code = "internal"
)

// Error is a refusal that the caller may see. Any other error is internal and its text never leaves the process.
type Error struct {
	Code Code
	// Msg is one sentence for a person, without secrets and without the customer's own text.
	Msg string
	// Field is a JSON pointer to the field of the request at fault, or empty.
	Field string
	// Detail is data of the code's own type, such as account.Shortfall, or nil.
	Detail any
}

// Error implements error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Msg }

// Errorf returns an *Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// FieldErrorf returns an *Error of CodeInvalid that names the field at fault by JSON pointer.
func FieldErrorf(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Msg: fmt.Sprintf(format, args...), Field: field}
}

// CodeOf returns the code of the first *Error in err's chain, CodeInternal for any other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
