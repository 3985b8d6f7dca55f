package invokefake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// item is one run of a graph.
type item struct {
	ID          int     `json:"item_id"`
	Status      string  `json:"status"`
	Priority    int     `json:"priority"`
	BatchID     string  `json:"batch_id"`
	Origin      string  `json:"origin"`
	Destination string  `json:"destination"`
	SessionID   string  `json:"session_id"`
	ErrorType   *string `json:"error_type"`
	// ErrorMessage repeats the prompt, as some of the server's do.
	ErrorMessage *string `json:"error_message"`
	StartedAt    *string `json:"started_at"`
	CompletedAt  *string `json:"completed_at"`
	QueueID      string  `json:"queue_id"`
	Session      session `json:"session"`

	cancelled bool // asked for while it runs
}

type session struct {
	ID       string              `json:"id"`
	Graph    graph               `json:"graph"`
	Results  map[string]any      `json:"results"`
	Prepared map[string][]string `json:"source_prepared_mapping"`
}

type graph struct {
	ID    string                    `json:"id"`
	Nodes map[string]map[string]any `json:"nodes"`
	Edges []struct {
		Source, Destination struct {
			Node  string `json:"node_id"`
			Field string `json:"field"`
		}
	} `json:"edges"`
}

func (i *item) open() bool { return i.Status == "pending" || i.Status == "in_progress" }

func stamp() *string {
	text := time.Now().UTC().Format("2006-01-02 15:04:05.000")
	return &text
}

// finish ends an item, unless it has ended: the first end stays. It needs the lock.
func (i *item) finish(status string) bool {
	if !i.open() {
		return false
	}
	i.Status, i.CompletedAt = status, stamp()
	return true
}

type batchRequest struct {
	Batch struct {
		ID          string `json:"batch_id"`
		Origin      string `json:"origin"`
		Destination string `json:"destination"`
		Data        [][]struct {
			Node  string `json:"node_path"`
			Field string `json:"field_name"`
			Items []any  `json:"items"`
		} `json:"data"`
		Graph json.RawMessage `json:"graph"`
	} `json:"batch"`
}

func (s *Server) enqueue(w http.ResponseWriter, r *http.Request) {
	var in batchRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		detail(w, http.StatusUnprocessableEntity, []any{map[string]any{"type": "json_invalid", "loc": []string{"body"}}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkGraph(in.Batch.Graph); err != nil || spend(&s.faults.RefuseBatches) {
		detail(w, http.StatusUnprocessableEntity, []any{map[string]any{
			"type": "value_error", "loc": []string{"body", "batch", "graph"}, "msg": fmt.Sprint(err),
			"input": in.Batch.Graph,
		}})
		return
	}
	values := []any{nil}
	if len(in.Batch.Data) > 0 {
		values = in.Batch.Data[0][0].Items
	}
	taken := values
	if room := s.faults.QueueRoom; room > 0 && room < len(values) {
		taken = values[:room]
	}
	var ids []int
	for _, value := range taken {
		ids = append(ids, s.push(in, value))
	}
	slices.Reverse(ids) // newest first
	s.marks[in.Batch.Destination] = Marks{Enqueued: time.Now()}
	s.tell("batch_enqueued", map[string]any{"batch_id": in.Batch.ID, "enqueued": len(ids)})
	s.wakeUp()
	if spend(&s.faults.LoseAnswers) {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusOK
	if s.faults.Created {
		status = http.StatusCreated
	}
	answer(w, status, map[string]any{
		"queue_id": "default", "enqueued": len(ids), "requested": len(values), "priority": 0, "item_ids": ids,
	})
}

// push adds an item with its value of the substitution. It needs the lock.
func (s *Server) push(in batchRequest, value any) int {
	var g graph
	_ = json.Unmarshal(in.Batch.Graph, &g) // it was checked
	if value != nil {
		data := in.Batch.Data[0][0]
		g.Nodes[data.Node][data.Field] = value
	}
	s.made++
	id := s.made
	s.items = append(s.items, &item{
		ID: id, Status: "pending", BatchID: in.Batch.ID, Origin: in.Batch.Origin, Destination: in.Batch.Destination,
		SessionID: fmt.Sprintf("session-%d", id), QueueID: "default",
		Session: session{ID: fmt.Sprintf("session-%d", id), Graph: g, Results: map[string]any{}},
	})
	return id
}

// checkGraph finds what InvokeAI finds: unknown nodes, ids that differ from their keys, edges to nowhere. Fields that
// it does not know it passes over.
func (s *Server) checkGraph(raw json.RawMessage) error {
	var g graph
	if err := json.Unmarshal(raw, &g); err != nil {
		return err
	}
	kindOf := func(id string) (nodeKind, bool) {
		kind, _ := g.Nodes[id]["type"].(string)
		k, ok := s.kinds[kind]
		return k, ok
	}
	for id, node := range g.Nodes {
		if _, ok := kindOf(id); !ok || node["id"] != id {
			return fmt.Errorf("node %s of type %v", id, node["type"])
		}
	}
	for _, e := range g.Edges {
		from, known := kindOf(e.Source.Node)
		to, alsoKnown := kindOf(e.Destination.Node)
		if !known || !alsoKnown || !slices.Contains(from.Outputs, e.Source.Field) ||
			!slices.Contains(to.Fields, e.Destination.Field) {
			return fmt.Errorf("edge from %s.%s to %s.%s", e.Source.Node, e.Source.Field, e.Destination.Node,
				e.Destination.Field)
		}
	}
	return nil
}

// count returns the items of a batch, or of all, by status. It needs the lock.
func (s *Server) count(batch string) map[string]any {
	n := map[string]int{}
	total := 0
	for _, i := range s.items {
		if batch == "" || i.BatchID == batch {
			n[i.Status]++
			total++
		}
	}
	out := map[string]any{"queue_id": "default", "waiting": 0, "total": total}
	for _, status := range []string{"pending", "in_progress", "completed", "failed", "canceled"} {
		out[status] = n[status]
	}
	return out
}

func (s *Server) batchStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, s.count(r.PathValue("batch")))
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.count("")
	queue["batch_id"] = nil
	if s.running != nil {
		queue["batch_id"] = s.running.BatchID
	}
	answer(w, http.StatusOK, map[string]any{"queue": queue, "processor": map[string]any{
		"is_started": true, "is_processing": s.running != nil || time.Now().Before(s.busy),
	}})
}

func (s *Server) listAll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []*item{}
	for _, i := range s.items {
		if to := r.URL.Query().Get("destination"); to == "" || i.Destination == to {
			found = append(found, i)
		}
	}
	answer(w, http.StatusOK, found)
}

// find needs the lock.
func (s *Server) find(r *http.Request) *item {
	id, _ := strconv.Atoi(r.PathValue("item"))
	for _, i := range s.items {
		if i.ID == id {
			return i
		}
	}
	return nil
}

func (s *Server) getItem(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(r); i != nil {
		answer(w, http.StatusOK, i)
		return
	}
	detail(w, http.StatusNotFound, "Queue item not found in queue default")
}

func (s *Server) deleteItem(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(r)
	if found == nil {
		detail(w, http.StatusNotFound, "Queue item not found in queue default")
		return
	}
	s.cancel(found)
	s.items = slices.DeleteFunc(s.items, func(i *item) bool { return i == found })
	answer(w, http.StatusOK, nil)
}

// cancel needs the lock.
func (s *Server) cancel(i *item) bool {
	if i.Status == "in_progress" {
		if s.faults.CancelLate {
			return true // the answer is given, and the item goes on to its end
		}
		i.cancelled = true
		s.busy = time.Now().Add(s.faults.Linger)
	}
	return i.finish("canceled")
}

func (s *Server) cancelBatches(w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDs []string `json:"batch_ids"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		detail(w, http.StatusUnprocessableEntity, []any{})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cancelled := 0
	for _, i := range s.items {
		if slices.Contains(in.IDs, i.BatchID) && i.open() && s.cancel(i) {
			cancelled++ // and no event for each item
		}
	}
	answer(w, http.StatusOK, map[string]any{"canceled": cancelled})
}

func (s *Server) prune(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.items)
	s.items = slices.DeleteFunc(s.items, func(i *item) bool { return !i.open() })
	answer(w, http.StatusOK, map[string]any{"deleted": before - len(s.items)})
}
