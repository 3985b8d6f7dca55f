package bleve

import (
	"fmt"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/whitespace"
	"github.com/blevesearch/bleve/v2/mapping"
)

// schemaVersion is that of the mapping and of how words are cut. Raise it with any change of these.
const schemaVersion = 1

// The fields of a document. What was deleted has fieldVersion alone, so nothing finds it.
const (
	fieldAccount         = "account"
	fieldTerms           = "terms"
	fieldSingles         = "singles"
	fieldNegative        = "negative"
	fieldNegativeSingles = "negative_singles"
	fieldTags            = "tags"
	fieldModel           = "model"
	fieldWidth           = "width"
	fieldHeight          = "height"
	fieldSeed            = "seed"
	fieldFavourite       = "favourite"
	fieldCreated         = "created"
	fieldOrder           = "order" // time of creation as text that sorts
	fieldVersion         = "version"
)

const analyzer = "words"

func newMapping() (mapping.IndexMapping, error) {
	m := bleve.NewIndexMapping()
	// The words were cut before: see words.go.
	err := m.AddCustomAnalyzer(analyzer, map[string]any{"type": custom.Name, "tokenizer": whitespace.Name})
	if err != nil {
		return nil, fmt.Errorf("define the analyzer: %w", err)
	}
	doc := bleve.NewDocumentStaticMapping()
	for _, name := range []string{fieldTerms, fieldSingles, fieldNegative, fieldNegativeSingles} {
		field := bleve.NewTextFieldMapping()
		field.Analyzer, field.DocValues = analyzer, false
		add(doc, name, field)
	}
	for _, name := range []string{fieldAccount, fieldTags, fieldModel} {
		field := bleve.NewKeywordFieldMapping()
		field.DocValues = false
		add(doc, name, field)
	}
	add(doc, fieldOrder, bleve.NewKeywordFieldMapping())
	for _, name := range []string{fieldWidth, fieldHeight, fieldSeed} {
		add(doc, name, bleve.NewNumericFieldMapping())
	}
	add(doc, fieldFavourite, bleve.NewBooleanFieldMapping())
	add(doc, fieldCreated, bleve.NewDateTimeFieldMapping())
	version := bleve.NewNumericFieldMapping()
	version.Index, version.DocValues, version.Store, version.IncludeInAll = false, false, true, false
	doc.AddFieldMappingsAt(fieldVersion, version)
	m.DefaultMapping = doc
	return m, nil
}

func add(doc *mapping.DocumentMapping, name string, field *mapping.FieldMapping) {
	field.Store, field.IncludeInAll = false, false
	doc.AddFieldMappingsAt(name, field)
}
