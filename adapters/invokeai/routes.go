package invokeai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
)

// The roots of the server's routes.
const (
	routeQueue  = "/api/v1/queue/default"
	routeImages = "/api/v1/images"
	routeModels = "/api/v2/models"
	routeApp    = "/api/v1/app"
)

// origin marks our batches in the server's queue.
const origin = "pingvas"

// enqueued is the answer to a batch.
type enqueued struct {
	Enqueued  int   `json:"enqueued"`
	Requested int   `json:"requested"`
	ItemIDs   []int `json:"item_ids"`
}

// batch is what is enqueued: one item for each value of the substitution.
type batch struct {
	ID          string           `json:"batch_id"`
	Origin      string           `json:"origin"`
	Destination string           `json:"destination"`
	Runs        int              `json:"runs"`
	Data        [][]substitution `json:"data"`
	Graph       Graph            `json:"graph"`
}

// substitution puts another value into a field of the graph for each item.
type substitution struct {
	Node  string   `json:"node_path"`
	Field string   `json:"field_name"`
	Items []uint32 `json:"items"`
}

func (c *client) enqueue(ctx context.Context, b batch) (enqueued, error) {
	var out enqueued
	err := c.do(ctx, call{
		method: http.MethodPost, path: routeQueue + "/enqueue_batch", out: &out, timeout: enqueueTimeout,
		in: map[string]any{"prepend": false, "batch": b},
	})
	return out, err
}

// counts are the items of a batch or of the queue by status.
type counts struct {
	Pending    int `json:"pending"`
	InProgress int `json:"in_progress"`
	Waiting    int `json:"waiting"`
	Completed  int `json:"completed"`
	Failed     int `json:"failed"`
	Canceled   int `json:"canceled"`
	Total      int `json:"total"`
}

func (c counts) open() int { return c.Pending + c.InProgress + c.Waiting }

func (c *client) batchStatus(ctx context.Context, id string) (counts, error) {
	var out counts
	return out, c.get(ctx, routeQueue+"/b/"+url.PathEscape(id)+"/status", nil, &out)
}

// queueStatus is what the whole queue does.
type queueStatus struct {
	Queue struct {
		counts
		BatchID string `json:"batch_id"` // of the item that runs
	} `json:"queue"`
	Processor struct {
		IsStarted    bool `json:"is_started"`
		IsProcessing bool `json:"is_processing"`
	} `json:"processor"`
}

func (c *client) queueStatus(ctx context.Context) (queueStatus, error) {
	var out queueStatus
	return out, c.get(ctx, routeQueue+"/status", nil, &out)
}

// items returns the items of a job, all attempts.
func (c *client) items(ctx context.Context, destination string) ([]item, error) {
	var out []item
	return out, c.get(ctx, routeQueue+"/list_all", url.Values{"destination": {destination}}, &out)
}

func (c *client) cancelBatches(ctx context.Context, ids ...string) error {
	return c.put(ctx, routeQueue+"/cancel_by_batch_ids", map[string]any{"batch_ids": ids}, nil)
}

func (c *client) deleteItem(ctx context.Context, id int) error {
	err := c.do(ctx, call{method: http.MethodDelete, path: routeQueue + "/i/" + strconv.Itoa(id)})
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}

func (c *client) imageBytes(ctx context.Context, name string) ([]byte, error) {
	var out []byte
	return out, c.do(ctx, call{
		method: http.MethodGet, path: routeImages + "/i/" + url.PathEscape(name) + "/full", out: &out,
		max: imageBytesMax, timeout: transferTimeout,
	})
}

// imageSession returns which session has made an image.
func (c *client) imageSession(ctx context.Context, name string) (string, error) {
	var out struct {
		SessionID string `json:"session_id"`
	}
	return out.SessionID, c.get(ctx, routeImages+"/i/"+url.PathEscape(name), nil, &out)
}

// deleteImages returns the names that are gone. The server answers with success even if it could not remove a file.
func (c *client) deleteImages(ctx context.Context, names []string) ([]string, error) {
	var out struct {
		Deleted []string `json:"deleted_images"`
	}
	return out.Deleted, c.do(ctx, call{
		method: http.MethodPost, path: routeImages + "/delete", in: map[string]any{"image_names": names}, out: &out,
	})
}

func (c *client) deleteIntermediates(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodDelete, path: routeImages + "/intermediates", timeout: transferTimeout})
}

// upload stores a PNG on the server and returns its name there.
func (c *client) upload(ctx context.Context, picture []byte) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="input.png"`}, "Content-Type": {"image/png"},
	})
	if err == nil {
		_, err = part.Write(picture)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return "", fmt.Errorf("make the upload: %w", err)
	}
	var out struct {
		Name string `json:"image_name"`
	}
	return out.Name, c.do(ctx, call{
		method: http.MethodPost, path: routeImages + "/upload", out: &out, timeout: transferTimeout,
		query: url.Values{"image_category": {"user"}, "is_intermediate": {"true"}},
		body:  &body, kind: form.FormDataContentType(),
	})
}

// model is a model that is installed on the server.
type model struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
	Name string `json:"name"`
	Base string `json:"base"`
	Type string `json:"type"`
}

func (c *client) models(ctx context.Context) ([]model, error) {
	var out struct {
		Models []model `json:"models"`
	}
	return out.Models, c.get(ctx, routeModels+"/", nil, &out)
}

func (c *client) emptyModelCache(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodPost, path: routeModels + "/empty_model_cache", timeout: transferTimeout})
}

// cacheStats is what the server says of its cache of models; it is null before the first load.
type cacheStats struct {
	InCache int              `json:"in_cache"`
	Sizes   map[string]int64 `json:"loaded_model_sizes"`
}

func (c *client) cacheStats(ctx context.Context) (cacheStats, error) {
	var out *cacheStats
	if err := c.get(ctx, routeModels+"/stats", nil, &out); err != nil || out == nil {
		return cacheStats{}, err
	}
	return *out, nil
}

func (c *client) version(ctx context.Context) (string, error) {
	var out struct {
		Version string `json:"version"`
	}
	return out.Version, c.get(ctx, routeApp+"/version", nil, &out)
}

// multiuser reports whether the server asks for a login. Servers without that route have none.
func (c *client) multiuser(ctx context.Context) (bool, error) {
	var out struct {
		Enabled bool `json:"multiuser_enabled"`
	}
	err := c.get(ctx, "/api/v1/auth/status", nil, &out)
	if hasStatus(err, http.StatusNotFound) {
		return false, nil
	}
	return out.Enabled, err
}

// nodeCache returns how many outputs of nodes the server keeps at most.
func (c *client) nodeCache(ctx context.Context) (int, error) {
	var out struct {
		Max int `json:"max_size"`
	}
	return out.Max, c.get(ctx, routeApp+"/invocation_cache/status", nil, &out)
}

func (c *client) disableNodeCache(ctx context.Context) error {
	return c.put(ctx, routeApp+"/invocation_cache/disable", nil, nil)
}

// schema returns the fields of every node that the server knows.
func (c *client) schema(ctx context.Context) (schema, error) {
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	err := c.do(ctx, call{
		method: http.MethodGet, path: "/openapi.json", out: &doc, max: schemaBytesMax, timeout: transferTimeout,
	})
	if err != nil {
		return nil, err
	}
	known := make(schema)
	for _, s := range doc.Components.Schemas {
		known.add(s.Properties)
	}
	return known, nil
}
