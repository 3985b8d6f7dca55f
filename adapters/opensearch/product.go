package opensearch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// infoBytesMax bounds what is read of a server's description of itself.
const infoBytesMax = 64 << 10

// The oldest versions that are spoken to.
const (
	openSearchMin    = 2
	elasticsearchMin = 8
)

// The mark of Elasticsearch.
const (
	productHeader = "X-Elastic-Product"
	productName   = "Elasticsearch"
)

// product asks each node once what it is, before anything else is sent to it, and refuses all that is neither
// OpenSearch nor Elasticsearch. It stands in for the check of the client's root package, which refuses OpenSearch: that
// it lacks the mark of Elasticsearch is right for OpenSearch alone.
type product struct {
	next http.RoundTripper

	mu    sync.Mutex
	known map[string]bool // hosts that are right
}

// RoundTrip implements http.RoundTripper.
func (p *product) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.identify(r); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	response, err := p.next.RoundTrip(r)
	if err != nil {
		p.set(r.URL.Host, false) // another server may answer there next time
	}
	return response, err
}

func (p *product) set(host string, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[host] = known
}

func (p *product) get(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[host]
}

// identify returns an error for a node that is neither OpenSearch nor Elasticsearch.
func (p *product) identify(r *http.Request) error {
	host := r.URL.Host
	if p.get(host) {
		return nil
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.URL.Scheme+"://"+host+"/", nil)
	if err != nil {
		return fmt.Errorf("ask the search server what it is: %w", err)
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		ask.Header.Set("Authorization", auth)
	}
	response, err := p.next.RoundTrip(ask)
	if err != nil {
		return fmt.Errorf("ask the search server what it is: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := recognise(response); err != nil {
		return err
	}
	p.set(host, true)
	return nil
}

// info is what a server says of itself.
type info struct {
	Version struct {
		Number       string `json:"number"`
		Distribution string `json:"distribution"`
	} `json:"version"`
}

func recognise(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return &statusError{Status: response.StatusCode, Type: "refused", Reason: "it does not say what it is"}
	}
	var said info
	if err := json.NewDecoder(io.LimitReader(response.Body, infoBytesMax)).Decode(&said); err != nil {
		return &WrongServerError{Is: "no search server"}
	}
	number := said.Version.Number
	text, _, _ := strings.Cut(number, ".")
	major, _ := strconv.Atoi(text)
	switch {
	case said.Version.Distribution == "opensearch":
		if major >= openSearchMin { // or 7: a server may be told to answer with 7.10.2, for old clients
			return nil
		}
	case response.Header.Get(productHeader) == productName && major >= elasticsearchMin:
		return nil
	}
	return &WrongServerError{Is: fmt.Sprintf("%.40q", strings.TrimSpace(said.Version.Distribution+" "+number))}
}

// WrongServerError is a server that is neither OpenSearch 2 or later nor Elasticsearch 8 or later.
type WrongServerError struct{ Is string }

// Error implements error.
func (e *WrongServerError) Error() string {
	return fmt.Sprintf("the search server is %s, and neither OpenSearch %d nor Elasticsearch %d or later",
		e.Is, openSearchMin, elasticsearchMin)
}
