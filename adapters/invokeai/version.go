package invokeai

import (
	"fmt"
	"regexp"
	"strconv"
)

// oldest is the first version that is supported: from it on a batch answers with its items, and the items of a job
// are found by its destination.
func oldest() version { return version{6, 0, 0} }

// version is a server's version without what follows the three numbers.
type version [3]int

var versionNumbers = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

// parseVersion reads "6.13.8", "6.14.0rc2", "6.9.0.post1" and the like.
func parseVersion(text string) (version, error) {
	found := versionNumbers.FindStringSubmatch(text)
	if found == nil {
		return version{}, fmt.Errorf("%q is not a version of InvokeAI", cut(text, detailCharsMax))
	}
	var v version
	for i, digits := range found[1:] {
		v[i], _ = strconv.Atoi(digits) // digits, or nothing
	}
	return v, nil
}

func (v version) before(other version) bool {
	for i := range v {
		if v[i] != other[i] {
			return v[i] < other[i]
		}
	}
	return false
}

// String implements fmt.Stringer.
func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }
