package domaintest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/pingvas/pingvas/domain"
)

// Ledger plays text files against one decider.
type Ledger[S, C any] struct {
	Decider domain.Decider[S, C]
	Events  []domain.EventType
	// Commands holds a zero value of every command.
	Commands []C
	// Balance returns the figures that a balance section may name.
	Balance func(S) map[string]int64
}

// Run plays every file that matches the pattern as a test of its own.
func (l Ledger[S, C]) Run(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, "no file matches %s", pattern)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, l.Play(t, text))
		})
	}
}

// Play plays one file and returns what is wrong with it, or where the decider departs from it.
func (l Ledger[S, C]) Play(t T, text []byte) error {
	t.Helper()
	archive := txtar.Parse(expandIDs(text))
	if strings.TrimSpace(string(archive.Comment)) == "" {
		return errors.New("the file does not say its rule in plain words at the top")
	}
	scenario := Given(t, l.Decider)
	expects := []string{"given", "when"}
	for i, section := range archive.Files {
		if !slices.Contains(expects, section.Name) {
			return fmt.Errorf("section %d: %s stands where %v should", i+1, section.Name, expects)
		}
		next, err := l.section(scenario, section.Name, lines(section.Data))
		if err != nil {
			return fmt.Errorf("section %d, %s: %w", i+1, section.Name, err)
		}
		expects = next
	}
	if !slices.Contains(expects, end) {
		return fmt.Errorf("the file ends where %v should stand", expects)
	}
	return nil
}

// end stands for the end of the file among the sections that may follow.
const end = "the end"

// section plays one section and says which may follow.
func (l Ledger[S, C]) section(s *Scenario[S, C], name string, lines []string) ([]string, error) {
	switch name {
	case "given":
		return []string{"when"}, l.given(s, lines)
	case "when":
		return []string{"then", "refused"}, l.when(s, lines)
	case "then":
		return []string{"balance", "when", end}, then(s, lines)
	case "refused":
		return []string{"balance", "when", end}, refused(s, lines)
	}
	return []string{"when", end}, l.balance(s, lines)
}

func (l Ledger[S, C]) given(s *Scenario[S, C], lines []string) error {
	for _, line := range lines {
		name, data, _ := strings.Cut(line, " ")
		e, err := DecodeEvent(l.Events, name, []byte(data))
		if err != nil {
			return err
		}
		s.And(e)
	}
	return nil
}

func (l Ledger[S, C]) when(s *Scenario[S, C], lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("want one command, got %d", len(lines))
	}
	name, data, _ := strings.Cut(lines[0], " ")
	c, err := decodeCommand(l.Commands, name, []byte(data))
	if err != nil {
		return err
	}
	s.When(c)
	return nil
}

func then[S, C any](s *Scenario[S, C], lines []string) error {
	if s.Err() != nil {
		return fmt.Errorf("the command was refused: %w", s.Err())
	}
	events := s.Events()
	if len(events) != len(lines) {
		return fmt.Errorf("want %d events, got %d: %+v", len(lines), len(events), events)
	}
	for i, line := range lines {
		name, data, _ := strings.Cut(line, " ")
		if name != events[i].EventName() {
			return fmt.Errorf("want %s, got %+v", name, events)
		}
		if err := matches(data, events[i]); err != nil {
			return fmt.Errorf("%s%w", name, err)
		}
	}
	return nil
}

func refused[S, C any](s *Scenario[S, C], lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("want one code, got %d", len(lines))
	}
	code, detail, detailed := strings.Cut(lines[0], " ")
	var refusal *domain.Error
	if !errors.As(s.Err(), &refusal) || string(refusal.Code) != code {
		return fmt.Errorf("want a refusal with %s, got %v and %+v", code, s.Err(), s.Events())
	}
	if detailed {
		return matches(detail, refusal.Detail)
	}
	return nil
}

func (l Ledger[S, C]) balance(s *Scenario[S, C], lines []string) error {
	figures := l.Balance(s.State())
	for _, figure := range strings.Fields(strings.Join(lines, " ")) {
		name, text, _ := strings.Cut(figure, "=")
		want, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", figure, err)
		}
		got, ok := figures[name]
		if !ok || got != want {
			return fmt.Errorf("want %s, got %v", figure, figures)
		}
	}
	return nil
}

func lines(data []byte) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// ulidLength is the number of characters of a ULID.
const ulidLength = 26

// shortID is an id whose body is shorter than a ULID.
var shortID = regexp.MustCompile(`\b(acc|gen|grt|res)_([0-9a-z]{1,25})\b`)

func expandIDs(text []byte) []byte {
	return shortID.ReplaceAllFunc(text, func(id []byte) []byte {
		body := string(id[4:])
		return []byte(string(id[:4]) + strings.Repeat("0", ulidLength-len(body)) + body)
	})
}
