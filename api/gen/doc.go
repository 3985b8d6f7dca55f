// Package gen is the HTTP contract of api/openapi.yaml in Go: its types, its routes and the document itself.
package gen

//go:generate go tool oapi-codegen -config config.yaml ../openapi.yaml
