package domain

import (
	"strconv"
	"strings"
)

// The ids of pingvas are a prefix that names the kind, then 26 characters of a lower-case ULID
// (https://github.com/ulid/spec), so they sort by time of creation.
type (
	// AccountID looks like acc_01k....
	AccountID string
	// GenerationID looks like gen_01k....
	GenerationID string
	// ReservationID looks like res_01k....
	ReservationID string
	// GrantID looks like grt_01k....
	GrantID string
	// ImageID is img_, the ULID of its generation, an underscore and the image's index: img_01k..._0.
	ImageID string
	// BoardID looks like brd_01k....
	BoardID string
	// SearchID looks like sch_01k... and names a saved search.
	SearchID string
	// KeyID looks like key_01k... and names an API key without being secret.
	KeyID string
	// UploadID looks like upl_01k... and names a picture that a customer has brought along.
	UploadID string
)

// The prefixes of the ids.
const (
	PrefixAccount     = "acc_"
	PrefixGeneration  = "gen_"
	PrefixReservation = "res_"
	PrefixGrant       = "grt_"
	PrefixImage       = "img_"
	PrefixBoard       = "brd_"
	PrefixSearch      = "sch_"
	PrefixKey         = "key_"
	PrefixUpload      = "upl_"
)

// ulidLength is the number of characters of a ULID in its text form.
const ulidLength = 26

// Check returns CodeInvalid for a malformed id.
func (id AccountID) Check() error { return checkID("account", PrefixAccount, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id GenerationID) Check() error { return checkID("generation", PrefixGeneration, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id ReservationID) Check() error { return checkID("reservation", PrefixReservation, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id GrantID) Check() error { return checkID("grant", PrefixGrant, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id BoardID) Check() error { return checkID("board", PrefixBoard, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id SearchID) Check() error { return checkID("saved search", PrefixSearch, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id KeyID) Check() error { return checkID("key", PrefixKey, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id UploadID) Check() error { return checkID("upload", PrefixUpload, string(id)) }

// Check returns CodeInvalid for a malformed id.
func (id ImageID) Check() error {
	_, _, err := id.Split()
	return err
}

// Split returns the generation that made the image and the image's index in it, or CodeInvalid.
func (id ImageID) Split() (GenerationID, int, error) {
	body, index, ok := strings.Cut(strings.TrimPrefix(string(id), PrefixImage), "_")
	n, err := strconv.Atoi(index)
	if !ok || !strings.HasPrefix(string(id), PrefixImage) || err != nil || n < 0 || strconv.Itoa(n) != index {
		return "", 0, Errorf(CodeInvalid, "%q is not an image id", string(id))
	}
	generation := GenerationID(PrefixGeneration + body)
	if generation.Check() != nil {
		return "", 0, Errorf(CodeInvalid, "%q is not an image id", string(id))
	}
	return generation, n, nil
}

// NewImageID returns the id of the image with this index in its generation.
func NewImageID(generation GenerationID, index int) ImageID {
	return ImageID(PrefixImage + strings.TrimPrefix(string(generation), PrefixGeneration) + "_" + strconv.Itoa(index))
}

func checkID(kind, prefix, id string) error {
	body, ok := strings.CutPrefix(id, prefix)
	if !ok || len(body) != ulidLength || !isULID(body) {
		return Errorf(CodeInvalid, "%q is not a %s id", id, kind)
	}
	return nil
}

// isULID reports whether all characters are of Crockford's base32 in lower case: no i, l, o and u.
func isULID(text string) bool {
	for i := range len(text) {
		c := text[i]
		digit, letter := c >= '0' && c <= '9', c >= 'a' && c <= 'z'
		if !digit && !letter || c == 'i' || c == 'l' || c == 'o' || c == 'u' {
			return false
		}
	}
	return true
}
