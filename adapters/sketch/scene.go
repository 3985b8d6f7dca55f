package sketch

import "crypto/sha256"

// scene is everything that decides the colour of a point. It is not changed once built.
type scene struct {
	theme   theme
	palette palette
	noise   *noise
	seed    uint64 // of cells: stars, windows, flakes

	width, height int64 // pixels
	horizon       fix
	layers        []layer // from near to far
	shapes        []shape // from near to far
	sky           sky
}

// brief is what decides a picture.
type brief struct {
	prompt, negative, model string
	seed                    uint32
	width, height           int
	extras                  []string
}

func newScene(b brief) *scene {
	t := understand(b.prompt, b.negative)
	words := fingerprint(append([]string{b.prompt, b.negative, b.model}, b.extras...)...)
	taste := random{state: words}                        // what all pictures of a prompt share
	luck := random{state: mix64(words ^ uint64(b.seed))} // what sets one seed apart
	s := &scene{
		theme: t, palette: newPalette(t, &taste), seed: luck.next(), noise: newNoise(luck.next()),
		width: int64(b.width), height: int64(b.height),
	}
	if t.isAbstract() {
		return s
	}
	s.horizon = luck.between(60, 68)
	if t.has(sea) {
		s.horizon = luck.between(52, 60)
	}
	s.sky = newSky(s, &luck)
	s.layers = newLand(s, landColour(t, &taste), &luck)
	s.shapes = newShapes(s, &luck)
	return s
}

// fingerprint turns texts of any length into a number; the zero bytes keep "ab","c" apart from "a","bc".
func fingerprint(texts ...string) uint64 {
	h := sha256.New()
	for _, text := range texts {
		h.Write([]byte(text))
		h.Write([]byte{0})
	}
	var seed uint64
	for _, b := range h.Sum(nil)[:8] {
		seed = seed<<8 | uint64(b)
	}
	return seed
}

// at returns the colour of a point given in fixed-point pixels.
func (s *scene) at(x, y fix) colour {
	u, v := (x-s.width<<bits/2)/s.height, y/s.height
	if s.theme.isAbstract() {
		return s.finish(s.flowAt(u, v), u, v)
	}
	return s.finish(s.landscapeAt(u, v, x), u, v)
}

func (s *scene) landscapeAt(u, v, x fix) colour {
	for i := range s.shapes {
		if c, hit := s.shapes[i].at(u, v); hit {
			return c
		}
	}
	column := clamp(x>>(bits-1), 0, 2*s.width-1)
	for i := range s.layers {
		if l := &s.layers[i]; v > l.top[column] && (l.foot == 0 || v < l.foot) {
			return l.at(s, u, v, v-l.top[column])
		}
	}
	if s.theme.has(sea) && v > s.horizon {
		return s.seaAt(u, v)
	}
	return s.skyAt(u, v)
}

// finish lays the weather over the picture.
func (s *scene) finish(c colour, u, v fix) colour {
	if s.theme.has(fog) && !s.theme.isAbstract() {
		drift := s.noise.cloud(2*u, 5*v, 3)
		height := ramp(ratio(45, 100), 0, abs(v-s.horizon))
		c = mix(c, s.palette.haze, mul(height, clamp(ratio(55, 100)+drift/2, 0, ratio(92, 100))))
	}
	if s.theme.has(rain) && !s.theme.isAbstract() {
		c = lit(c, hex(0xb8c8d4), s.rainAt(u, v))
	}
	if s.theme.has(snow) && !s.theme.has(mountain|abstract) {
		c = mix(c, hex(0xffffff), s.flakesAt(u, v))
	}
	return c
}

// rim is how much darker a pixel is for being near the edge of the picture, 0 to one.
func (s *scene) rim(x, y int64) fix {
	off := dist((2*x-s.width)*one/(s.width+s.height/2), (2*y-s.height)*one*3/4/s.height)
	return ramp(ratio(55, 100), ratio(180, 100), off) * 3 / 5
}

func abs(x fix) fix { return max(x, -x) }

// rainAt is the brightness of streaks in two depths.
func (s *scene) rainAt(u, v fix) fix {
	light := fix(0)
	for depth := range int64(2) {
		columns, rows := 90+50*depth, 7+4*depth
		x := (u + v/6) * columns
		h := cell(s.seed+uint64(depth), x>>bits, 0)
		y := v*rows + unit(h)*rows
		drop := cell(s.seed, x>>bits, y>>bits)
		if drop%100 < 45 && abs(x&(one-1)-one/2) < one/7 {
			light += mul(ramp(0, one/2, y&(one-1)), ramp(one, one*3/5, y&(one-1))) / 4
		}
	}
	return light
}

// flakesAt is the cover of snow flakes in three depths.
func (s *scene) flakesAt(u, v fix) fix {
	cover := fix(0)
	for depth := range int64(3) {
		x, y := u*(14+14*depth), v*(14+14*depth)
		h := cell(s.seed+uint64(depth), x>>bits, y>>bits)
		if h%100 > 26 {
			continue
		}
		radius := ratio(3, 100) + unit(h>>40)/28
		cx, cy := one/4+unit(h>>8)/2, one/4+unit(h>>24)/2
		d := dist(x&(one-1)-cx, y&(one-1)-cy)
		cover = max(cover, ramp(2*radius, radius/2, d)*9/10)
	}
	return cover
}
