package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// upload asks for a place and writes a picture there.
func (c customer) upload() string {
	c.f.t.Helper()
	r := c.call(http.MethodPost, "/v1/uploads", map[string]any{"content_type": "image/png", "bytes": 12})
	require.Equal(c.f.t, http.StatusCreated, r.status, r.body)
	var out gen.Upload
	r.decode(c.f.t, &out)
	c.f.pictures.mu.Lock()
	defer c.f.pictures.mu.Unlock()
	key := generation.UploadKey(c.id, domain.UploadID(out.ID))
	require.Contains(c.f.t, out.URL, key)
	c.f.pictures.uploads[key] = api.Inspected{
		ContentType: "image/png", Bytes: 12, SHA256: strings.Repeat("b", 64), Width: 640, Height: 480,
	}
	return out.ID
}

func TestAPictureOfOnesOwnGoesAllTheWayToTheWorker(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	mine, upload := c.finish(c.request("first").ID), c.upload()
	r := c.call(http.MethodPost, "/v1/generations", map[string]any{
		"model": "sdxl-1.0", "prompt": "a (red)1.2 barn", "negative_prompt": "rain", "strength": 0.3,
		"source": map[string]any{"image": mine}, "loras": []any{map[string]any{"key": "detail-xl", "weight": 0.5}},
		"controls": []any{map[string]any{"kind": "canny", "input": map[string]any{"upload": upload}, "preprocess": true}},
	}, headerOf("Idempotency-Key", "second"))
	require.Equal(t, http.StatusCreated, r.status, r.body)
	checkAnswer(t, contractOf(t), r)
	var made gen.Generation
	r.decode(t, &made)
	require.Equal(t, "image_to_image", made.Request.Operation, "a source says what is wanted")
	require.Equal(t, string(mine), *made.Request.Source.Image)
	require.Equal(t, upload, *(*made.Request.Controls)[0].Input.Upload)
	require.InDelta(t, 6, made.Settlement.Reserved, 0, "a control adds half of the price")

	claim := f.internal(http.MethodPost, "/internal/claims", workerToken, map[string]any{
		"worker": "w1", "pool": "gpu", "candidates": []any{
			map[string]any{"generation": made.ID, "account_hash": eventstore.HashAccount(c.id).String()},
		},
	})
	var answer struct {
		Job struct {
			Spec   generation.Spec
			Inputs []struct{ URL string }
		}
	}
	claim.decode(t, &answer)
	require.Len(t, answer.Job.Inputs, 2)
	require.Contains(t, answer.Job.Inputs[0].URL, "pictures/a/0.png")
	require.Contains(t, answer.Job.Inputs[1].URL, generation.UploadKey(c.id, domain.UploadID(upload)))
	inputs := answer.Job.Spec.Inputs()
	require.Equal(t, int64(10), inputs[0].Bytes)
	require.Equal(t, strings.Repeat("b", 64), inputs[1].SHA256)
	require.Equal(t, []int{640, 480}, []int{inputs[1].Width, inputs[1].Height})
}

func TestAPictureThatCannotBeUsedIsRefusedBeforeCreditsAreReserved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	alice, mallory := f.open("alice"), f.open("mallory")
	theirs, upload := alice.finish(alice.request("first").ID), alice.upload()
	before := mallory.call(http.MethodGet, "/v1/balance", nil).body
	for name, source := range map[string]map[string]any{
		"another's image":  {"image": theirs},
		"another's upload": {"upload": upload},
		"no upload":        {"upload": "upl_01k00000000000000000000000"},
		"no image":         {"image": "img_01k00000000000000000000000_0"},
	} {
		body := map[string]any{"model": "sdxl-1.0", "prompt": "x", "seed": 1, "source": source}
		key := headerOf("Idempotency-Key", name)
		p := mallory.call(http.MethodPost, "/v1/generations", body, key).problem(t)
		require.Equal(t, "picture-unusable", p.Code, name)
		require.EqualValues(t, http.StatusUnprocessableEntity, p.Status)
		require.Equal(t, "/source", (*p.Errors)[0].Pointer)
		replayed := mallory.call(http.MethodPost, "/v1/generations", body, key)
		require.Equal(t, p.Detail, replayed.problem(t).Detail)
		require.Equal(t, "true", replayed.header.Get("Idempotency-Replayed"))
	}
	require.Equal(t, before, mallory.call(http.MethodGet, "/v1/balance", nil).body)
}

func TestARepeatedRequestGetsItsFirstAnswerWhateverHasBecomeOfThePicture(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	upload := c.upload()
	body := map[string]any{"model": "flux-dev", "prompt": "x", "seed": 1, "source": map[string]any{"upload": upload}}
	key := headerOf("Idempotency-Key", "once")
	first := c.call(http.MethodPost, "/v1/generations", body, key)
	require.Equal(t, http.StatusCreated, first.status, first.body)
	f.pictures.mu.Lock()
	clear(f.pictures.uploads)
	f.pictures.mu.Unlock()
	again := c.call(http.MethodPost, "/v1/generations", body, key)
	require.Equal(t, first.body, again.body)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))

	f.pictures.mu.Lock()
	f.pictures.away = true
	f.pictures.mu.Unlock()
	late := headerOf("Idempotency-Key", "late")
	require.Equal(t, "unavailable", c.call(http.MethodPost, "/v1/generations", body, late).problem(t).Code)
	f.pictures.mu.Lock()
	f.pictures.away = false
	f.pictures.mu.Unlock()
	require.Equal(t, "picture-unusable", c.call(http.MethodPost, "/v1/generations", body, late).problem(t).Code,
		"an outage is not kept")
}
