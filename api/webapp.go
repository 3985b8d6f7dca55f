package api

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// entry is the page that every path of the web app is answered with.
const entry = "index.html"

// assets is the folder of the files that carry a hash in their names and so never change.
const assets = "assets/"

// webApp is the built web app, or a page that says there is none.
type webApp struct {
	files   fs.FS
	index   []byte
	unbuilt bool
}

func newWebApp(files fs.FS, p *pages) (*webApp, error) {
	if files == nil {
		return &webApp{index: p.unbuilt, unbuilt: true}, nil
	}
	index, err := fs.ReadFile(files, entry)
	if err != nil {
		return nil, fmt.Errorf("read the web app: %w", err)
	}
	return &webApp{files: files, index: index}, nil
}

// serves reports whether the web app answers a request without a route. The paths of the APIs are not its own.
func (a *webApp) serves(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, reserved := range []string{"/v1", "/internal", "/docs", "/problems"} {
		if r.URL.Path == reserved || strings.HasPrefix(r.URL.Path, reserved+"/") {
			return false
		}
	}
	if r.URL.Path == "/" {
		return true
	}
	if a.unbuilt {
		return false
	}
	// A path that looks like a file is one of the app's or nothing; all others are pages of the app.
	return path.Ext(r.URL.Path) == "" || r.URL.Path == "/"+entry || a.holds(r.URL.Path)
}

func (a *webApp) holds(urlPath string) bool {
	name := strings.TrimPrefix(urlPath, "/")
	info, err := fs.Stat(a.files, name)
	return err == nil && info.Mode().IsRegular() && name != entry
}

func (a *webApp) serve(w http.ResponseWriter, r *http.Request, policy string) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-cache")
	name := strings.TrimPrefix(r.URL.Path, "/")
	if a.unbuilt || !a.holds(r.URL.Path) {
		header.Set("Content-Type", typeHTML)
		w.Write(a.index)
		return
	}
	if strings.HasPrefix(name, assets) {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, a.files, name)
}

// contentPolicy lets pages load from here, and pictures from where they lie.
func contentPolicy(pictureOrigins []string) string {
	from := strings.Join(append([]string{"'self'"}, pictureOrigins...), " ")
	return "default-src 'self'; img-src " + from + " data: blob:; connect-src " + from +
		"; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}
