package bleve

import (
	"fmt"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/whitespace"
	"github.com/blevesearch/bleve/v2/mapping"
)

// schemaVersion is that of the mapping, of the folders, and of how words are cut. Raise it with any change of these.
const schemaVersion = 2

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
	fieldCreated         = "created" // microseconds
	fieldTime            = "time"    // place in the order of time, as text that sorts
	fieldBest            = "best"    // place in the order of SortBest, as text that sorts
	fieldVersion         = "version"
)

const analyzer = "words"

func newMapping() (mapping.IndexMapping, error) {
	m := bleve.NewIndexMapping()
	// The words were cut before.
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
	// Numbers that are only asked for as they are are words, too: as numbers they take sixteen terms each.
	for _, name := range []string{fieldAccount, fieldWidth, fieldHeight, fieldSeed} {
		field := bleve.NewKeywordFieldMapping()
		field.DocValues, field.IncludeTermVectors = false, false
		add(doc, name, field)
	}
	for _, name := range []string{fieldTags, fieldModel, fieldFavourite} { // facets are counted in their values
		field := bleve.NewKeywordFieldMapping()
		field.IncludeTermVectors = false
		add(doc, name, field)
	}
	for _, name := range []string{fieldTime, fieldBest} { // values only: nobody looks for them
		field := bleve.NewKeywordFieldMapping()
		field.IncludeTermVectors = false
		add(doc, name, field)
	}
	created := bleve.NewNumericFieldMapping()
	created.DocValues = false
	add(doc, fieldCreated, created)
	version := bleve.NewNumericFieldMapping()
	add(doc, fieldVersion, version)
	version.Index, version.DocValues, version.Store = false, false, true
	m.DefaultMapping = doc
	return m, nil
}

func add(doc *mapping.DocumentMapping, name string, field *mapping.FieldMapping) {
	field.Store, field.IncludeInAll = false, false
	doc.AddFieldMappingsAt(name, field)
}
