package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// mappingVersion is that of the mapping and of how words are cut. Raise it with any change of these: the view then
// fills a new index while the old one answers.
const mappingVersion = 1

// The fields of a document. What was removed has none, so nothing finds it.
const (
	fieldAccount         = "account"
	fieldImage           = "image"
	fieldTerms           = "terms"
	fieldSingles         = "singles"
	fieldKorean          = "korean"
	fieldNegative        = "negative"
	fieldNegativeSingles = "negative_singles"
	fieldNegativeKorean  = "negative_korean"
	fieldTags            = "tags"
	fieldModel           = "model"
	fieldWidth           = "width"
	fieldHeight          = "height"
	fieldSeed            = "seed"
	fieldFavourite       = "favourite"
	fieldCreated         = "created" // microseconds
	fieldBrevity         = "brevity"
)

// templatePriority is above that of the templates that servers bring along.
const templatePriority = 500

// keywordBytesMax is how long a word that is not cut may be for the server.
const keywordBytesMax = 32766

// ours begins the names of the indexes of this mapping.
func (e *Engine) ours() string { return e.cfg.Prefix + "-m" + strconv.Itoa(mappingVersion) + "-" }

// readsKorean reports whether an index was made with Nori.
func (e *Engine) readsKorean(index string) bool { return strings.HasPrefix(index, e.ours()+noriPart) }

// How an index reads Korean is part of its name.
const (
	noriPart = "nori-"
	cjkPart  = "cjk-"
)

type object = map[string]any

// body panics for what JSON cannot say, which is a mistake of this package.
func body(v any) io.Reader {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("opensearch: encode a request: %v", err))
	}
	return bytes.NewReader(text)
}

func exists(err error) bool {
	return answered(err, http.StatusBadRequest, "resource_already_exists_exception")
}
func missing(err error) bool { return answered(err, http.StatusNotFound, "index_not_found_exception") }

func answered(err error, status int, kind string) bool {
	var answer *statusError
	return errors.As(err, &answer) && answer.Status == status && answer.Type == kind
}

// probe reports whether the server has Nori, and says loudly if it has not.
func (e *Engine) probe(ctx context.Context) (bool, error) {
	err := e.send(ctx, requestTimeout, nil, func() request {
		return esapi.IndicesAnalyzeRequest{Body: body(object{"tokenizer": "nori_tokenizer", "text": "고양이가 잔다"})}
	})
	var answer *statusError
	if err != nil && (!errors.As(err, &answer) || answer.Status != http.StatusBadRequest) {
		return false, fmt.Errorf("ask the search server for Nori: %w", err)
	}
	nori := err == nil
	e.cfg.Observer.Korean(nori)
	if !nori {
		e.cfg.Log.WarnContext(ctx, "THE SEARCH SERVER HAS NO NORI: Korean is found by pairs of syllables (cjk) alone, "+
			"and not by its morphemes. Install the plugin analysis-nori on every node and rebuild the view search.")
	}
	return nori, nil
}

// Inspect tells the observer and the log how the server reads Korean, and whether the index could do better.
func (e *Engine) Inspect(ctx context.Context) error {
	nori, err := e.probe(ctx)
	if err != nil {
		return err
	}
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	name := found.with(e.readAlias())
	if nori && name != "" && !e.readsKorean(name) {
		e.cfg.Log.WarnContext(ctx, "the search server has Nori now, and the index was made without it: "+
			"rebuild the view search", "index", name)
	}
	return nil
}

// putTemplate tells the server what indexes of ours are like.
func (e *Engine) putTemplate(ctx context.Context, nori bool) error {
	template := object{
		"index_patterns": []string{e.ours() + "*"},
		"priority":       templatePriority,
		"template": object{
			"settings": object{"index": object{
				"number_of_shards":     e.cfg.Shards,
				"auto_expand_replicas": "0-1",
				// What is written is refreshed by hand, when it must be seen.
				"refresh_interval": "30s",
				"analysis":         analysis(nori),
			}},
			"mappings": mappings(nori),
		},
	}
	err := e.send(ctx, requestTimeout, nil, func() request {
		return esapi.IndicesPutIndexTemplateRequest{Name: e.cfg.Prefix, Body: body(template)}
	})
	if err != nil {
		return fmt.Errorf("write the template of the search indexes: %w", err)
	}
	return nil
}

// analysis cuts at spaces what was cut into words before. Nori reads the text itself.
func analysis(nori bool) object {
	analyzers := object{"words": object{"type": "custom", "tokenizer": "whitespace"}}
	if !nori {
		return object{"analyzer": analyzers}
	}
	// Compounds and inflected verbs are indexed whole and in parts, and asked for in parts: 내렸다 and 내리는 are both 내리.
	for name, tokenizer := range map[string]string{"korean": "korean_mixed", "korean_asked": "korean_parts"} {
		analyzers[name] = object{
			"type": "custom", "tokenizer": tokenizer,
			"filter": []string{"nori_part_of_speech", "nori_readingform", "lowercase"},
		}
	}
	return object{
		"analyzer": analyzers,
		"tokenizer": object{
			"korean_mixed": object{"type": "nori_tokenizer", "decompound_mode": "mixed"},
			"korean_parts": object{"type": "nori_tokenizer", "decompound_mode": "discard"},
		},
	}
}

func mappings(nori bool) object {
	keyword := func(kept bool) object {
		return object{"type": "keyword", "doc_values": kept, "index": true}
	}
	text := func(options string) object {
		return object{"type": "text", "analyzer": "words", "norms": false, "index_options": options}
	}
	fields := object{
		fieldAccount: keyword(false), fieldImage: object{"type": "keyword", "index": false},
		fieldTerms: text("positions"), fieldSingles: text("docs"),
		fieldNegative: text("positions"), fieldNegativeSingles: text("docs"),
		fieldTags: keyword(true), fieldModel: keyword(true),
		fieldWidth: object{"type": "integer"}, fieldHeight: object{"type": "integer"}, fieldSeed: object{"type": "long"},
		fieldFavourite: object{"type": "boolean"}, fieldCreated: object{"type": "long"}, fieldBrevity: object{"type": "byte"},
	}
	if nori {
		korean := object{
			"type": "text", "analyzer": "korean", "search_analyzer": "korean_asked", "norms": false,
			"index_options": "positions",
		}
		fields[fieldKorean], fields[fieldNegativeKorean] = korean, korean
	}
	return object{
		"dynamic":    "strict",
		"_routing":   object{"required": true},
		"_source":    object{"enabled": false}, // the gallery has it all
		"properties": fields,
	}
}
