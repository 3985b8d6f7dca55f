// Package web embeds the built web app. Its sources lie beside this file: a React app that talks to the public API
// only. `npm ci && npm run build` in this folder makes it; a binary built without that serves the API alone.
package web
