package invokeai

import (
	"errors"
	"net/http"
	"strings"

	"github.com/pingvas/pingvas/workers/generate"
)

func unavailable(what string, err error) error {
	return &generate.EngineError{Class: generate.ClassUnavailable, Message: what, Err: err}
}

func interrupted(what string) error {
	return &generate.EngineError{Class: generate.ClassInterrupted, Message: what}
}

func broken(what string, err error) error {
	return &generate.EngineError{Class: generate.ClassUnknown, Message: what, Err: err}
}

// refusedBatch says what an answer to a batch means. A server that finds fault with the graph finds it again.
func refusedBatch(err error) error {
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusUnprocessableEntity {
		return &generate.EngineError{Class: generate.ClassInvalid, Message: "the server refuses the graph", Err: err}
	}
	return unavailable("enqueue the batch", err)
}

// failedItem says what the error of an item means. Only its type is kept: the message may repeat the prompt.
func failedItem(i item) *generate.EngineError {
	kind := i.ErrorType[strings.LastIndexByte(i.ErrorType, '.')+1:]
	what := "the server failed with " + cut(kind, detailCharsMax)
	e := &generate.EngineError{Class: generate.ClassUnknown, Message: what}
	switch kind {
	case "OutOfMemoryError":
		e.Class = generate.ClassOutOfMemory
	case "UnknownModelException", "ModelNotFoundException":
		e.Class = generate.ClassModelMissing
	case "ParseException", "ParsingException", "UnrecognizedOperatorException":
		e.Class = generate.ClassInvalid
	case "":
		e.Message = "the server failed without a word"
	}
	return e
}
