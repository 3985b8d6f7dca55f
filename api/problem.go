package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// problemPath is where the page of each code is.
const problemPath = "/problems/"

// statusClientGone is what the log and the metrics say of a request whose caller left before the answer.
const statusClientGone = 499

// refusal is an error of the API itself.
type refusal struct {
	code   domain.Code
	detail string
	fields []gen.FieldError
}

// Error implements error.
func (r *refusal) Error() string { return string(r.code) + ": " + r.detail }

// invalid refuses a request for these fields.
func invalid(fields ...gen.FieldError) error {
	return &refusal{code: domain.CodeInvalid, detail: "the request does not follow the contract", fields: fields}
}

// invalidField refuses a request for one field of the body, by JSON pointer, or one parameter, by name.
func invalidField(pointer, detail string) error {
	return invalid(gen.FieldError{Pointer: pointer, Detail: detail})
}

// fail answers with the problem that an error is.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	call := callOf(r.Context())
	if r.Context().Err() == context.Canceled && errors.Is(err, context.Canceled) {
		call.gone = true
		return
	}
	if out, ok := w.(*answer); ok && out.status != 0 { // the connection broke while the answer was written
		s.log.DebugContext(r.Context(), "answer broke off", "request_id", call.id, "route", call.route, "error", err)
		return
	}
	problem := problemOf(err)
	if problem.Code == string(domain.CodeInternal) && s.outage != nil && s.outage(err) {
		s.log.WarnContext(r.Context(), "outage", "request_id", call.id, "route", call.route, "error", err)
		problem = newProblem(domain.CodeUnavailable, "a part that the answer needs is away just now")
	}
	if problem.Code == string(domain.CodeInternal) {
		s.log.ErrorContext(r.Context(), "internal error", "request_id", call.id, "route", call.route, "error", err)
	}
	s.writeProblem(w, call, problem)
}

func (s *Server) writeProblem(w http.ResponseWriter, call *call, problem gen.Problem) {
	kind := kindOf(domain.Code(problem.Code))
	problem.Type, problem.RequestID = s.publicURL+problemPath+problem.Code, call.id
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(problem); err != nil {
		panic(err) // a struct of strings and numbers always encodes
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if kind.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(kind.RetryAfter.Seconds())))
	}
	if kind.Code == codeUnauthenticated {
		header.Set("WWW-Authenticate", `Bearer realm="pingvas"`)
	}
	if call.replayed {
		header.Set(headerReplayed, "true")
	}
	w.WriteHeader(kind.Status)
	w.Write(body.Bytes())
}

// problemOf returns the problem that an error is, without what only the request knows.
func problemOf(err error) gen.Problem {
	var own *refusal
	if errors.As(err, &own) {
		p := newProblem(own.code, own.detail)
		if len(own.fields) > 0 {
			p.Errors = &own.fields
		}
		return p
	}
	var known *domain.Error
	if errors.As(err, &known) && known.Code != domain.CodeInternal && hasKind(known.Code) {
		return fromDomain(known)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return newProblem(domain.CodeUnavailable, "the answer took too long")
	}
	return newProblem(domain.CodeInternal, "an unexpected error occurred")
}

func newProblem(code domain.Code, detail string) gen.Problem {
	kind := kindOf(code)
	return gen.Problem{
		Code: string(kind.Code), Title: kind.Title, Status: int32(kind.Status), Retryable: kind.Retryable,
		Detail: opt(detail),
	}
}

func hasKind(code domain.Code) bool { return kindOf(code).Code == code }

func fromDomain(e *domain.Error) gen.Problem {
	p := newProblem(e.Code, e.Msg)
	if e.Field != "" {
		p.Errors = &[]gen.FieldError{{Pointer: e.Field, Detail: e.Msg}}
	}
	switch e.Code {
	case domain.CodeInsufficientCredits:
		if d, ok := detailOf[account.Shortfall](e.Detail); ok {
			p.Required, p.Available, p.Reserved = credits(d.Required), credits(d.Available), credits(d.Reserved)
		}
	case domain.CodeConcurrencyLimit:
		if d, ok := detailOf[account.Busy](e.Detail); ok {
			open, limit := int32(d.Open), int32(d.Limit)
			p.Open, p.Limit = &open, &limit
		}
	}
	return p
}

// detailOf returns the detail of a refusal, which is raw JSON where the refusal was recorded earlier.
func detailOf[D any](detail any) (D, bool) {
	var d D
	switch detail := detail.(type) {
	case D:
		return detail, true
	case json.RawMessage:
		return d, json.Unmarshal(detail, &d) == nil
	}
	return d, false
}

func credits(c domain.Credits) *int64 {
	n := int64(c)
	return &n
}
