package domain_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

func TestAmountsAreBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, domain.Credits(1e15), domain.MaxCredits, "the API promises it")
	for _, good := range []domain.Credits{1, 2, domain.MaxCredits} {
		require.NoError(t, good.CheckAmount("amount"))
	}
	for _, bad := range []domain.Credits{0, -1, -domain.MaxCredits, domain.MaxCredits + 1} {
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(bad.CheckAmount("amount")), "%d", bad)
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	const most = domain.MaxCredits
	tests := []struct {
		a, b domain.Credits
		ok   bool
	}{
		{1, 2, true}, {-1, 1, true}, {most, 0, true}, {most, -most, true}, {-most, 0, true},
		{most, 1, false}, {-most, -1, false}, {most, most, false}, {-most, -most, false},
	}
	for _, test := range tests {
		sum, err := test.a.Add(test.b)
		if !test.ok {
			require.Zero(t, sum)
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%d + %d", test.a, test.b)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.a+test.b, sum)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	refusal := domain.FieldErrorf("/width", "too %s", "wide")
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(fmt.Errorf("price: %w", refusal)))
	require.Equal(t, "invalid-request: too wide", refusal.Error())
	require.Equal(t, "/width", refusal.Field)
	require.Equal(t, domain.CodeConflict, domain.CodeOf(errors.Join(io.EOF, domain.Errorf(domain.CodeConflict, "twice"))))
	require.Equal(t, domain.CodeInternal, domain.CodeOf(io.EOF))
	require.Empty(t, domain.CodeOf(nil))
	require.Equal(t, "conflict: made 2 times", domain.Errorf(domain.CodeConflict, "made %d times", 2).Error())
}

const ulid = "01kcy7zpg00000000000000009"

func TestIDs(t *testing.T) {
	t.Parallel()
	checks := map[string]func(string) error{
		domain.PrefixAccount:     func(s string) error { return domain.AccountID(s).Check() },
		domain.PrefixGeneration:  func(s string) error { return domain.GenerationID(s).Check() },
		domain.PrefixReservation: func(s string) error { return domain.ReservationID(s).Check() },
		domain.PrefixGrant:       func(s string) error { return domain.GrantID(s).Check() },
		domain.PrefixKey:         func(s string) error { return domain.KeyID(s).Check() },
		domain.PrefixBoard:       func(s string) error { return domain.BoardID(s).Check() },
		domain.PrefixSearch:      func(s string) error { return domain.SearchID(s).Check() },
		domain.PrefixUpload:      func(s string) error { return domain.UploadID(s).Check() },
	}
	for prefix, check := range checks {
		require.NoError(t, check(prefix+ulid))
		for _, bad := range []string{
			"", prefix, ulid, "xxx_" + ulid, prefix + ulid[1:], prefix + ulid + "0", prefix + strings.ToUpper(ulid),
			prefix + "01kcy7zpg000000l0000000000", prefix + "01kcy7zpg000000 0000000000", " " + prefix + ulid,
			prefix + "01kcy7zpg0000000000000000é"[:26], prefix + prefix + ulid,
		} {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(check(bad)), "%q", bad)
		}
	}
}

// TestAlphabetOfIDs tries every byte in an id: Crockford's base32 in lower case and nothing else.
func TestAlphabetOfIDs(t *testing.T) {
	t.Parallel()
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	for c := range 256 {
		id := domain.KeyID(domain.PrefixKey + ulid[1:] + string([]byte{byte(c)}))
		require.Equal(t, strings.IndexByte(alphabet, byte(c)) >= 0, id.Check() == nil, "%q", c)
	}
}

func TestImageIDs(t *testing.T) {
	t.Parallel()
	generation := domain.GenerationID(domain.PrefixGeneration + ulid)
	id := domain.NewImageID(generation, 12)
	require.Equal(t, domain.ImageID("img_"+ulid+"_12"), id)
	require.NoError(t, id.Check())
	from, index, err := id.Split()
	require.NoError(t, err)
	require.Equal(t, generation, from)
	require.Equal(t, 12, index)
	for _, bad := range []string{
		"", "img_", "img_" + ulid, "img_" + ulid + "_", "img_" + ulid + "_x", "img_" + ulid + "_-1", "img_" + ulid + "_+1",
		"img_" + ulid + "_01", "img_" + ulid + "_0_0", "img_" + ulid[1:] + "_0", ulid + "_0", "gen_" + ulid + "_0",
		"img_" + ulid + "_99999999999999999999",
	} {
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(domain.ImageID(bad).Check()), "%q", bad)
		from, index, err := domain.ImageID(bad).Split()
		require.Error(t, err)
		require.Empty(t, from)
		require.Zero(t, index)
	}
}

func TestTiers(t *testing.T) {
	t.Parallel()
	before := 32
	for _, tier := range domain.Tiers() {
		require.NoError(t, tier.Check())
		require.Equal(t, before, 2*tier.Weight(), "tiers are listed best first, each with twice the share of the next")
		before = tier.Weight()
	}
	require.Equal(t, 1, before)
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(domain.Tier("gold").Check()))
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	postings := domain.Transfer(domain.BookAvailable, domain.BookReserved, "grt", 5)
	require.Equal(t, []domain.Posting{
		{Book: domain.BookAvailable, Grant: "grt", Amount: -5}, {Book: domain.BookReserved, Grant: "grt", Amount: 5},
	}, postings)
	require.Zero(t, domain.Sum(postings))
	require.Equal(t, domain.Credits(5), domain.Sum(postings[1:]))
	require.Empty(t, domain.Transfer(domain.BookAvailable, domain.BookReserved, "grt", 0))
	require.Len(t, domain.Books(), 6)
}

// step is the smallest event.
type step struct{ N int }

func (step) EventName() string { return "kernel.step.v1" }

func TestTypeOf(t *testing.T) {
	t.Parallel()
	typ := domain.TypeOf[step]()
	require.Equal(t, "kernel.step.v1", typ.Name)
	pointer := typ.New()
	pointer.(*step).N = 3
	require.Equal(t, step{3}, typ.Deref(pointer))
	require.Equal(t, step{}, typ.Deref(typ.New()), "New must not share")
}

func TestFold(t *testing.T) {
	t.Parallel()
	d := domain.Decider[[]int, any]{Evolve: func(s []int, e domain.Event) []int { return append(s, e.(step).N) }}
	require.Equal(t, []int{0, 1, 2}, d.Fold([]int{0}, step{1}, step{2}))
	require.Equal(t, []int{0}, d.Fold([]int{0}))
}
