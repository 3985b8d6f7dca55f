package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// countedWrites is where a log goes.
type countedWrites struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (c *countedWrites) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.text.Write(b)
}

func (c *countedWrites) read() (text string, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String(), c.writes
}

func TestLogGathersLinesButNotForLong(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var out countedWrites
			log, _ := newLog("info", format, &out)
			log.With("n", 1).Info("first")
			log.WithGroup("g").Info("second", "n", 2)
			log.Debug("not logged")
			_, writes := out.read()
			require.Zero(t, writes)
			time.Sleep(logDelay)
			synctest.Wait()
			text, writes := out.read()
			require.Equal(t, 1, writes)
			require.Equal(t, 2, strings.Count(text, "\n"))
			require.Contains(t, text, "first")
			require.Contains(t, text, "second")
			log.Info("third")
			time.Sleep(logDelay)
			synctest.Wait()
			text, _ = out.read()
			require.Equal(t, 3, strings.Count(text, "\n"))
		})
	}
}

func TestLogWritesWarningsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out countedWrites
		log, _ := newLog("info", "text", &out)
		log.Info("before")
		log.With("n", 1).Warn("that")
		text, writes := out.read()
		require.Equal(t, 1, writes)
		require.Less(t, strings.Index(text, "before"), strings.Index(text, "that"))
	})
}

func TestLogIsBoundedAndWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out countedWrites
		log, end := newLog("info", "text", &out)
		const lines = logGather / 16
		for n := range lines {
			log.Info(fmt.Sprintf("line %d", n))
		}
		_, writes := out.read()
		require.Positive(t, writes)
		end()
		text, _ := out.read()
		require.Equal(t, lines, strings.Count(text, "\n"))
	})
}
