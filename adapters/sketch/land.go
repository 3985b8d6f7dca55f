package sketch

// layer is one strip of land: everything below its upper edge, down to the next layer in front of it.
type layer struct {
	top         []fix // upper edge for each half pixel across, measured from the top of the picture
	crest, base colour
	depth       fix // how far below the edge crest turns into base
	caps        fix // above this height there is snow on the crest; 0 for none
	windows     bool
	grain       fix // scale of the relief; 0 for none
	tree        fix // width of a tree; 0 for none
	row         uint64
	foot        fix // lower edge, where water begins; 0 for none
}

const (
	mountainLayers = 4
	hillLayers     = 4
	forestLayers   = 7
	cityLayers     = 3
)

// newLand returns the layers from near to far.
func newLand(s *scene, land colour, luck *random) []layer {
	t := s.theme
	var far []layer
	if t.has(mountain) {
		far = append(far, s.newMountains(land, luck)...)
	}
	if t.has(city) {
		far = append(far, s.newCity(luck)...)
	}
	ground := t.has(hill|forest|desert|snow|flower|house) || !t.has(sea|mountain|city) && !t.has(space)
	if ground && !t.has(sea) {
		count := int64(hillLayers)
		if t.has(forest) {
			count = forestLayers
		}
		far = append(far, s.newHills(land, count, luck)...)
	}
	if t.has(sea) {
		for i := range far {
			far[i].foot = s.horizon
		}
	}
	if t.has(sea) && (ground || t.has(cat) || luck.next()%2 == 0) {
		far = append(far, s.newShore(land, luck))
	}
	near := make([]layer, 0, len(far))
	for i := len(far) - 1; i >= 0; i-- {
		near = append(near, far[i])
	}
	return near
}

// coloured sets a layer's colours for its distance, 0 near to one far.
func (s *scene) coloured(l layer, land colour, far fix) layer {
	own := mix(land, s.palette.shade, s.palette.gloom)
	l.crest = mix(own, s.palette.haze, mul(far, ratio(72, 100)))
	l.base = mix(mix(own, s.palette.shade, ratio(35, 100)), s.palette.haze, clamp(mul(far, far)+far/6, 0, ratio(92, 100)))
	return l
}

// edge builds an upper edge from a function of u.
func (s *scene) edge(height func(u fix) fix) []fix {
	top := make([]fix, 2*s.width)
	for i := range top {
		u := (fix(i)<<(bits-1) - s.width<<bits/2) / s.height
		top[i] = height(u)
	}
	return top
}

func (s *scene) newMountains(land colour, luck *random) []layer {
	var layers []layer
	for i := range int64(mountainLayers) {
		shift, rise := luck.between(0, 20000), ratio(40-6*i, 100)
		foot := s.horizon + ratio(1+3*i, 100)
		scale := ratio(110+45*i, 100)
		l := layer{depth: ratio(26, 100), grain: 7}
		l.top = s.edge(func(u fix) fix {
			x := mul(u, scale) + shift
			return foot - mul(rise, s.noise.ridge(x, shift, 6)+s.noise.at(x/2, shift)/3+one/5)
		})
		if i < 2 && !s.theme.has(desert|autumn) {
			l.caps = foot - rise*3/5
		}
		layers = append(layers, s.coloured(l, land, one-fix(i)*one/(mountainLayers+1)-one/8))
	}
	return layers
}

func (s *scene) newHills(land colour, count int64, luck *random) []layer {
	var layers []layer
	for i := range count {
		shift, scale := luck.between(0, 20000), ratio(220-40*i, 100)
		foot := s.horizon + (one-s.horizon)*i*i*9/(count*count*10)
		rise := ratio(7+2*i, 100)
		l := layer{depth: ratio(22, 100), grain: 12 - i, row: uint64(i)}
		tall := ratio(10+3*i, 200)
		if s.theme.has(forest) {
			l.tree, l.depth = tall*2/5, tall
		}
		l.top = s.edge(func(u fix) fix {
			y := foot - mul(rise, s.noise.cloud(mul(u, scale)+shift, shift, 3))
			if s.theme.has(desert) {
				y = foot - mul(rise, one/3+2*s.noise.ridge(mul(u, scale)/2+shift, shift, 2))
			}
			if l.tree > 0 {
				y -= s.trees(u, l.row, tall)
			}
			return y
		})
		layers = append(layers, s.coloured(l, land, one-(i+1)*one/count))
	}
	return layers
}

// trees is the height of a row of conifers at u.
func (s *scene) trees(u fix, row uint64, tall fix) fix {
	best := fix(0)
	width := tall * 2 / 5
	for k := int64(-1); k <= 1; k++ {
		i := floor(u*one/width) + k
		h := cell(s.seed+1000*row, i, 3)
		height := mul(tall, one/2+unit(h>>8)/2)
		off := abs(u - mul(width, i<<bits+one/2+(unit(h>>24)-one/2)/2))
		reach := height*2/7 + width/12
		if off >= reach {
			continue
		}
		y := height - off*height/reach
		tier := (y * 6 / max(height, 1) * 10) & 7 // a coarse saw, for branches
		best = max(best, y+tier*height/200)
	}
	return best
}

func floor(x fix) int64 { return x >> bits }

// newShore is a strip of dark ground in front of the water.
func (s *scene) newShore(land colour, luck *random) layer {
	shift, side := luck.between(0, 20000), luck.between(-60, 60)
	l := layer{depth: ratio(20, 100), grain: 10}
	if s.theme.has(desert) || !s.theme.has(hill|forest|snow|flower) {
		land = mix(land, hex(0xd9b88a), ratio(60, 100))
	}
	l.top = s.edge(func(u fix) fix {
		return ratio(90, 100) - mul(side, u)/6 - s.noise.cloud(u*3/2+shift, shift, 4)/16
	})
	return s.coloured(l, land, 0)
}

func (s *scene) newCity(luck *random) []layer {
	var layers []layer
	for i := range int64(cityLayers) {
		shift := luck.next()
		width, rise := ratio(5+2*i, 100), ratio(36-6*i, 100)
		foot := s.horizon + ratio(2+9*i, 100)
		l := layer{depth: ratio(40, 100), windows: i > 0, grain: 0}
		l.top = s.edge(func(u fix) fix {
			h := cell(shift, floor(u*one/width), i)
			tall := mul(rise, one/4+mul(unit(h), unit(h>>16))*3/4)
			inner := (u*one/width&(one-1) - one/2) * 2
			switch {
			case h>>40%5 == 0 && abs(inner) < one/12: // mast
				tall += rise / 7
			case h>>40%5 < 3 && abs(inner) < one*3/5: // setback
				tall += rise / 12
			}
			return foot - tall
		})
		glass := mix(hex(0x3b4a66), s.palette.cloudShade, ratio(30, 100))
		layers = append(layers, s.coloured(l, glass, ratio(75, 100)-i*one*3/10))
	}
	return layers
}

// at is the colour of a point of the layer, below its edge by below.
func (l *layer) at(s *scene, u, v, below fix) colour {
	c := mix(l.crest, l.base, clamp(below*one/l.depth, 0, one))
	if l.grain > 0 {
		c = s.withRelief(c, u, v, below, l)
		c = lit(c, s.palette.light, ramp(ratio(3, 100), 0, below)/9)
	}
	if l.caps > 0 {
		line := l.caps + s.noise.cloud(u*14, v*14, 3)/14
		c = mix(c, mix(hex(0xf7f9ff), s.palette.haze, ratio(30, 100)), ramp(line, line-ratio(4, 100), v)*9/10)
	}
	if l.windows {
		c = s.withWindows(c, u, v)
	}
	if s.theme.has(flower) && l.grain > 0 && below > ratio(1, 100) {
		c = s.withFlowers(c, u, v)
	}
	return c
}

// withRelief lights the slopes that face the sun and darkens the others.
func (s *scene) withRelief(c colour, u, v, below fix, l *layer) colour {
	if l.tree > 0 {
		return s.withLeaves(c, u, below, l)
	}
	x, y, strength := u*l.grain, v*l.grain*2, ratio(24, 100)
	if s.theme.has(desert) {
		x, y, strength = u*3+v*7, v*30, ratio(12, 100) // ripples of sand
	}
	side := one / 6
	if s.sky.x < 0 {
		side = -side
	}
	slope := s.noise.cloud(x, y, 3) - s.noise.cloud(x+side, y-one/8, 3)
	c = mix(c, s.palette.shade, mul(ramp(0, one, slope), strength))
	return lit(c, s.palette.light, mul(ramp(0, one, -slope), strength)/2)
}

// withLeaves gives neighbouring trees slightly different colours.
func (s *scene) withLeaves(c colour, u, below fix, l *layer) colour {
	h := cell(s.seed+1000*l.row, floor(u*one/l.tree), 3)
	crown := ramp(l.depth, l.depth/4, below) // below it is the dark between the stems
	if !s.theme.has(autumn) || s.theme.has(snow|night) {
		return mix(c, s.palette.shade, mul(unit(h>>16), crown)/5)
	}
	leaves := gradient([]colour{hex(0x8c2f1c), hex(0xc8551c), hex(0xe39a2d), hex(0x6b6a2a)}, unit(h>>16))
	return mix(c, mix(leaves, s.palette.haze, one-(fix(l.row)+2)*one/(forestLayers+2)), mul(crown, one*3/5))
}

func (s *scene) withWindows(c colour, u, v fix) colour {
	x, y := u*105, v*78
	h := cell(s.seed, floor(x), floor(y))
	fx, fy := x&(one-1), y&(one-1)
	share := uint64(16)
	if s.theme.has(night|neon|sunset) || s.sky.stars {
		share = 46
	}
	if h%100 >= share || fx < one/4 || fx > one*3/4 || fy < one/4 || fy > one*7/10 {
		return c
	}
	glow := mix(hex(0xffd98a), hex(0xfff4d0), unit(h>>8))
	if s.theme.has(neon) {
		glow = hue(one/2+unit(h>>24)*2/5, ratio(60, 100), one)
	}
	return mix(c, glow, one/3+unit(h>>40)/2)
}

// withFlowers strews dots that grow towards the viewer.
func (s *scene) withFlowers(c colour, u, v fix) colour {
	near := (v - s.horizon) * one / (one - s.horizon)
	if near < one/12 {
		return c // too far to tell one from another
	}
	for row := range int64(2) {
		// Rows of equal size in perspective: the row number is the reciprocal of nearness.
		y := 14*one*one/(near+one/4) + row<<bits/2
		scale := 16*one*one/(near+one/3) + row*one*3
		x := mul(u, scale)
		h := cell(s.seed+uint64(row)*31, floor(x), floor(y))
		if h%100 > 62 {
			continue
		}
		d := dist(x&(one-1)-one/3-unit(h>>8)/3, (y&(one-1)-one/2)*4/5)
		size := ratio(16, 100) + unit(h>>24)/8
		if d > size {
			continue
		}
		petal := s.palette.flow[1+h>>40%4]
		if s.theme.has(spring) {
			petal = mix(hex(0xffb7d0), hex(0xffe3ee), unit(h>>12))
		}
		petal = mix(petal, s.palette.shade, mul(s.palette.gloom, ratio(60, 100)))
		return mix(petal, hex(0xffe9a0), ramp(size/2, size/5, d))
	}
	return c
}

// mirrored is the colour of the far land at a point above the horizon, or else c.
func (s *scene) mirrored(c colour, u, v fix) colour {
	column := clamp((u*s.height+s.width<<bits/2)>>(bits-1), 0, 2*s.width-1)
	for i := range s.layers {
		if l := &s.layers[i]; l.foot > 0 && v > l.top[column] {
			return mix(l.crest, l.base, clamp((v-l.top[column])*one/l.depth, 0, one))
		}
	}
	return c
}

// seaAt mirrors the air in rippled water, with a path of light under the sun or moon.
func (s *scene) seaAt(u, v fix) colour {
	down := v - s.horizon
	depth := down * one / (one - s.horizon)
	far := one * one / (down + ratio(4, 100)) // grows towards the horizon
	x, y := mul(u, far)*3/2, far*4
	swell := s.noise.cloud(x/2+s.sky.drift, y, 3)
	c := s.airAt(u+swell/30, s.horizon-down*4/5+mul(swell, depth+one/8)/5)
	c = s.mirrored(c, u+swell/40, s.horizon-down+mul(swell, depth+one/10)/6)
	c = mix(c, s.palette.deep, ratio(30, 100)+mul(depth, ratio(45, 100)))
	c = mix(c, s.palette.shade, mul(ramp(0, one, swell), ratio(28, 100)))
	c = lit(c, s.palette.haze, mul(ramp(one*2/5, one, -swell), ratio(30, 100)))
	if s.sky.radius > 0 {
		path := falloff(abs(u-s.sky.x+swell/20), ratio(5, 100)+mul(depth, ratio(14, 100)))
		spark := ramp(-one/8, one*2/5, s.noise.at(x*5, y*3)+swell/2)
		c = lit(c, s.palette.light, mul(mul(path, spark), ratio(90, 100)))
	}
	return lit(c, s.palette.haze, mul(ramp(one/14, 0, depth), ratio(55, 100)))
}
