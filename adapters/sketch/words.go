package sketch

import (
	"strings"
	"unicode"
)

// theme is a set of things that a prompt may ask for.
type theme uint64

const (
	sunset theme = 1 << iota
	dawn
	night
	day
	storm
	sea
	mountain
	hill
	forest
	city
	desert
	snow
	rain
	flower
	space
	aurora
	moon
	sun
	star
	clouds
	fog
	autumn
	spring
	neon
	pastel
	cat
	boat
	house
	balloon
	bird
	rainbow
	red
	orange
	yellow
	green
	blue
	purple
	pink
	black
	white
	abstract
)

const (
	// maxRunes is how much of a prompt is searched for words; all of it goes into the seed.
	maxRunes = 4000
	grounds  = sea | mountain | hill | forest | city | desert | snow | flower | house
	skies    = sunset | dawn | night | day | storm | aurora | moon | sun | star | clouds | rain | rainbow | bird | balloon
)

// vocabulary lists the words of each theme, English in the singular, Korean without particles.
func vocabulary() map[theme]string {
	return map[theme]string{
		sunset: "sunset dusk twilight evening 노을 석양 일몰 저녁 황혼",
		dawn:   "dawn sunrise morning 새벽 일출 아침 여명",
		night:  "night midnight nocturne 밤 한밤 야경 심야 달밤 밤바다 밤거리 밤하늘",
		day:    "day noon sunny summer bright 낮 한낮 여름 맑은",
		storm:  "storm stormy thunder gloomy 폭풍 천둥 번개 흐린",
		sea: "sea ocean wave beach coast shore lake river island water " +
			"바다 바닷가 밤바다 파도 해변 호수 강 섬 물 해안",
		mountain: "mountain peak alps cliff volcano canyon 산 산맥 봉우리 절벽 설악산 한라산 화산",
		hill:     "hill field meadow valley grass countryside landscape 언덕 들판 초원 계곡 풀밭 풍경 시골",
		forest:   "forest wood tree pine jungle bamboo 숲 나무 소나무 정글 대나무 숲속",
		city: "city skyline town street building skyscraper tokyo seoul cyberpunk " +
			"도시 거리 밤거리 빌딩 서울 마을 골목",
		desert:   "desert dune sahara sand 사막 모래 사구",
		snow:     "snow snowy winter ice frozen blizzard 눈 겨울 설경 얼음 눈밭 함박눈",
		rain:     "rain rainy drizzle 비 장마 소나기 빗속",
		flower:   "flower blossom rose tulip lavender garden sakura 꽃 꽃밭 장미 튤립 정원 벚꽃 유채꽃",
		space:    "space galaxy nebula universe cosmos planet 우주 은하 은하수 성운 행성",
		aurora:   "aurora borealis 오로라 극광",
		moon:     "moon moonlight moonlit crescent 달 보름달 달빛 초승달 달밤",
		sun:      "sun sunlight sunshine 해 태양 햇살 햇빛",
		star:     "star starry starlight constellation 별 별빛 별자리 밤하늘",
		clouds:   "cloud cloudy sky 구름 하늘 뭉게구름",
		fog:      "fog foggy mist misty haze dreamy 안개 몽환 물안개 몽환적인",
		autumn:   "autumn fall maple 가을 단풍",
		spring:   "spring sakura cherry 봄 벚꽃",
		neon:     "neon cyberpunk synthwave vaporwave retro 네온 사이버펑크",
		pastel:   "pastel soft cute watercolor watercolour kawaii 파스텔 귀여운 수채화",
		cat:      "cat kitten kitty 고양이 냥이 아기고양이",
		boat:     "boat ship sail sailboat yacht 배 돛단배 요트 범선",
		house:    "house cottage cabin home hut 집 오두막 한옥 별장",
		balloon:  "balloon 열기구 풍선",
		bird:     "bird seagull crow crane 새 갈매기 철새 까마귀",
		rainbow:  "rainbow 무지개",
		red:      "red crimson scarlet 빨강 빨간 붉은",
		orange:   "orange amber 주황 주황색",
		yellow:   "yellow gold golden 노랑 노란 금빛 황금빛",
		green:    "green emerald 초록 초록색 녹색 푸르른",
		blue:     "blue azure cyan teal 파랑 파란 푸른",
		purple:   "purple violet magenta 보라 보라색 보랏빛",
		pink:     "pink 분홍 분홍색 핑크",
		black:    "black dark darkness 검정 검은 어두운 어둠",
		white:    "white pale 하양 하얀 흰",
		abstract: "abstract flow fluid marble pattern 추상 추상화 패턴",
	}
}

// read returns the themes that a text names.
func read(text string) theme {
	known := map[string]theme{}
	for t, list := range vocabulary() {
		for word := range strings.FieldsSeq(list) {
			known[word] |= t
		}
	}
	var found theme
	for _, word := range split(text) {
		found |= lookup(known, word)
	}
	return found
}

// split returns the lower-case words of a text, which may be any bytes.
func split(text string) []string {
	text = strings.ToLower(strings.ToValidUTF8(text, " "))
	n := 0
	for i := range text {
		if n++; n > maxRunes {
			text = text[:i]
			break
		}
	}
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
}

func lookup(known map[string]theme, word string) theme {
	if t := known[word]; t != 0 {
		return t
	}
	for _, ending := range []string{"s", "es", "y"} {
		if stem, ok := strings.CutSuffix(word, ending); ok && known[stem] != 0 {
			return known[stem]
		}
	}
	// Korean joins its particles to the noun.
	particles := "이 가 은 는 을 를 에 의 로 와 과 도 만 들 한 위 속 옆 " +
		"으로 에서 에는 위에 위의 위로 속의 속에 들이 들의 아래 처럼"
	for ending := range strings.FieldsSeq(particles) {
		if stem, ok := strings.CutSuffix(word, ending); ok && known[stem] != 0 {
			return known[stem]
		}
	}
	return 0
}

// understand returns what a picture is to show: what the prompt names less what the negative prompt names.
func understand(prompt, negative string) theme {
	t := read(prompt) &^ read(negative)
	if t&(star|moon|aurora) != 0 && t&(sunset|dawn|day|sun) == 0 {
		t |= night
	}
	if t&(boat) != 0 && t&grounds == 0 {
		t |= sea
	}
	if t&(cat|autumn|spring|fog|neon) != 0 && t&(grounds|space|abstract) == 0 {
		t |= hill
	}
	return t
}

// isAbstract says that there is nothing to make a landscape of.
func (t theme) isAbstract() bool {
	return t&abstract != 0 || t&(grounds|skies|space) == 0
}

func (t theme) has(any theme) bool { return t&any != 0 }
