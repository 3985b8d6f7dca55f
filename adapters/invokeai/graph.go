package invokeai

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Graph is what the server runs: nodes by id, and the edges that hand the output of one to the input of another.
type Graph struct {
	ID    string          `json:"id"`
	Nodes map[string]Node `json:"nodes"`
	Edges []Edge          `json:"edges"`
}

// Node is one step; its fields are those of its type.
type Node map[string]any

// Edge leads from an output to an input.
type Edge struct {
	Source      Port `json:"source"`
	Destination Port `json:"destination"`
}

// Port is a field of a node.
type Port struct {
	Node  string `json:"node_id"`
	Field string `json:"field"`
}

// The ids of the nodes that are known by name: progress is told of nodeDenoise, and nodeOut makes the picture.
const (
	nodeModel   = "model"
	nodeDenoise = "denoise"
	nodeOut     = "out"
	nodeNoise   = "noise"
)

// drawing is a graph with the field that takes the seed of each picture.
type drawing struct {
	graph     Graph
	seedNode  string
	seedField string
}

// builder puts a graph together.
type builder struct{ g Graph }

func newBuilder() *builder {
	return &builder{Graph{ID: "pingvas", Nodes: map[string]Node{}, Edges: []Edge{}}}
}

// add adds a node. Its output is never cached: a cached one would be the picture of another job. Pictures on the way
// to the last one are intermediate, which keeps them out of the server's gallery.
func (b *builder) add(id, kind string, fields Node) {
	node := Node{"id": id, "type": kind, "use_cache": false, "is_intermediate": id != nodeOut}
	maps.Copy(node, fields)
	b.g.Nodes[id] = node
}

// join adds an edge between two fields, each "node.field".
func (b *builder) join(from, to string) {
	b.g.Edges = append(b.g.Edges, Edge{portOf(from), portOf(to)})
}

func portOf(text string) Port {
	node, field, _ := strings.Cut(text, ".")
	return Port{node, field}
}

// identifier is how a graph names a model; the server loads it by its key and wants the rest all the same.
func (m model) identifier() Node {
	return Node{"key": m.Key, "hash": m.Hash, "name": m.Name, "base": m.Base, "type": m.Type}
}

// schema says which fields the nodes of a server have, by the node's type.
type schema map[string]map[string]bool

// add learns a node from its JSON schema; other schemas are passed over.
func (s schema) add(properties map[string]json.RawMessage) {
	var kind struct {
		Const string `json:"const"`
	}
	_, cached := properties["use_cache"]
	if !cached || json.Unmarshal(properties["type"], &kind) != nil || kind.Const == "" {
		return
	}
	fields := make(map[string]bool, len(properties))
	for name := range properties {
		fields[name] = true
	}
	s[kind.Const] = fields
}

// has reports whether the server's nodes of a kind have a field.
func (s schema) has(kind, field string) bool { return s[kind][field] }

// check returns what of the graph the server does not know. A field that it does not know it would pass over in
// silence, and draw something else.
func (s schema) check(g Graph) error {
	var faults []error
	unknown := func(kind, field string) {
		if !s.has(kind, field) {
			faults = append(faults, fmt.Errorf("%s.%s", kind, field))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(g.Nodes)) {
		node := g.Nodes[id]
		kind, _ := node["type"].(string)
		for _, field := range slices.Sorted(maps.Keys(node)) {
			unknown(kind, field)
		}
	}
	for _, e := range g.Edges {
		kind, _ := g.Nodes[e.Destination.Node]["type"].(string)
		unknown(kind, e.Destination.Field)
	}
	return errors.Join(faults...)
}
