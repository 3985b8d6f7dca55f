package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/api/gen"
)

// However a request is dispatched, it goes where the router would have sent it.
func TestRequestsGoWhereTheRouterSendsThem(t *testing.T) {
	doc, err := gen.GetSpec()
	require.NoError(t, err)
	s := &Server{contract: newContract(doc), metrics: &metrics{page: http.NotFoundHandler()}}
	s.pages, err = newPages(doc)
	require.NoError(t, err)
	router, err := s.routes()
	require.NoError(t, err)
	d, err := newDispatch(router)
	require.NoError(t, err)
	paths := doc.Paths.InMatchingOrder()
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom(paths).Draw(t, "path")
		for strings.Contains(path, "{") {
			before, rest, _ := strings.Cut(path, "{")
			_, after, _ := strings.Cut(rest, "}")
			path = before + rapid.SampledFrom([]string{"a", "", ":batch", "a/b", "%2F", "settle"}).Draw(t, "value") + after
		}
		path = rapid.SampledFrom([]string{"", "", "", "/", "//", "/internal", "/v1"}).Draw(t, "before") + path +
			rapid.SampledFrom([]string{"", "", "", "/", "x", ":batch"}).Draw(t, "after")
		r := &http.Request{
			Method: rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"}).Draw(t, "method"),
			URL:    &url.URL{Path: path},
		}
		var want mux.RouteMatch
		router.Match(r, &want)
		got := d.match(r)
		require.Same(t, want.Route, got.Route, "%s %s", r.Method, path)
		require.Equal(t, want.Vars, got.Vars)
		require.NotNil(t, got.Handler)
	})
}
