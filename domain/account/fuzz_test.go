package account_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/account"
)

// A stored snapshot that can be read gives a state, and the state gives the same snapshot for ever after.
func FuzzSnapshot(f *testing.F) {
	for _, seed := range []string{
		"{}", "null", `{"grants":null,"open":[{"ID":"res_1","Slices":[{"grant":"line","amount":1}]}]}`,
		`{"id":"acc_1","totals":{"Issuance":-5,"Available":5},"grants":[{"ID":"grt_1","Available":5}],"granted":["grt_1"]}`,
		`{"lapsed":[{"ID":"res_1"},{"ID":"res_1"}],"earliest":"2026-01-01T00:00:00+01:00"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		var read account.Snapshot
		if json.Unmarshal(stored, &read) != nil {
			return
		}
		state := account.Restore(read)
		first, err := json.Marshal(state.Snapshot())
		require.NoError(t, err)
		_ = account.Check(state) // it may find anything, but must find it
		var again account.Snapshot
		require.NoError(t, json.Unmarshal(first, &again))
		second, err := json.Marshal(account.Restore(again).Snapshot())
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}
