package searchtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

func testVersions(t *testing.T, e search.Engine) {
	doc := document(1, "first")
	change := func(version int64, prompt string) {
		doc.Version, doc.Prompt = version, prompt
		put(t, e, doc)
	}
	change(5, "fifth")
	change(4, "fourth")
	change(5, "other")
	requireFound(t, e, search.Query{Words: "fifth"}, []int{1})
	requireFound(t, e, search.Query{Words: "fourth"}, nil)
	change(6, "sixth")
	requireFound(t, e, search.Query{Words: "fifth"}, nil)
	requireFound(t, e, search.Query{Words: "sixth"}, []int{1})

	twice := []search.Document{document(2, "old"), document(2, "new")}
	twice[0].Version, twice[1].Version = 2, 3
	put(t, e, twice...)
	requireFound(t, e, search.Query{Words: "new"}, []int{2})
	requireFound(t, e, search.Query{Words: "old"}, nil)
	put(t, e)
	require.NoError(t, e.Delete(t.Context(), nil))
}

func testDeletion(t *testing.T, e search.Engine) {
	doc := document(1, "first", "tag")
	doc.Version = 6
	put(t, e, doc)
	remove(t, e, doc, 5)
	requireFound(t, e, search.Query{}, []int{1})
	remove(t, e, doc, 7)
	for _, q := range []search.Query{{}, {Words: "first"}, {Tags: []string{"tag"}}, {Model: doc.Model}} {
		requireFound(t, e, q, nil)
	}
	put(t, e, doc)
	requireFound(t, e, search.Query{}, nil)
	remove(t, e, doc, 7)
	remove(t, e, document(2, ""), 3) // one that was never there
	put(t, e, document(2, "late"))
	requireFound(t, e, search.Query{}, nil)
}

// testWriters lets a writer and its zombie, who is behind and repeats himself, write the same history at once.
func testWriters(t *testing.T, e search.Engine) {
	const writers, images, versions = 3, 5, 12
	var all sync.WaitGroup
	errs := make(chan error, writers)
	write := func() error {
		for version := range int64(versions) {
			var docs []search.Document
			for n := range images {
				d := document(n, fmt.Sprintf("version%d", version))
				d.Version = version + 1
				docs = append(docs, d)
			}
			gone := search.Removal{Image: docs[0].Image, Account: owner, Version: versions + 1}
			if err := e.Index(t.Context(), docs); err != nil {
				return err
			}
			if err := e.Delete(t.Context(), []search.Removal{gone}); err != nil {
				return err
			}
		}
		return nil
	}
	for range writers {
		all.Go(func() { errs <- write() })
	}
	all.Wait()
	for range writers {
		require.NoError(t, <-errs)
	}
	requireFound(t, e, search.Query{}, []int{1, 2, 3, 4})
	requireFound(t, e, search.Query{Words: fmt.Sprintf("version%d", versions-1)}, []int{1, 2, 3, 4})
}

// testBuilds builds an index beside the one that answers, which nobody sees before it is swapped in.
func testBuilds(t *testing.T, e search.Engine) {
	old := id(t, e)
	put(t, e, document(1, "cat"))
	require.Equal(t, old, id(t, e), "writing changes no id")

	require.NoError(t, e.Clear(t.Context()))
	given := id(t, e)
	require.NotEqual(t, old, given)
	put(t, e, document(2, "cat"))
	requireFound(t, e, search.Query{}, []int{1})

	require.NoError(t, e.Clear(t.Context()), "a build that is given up")
	fresh := id(t, e)
	require.NotEqual(t, given, fresh)
	put(t, e, document(3, "cat"), document(4, "cat"))
	remove(t, e, document(4, ""), 2)
	for _, other := range []string{old, given, "", "none of them"} {
		require.NoError(t, e.Swap(t.Context(), other))
		requireFound(t, e, search.Query{}, []int{1})
	}
	require.NoError(t, e.Swap(t.Context(), fresh))
	requireFound(t, e, search.Query{}, []int{3})
	require.Equal(t, fresh, id(t, e))
	require.NoError(t, e.Swap(t.Context(), fresh), "again")
	put(t, e, document(5, "cat"))
	requireFound(t, e, search.Query{}, []int{3, 5})
}

// testBeside rebuilds while the index that answers goes on: each of the two is written to by itself.
func testBeside(t *testing.T, e search.Engine) {
	put(t, e, document(1, "cat"))
	old := id(t, e)
	given, err := e.Beside(t.Context())
	require.NoError(t, err)
	put(t, given, document(9, "cat"))
	require.NoError(t, given.Discard(t.Context()))
	require.Error(t, given.Index(t.Context(), []search.Document{document(9, "cat")}), "it is gone")
	for range 2 { // the first is left behind, as by a process that ended
		given, err = e.Beside(t.Context())
		require.NoError(t, err)
		put(t, given, document(8, "cat"))
	}
	built := id(t, given)
	require.NotEqual(t, old, built)
	require.Equal(t, old, id(t, e))
	put(t, given, document(2, "cat"), document(3, "cat"))
	put(t, e, document(4, "cat"))
	remove(t, given, document(3, ""), 2)
	for _, one := range []search.Engine{e, given} {
		requireFound(t, one, search.Query{}, []int{1, 4})
	}
	require.NoError(t, given.Swap(t.Context(), old), "of another index")
	requireFound(t, e, search.Query{}, []int{1, 4})
	for range 2 {
		require.NoError(t, given.Swap(t.Context(), built))
		requireFound(t, e, search.Query{}, []int{2, 8})
		require.Equal(t, built, id(t, e))
	}
	put(t, e, document(5, "cat"))
	put(t, given, document(6, "cat"))
	requireFound(t, e, search.Query{}, []int{2, 5, 6, 8})
	require.NoError(t, given.Discard(t.Context()), "nothing: it answers")
	requireFound(t, e, search.Query{}, []int{2, 5, 6, 8})
}

// testSwaps searches all the time while indexes are built and swapped: every answer is a whole one.
func testSwaps(t *testing.T, e search.Engine) {
	const whole, rounds = 20, 4
	fill := func(round int) {
		for n := range whole {
			d := document(n, "cat")
			d.Model = fmt.Sprintf("round-%d", round)
			put(t, e, d)
		}
	}
	fill(0)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- searchUntil(t, e, stop, whole) }()
	for round := range rounds {
		require.NoError(t, e.Clear(t.Context()))
		fill(round + 1)
		swap(t, e)
	}
	close(stop)
	require.NoError(t, <-done)
	requireFound(t, e, search.Query{Model: fmt.Sprintf("round-%d", rounds-1)}, nil)
	require.Len(t, find(t, e, search.Query{Model: fmt.Sprintf("round-%d", rounds)}), whole)
}

func searchUntil(t *testing.T, e search.Engine, stop chan struct{}, want int) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		result, err := e.Search(t.Context(), search.Query{Account: owner, Limit: pageAll, Facets: true})
		if err != nil {
			return err
		}
		seen := map[domain.ImageID]bool{}
		for _, image := range result.Images {
			seen[image] = true
		}
		if len(seen) != want || len(result.Images) != want || len(result.Facets.Models) != 1 {
			return fmt.Errorf("%d images, %d of them different, of the models %v", len(result.Images), len(seen),
				result.Facets.Models)
		}
	}
}
