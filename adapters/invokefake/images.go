package invokefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
)

// uploadBytesMax bounds an upload.
const uploadBytesMax = 64 << 20

type image struct {
	name, session, node string
	intermediate        bool
	width, height       int
	file                []byte
}

func (m *image) record() map[string]any {
	return map[string]any{
		"image_name": m.name, "width": m.width, "height": m.height, "is_intermediate": m.intermediate,
		"session_id": m.session, "node_id": m.node, "image_category": "general",
	}
}

// upload takes a PNG in a form, as InvokeAI does: 415 for a part that is not declared as an image.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, uploadBytesMax)
	part, header, err := r.FormFile("file")
	if err != nil {
		detail(w, http.StatusUnprocessableEntity, []any{})
		return
	}
	defer func() { _ = part.Close() }()
	if !strings.HasPrefix(header.Header.Get("Content-Type"), "image/") {
		detail(w, http.StatusUnsupportedMediaType, "Not an image")
		return
	}
	file, err := io.ReadAll(part)
	if err != nil {
		detail(w, http.StatusInternalServerError, "Failed to read image")
		return
	}
	about, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		detail(w, http.StatusUnsupportedMediaType, "Failed to read image")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	m := &image{
		name: fmt.Sprintf("upload-%d.png", s.made), intermediate: r.URL.Query().Get("is_intermediate") == "true",
		width: about.Width, height: about.Height, file: file,
	}
	s.images[m.name] = m
	answer(w, http.StatusCreated, m.record())
}

func (s *Server) getImage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.images[r.PathValue("name")]; m != nil {
		answer(w, http.StatusOK, m.record())
		return
	}
	detail(w, http.StatusNotFound, "Not Found")
}

func (s *Server) imageBytes(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m, conflict := s.images[r.PathValue("name")], spend(&s.faults.ImageConflicts)
	s.mu.Unlock()
	switch {
	case conflict:
		detail(w, http.StatusConflict, "Image move in progress")
	case m == nil:
		detail(w, http.StatusNotFound, "Not Found")
	default:
		w.Header().Set("Content-Type", "image/png")
		w.Write(m.file)
	}
}

func (s *Server) deleteImages(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Names []string `json:"image_names"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		detail(w, http.StatusUnprocessableEntity, []any{})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := []string{}
	for _, name := range in.Names {
		if s.images[name] != nil && !s.faults.KeepImages {
			delete(s.images, name)
			gone = append(gone, name)
		}
	}
	answer(w, http.StatusOK, map[string]any{"deleted_images": gone, "failed_images": []string{}})
}

func (s *Server) deleteIntermediates(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for name, m := range s.images {
		if m.intermediate {
			delete(s.images, name)
			n++
		}
	}
	answer(w, http.StatusOK, n)
}
