package gallery

import (
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/projections"
)

// shelf is what a batch does to boards and saved searches. Ids are never used again, so creating comes before
// changing, and ending is last.
type shelf struct {
	boards   []library.BoardCreated
	names    map[domain.BoardID]string
	ended    []string // boards
	searches map[domain.SearchID]library.SearchSaved
	dropped  []string // searches
}

func newShelf() shelf {
	return shelf{names: map[domain.BoardID]string{}, searches: map[domain.SearchID]library.SearchSaved{}}
}

func (s *shelf) add(e domain.Event) {
	switch e := e.(type) {
	case library.BoardCreated:
		s.boards = append(s.boards, e)
	case library.BoardRenamed:
		s.names[e.Board] = e.Name
	case library.BoardDeleted:
		s.ended = append(s.ended, string(e.Board))
	case library.SearchSaved:
		if first, ok := s.searches[e.Search]; ok {
			e.At = first.At
		}
		s.searches[e.Search] = e
	case library.SearchDeleted:
		s.dropped = append(s.dropped, string(e.Search))
	}
}

const (
	sqlBoards = `INSERT INTO boards (shard, board, account, name, created_at)
		SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])`
	sqlRename = `UPDATE boards b SET name = n.name FROM unnest($1::text[], $2::text[]) AS n (board, name)
		WHERE b.board = n.board`
	sqlSearches = `INSERT INTO searches (shard, search, account, name, query, created_at)
		SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
		ON CONFLICT (search) DO UPDATE SET name = excluded.name, query = excluded.query`
	sqlDrop = `DELETE FROM searches WHERE search = ANY($1)`
	sqlEnd  = `DELETE FROM boards WHERE board = ANY($1)`
	// Whoever is taken off an ended board stays on the others.
	sqlClear = `WITH gone AS (DELETE FROM filings WHERE board = ANY($1) RETURNING image)
		UPDATE images i SET boards = ARRAY(SELECT b FROM unnest(i.boards) AS b WHERE b <> ALL($1) ORDER BY b)
		WHERE i.image IN (SELECT image FROM gone)`
)

// begin writes what images may be put on.
func (s *shelf) begin(shard int, w *projections.Writes) {
	n := len(s.boards)
	ids, accounts, names, at := make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n)
	for i, b := range s.boards {
		ids[i], accounts[i], names[i], at[i] = string(b.Board), string(b.Account), projections.Text(b.Name), b.At
	}
	w.AddRows(n, sqlBoards, shard, ids, accounts, names, at)
	ids, names = nil, nil
	for id, name := range s.names {
		ids, names = append(ids, string(id)), append(names, projections.Text(name))
	}
	w.AddRows(len(ids), sqlRename, ids, names)
}

// end writes what comes after everything that may use it.
func (s *shelf) end(shard int, w *projections.Writes) {
	var ids, accounts, names, queries []string
	var at []time.Time
	for id, k := range s.searches {
		ids, accounts = append(ids, string(id)), append(accounts, string(k.Account))
		names, queries = append(names, projections.Text(k.Name)), append(queries, projections.Text(k.Query))
		at = append(at, k.At)
	}
	w.AddRows(len(ids), sqlSearches, shard, ids, accounts, names, queries, at)
	w.AddRows(len(s.dropped), sqlDrop, s.dropped)
	if len(s.ended) > 0 {
		w.Add(sqlClear, s.ended)
	}
	w.AddRows(len(s.ended), sqlEnd, s.ended)
}
