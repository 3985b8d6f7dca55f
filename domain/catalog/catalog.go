package catalog

import (
	"slices"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
)

// Events returns the type of every event that may stand in the ledger.
func Events() []domain.EventType {
	return slices.Concat(account.Events(), generation.Events(), image.Events(), library.Events())
}
