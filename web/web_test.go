package web

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAppIsFoundWhenBuilt(t *testing.T) {
	t.Parallel()
	app, ok := appIn(fstest.MapFS{
		"dist/.gitkeep":       {},
		"dist/index.html":     {Data: []byte("<!doctype html>")},
		"dist/assets/app.js":  {Data: []byte("1")},
		"dist/assets/app.css": {Data: []byte("a{}")},
	})
	require.True(t, ok)
	script, err := fs.ReadFile(app, "assets/app.js")
	require.NoError(t, err)
	require.Equal(t, "1", string(script))
}

func TestPlaceholderIsNotAnApp(t *testing.T) {
	t.Parallel()
	_, ok := appIn(fstest.MapFS{"dist/.gitkeep": {}})
	require.False(t, ok)
}

func TestEmbeddedFilesMatchTheirAnswer(t *testing.T) {
	t.Parallel()
	app, ok := Files()
	if !ok {
		require.Nil(t, app)
		return
	}
	page, err := fs.ReadFile(app, entry)
	require.NoError(t, err)
	require.Contains(t, string(page), `<div id="root">`)
}
