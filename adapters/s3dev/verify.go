package s3dev

import (
	"context"
	"crypto/subtle"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	algorithm       = "AWS4-HMAC-SHA256"
	dateFormat      = "20060102T150405Z"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	service         = "s3"
	// maxSkew is how far the clocks of client and server may differ.
	maxSkew = 15 * time.Minute
	// maxExpires is the longest life of a presigned URL.
	maxExpires = 7 * 24 * time.Hour
)

// verifier lets through only requests with a valid Signature Version 4, in the header or in the URL.
type verifier struct {
	accessKey, secretKey string
	now                  func() time.Time
	next                 http.Handler
}

// refusal is an S3 error document.
type refusal struct {
	XMLName xml.Name `xml:"Error"`
	Status  int      `xml:"-"`
	Code    string
	Message string
}

// claim is what a request says of its own signature.
type claim struct {
	credential string
	headers    []string // lower case
	signature  string
	at         time.Time
	expires    time.Duration
	presigned  bool
}

// ServeHTTP implements http.Handler.
func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if no := v.check(r); no != nil {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(no.Status)
		_ = xml.NewEncoder(w).Encode(no)
		return
	}
	v.next.ServeHTTP(w, r)
}

func (v *verifier) check(r *http.Request) *refusal {
	if r.ContentLength > MaxBody {
		return &refusal{Status: http.StatusBadRequest, Code: "EntityTooLarge", Message: "The body is too large."}
	}
	c, no := readClaim(r)
	if no != nil {
		return no
	}
	if no := v.checkTime(c); no != nil {
		return no
	}
	scope := c.at.Format("20060102") + "/" + Region + "/" + service + "/aws4_request"
	if c.credential != v.accessKey+"/"+scope {
		return denied("InvalidAccessKeyId", "The access key or its scope is not known here.")
	}
	if no := checkSigned(r, c); no != nil {
		return no
	}
	payload := unsignedPayload
	if !c.presigned {
		payload = r.Header.Get("X-Amz-Content-Sha256")
	}
	want, err := v.resign(r, c, payload)
	if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return denied("SignatureDoesNotMatch", "The signature does not match the request.")
	}
	return checkUse(r, payload)
}

func (v *verifier) checkTime(c claim) *refusal {
	age := v.now().Sub(c.at)
	if age < -maxSkew {
		return denied("RequestTimeTooSkewed", "The request is signed for the future.")
	}
	if !c.presigned && age > maxSkew {
		return denied("RequestTimeTooSkewed", "The request was signed too long ago.")
	}
	if c.presigned && (c.expires <= 0 || c.expires > maxExpires || age >= c.expires) {
		return denied("AccessDenied", "Request has expired")
	}
	return nil
}

// resign computes the signature with the SDK's own signer over exactly the headers that the client says it signed.
func (v *verifier) resign(r *http.Request, c claim, payload string) (string, error) {
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}}
	target := *r.URL
	target.Host = r.Host
	again.URL = &target
	for _, name := range c.headers {
		if values, ok := r.Header[http.CanonicalHeaderKey(name)]; ok {
			again.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
	if slices.Contains(c.headers, "content-length") {
		again.ContentLength = r.ContentLength
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	keys := aws.Credentials{AccessKeyID: v.accessKey, SecretAccessKey: v.secretKey}
	ctx := context.WithoutCancel(r.Context())
	if !c.presigned {
		if err := signer.SignHTTP(ctx, keys, again, payload, service, Region, c.at); err != nil {
			return "", err
		}
		return readHeaderClaim(again).signature, nil
	}
	query := target.Query()
	for _, name := range []string{"Algorithm", "Credential", "Date", "SignedHeaders", "Signature"} {
		query.Del("X-Amz-" + name)
	}
	again.URL.RawQuery = query.Encode()
	signed, _, err := signer.PresignHTTP(ctx, keys, again, payload, service, Region, c.at)
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(signed)
	if err != nil {
		return "", err
	}
	return parsed.Query().Get("X-Amz-Signature"), nil
}

func readClaim(r *http.Request) (claim, *refusal) {
	query := r.URL.Query()
	inURL, inHeader := query.Has("X-Amz-Signature"), r.Header.Get("Authorization") != ""
	var c claim
	var date string
	switch {
	case inURL == inHeader:
		return c, denied("AccessDenied", "The request must be signed, in the header or in the URL.")
	case inHeader:
		c, date = readHeaderClaim(r), r.Header.Get("X-Amz-Date")
	default:
		c, date = readURLClaim(query), query.Get("X-Amz-Date")
	}
	at, err := time.Parse(dateFormat, date)
	if err != nil || c.signature == "" {
		return c, denied("AccessDenied", "The signature is malformed.")
	}
	c.at = at
	return c, nil
}

func readHeaderClaim(r *http.Request) claim {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !ok {
		return claim{}
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	return claim{
		credential: fields["Credential"],
		headers:    strings.Split(fields["SignedHeaders"], ";"),
		signature:  fields["Signature"],
	}
}

func readURLClaim(query url.Values) claim {
	if query.Get("X-Amz-Algorithm") != algorithm {
		return claim{}
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || seconds > int(maxExpires/time.Second) {
		seconds = 0
	}
	return claim{
		credential: query.Get("X-Amz-Credential"),
		headers:    strings.Split(query.Get("X-Amz-SignedHeaders"), ";"),
		signature:  query.Get("X-Amz-Signature"),
		expires:    time.Duration(seconds) * time.Second,
		presigned:  true,
	}
}

// checkSigned refuses requests whose holder has added what the signer did not grant, such as a copy source.
func checkSigned(r *http.Request, c claim) *refusal {
	if !slices.Contains(c.headers, "host") {
		return denied("AccessDenied", "The host must be signed.")
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(c.headers, lower) {
			return denied("AccessDenied", "There were headers present in the request which were not signed.")
		}
	}
	return nil
}

func denied(code, message string) *refusal {
	return &refusal{Status: http.StatusForbidden, Code: code, Message: message}
}
