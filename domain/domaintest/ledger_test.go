package domaintest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
)

// The jar is the smallest decider that a ledger can show.
type (
	put struct {
		Coins  int64   `json:"coins"`
		Marked bool    `json:"marked,omitempty"`
		Kinds  []int64 `json:"kinds,omitempty"`
	}
	addCoins struct{ CoinsIn int64 }
	leak     struct{}
)

func (put) EventName() string { return "jar.put.v1" }

func jar(decide func(*int64, any) ([]domain.Event, error)) domaintest.Ledger[*int64, any] {
	return domaintest.Ledger[*int64, any]{
		Decider: domain.Decider[*int64, any]{
			Initial: func() *int64 { return new(int64) },
			Decide:  decide,
			Evolve: func(s *int64, e domain.Event) *int64 {
				*s += e.(put).Coins
				return s
			},
			Check: func(s *int64) error {
				if *s > 100 {
					return errors.New("the jar is full")
				}
				return nil
			},
		},
		Events:   []domain.EventType{domain.TypeOf[put]()},
		Commands: []any{addCoins{}, leak{}},
		Balance:  func(s *int64) map[string]int64 { return map[string]int64{"coins": *s} },
	}
}

func decide(s *int64, c any) ([]domain.Event, error) {
	add, ok := c.(addCoins)
	if !ok {
		*s--
		return nil, nil
	}
	if add.CoinsIn < 1 {
		return nil, &domain.Error{Code: domain.CodeInvalid, Msg: "no coins", Detail: map[string]int64{"coins": add.CoinsIn}}
	}
	return []domain.Event{put{Coins: add.CoinsIn, Marked: true, Kinds: []int64{1, add.CoinsIn}}}, nil
}

func TestLedger(t *testing.T) {
	t.Parallel()
	const given = "Rule.\n-- given --\n# a comment\njar.put.v1 {\"coins\":5}\n"
	const when = given + "-- when --\nadd_coins {\"coins_in\":2}\n"
	tests := []struct{ name, text, want string }{
		{"accepted", when + "-- then --\njar.put.v1 {\"coins\":2}\n-- balance --\ncoins=7\n", ""},
		{"refused", given + "-- when --\nadd_coins {}\n-- refused --\ninvalid-request {\"coins\":0}\n", ""},
		{"no rule", "-- when --\nadd_coins {}\n-- refused --\ninvalid-request\n", "plain words"},
		{"wrong amount", when + "-- then --\njar.put.v1 {\"coins\":3}\n", "/coins: want 3, got 2"},
		{"list", when + "-- then --\njar.put.v1 {\"kinds\":[1,2]}\n", ""},
		{"wrong list", when + "-- then --\njar.put.v1 {\"kinds\":[1,3]}\n", "/kinds/1: want 3, got 2"},
		{"shorter list", when + "-- then --\njar.put.v1 {\"kinds\":[1]}\n", "/kinds: want [1], got [1 2]"},
		{"object for a list", when + "-- then --\njar.put.v1 {\"kinds\":{}}\n", "/kinds: want an object"},
		{"no JSON", when + "-- then --\njar.put.v1 coins\n", "read coins"},
		{"two codes", given + "-- when --\nadd_coins {}\n-- refused --\na\nb\n", "want one code"},
		{"no figure", when + "-- then --\njar.put.v1 {}\n-- balance --\ncoins\n", "read coins"},
		{"missing field", when + "-- then --\njar.put.v1 {\"coin\":2}\n", "/coin: want 2, got nothing"},
		{"missing event", when + "-- then --\n", "want 0 events, got 1"},
		{"other event", when + "-- then --\njar.took.v1 {}\n", "want jar.took.v1"},
		{"wrong balance", when + "-- then --\njar.put.v1 {}\n-- balance --\ncoins=8\n", "want coins=8"},
		{"unknown figure", when + "-- then --\njar.put.v1 {}\n-- balance --\ngold=7\n", "want gold=7"},
		{"not refused", when + "-- refused --\ninvalid-request\n", "want a refusal"},
		{"other code", given + "-- when --\nadd_coins {}\n-- refused --\nconflict\n", "want a refusal with conflict"},
		{"other detail", given + "-- when --\nadd_coins {}\n-- refused --\ninvalid-request {\"coins\":1}\n", "/coins"},
		{"not accepted", given + "-- when --\nadd_coins {}\n-- then --\n", "was refused"},
		{"no answer", when, "ends where"},
		{"no command", given, "ends where"},
		{"two commands", when + "add_coins {}\n-- then --\n", "want one command"},
		{"unknown section", given + "-- perhaps --\n", "stands where"},
		{"unknown event", "Rule.\n-- given --\njar.took.v1 {}\n", "no event"},
		{"unknown field", "Rule.\n-- given --\njar.put.v1 {\"coin\":5}\n", "unknown field"},
		{"unknown command", given + "-- when --\nsmash {}\n", "no command"},
		{"unknown command field", given + "-- when --\nadd_coins {\"coins\":1}\n", "unknown field"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := jar(decide).Play(t, []byte(test.text))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

// recorder stands in for a test and keeps whether it failed.
type recorder struct{ failed bool }

func (r *recorder) Errorf(string, ...any) {}
func (r *recorder) Helper()               {}
func (r *recorder) FailNow()              { r.failed = true }

func TestScenarioChecksEveryCommand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		decide  func(*int64, any) ([]domain.Event, error)
		command any
		failed  bool
	}{
		{"good", decide, addCoins{1}, false},
		{"changes the state", decide, leak{}, true},
		{"breaks the invariant", decide, addCoins{101}, true},
		{"refuses with events", func(*int64, any) ([]domain.Event, error) {
			return []domain.Event{put{Coins: 1}}, domain.Errorf(domain.CodeConflict, "no")
		}, addCoins{1}, true},
		{"refuses with an internal error", func(*int64, any) ([]domain.Event, error) {
			return nil, errors.New("no")
		}, addCoins{1}, true},
		{"refuses without a word", func(*int64, any) ([]domain.Event, error) {
			return nil, &domain.Error{Code: domain.CodeConflict}
		}, addCoins{1}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			domaintest.Given(r, jar(test.decide).Decider).When(test.command)
			require.Equal(t, test.failed, r.failed)
		})
	}
}

func TestScenario(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, jar(decide).Decider, put{Coins: 5})
	s.When(addCoins{2}).Then(put{Coins: 2, Marked: true, Kinds: []int64{1, 2}})
	s.When(addCoins{}).Refused(domain.CodeInvalid)
	require.Equal(t, int64(7), *s.State())
	require.Len(t, s.History(), 2)

	again, err := domaintest.Recode(jar(decide).Events, s.History()...)
	require.NoError(t, err)
	require.Equal(t, s.History(), again)
}
