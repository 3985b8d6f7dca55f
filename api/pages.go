package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
)

//go:embed pages
var pageFiles embed.FS

// pages are the pages that explain the API, rendered once: they depend on the program only.
type pages struct {
	spec, style, docs, problems, unbuilt []byte
	problem                              map[domain.Code][]byte
}

func newPages(doc *openapi3.T) (*pages, error) {
	templates, err := template.New("").Funcs(template.FuncMap{"marked": marked}).ParseFS(pageFiles, "pages/*.gohtml")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	p := &pages{problem: map[domain.Code][]byte{}}
	if p.spec, err = gen.GetSpecJSON(); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if p.style, err = pageFiles.ReadFile("pages/style.css"); err != nil {
		return nil, fmt.Errorf("read the style of the pages: %w", err)
	}
	render := func(name string, data any) []byte {
		var page bytes.Buffer
		if err == nil {
			err = templates.ExecuteTemplate(&page, name, data)
		}
		return page.Bytes()
	}
	p.docs, p.problems, p.unbuilt = render("docs", viewDocs(doc)), render("problems", Kinds()), render("unbuilt", nil)
	for _, k := range Kinds() {
		p.problem[k.Code] = render("problem", k)
	}
	if err != nil {
		return nil, fmt.Errorf("render the pages: %w", err)
	}
	return p, nil
}

// The mark-up that descriptions use.
var (
	codeMark = regexp.MustCompile("`([^`]*)`")
	boldMark = regexp.MustCompile(`\*\*([^*]*)\*\*`)
)

// marked turns the little mark-up of descriptions into HTML: paragraphs, `code` and **bold**.
func marked(text string) template.HTML {
	var out strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if paragraph == "" {
			continue
		}
		escaped := html.EscapeString(paragraph)
		escaped = codeMark.ReplaceAllString(escaped, "<code>$1</code>")
		escaped = boldMark.ReplaceAllString(escaped, "<strong>$1</strong>")
		out.WriteString("<p>" + escaped + "</p>")
	}
	return template.HTML(out.String())
}

// pageRoutes are the routes beside the two APIs.
func (s *Server) pageRoutes(r *mux.Router) {
	read := []string{http.MethodGet, http.MethodHead}
	r.HandleFunc("/openapi.json", s.page("application/json", s.pages.spec)).Methods(read...)
	r.HandleFunc("/docs", s.page(typeHTML, s.pages.docs)).Methods(read...)
	r.HandleFunc("/docs/style.css", s.page("text/css; charset=utf-8", s.pages.style)).Methods(read...)
	r.HandleFunc("/problems", s.page(typeHTML, s.pages.problems)).Methods(read...)
	r.HandleFunc("/problems/{code}", s.problemPage).Methods(read...)
	r.HandleFunc("/health", s.page("application/json", []byte(`{"status":"ok"}`))).Methods(read...)
	r.HandleFunc("/ready", s.readiness).Methods(read...)
	r.Handle("/metrics", s.metrics.page).Methods(http.MethodGet)
}

const typeHTML = "text/html; charset=utf-8"

// page serves bytes that change with the program only.
func (s *Server) page(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { s.writePage(w, contentType, body) }
}

func (s *Server) writePage(w http.ResponseWriter, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", s.policy)
	w.Write(body)
}

func (s *Server) problemPage(w http.ResponseWriter, r *http.Request) {
	body, ok := s.pages.problem[domain.Code(mux.Vars(r)["code"])]
	if !ok {
		s.fail(w, r, domain.Errorf(domain.CodeNotFound, "there is no such problem code"))
		return
	}
	s.writePage(w, typeHTML, body)
}

// readiness answers whether the server should get requests.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request) {
	var missing []gen.FieldError
	answer := struct {
		Status   string   `json:"status"`
		Warnings []string `json:"warnings,omitempty"`
	}{Status: "ready"}
	for _, check := range s.ready {
		if err := check.Ready(r.Context()); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "part", check.Name, "error", err)
			if check.Advisory {
				answer.Warnings = append(answer.Warnings, check.Name+": not as it should be")
				continue
			}
			missing = append(missing, gen.FieldError{Pointer: check.Name, Detail: "is not ready"})
		}
	}
	if len(missing) > 0 {
		s.fail(w, r, &refusal{code: codeNotReady, detail: "some parts are not ready", fields: missing})
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}
