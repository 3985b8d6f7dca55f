package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// The codes that only the API has. The list only grows.
const (
	codeUnauthenticated  domain.Code = "unauthenticated"
	codeMethodNotAllowed domain.Code = "method-not-allowed"
	codeTooLarge         domain.Code = "payload-too-large"
	codeMediaType        domain.Code = "unsupported-media-type"
	codeTooManyStreams   domain.Code = "too-many-streams"
	codeNotReady         domain.Code = "not-ready"
)

// retryAfter is how long a caller should wait before it asks again.
const (
	retryAfterConflict = time.Second
	retryAfterOutage   = 2 * time.Second
	retryAfterSlot     = 5 * time.Second
)

// Kind is one row of the problem catalogue: everything that all problems with one code have in common.
type Kind struct {
	Code   domain.Code
	Title  string
	Status int
	// Retryable says that the same call may succeed later.
	Retryable bool
	// RetryAfter is sent as a header; zero sends none.
	RetryAfter time.Duration
	What       string // what happened
	Fix        string // what to do
}

// Kinds returns the problem catalogue, by status.
func Kinds() []Kind {
	return slices.Concat(requestKinds(), stateKinds(), formKinds(), limitKinds(), outageKinds())
}

// requestKinds are about who asks for what.
func requestKinds() []Kind {
	return []Kind{
		{Code: domain.CodeInvalid, Title: "Invalid request", Status: http.StatusBadRequest,
			What: "The request does not follow the contract: a field, a parameter, a header or the body itself is wrong.",
			Fix: "Read `errors`: each entry names a field of the body by JSON pointer, or a parameter by its name, and " +
				"says what is wrong with it. The contract is at /openapi.json."},
		{Code: codeUnauthenticated, Title: "No valid key", Status: http.StatusUnauthorized,
			What: "The call carries no key that is known. Unknown, malformed and revoked keys get the same answer.",
			Fix:  "Send `Authorization: Bearer pv_…` with a key of your account. Make a new one if it was revoked."},
		{Code: domain.CodeInsufficientCredits, Title: "Not enough credits", Status: http.StatusPaymentRequired,
			What: "The request costs `required` credits; `available` may be spent on this model and operation, and " +
				"`reserved` are held by generations and reservations that have not ended.",
			Fix: "Wait until one of them ends and gives credits back, get more credits, or ask for less. Then use a new " +
				"Idempotency-Key: this refusal is kept under the old one."},
		{Code: domain.CodeForbidden, Title: "Not allowed", Status: http.StatusForbidden,
			What: "The account may not do this.",
			Fix:  "Read `detail`. Another plan may allow it."},
		{Code: domain.CodeNotFound, Title: "Not found", Status: http.StatusNotFound,
			What: "There is no such thing, or it belongs to another account. The two cannot be told apart. A reservation that " +
				"has ended is gone, too.",
			Fix: "Check the id and the key. After a command, give its `Pingvas-Position` as `min_position`."},
		{Code: codeMethodNotAllowed, Title: "Method not allowed", Status: http.StatusMethodNotAllowed,
			What: "The path exists, but not for this method.",
			Fix:  "Use one of the methods in the `Allow` header."},
	}
}

// stateKinds are about what a request finds.
func stateKinds() []Kind {
	return []Kind{
		{Code: domain.CodeConflict, Title: "Conflict", Status: http.StatusConflict,
			What: "The request contradicts the present state.",
			Fix:  "Read `detail`, look at the state again, and ask for what is still possible."},
		{Code: domain.CodeQuoteExpired, Title: "Quote expired", Status: http.StatusConflict,
			What: "The quoted price binds no more.",
			Fix:  "Get a new quote and use it with a new Idempotency-Key."},
		{Code: domain.CodeQuoteMismatch, Title: "Quote for another request", Status: http.StatusConflict,
			What: "The quote was given to another account, or for another operation, model, size, number of steps or " +
				"number of images.",
			Fix: "Get a quote for exactly this request, or leave the quote out."},
		{Code: domain.CodeAlreadyEnded, Title: "Already ended", Status: http.StatusConflict,
			What: "The generation has ended, and an end is final.",
			Fix:  "Read the generation: it says how it ended and what it cost."},
		{Code: domain.CodeStaleAttempt, Title: "Stale attempt", Status: http.StatusConflict,
			What: "Another attempt of the job has begun. What is said of an older one changes nothing.",
			Fix:  "Stop working on this attempt and drop its results."},
		{Code: domain.CodeAccountClosed, Title: "Account closed", Status: http.StatusConflict,
			What: "The account is closed and takes no more commands.",
			Fix:  "Open another account."},
		{Code: domain.CodePreconditionFailed, Title: "Changed since you looked", Status: http.StatusPreconditionFailed,
			What: "What you want to change is not at the version in `If-Match`.",
			Fix:  "Read it again, decide again, and send its new `ETag`."},
	}
}

// formKinds are about what a request carries.
func formKinds() []Kind {
	return []Kind{
		{Code: codeTooLarge, Title: "Body too large", Status: http.StatusRequestEntityTooLarge,
			What: "The body is larger than the server reads.",
			Fix:  "Send less than 1 MiB."},
		{Code: codeMediaType, Title: "Unsupported media type", Status: http.StatusUnsupportedMediaType,
			What: "The body is not declared as JSON.",
			Fix:  "Send `Content-Type: application/json` in UTF-8, without `Content-Encoding`."},
		{Code: domain.CodeModelUnavailable, Title: "Model unavailable", Status: http.StatusUnprocessableEntity,
			What: "There is no such model, or it cannot be used at present.",
			Fix:  "Choose one of `GET /v1/models`."},
		{Code: domain.CodeUnsupported, Title: "The model does not accept this", Status: http.StatusUnprocessableEntity,
			What: "A field of the request is outside of what the model accepts. `errors` names it.",
			Fix:  "`GET /v1/models` says what each model accepts. Change the field or choose another model."},
		{Code: domain.CodePicture, Title: "Picture cannot be used", Status: http.StatusUnprocessableEntity,
			What: "A picture that the request names is not there, or is no picture that can be worked with: damaged, too " +
				"large, too small or of another type. `errors` names the field and says what is wrong.",
			Fix: "Upload the picture whole before you name it: PNG, JPEG or WebP of 64 to 4096 pixels on each edge, 20 MiB " +
				"at most. Then use a new Idempotency-Key: this refusal is kept under the old one."},
		{Code: domain.CodeIdempotencyMismatch, Title: "Key used for another request",
			Status: http.StatusUnprocessableEntity,
			What:   "The Idempotency-Key was used before with another route, path or body.",
			Fix:    "Use one key per purchase: the same on each retry of the same request, a new one for another."},
	}
}

// limitKinds are about how much is going on at once.
func limitKinds() []Kind {
	return []Kind{
		{Code: domain.CodeConcurrencyLimit, Title: "Too many open generations", Status: http.StatusTooManyRequests,
			Retryable: true, RetryAfter: retryAfterSlot,
			What: "The account has `open` generations and reservations that have not ended, and its plan allows `limit`.",
			Fix: "Wait until one ends, then ask with a new Idempotency-Key: this refusal is kept under the old one. " +
				"Another plan allows more."},
		{Code: codeTooManyStreams, Title: "Too many streams", Status: http.StatusTooManyRequests,
			Retryable: true, RetryAfter: retryAfterSlot,
			What: "The account has as many event streams open as it may.",
			Fix:  "Close one, or poll the generation: it says the same."},
	}
}

// outageKinds are about us.
func outageKinds() []Kind {
	return []Kind{
		{Code: domain.CodeInternal, Title: "Internal error", Status: http.StatusInternalServerError, Retryable: true,
			What: "Something broke on our side.",
			Fix: "Try again with the same Idempotency-Key: nothing happens twice. If it stays, tell us the " +
				"`request_id`."},
		{Code: domain.CodeStaleVersion, Title: "Very busy", Status: http.StatusServiceUnavailable,
			Retryable: true, RetryAfter: retryAfterConflict,
			What: "Too many commands changed the account at the same time. This one was not run.",
			Fix:  "Send it again after `Retry-After`, with the same Idempotency-Key."},
		{Code: domain.CodeUnavailable, Title: "Temporarily unavailable", Status: http.StatusServiceUnavailable,
			Retryable: true, RetryAfter: retryAfterOutage,
			What: "A part that is needed for the answer does not answer in time.",
			Fix:  "Send it again after `Retry-After`, with the same Idempotency-Key."},
		{Code: codeNotReady, Title: "Not ready", Status: http.StatusServiceUnavailable,
			Retryable: true, RetryAfter: retryAfterOutage,
			What: "The server runs, but should not get requests yet. `errors` names the parts that are not ready.",
			Fix:  "Ask again later."},
	}
}

// kindOf returns the catalogue's row for a code, or that of "internal" for a code without one.
func kindOf(code domain.Code) Kind {
	var internal Kind
	for _, k := range Kinds() {
		if k.Code == code {
			return k
		}
		if k.Code == domain.CodeInternal {
			internal = k
		}
	}
	return internal
}
