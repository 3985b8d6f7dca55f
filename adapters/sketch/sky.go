package sketch

// sky holds the lights above the horizon.
type sky struct {
	x, y, radius fix // sun or moon; a radius of 0 means none
	isMoon       bool
	crescent     bool
	cover        fix // how much of the sky is cloud
	stars        bool
	drift        fix
}

func newSky(s *scene, luck *random) sky {
	t := s.theme
	dark := t.has(night|aurora|space) || t.has(neon) && t.has(city)
	k := sky{drift: luck.between(0, 5000), cover: luck.between(-5, 15), stars: dark && !t.has(storm|rain)}
	half := s.width * one / s.height / 2
	k.x = mul(luck.between(-45, 45), half)
	switch {
	case t.has(moon) || dark && !t.has(space|aurora|sun):
		k.isMoon, k.crescent = true, luck.next()%3 == 0 && !t.has(cat)
		k.radius, k.y = luck.between(5, 8), luck.between(18, 30)
	case t.has(sunset|dawn) || t.has(neon):
		k.radius, k.y = luck.between(6, 9), s.horizon-luck.between(6, 14)
	case t.has(sun|day|desert) || !t.has(storm|rain|fog|space|aurora):
		k.radius, k.y = luck.between(4, 6), luck.between(14, 24)
	}
	if t.has(neon) && k.radius > 0 {
		k.isMoon, k.radius, k.y = false, luck.between(14, 18), s.horizon-luck.between(10, 16)
	}
	if t.has(clouds) {
		k.cover += ratio(18, 100)
	}
	if t.has(storm | rain) {
		k.cover += ratio(40, 100)
	}
	if t.has(space | aurora) {
		k.cover = -one / 2
	}
	return k
}

func (s *scene) skyAt(u, v fix) colour {
	c := s.airAt(u, v)
	if s.sky.stars {
		c = s.withStars(c, u, v)
	}
	if s.theme.has(space) {
		c = s.withNebula(c, u, v)
	}
	if s.theme.has(aurora) {
		c = s.withAurora(c, u, v)
	}
	c = s.withDisc(c, u, v)
	if s.theme.has(rainbow) {
		c = s.withRainbow(c, u, v)
	}
	return s.withClouds(c, u, v)
}

// airAt is the plain gradient with the glow of the sun or moon; water mirrors it.
func (s *scene) airAt(u, v fix) colour {
	bend := s.noise.at(u+s.sky.drift, 2*v) / 24
	c := gradient(s.palette.sky, v*one/s.horizon+bend)
	if s.sky.radius == 0 {
		return c
	}
	d := dist(u-s.sky.x, v-s.sky.y)
	glow := mul(falloff(d, 3*s.sky.radius), ratio(70, 100))
	if s.sky.isMoon {
		glow /= 3
	}
	return lit(c, s.palette.light, mul(glow, ratio(75, 100)))
}

func (s *scene) withDisc(c colour, u, v fix) colour {
	k := s.sky
	if k.radius == 0 {
		return c
	}
	d := dist(u-k.x, v-k.y)
	if d > k.radius {
		return c
	}
	if s.theme.has(neon) && !k.isMoon {
		if stripe := (v - k.y + k.radius) * 9 / k.radius; v > k.y && stripe&(one-1) < one/4+(v-k.y) {
			return c
		}
		return mix(hex(0xffe66b), hex(0xff3d9a), (v-k.y+k.radius)*one/(2*k.radius))
	}
	if !k.isMoon {
		return mix(s.palette.light, hex(0xffffff), ratio(45, 100))
	}
	if k.crescent && dist(u-k.x-k.radius/2, v-k.y+k.radius/5) < k.radius*9/10 {
		return c
	}
	spots := s.noise.cloud(u*one/k.radius, v*one/k.radius, 3)
	return mix(s.palette.light, hex(0xb9b6a6), ramp(0, one*4/5, spots)*3/4)
}

func (s *scene) withStars(c colour, u, v fix) colour {
	for depth := range int64(2) {
		n := 45 + 65*depth
		x, y := u*n, v*n
		h := cell(s.seed+77*uint64(depth), x>>bits, y>>bits)
		if h%100 > 26 {
			continue
		}
		cx, cy := one/5+unit(h>>8)*3/5, one/5+unit(h>>24)*3/5
		d := dist(x&(one-1)-cx, y&(one-1)-cy)
		size := ratio(4, 100) + mul(unit(h>>40), unit(h>>40))/10
		tint := mix(hex(0xcfe0ff), hex(0xfff0d0), unit(h>>16))
		c = lit(c, tint, mul(ramp(2*size, 0, d), ramp(s.horizon, s.horizon/2, v)))
	}
	return c
}

func (s *scene) withNebula(c colour, u, v fix) colour {
	warp := s.noise.cloud(2*u+s.sky.drift, 2*v, 3)
	dust := s.noise.cloud(2*u+warp, 2*v+s.sky.drift-warp, 5)
	band := falloff(abs(v-one/2+u/3+warp/6), ratio(22, 100))
	c = lit(c, s.palette.flow[1], mul(band, ramp(-one/3, one*2/3, dust)))
	c = lit(c, s.palette.flow[4], mul(band, ramp(0, one, warp))*4/5)
	return lit(c, hex(0xffe9d0), mul(mul(band, band), ramp(one/10, one, dust)))
}

func (s *scene) withAurora(c colour, u, v fix) colour {
	for i := range int64(2) {
		base := s.horizon*(5-2*i)/7 + s.noise.cloud(u+s.sky.drift*i, 9*one*i, 3)/6
		above := base - v
		if above < -one/40 {
			continue
		}
		streak := one*3/5 + s.noise.cloud(9*u+s.noise.at(2*u, v)+i<<bits, v/2, 3)*3/5
		strength := mul(ramp(-one/40, one/30, above), ramp(ratio(45, 100), 0, above))
		tint := gradient([]colour{hex(0x4dffb0), hex(0x32e0c0), hex(0x6a6cff), hex(0xc04dff)}, above*5/2)
		c = lit(c, tint, mul(strength, clamp(streak, 0, one))*4/5)
	}
	return c
}

func (s *scene) withRainbow(c colour, u, v fix) colour {
	d := dist(u-s.sky.x/4, v-s.horizon-one/10)
	band := (d - ratio(48, 100)) * 14
	if band < 0 || band > one {
		return c
	}
	soft := mul(ramp(0, one/4, band), ramp(one, one*3/4, band))
	return mix(c, hue((one-band)*4/5, ratio(60, 100), one), soft/2)
}

func (s *scene) withClouds(c colour, u, v fix) colour {
	if s.sky.cover < -one/3 {
		return c
	}
	// Nearer the horizon clouds lie farther away: flatter and smaller.
	far := one*6/5 - v*one/s.horizon
	y := v * 5 * one / (far + one/2)
	warp := s.noise.at(2*u+s.sky.drift, y/2)
	x := 2*u + s.sky.drift + warp/2
	dense := s.noise.cloud(x, y+warp/3, 4) + s.sky.cover
	cover := ramp(ratio(5, 100), ratio(60, 100), dense)
	if cover == 0 {
		return c
	}
	shade := ramp(ratio(20, 100), ratio(95, 100), dense+s.noise.at(x-one/6, y-one/5)/3)
	puff := mix(s.palette.cloudLit, s.palette.cloudShade, shade)
	if s.sky.radius > 0 {
		near := falloff(dist(u-s.sky.x, v-s.sky.y), ratio(25, 100))
		puff = lit(puff, s.palette.light, mul(near, one-shade)/2)
	}
	thin := ratio(88, 100)
	if s.sky.stars {
		thin = ratio(60, 100)
	}
	return mix(c, puff, mul(cover, thin))
}
