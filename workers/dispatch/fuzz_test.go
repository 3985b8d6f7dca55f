package dispatch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// Any stored event is applied or refused, and what is offered is the job that is known by that id.
func FuzzApply(f *testing.F) {
	const id = domain.GenerationID("gen_00000000000000000000000001")
	for _, typ := range generation.Events() {
		f.Add(typ.Name, []byte(`{"generation":"`+id+`","attempt":2}`))
		f.Add(typ.Name, []byte(`{"generation":1}`))
	}
	f.Add("account.opened.v1", []byte("{"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := decode(eventstore.Envelope{Type: name, Data: data})
		if err != nil {
			require.Nil(t, e)
			return
		}
		state := NewState([]Job{{Offer: generation.Offer{Generation: id, Attempt: 1}}})
		said, ok := state.Apply(e)
		require.Equal(t, ok, said.Topic != "")
		for _, offer := range state.Open() {
			require.Equal(t, offer.Generation, state.jobs[offer.Generation].Offer.Generation)
		}
		if said.Offer != nil {
			require.Contains(t, state.Open(), *said.Offer)
		}
	})
}
