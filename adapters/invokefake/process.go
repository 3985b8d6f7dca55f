package invokefake

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	goimage "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"maps"
	"slices"
	"time"
)

func (s *Server) wakeUp() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// process runs the items one after another.
func (s *Server) process() {
	for {
		s.mu.Lock()
		i := s.next()
		s.mu.Unlock()
		if i != nil {
			s.run(i)
			continue
		}
		select {
		case <-s.closing:
			return
		case <-s.work:
		}
	}
}

// next starts the oldest item that waits. It needs the lock.
func (s *Server) next() *item {
	select {
	case <-s.closing:
		return nil
	default:
	}
	for _, i := range s.items {
		if i.Status == "pending" {
			i.Status, i.StartedAt, s.running = "in_progress", stamp(), i
			s.mark(i, func(m *Marks) { m.Started = time.Now() })
			s.changed(i)
			return i
		}
	}
	return nil
}

// mark needs the lock. Only the first start of a job counts.
func (s *Server) mark(i *item, set func(*Marks)) {
	m := s.marks[i.Destination]
	if started := m.Started; !started.IsZero() {
		set(&m)
		m.Started = started
	} else {
		set(&m)
	}
	s.marks[i.Destination] = m
}

// changed tells of the status of an item. It needs the lock.
func (s *Server) changed(i *item) {
	s.tell("queue_item_status_changed", map[string]any{
		"item_id": i.ID, "batch_id": i.BatchID, "destination": i.Destination, "status": i.Status,
	})
}

// run takes one item to its end.
func (s *Server) run(i *item) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = nil
	}()
	if !s.load(i) {
		return
	}
	steps := stepsOf(i.Session.Graph)
	for step := range steps {
		s.mu.Lock()
		failed := s.faults.FailWith != "" && spend(&s.faults.FailItems)
		if failed {
			s.fail(i, s.faults.FailWith)
		}
		s.mu.Unlock()
		if failed || !s.pass(i, s.cfg.Step) {
			return
		}
		s.progress(i, step+1, steps)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complete(i)
}

// fail ends an item with an error whose message repeats the prompt. It needs the lock.
func (s *Server) fail(i *item, kind string) {
	message := fmt.Sprintf("%v", i.Session.Graph.Nodes)
	if i.finish("failed") {
		i.ErrorType, i.ErrorMessage = &kind, &message
		s.changed(i)
	}
}

// pass lets time go by and reports whether the item still runs.
func (s *Server) pass(i *item, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.closing:
		return false
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.open() && !i.cancelled
}

// load loads the model of a graph. It is not interrupted by a cancellation.
func (s *Server) load(i *item) bool {
	loader, _ := i.Session.Graph.Nodes["model"]["model"].(map[string]any)
	if loader == nil {
		return s.pass(i, 0)
	}
	key, _ := loader["key"].(string)
	s.mu.Lock()
	installed := slices.ContainsFunc(s.cfg.Models, func(m Model) bool { return m.Key == key })
	if !installed {
		s.fail(i, "UnknownModelException")
	}
	loaded := s.loaded[key]
	event := map[string]any{"config": loader, "submodel_type": "unet"}
	if installed && !loaded {
		s.tell("model_load_started", event)
	}
	s.mu.Unlock()
	if !installed || loaded {
		return installed && s.pass(i, 0)
	}
	open := s.pass(i, s.cfg.Load)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded[key] = true
	s.tell("model_load_complete", event)
	return open
}

func (s *Server) progress(i *item, step, steps int) {
	preview := goimage.NewGray(goimage.Rect(0, 0, 16, 16))
	preview.Pix[0] = uint8(step)
	var file bytes.Buffer
	_ = jpeg.Encode(&file, preview, nil) // a buffer cannot fail
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell("invocation_progress", map[string]any{
		"item_id": i.ID, "batch_id": i.BatchID, "invocation_source_id": "denoise",
		"percentage": float64(step) / float64(steps), "message": "Denoising",
		"image": map[string]any{
			"width": 16, "height": 16,
			"dataURL": "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(file.Bytes()),
		},
	})
}

// complete makes the pictures of an item. It needs the lock.
func (s *Server) complete(i *item) {
	if i.cancelled || !i.open() {
		return
	}
	g := i.Session.Graph
	i.Session.Prepared = map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(g.Nodes)) {
		prepared := fmt.Sprintf("prepared-%d-%s", i.ID, id)
		i.Session.Prepared[id] = []string{prepared}
		kind, _ := g.Nodes[id]["type"].(string)
		if !slices.Contains(s.kinds[kind].Outputs, "image") {
			i.Session.Results[prepared] = map[string]any{"type": kind + "_output"}
			continue
		}
		if read, ok := g.Nodes[id]["image"].(map[string]any); ok && s.images[fmt.Sprint(read["image_name"])] == nil {
			s.fail(i, "ImageFileNotFoundException")
			return
		}
		s.tell("invocation_started", map[string]any{"batch_id": i.BatchID, "invocation_source_id": id})
		i.Session.Results[prepared] = s.picture(i, id)
	}
	if i.finish("completed") {
		s.mark(i, func(m *Marks) { m.Completed = time.Now() })
		s.changed(i)
	}
}

// picture makes the picture of one node and returns its output. It needs the lock.
func (s *Server) picture(i *item, node string) map[string]any {
	width, height := sizeOf(i.Session.Graph)
	name := fmt.Sprintf("image-%d-%s.png", i.ID, node)
	if earlier := s.earlier(node); s.faults.Cached && earlier != "" {
		name = earlier
	} else {
		s.images[name] = &image{
			name: name, session: i.SessionID, node: node, intermediate: node != "out", width: width, height: height,
			file: draw(i.Session.Graph, width, height, s.cfg.Photos),
		}
	}
	return map[string]any{
		"type": "image_output", "width": width, "height": height, "image": map[string]any{"image_name": name},
	}
}

func (s *Server) earlier(node string) string {
	for name, m := range s.images {
		if m.node == node {
			return name
		}
	}
	return ""
}

// number returns a field of the graph's nodes, wherever it is.
func number(g graph, field string, kinds ...string) int {
	for _, node := range g.Nodes {
		if kind, _ := node["type"].(string); slices.Contains(kinds, kind) {
			if n, ok := node[field].(float64); ok {
				return int(n)
			}
		}
	}
	return 0
}

func sizeOf(g graph) (width, height int) {
	kinds := []string{"noise", "flux_denoise", "blank_image"}
	return number(g, "width", kinds...), number(g, "height", kinds...)
}

func stepsOf(g graph) int {
	return number(g, "steps", "denoise_latents") + number(g, "num_steps", "flux_denoise")
}

// draw makes a picture that follows from the graph, the seed included, with the texts that InvokeAI writes.
func draw(g graph, width, height int, photo bool) []byte {
	encoded, _ := json.Marshal(withoutNames(g)) // maps of JSON
	sum := fnv.New64a()
	sum.Write(encoded)
	h := sum.Sum64()
	if photo {
		return withText(photograph(h, width, height), "invokeai_graph", string(encoded))
	}
	img := goimage.NewPaletted(goimage.Rect(0, 0, max(width, 1), max(height, 1)), color.Palette{
		color.RGBA{uint8(h), uint8(h >> 8), uint8(h >> 16), 255},
		color.RGBA{uint8(h >> 24), uint8(h >> 32), uint8(h >> 40), 255},
	})
	for y := range height / 2 {
		for x := range width {
			img.SetColorIndex(x, y, 1)
		}
	}
	var file bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	_ = encoder.Encode(&file, img) // a buffer cannot fail
	return withText(file.Bytes(), "invokeai_graph", string(encoded))
}

// photograph makes a picture with noise on a gradient, which compresses as badly as a photograph.
func photograph(seed uint64, width, height int) []byte {
	img := goimage.NewNRGBA(goimage.Rect(0, 0, width, height))
	for i := range width * height {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		noise := uint8(seed) & 15
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2] = uint8(i%width>>3)+noise, uint8(i/width>>3)+noise, noise<<2
		img.Pix[4*i+3] = 0xff
	}
	var file bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	_ = encoder.Encode(&file, img) // a buffer cannot fail
	return file.Bytes()
}

// withoutNames leaves out the names of uploads, which differ where nothing else does.
func withoutNames(g graph) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, node := range g.Nodes {
		out[id] = maps.Clone(node)
		if _, ok := node["image"]; ok {
			out[id]["image"] = "a picture"
		}
	}
	return out
}

// withText puts a text chunk behind the header of a PNG.
func withText(file []byte, keyword, text string) []byte {
	const header = 8 + 12 + 13
	data := append([]byte("tEXt"+keyword+"\x00"), text...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)-4))
	chunk = append(chunk, data...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(data))
	return slices.Concat(file[:header], chunk, file[header:])
}
