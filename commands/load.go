package commands

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of reading streams.
const (
	// loadPage is how many events are read at once, loadsTogether for how many commands.
	loadPage      = 1000
	loadsTogether = 64
	// Of all shards so many pages are read at once; between them it is one for each processor.
	loadsLeast = 2
	loadsMost  = 16
)

// loadsMax returns how many pages may be read at once. After a start no streams are in memory. If all commands then
// read at once, whatever else needs the processors and the database waits behind them, the views and the appends of
// those in memory among it.
func loadsMax() int { return min(max(loadsLeast, runtime.GOMAXPROCS(0)), loadsMost) }

// errLoads is the answer where so many others read that there is no turn within batchTimeout.
var errLoads = domain.Errorf(domain.CodeUnavailable, "too many accounts are being read already")

// load has the streams that a command uses folded. The entries are not shared yet. It returns nil if there is nothing
// to read. The lock is held, so that commands are read for in the order of their turns.
func (a *appender) load(c *command, fresh []*entry) *loading {
	w := &loading{
		command: c, loader: a.shard(c.shardID).loader, entries: make(map[string]*entry, len(fresh)),
		done: make(chan struct{}),
	}
	for _, e := range fresh {
		if e.assumed {
			continue
		}
		// The streams of an account have only its own commands; what nobody has begun, somebody else may begin.
		e.own = e.stream == eventstore.AccountStream(e.account) || e.stream == eventstore.LibraryStream(e.account)
		w.entries[e.stream] = e
	}
	if len(w.entries) == 0 {
		return nil
	}
	w.loader.add(w)
	return w
}

// wait waits until the streams are there, or cannot be read. Others may be waiting for the same streams, so it does not
// matter whether the caller gives up.
func (w *loading) wait() error {
	if w == nil {
		return nil
	}
	limit := time.NewTimer(batchTimeout)
	defer limit.Stop()
	select {
	case <-w.done:
	case <-limit.C:
		if w.loader.remove(w) {
			return errLoads
		}
		<-w.done // it is being read
	}
	w.command.waitTurn()
	return w.err
}

// loading is the streams of a command on their way into memory.
type loading struct {
	command *command
	loader  *loader
	entries map[string]*entry // by stream
	begun   bool              // what was kept of them is there
	whole   bool              // they are read to their end
	long    bool              // a page ended within them: they are read alone from now on, so that they hold nobody up
	err     error
	done    chan struct{} // closed when that is so, or there is an error; then the command is called in turn
}

// loader reads streams of one shard, page by page. A read costs the store much whatever is in it, so commands that ask
// while a page is being read have the next one together. The appender's lock guards it.
type loader struct {
	appender *appender // of the shard
	shard    int
	waiting  []*loading
	running  bool
	size     int // of the next group at most: fewer where pages are full, so that the oldest is always among the read
}

func newLoader(a *appender, shard int) *loader {
	return &loader{appender: a, shard: shard, size: loadsTogether}
}

// add has a page read for another one, too. The lock is held.
func (r *loader) add(w *loading) {
	r.waiting = append(r.waiting, w)
	if !r.running {
		r.running = true
		go r.run(r.next())
	}
}

// remove takes one out of those that wait. It returns false if it does not.
func (r *loader) remove(w *loading) bool {
	r.appender.mu.Lock()
	defer r.appender.mu.Unlock()
	at := slices.Index(r.waiting, w)
	if at >= 0 {
		r.waiting = slices.Delete(r.waiting, at, at+1)
	}
	return at >= 0
}

// run reads pages until nobody waits. The next group is there before the commands of the last go on, so that who is in
// it does not depend on how fast they are.
func (r *loader) run(group []*loading) {
	for len(group) > 0 {
		full, err := r.read(group)
		r.appender.mu.Lock()
		done := r.sort(group, full, err)
		group = r.next()
		r.running = len(group) > 0
		r.answer(done)
		r.appender.mu.Unlock()
	}
}

// next returns some of those that wait, the oldest among them, no two of which need the same stream. The lock is held.
func (r *loader) next() (group []*loading) {
	if len(r.waiting) == 0 {
		return nil
	}
	if first := r.waiting[0]; first.long {
		r.waiting = r.waiting[1:]
		return []*loading{first}
	}
	streams := map[string]bool{}
	r.waiting = slices.DeleteFunc(r.waiting, func(w *loading) bool {
		fits := len(group) == 0 || !w.long && len(group) < r.size && len(streams)+len(w.entries) <= eventstore.StreamsMax
		for name := range w.entries {
			fits = fits && !streams[name]
		}
		if !fits {
			return false
		}
		for name := range w.entries {
			streams[name] = true
		}
		group = append(group, w)
		return true
	})
	return group
}

// read reads a page for the group when few enough others read. It returns whether it was full.
func (r *loader) read(group []*loading) (full bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	ledger := r.appender.ledger
	select {
	case ledger.loads <- struct{}{}:
	case <-ctx.Done():
		return false, errLoads
	}
	defer func() { <-ledger.loads }()
	if err := ledger.restore(ctx, r.shard, group); err != nil {
		return false, err
	}
	return r.page(ctx, group)
}

// page folds a page of what the group lacks.
func (r *loader) page(ctx context.Context, group []*loading) (full bool, err error) {
	owners := map[string]*loading{}
	var after []eventstore.StreamVersion
	for _, w := range group {
		for name, e := range w.entries {
			owners[name] = w
			after = append(after, e.state.at())
		}
	}
	ledger := r.appender.ledger
	page, err := ledger.store.ReadStreams(ctx, r.shard, after, loadPage)
	if err != nil {
		return false, fmt.Errorf("load %d streams: %w", len(after), err)
	}
	for _, recorded := range page {
		if w := owners[recorded.Stream]; w.err == nil {
			w.err = w.fold(ctx, ledger.codec, recorded)
		}
	}
	full = len(page) == loadPage
	for _, w := range group {
		w.whole = true
		for name := range w.entries {
			// The page is filled stream by stream, in the order of their names.
			w.whole = w.whole && (!full || name < page[loadPage-1].Stream)
		}
	}
	if full {
		last := owners[page[loadPage-1].Stream]
		last.long = !last.whole
	}
	return full, nil
}

func (w *loading) fold(ctx context.Context, codec *eventstore.Codec, recorded eventstore.Envelope) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	event, err := codec.Decode(ctx, recorded)
	if err != nil {
		return err
	}
	e := w.entries[recorded.Stream]
	if recorded.Version == 1 {
		meta, err := recorded.Meta()
		if err != nil {
			return fmt.Errorf("decode the metadata of %s: %w", recorded.Position(), err)
		}
		e.own = meta.Account == e.account
	}
	e.state.fold(recorded.Version, event)
	return nil
}

// sort returns those whose streams are there, or cannot be read. The others wait for the next page: first, unless they
// have had all of this one. The lock is held.
func (r *loader) sort(group []*loading, full bool, err error) (done []*loading) {
	if full {
		r.size = max(1, r.size/2)
	} else {
		r.size = min(2*r.size, loadsTogether)
	}
	var first, last []*loading
	for _, w := range group {
		if w.err == nil {
			w.err = err
		}
		switch {
		case w.err != nil || w.whole:
			done = append(done, w)
		case w.long:
			last = append(last, w)
		default:
			first = append(first, w)
		}
	}
	r.waiting = slices.Concat(first, r.waiting, last)
	return done
}

// answer has the commands go on, one after the other. The lock is held.
func (r *loader) answer(done []*loading) {
	commands := make([]*command, len(done))
	for i, w := range done {
		commands[i] = w.command
	}
	r.appender.lineUp(commands)
	for _, w := range done {
		close(w.done)
	}
}
