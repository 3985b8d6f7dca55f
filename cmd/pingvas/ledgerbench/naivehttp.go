package ledgerbench

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// naiveRequest is what the naive server takes: an account and a hold with what it costs.
type naiveRequest struct {
	Account int    `json:"account"`
	ID      string `json:"id"`
	Charge  int64  `json:"charge"`
}

// Handler returns the naive ledger behind a plain JSON server, as most teams would write it: no keys, no validation
// beyond the decoder's, no idempotency.
func (n Naive) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reserve", func(w http.ResponseWriter, r *http.Request) {
		naiveCall(w, r, func(in naiveRequest) error {
			_, err := n.Reserve(r.Context(), in.Account, in.ID)
			return err
		})
	})
	mux.HandleFunc("POST /end", func(w http.ResponseWriter, r *http.Request) {
		naiveCall(w, r, func(in naiveRequest) error { return n.end(r.Context(), in.Account, in.ID, in.Charge) })
	})
	return mux
}

func naiveCall(w http.ResponseWriter, r *http.Request, do func(naiveRequest) error) {
	var in naiveRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := do(in); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": in.ID}) // the caller may have gone
}

// NaiveREST is the naive server at an address.
func NaiveREST(addr string) REST {
	return REST{
		name: "naivehttp", schema: Naive{}.Schema(), addr: addr,
		reserve: func(account int, id string) request {
			return request{path: "/reserve", body: fmt.Sprintf(`{"account":%d,"id":"%s"}`, account, id)}
		},
		end: func(account int, hold string, ending Ending) request {
			return request{
				path: "/end",
				body: fmt.Sprintf(`{"account":%d,"id":"%s","charge":%d}`, account, hold, ending.charge()),
			}
		},
	}
}
