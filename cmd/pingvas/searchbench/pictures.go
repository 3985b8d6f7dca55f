package searchbench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// The shape of prompts.
const (
	promptWordsMin = 8
	promptWordsMax = 40
	tagsMax        = 4
	ownersMin      = 1000
)

// The words of prompts: the first are far more frequent than the last, as in any language.
var (
	subjects = strings.Fields(`cat lighthouse mountain 고양이 portrait forest castle 눈 robot ocean 바다 dragon city 산 girl
		garden 등대 river spaceship 강아지 wolf temple 숲 bridge knight 도시 flower market 하늘 desert fox 별 island witch 용`)
	styles = strings.Fields(`highly detailed cinematic lighting sharp focus digital painting 수채화 concept art 8k golden
		hour volumetric fog soft shadows 저녁 노을 dramatic composition oil on canvas 밤하늘 minimal vintage film grain`)
	endings = []string{"", "이", "가", "는", "을", "의", "에서"}
	labels  = strings.Fields(`work draft favourite print 겨울 여름 client wallpaper avatar idea done logo pets travel night`)
)

// generator makes pictures. The same seed makes the same ones.
type generator struct {
	rand *rand.Rand
	zipf *rand.Zipf
}

func newGenerator(seed uint64) *generator {
	source := rand.New(rand.NewPCG(seed, seed))
	return &generator{rand: source, zipf: rand.NewZipf(source, 1.2, 4, uint64(len(subjects)-1))}
}

func (g *generator) prompt() string {
	var words []string
	for range promptWordsMin + g.rand.IntN(promptWordsMax-promptWordsMin) {
		switch n := g.rand.IntN(10); {
		case n < 4:
			word := subjects[g.zipf.Uint64()]
			if word[0] >= 0x80 {
				word += endings[g.rand.IntN(len(endings))]
			}
			words = append(words, word)
		case n < 9:
			words = append(words, styles[g.rand.IntN(len(styles))])
		default: // names, numbers, slips of the pen
			words = append(words, fmt.Sprintf("name%d", g.rand.IntN(50_000)))
		}
	}
	return strings.Join(words, " ")
}

func (g *generator) tags() []string {
	var tags []string
	for range g.rand.IntN(tagsMax) {
		tags = append(tags, labels[g.rand.IntN(len(labels))])
	}
	return tags
}

func (g *generator) model() string {
	return []string{"sdxl-1.0", "flux-dev", "flux-schnell"}[g.rand.IntN(3)]
}

// accountID, generationID and imageID return ids that look like real ones.
func accountID(n int) domain.AccountID {
	return domain.AccountID(fmt.Sprintf("%s%026d", domain.PrefixAccount, n))
}

func generationID(n int64) domain.GenerationID {
	return domain.GenerationID(fmt.Sprintf("%s%026d", domain.PrefixGeneration, n))
}

func imageID(n int64, index int) domain.ImageID {
	return domain.ImageID(fmt.Sprintf("%s%026d_%d", domain.PrefixImage, n, index))
}

// start is when the first picture was made.
func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func (g *generator) document(owner domain.AccountID, n int64) search.Document {
	return search.Document{
		Image: imageID(n, 0), Account: owner, Prompt: g.prompt(), NegativePrompt: "blurry, low quality, text, 흐림",
		Tags: g.tags(), Model: g.model(), Width: 1024, Height: 768 + 256*g.rand.IntN(2), Seed: g.rand.Uint32(),
		CreatedAt: start().Add(time.Duration(n) * time.Second), Favourite: g.rand.IntN(20) == 0, Version: n + 1,
	}
}
