package sketch

// palette holds the colours of one picture.
type palette struct {
	sky        []colour // from the zenith to the horizon
	haze       colour   // what distance fades to
	shade      colour   // what unlit ground fades to
	light      colour   // sun, moon, lit windows
	cloudLit   colour
	cloudShade colour
	deep       colour // open water
	gloom      fix    // how much of the ground's own colour the shade takes
	flow       []colour
}

func newPalette(t theme, r *random) palette {
	p := mood(t, r)
	base := unit(r.next())
	own := hue(base, ratio(55, 100), ratio(85, 100))
	for i := range p.sky {
		p.sky[i] = mix(p.sky[i], own, ratio(6, 100))
	}
	p.flow = flowColours(t, base, r)
	for _, word := range colourWords(t) {
		for i := range p.sky {
			p.sky[i] = mix(p.sky[i], word, ratio(int64(18+8*i), 100))
		}
		p.haze = mix(p.haze, word, ratio(40, 100))
		p.cloudLit = mix(p.cloudLit, word, ratio(30, 100))
	}
	if t.has(pastel) {
		p.soften()
	}
	return p
}

// mood picks the hour and the weather.
func mood(t theme, r *random) palette {
	switch {
	case t.has(neon):
		return newMood(0x12022e, 0x3b0a66, 0xb01e8a, 0xff7ac1).
			ground(0xc0359a, 0x0b0320, 85).air(0x5df5ff, 0xff6fd0, 0x2a0a55, 0x1a0440)
	case t.has(space):
		return newMood(0x03030c, 0x0a0a24, 0x161238, 0x2b1d52).
			ground(0x2b1d52, 0x05050f, 85).air(0xfff3d6, 0x6a5aa8, 0x0b0920, 0x06061a)
	case t.has(night|aurora) && !t.has(sunset|dawn):
		return newMood(0x040818, 0x0b1a3c, 0x1f3768, 0x48609a).
			ground(0x33487a, 0x060b18, 82).air(0xf6f0d8, 0x5d70a6, 0x101a36, 0x071631)
	case t.has(sunset):
		if r.next()%2 == 0 {
			return newMood(0x1b2456, 0x7a3f7c, 0xe8695b, 0xffcf7d).
				ground(0xf0986a, 0x20132c, 74).air(0xffe9b0, 0xff9d78, 0x57325f, 0x1c2450)
		}
		return newMood(0x24406e, 0x9b6a86, 0xff8f52, 0xffe08a).
			ground(0xf7ad6c, 0x2a1720, 72).air(0xfff0bc, 0xffb070, 0x70455e, 0x233a5e)
	case t.has(dawn):
		return newMood(0x4668a6, 0x9fb0d4, 0xf4c4c3, 0xffeacb).
			ground(0xe8c3c6, 0x35415f, 45).air(0xfff4d8, 0xffdccf, 0x8a93b8, 0x3c6490)
	case t.has(storm | rain):
		return newMood(0x252d38, 0x414d5a, 0x6b7882, 0xa0aaad).
			ground(0x8e9aa0, 0x1c232b, 52).air(0xe6ecec, 0x98a4ab, 0x2c3540, 0x2b3f4a)
	case t.has(snow):
		return newMood(0x6b9cca, 0xa7c8e3, 0xd8e6f1, 0xf9f2ec).
			ground(0xd9e5f0, 0x50688c, 22).air(0xfff8e6, 0xffffff, 0xa9bfd6, 0x4b7ea6)
	default:
		return newMood(0x1d68ba, 0x559fdc, 0x9fd0ee, 0xe9f3e9).
			ground(0xbfdcea, 0x1d3a4a, 20).air(0xfff7d6, 0xffffff, 0xa8c4dc, 0x0f5c86)
	}
}

func newMood(sky ...uint32) palette {
	var p palette
	for _, rgb := range sky {
		p.sky = append(p.sky, hex(rgb))
	}
	return p
}

func (p palette) ground(haze, shade uint32, gloomPercent int64) palette {
	p.haze, p.shade, p.gloom = hex(haze), hex(shade), ratio(gloomPercent, 100)
	return p
}

func (p palette) air(light, cloudLit, cloudShade, deep uint32) palette {
	p.light, p.cloudLit, p.cloudShade, p.deep = hex(light), hex(cloudLit), hex(cloudShade), hex(deep)
	return p
}

func (p *palette) soften() {
	pale := func(c colour) colour { return mix(c, hex(0xfff4f0), ratio(42, 100)) }
	for i := range p.sky {
		p.sky[i] = pale(p.sky[i])
	}
	for i := range p.flow {
		p.flow[i] = pale(p.flow[i])
	}
	p.haze, p.shade, p.deep = pale(p.haze), pale(p.shade), pale(p.deep)
	p.cloudLit, p.cloudShade = pale(p.cloudLit), pale(p.cloudShade)
}

// landColour is the ground's own colour in full light.
func landColour(t theme, r *random) colour {
	switch {
	case t.has(snow):
		return hex(0xf4f8fd)
	case t.has(desert):
		return hex(0xdfa662)
	case t.has(autumn):
		return hex(0xa8541f)
	case t.has(neon):
		return hex(0x35105e)
	case t.has(forest):
		return hex(0x24573a)
	case t.has(city):
		return hex(0x2c3850)
	case t.has(spring | flower):
		return hex(0x69a84a)
	case t.has(mountain):
		return hex(0x3f5a58)
	default:
		return mix(hex(0x4f8d42), hex(0x7d9a3e), unit(r.next()))
	}
}

// colourWords are the colours that the prompt names.
func colourWords(t theme) []colour {
	names := []struct {
		theme theme
		rgb   uint32
	}{
		{red, 0xd3303a}, {orange, 0xf58a2c}, {yellow, 0xf6c944}, {green, 0x3fa66a}, {blue, 0x2f7fd6},
		{purple, 0x7d4bc9}, {pink, 0xf58fb8}, {black, 0x0c0c12}, {white, 0xf6f4ef},
	}
	var found []colour
	for _, name := range names {
		if t.has(name.theme) {
			found = append(found, hex(name.rgb))
		}
	}
	return found
}

// flowColours are the stops of an abstract picture: a dark, two neighbouring hues, a light, and two accents.
func flowColours(t theme, base fix, r *random) []colour {
	turn := r.between(9, 16)
	stops := []colour{
		hue(base+turn/2, ratio(80, 100), ratio(16, 100)),
		hue(base, ratio(66, 100), ratio(52, 100)),
		hue(base+turn, ratio(52, 100), ratio(88, 100)),
		hue(base+2*turn, ratio(16, 100), one),
		hue(base+ratio(42, 100), ratio(58, 100), ratio(90, 100)),
		hue(base-turn, ratio(72, 100), ratio(30, 100)),
	}
	for i, word := range colourWords(t) {
		stops[1+i%4] = word
	}
	return stops
}
