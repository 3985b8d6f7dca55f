package web

import (
	"embed"
	"io/fs"
)

// built holds what `npm run build` made. Where that did not run it holds a placeholder only.
//
//go:embed all:dist
var built embed.FS

// entry is the page that every path of the app is answered with.
const entry = "index.html"

// Files returns the built web app with index.html at its root, and false if this binary was built without it.
func Files() (fs.FS, bool) {
	return appIn(built)
}

func appIn(embedded fs.FS) (fs.FS, bool) {
	app, err := fs.Sub(embedded, "dist")
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(app, entry); err != nil {
		return nil, false
	}
	return app, true
}
