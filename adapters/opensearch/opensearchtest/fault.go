package opensearchtest

import (
	"net/http"
	"slices"
)

// Fault is something that goes wrong with requests of one kind.
type Fault struct {
	// Kind is that of the requests: info, index, _bulk, _search, _refresh, _alias, _aliases, _analyze,
	// _index_template; empty means any.
	Kind string
	// Times is how many requests it meets; 0 means all until Mend.
	Times int
	// Status is answered instead of doing anything, in the words of a proxy.
	Status int
	// Cut ends the connection, before anything is done or, with Done, after it.
	Cut, Done bool
	// Rubbish is answered instead of JSON.
	Rubbish bool
	// ItemStatus is that of the second half of the writes of a bulk request, which are not done.
	ItemStatus int
	// Reject is the document that is refused for good.
	Reject string
	// TimedOut and Failed make an answer to a search incomplete.
	TimedOut bool
	Failed   int
}

// Break orders a fault.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Mend ends all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns what meets the next request of a kind, which may be nothing.
func (s *Server) fault(kind string) Fault {
	for i, f := range s.faults {
		if f.Kind != "" && f.Kind != kind {
			continue
		}
		met := *f
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		s.met = met
		return met
	}
	s.met = Fault{}
	return Fault{}
}

// meets does what is wrong with the whole request, and reports whether that was the answer.
func (f Fault) meets(w http.ResponseWriter, done bool) bool {
	switch {
	case f.Cut && f.Done == done:
		panic(http.ErrAbortHandler)
	case f.Status != 0 && !done:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte("<html>busy</html>"))
		return true
	case f.Rubbish && !done:
		_, _ = w.Write([]byte(`{"took":`))
		return true
	}
	return false
}
