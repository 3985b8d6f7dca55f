package invokeai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Forget implements generate.Engine: the pictures that the attempt has made, its inputs and its items are removed from
// the server. A picture of another session is left alone, whoever names it.
func (e *Engine) Forget(ctx context.Context, id string, attempt int) error {
	items, err := e.client.items(ctx, id)
	if err != nil {
		return fmt.Errorf("look for what an attempt has left: %w", err)
	}
	mine := slices.DeleteFunc(items, func(i item) bool { return i.BatchID != batchID(id, attempt) })
	var faults []error
	for _, i := range mine {
		faults = append(faults, e.forgetItem(ctx, i))
	}
	return errors.Join(faults...)
}

func (e *Engine) forgetItem(ctx context.Context, i item) error {
	made, names := i.images()
	for _, name := range made {
		session, err := e.client.imageSession(ctx, name)
		switch {
		case hasStatus(err, http.StatusNotFound):
		case err != nil:
			return fmt.Errorf("ask whose a picture is: %w", err)
		case session == i.SessionID:
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		gone, err := e.client.deleteImages(ctx, names)
		if err != nil {
			return fmt.Errorf("delete pictures: %w", err)
		}
		if err := e.leftBehind(ctx, names, gone); err != nil {
			return err // the item is kept: it says what is left
		}
	}
	return e.client.deleteItem(ctx, i.ID)
}

// leftBehind returns an error if pictures are still there that were to be deleted.
func (e *Engine) leftBehind(ctx context.Context, names, gone []string) error {
	for _, name := range names {
		if slices.Contains(gone, name) {
			continue
		}
		if _, err := e.client.imageSession(ctx, name); !hasStatus(err, http.StatusNotFound) {
			return fmt.Errorf("the server has not deleted the picture %s", name)
		}
	}
	return nil
}
