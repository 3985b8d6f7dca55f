package api

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// dispatch has the route of a request answer it. The router's own ServeHTTP copies each request twice, and tries one
// route after the other: so those that may answer are looked up before it is asked.
type dispatch struct {
	router *mux.Router
	likely map[likely][]*mux.Route // in the router's order
}

// likely is what a request has in common with the routes that may answer it: the method, the second part of the path,
// which is the kind of thing, and how many parts there are.
type likely struct {
	method, thing string
	parts         int
}

// newDispatch returns a handler for a router that has one for what it does not find.
func newDispatch(router *mux.Router) (*dispatch, error) {
	d := &dispatch{router, map[likely][]*mux.Route{}}
	return d, router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if route.GetHandler() == nil {
			return nil
		}
		template, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, _ := route.GetMethods() // an error says that it answers all of them
		for _, method := range methods {
			if at := likelyOf(method, template); !strings.Contains(at.thing, "{") {
				d.likely[at] = append(d.likely[at], route)
			}
		}
		return nil
	})
}

func likelyOf(method, path string) likely {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	thing, _, _ := strings.Cut(rest, "/")
	return likely{method, thing, strings.Count(path, "/")}
}

// ServeHTTP implements http.Handler.
func (d *dispatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	match := d.match(r)
	if len(match.Vars) > 0 {
		r = mux.SetURLVars(r, match.Vars)
	}
	match.Handler.ServeHTTP(w, r)
}

func (d *dispatch) match(r *http.Request) mux.RouteMatch {
	for _, route := range d.likely[likelyOf(r.Method, r.URL.Path)] {
		var match mux.RouteMatch
		if route.Match(r, &match) {
			return match
		}
	}
	var match mux.RouteMatch
	d.router.Match(r, &match) // always finds a handler, if only that of what is not found
	return match
}
