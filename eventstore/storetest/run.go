package storetest

import (
	"testing"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// suite is one test of one store: its shard is the last, so that nothing works only for shard 0.
type suite struct {
	store eventstore.Store
	shard int
	// a, b and c are accounts of the shard.
	a, b, c domain.AccountID
}

// Run tests that a store does what eventstore.Store promises. Open returns an empty store with two shards or more,
// good until the test ends.
func Run(t *testing.T, open func(testing.TB) eventstore.Store) {
	tests := map[string]func(*testing.T, *suite){
		"empty ledger":                          testEmptyLedger,
		"append and read":                       testAppendAndRead,
		"one unit over several streams":         testSeveralStreams,
		"units of one call are adjacent":        testAdjacentUnits,
		"a conflict costs only its unit":        testConflict,
		"every wrong version is a conflict":     testWrongVersions,
		"a duplicate records nothing":           testDuplicate,
		"a duplicate comes before a conflict":   testDuplicateBeforeConflict,
		"one of several keys is a duplicate":    testDuplicateAmongKeys,
		"keys belong to accounts":               testKeysOfAccounts,
		"outcomes without events":               testOutcomesWithoutEvents,
		"outcomes that events tell":             testOutcomesToldByEvents,
		"streams that are only read":            testReads,
		"snapshots":                             testSnapshots,
		"positions of outcomes":                 testOutcomePositions,
		"outcomes of many keys":                 testOutcomes,
		"more keys than one read takes":         testManyOutcomes,
		"bytes come back as they were":          testExactBytes,
		"what was written cannot be changed":    testBuffers,
		"largest call":                          testLargestCall,
		"largest event":                         testLargestEvent,
		"refused calls record nothing":          testRefusedCalls,
		"refused reads":                         testRefusedReads,
		"read a shard in pages":                 testReadShardPages,
		"read streams in pages":                 testReadStreamsPages,
		"read streams of one shard":             testReadStreamsOfShard,
		"heads of all shards":                   testHeads,
		"cancelled calls":                       testCancelled,
		"concurrent writers leave no holes":     testConcurrentWriters,
		"a head that the caller knows":          testKnownHead,
		"a head that is old":                    testOldHead,
		"what a caller has missed":              testMissed,
		"keys on a known head":                  testKeysOnKnownHead,
		"several shards in one call":            testSeveralShards,
		"racing for one version":                testRaceForVersion,
		"racing for one key":                    testRaceForKey,
		"racing for one key without any events": testRaceForKeyWithoutEvents,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSuite(open(t)))
		})
	}
}

func newSuite(store eventstore.Store) *suite {
	shard := store.Shards() - 1
	a := Accounts(shard, store.Shards(), 3)
	return &suite{store: store, shard: shard, a: a[0], b: a[1], c: a[2]}
}
