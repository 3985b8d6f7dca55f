package invokeai

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The final statuses of an item.
const (
	statusCompleted = "completed"
	statusFailed    = "failed"
	statusCanceled  = "canceled"
)

// item is one run of a graph in the server's queue.
type item struct {
	ID          int     `json:"item_id"`
	Status      string  `json:"status"`
	BatchID     string  `json:"batch_id"`
	Origin      string  `json:"origin"`
	SessionID   string  `json:"session_id"`
	ErrorType   string  `json:"error_type"`
	StartedAt   string  `json:"started_at"`
	CompletedAt string  `json:"completed_at"`
	Session     session `json:"session"`
}

// session is the run itself. Results have generated keys; the mapping leads from our node ids to them.
type session struct {
	Graph struct {
		Nodes map[string]json.RawMessage `json:"nodes"`
	} `json:"graph"`
	Results  map[string]nodeOutput `json:"results"`
	Prepared map[string][]string   `json:"source_prepared_mapping"`
}

type nodeOutput struct {
	Type  string `json:"type"`
	Image *struct {
		Name string `json:"image_name"`
	} `json:"image"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// output returns the name of the picture that the item was made for.
func (i item) output() (nodeOutput, error) {
	prepared := i.Session.Prepared[nodeOut]
	if len(prepared) == 0 {
		return nodeOutput{}, fmt.Errorf("item %d has no result of node %q", i.ID, nodeOut)
	}
	out, ok := i.Session.Results[prepared[0]]
	if !ok || out.Image == nil || out.Image.Name == "" {
		return nodeOutput{}, fmt.Errorf("item %d has no picture", i.ID)
	}
	return out, nil
}

// images returns the names of everything that the item has written, and of what was uploaded for it.
func (i item) images() (made, uploaded []string) {
	for _, r := range i.Session.Results {
		if r.Image != nil {
			made = append(made, r.Image.Name)
		}
	}
	for _, node := range i.Session.Graph.Nodes {
		var reads struct {
			Image *struct {
				Name string `json:"image_name"`
			} `json:"image"`
		}
		if json.Unmarshal(node, &reads) == nil && reads.Image != nil && reads.Image.Name != "" {
			uploaded = append(uploaded, reads.Image.Name)
		}
	}
	slices.Sort(made)
	slices.Sort(uploaded)
	return slices.Compact(made), slices.Compact(uploaded)
}

// took returns how long the item ran, from the server's own clock.
func (i item) took() time.Duration {
	started, err := parseTime(i.StartedAt)
	if err != nil {
		return 0
	}
	ended, err := parseTime(i.CompletedAt)
	if err != nil {
		return 0
	}
	return max(0, ended.Sub(started))
}

// parseTime reads the times of SQLite, which are UTC without saying so.
func parseTime(text string) (time.Time, error) {
	return time.ParseInLocation("2006-01-02 15:04:05.999", text, time.UTC)
}
