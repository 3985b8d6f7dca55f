package audit

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/eventstore"
)

// shard is the replay of one shard.
type shard struct {
	id       int
	head     eventstore.Head
	pos      int64
	chain    eventstore.Hash
	versions map[string]int64
	books    *books
	findings []Finding
	wrong    int64
}

func newShard(id int, head eventstore.Head) *shard {
	return &shard{id: id, head: head, versions: map[string]int64{}, books: newBooks()}
}

func (s *shard) replay(ctx context.Context, c Config, p *progress) error {
	for s.pos < s.head.Pos {
		limit := int(min(pageEvents, s.head.Pos-s.pos))
		page, err := c.Store.ReadShard(ctx, s.id, s.pos, limit)
		if err != nil {
			return fmt.Errorf("read shard %d after %d: %w", s.id, s.pos, err)
		}
		if len(page) == 0 {
			s.find(s.pos+1, "events %d to %d are missing", s.pos+1, s.head.Pos)
			return nil
		}
		for _, e := range page {
			if e.Pos > s.head.Pos {
				break
			}
			if err := s.see(ctx, c.Codec, e); err != nil {
				return err
			}
		}
		p.add(len(page))
	}
	if s.chain != s.head.Chain {
		s.find(s.pos, "the head of the shard has chain hash %s, its events give %s", s.head.Chain, s.chain)
	}
	return nil
}

// see checks one event. Its error is not about the ledger: the context ended or the data keys are out of reach.
func (s *shard) see(ctx context.Context, codec *eventstore.Codec, e eventstore.Envelope) error {
	if e.Pos != s.pos+1 {
		s.find(s.pos+1, "events %d to %d are missing", s.pos+1, e.Pos-1)
	}
	s.pos = e.Pos
	if chain := eventstore.ChainHash(s.chain, e.Pos, eventstore.LeafHash(s.id, e.New())); chain != e.Chain {
		s.find(e.Pos, "%s has chain hash %s, its bytes after the events before it give %s", e.Type, e.Chain, chain)
	}
	s.chain = e.Chain
	if want := s.versions[e.Stream] + 1; e.Version != want {
		s.find(e.Pos, "%s has version %d of %s, expected %d", e.Type, e.Version, e.Stream, want)
	}
	s.versions[e.Stream] = e.Version
	return s.fold(ctx, codec, e)
}

func (s *shard) fold(ctx context.Context, codec *eventstore.Codec, e eventstore.Envelope) error {
	meta, err := e.Meta()
	if err != nil {
		s.find(e.Pos, "the metadata of %s do not decode: %v", e.Type, err)
		return nil
	}
	event, err := codec.Decode(ctx, e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.find(e.Pos, "%v", err)
		return nil
	}
	for _, text := range s.books.see(meta.Account, eventstore.StreamVersion{Stream: e.Stream, Version: e.Version}, event) {
		s.find(e.Pos, "%s of %s: %s", e.Type, meta.Account, text)
	}
	return nil
}

func (s *shard) find(pos int64, format string, args ...any) {
	s.wrong++
	if len(s.findings) < findingsMax {
		at := eventstore.Position{Shard: s.id, Pos: pos}
		s.findings = append(s.findings, Finding{Position: at, Text: fmt.Sprintf(format, args...)})
	}
}
