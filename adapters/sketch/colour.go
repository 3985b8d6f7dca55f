package sketch

// full is the largest value of a colour channel: 12 bits.
const full = 4095

// colour has channels from 0 to full.
type colour struct{ r, g, b int32 }

// hex makes a colour of 0xRRGGBB.
func hex(rgb uint32) colour {
	wide := func(v uint32) int32 { return int32(v&0xff) * full / 255 }
	return colour{wide(rgb >> 16), wide(rgb >> 8), wide(rgb)}
}

// mix goes from a to b as t goes from 0 to one.
func mix(a, b colour, t fix) colour {
	w := int32(clamp(t, 0, one))
	return colour{a.r + (b.r-a.r)*w>>bits, a.g + (b.g-a.g)*w>>bits, a.b + (b.b-a.b)*w>>bits}
}

// lit adds light of the colour c, weighted by t, without going over the top.
func lit(base, c colour, t fix) colour {
	w := int32(clamp(t, 0, one))
	add := func(x, y int32) int32 {
		y = y * w >> bits
		return x + y - x*y/full
	}
	return colour{add(base.r, c.r), add(base.g, c.g), add(base.b, c.b)}
}

// hue makes a colour of a hue (turns), a saturation and a value, all 0 to one.
func hue(h, s, v fix) colour {
	h = (h%one + one) % one * 6
	part := h & (one - 1)
	low, fall, rise := one-s, one-mul(s, part), one-mul(s, one-part)
	var r, g, b fix
	switch h >> bits {
	case 0:
		r, g, b = one, rise, low
	case 1:
		r, g, b = fall, one, low
	case 2:
		r, g, b = low, one, rise
	case 3:
		r, g, b = low, fall, one
	case 4:
		r, g, b = rise, low, one
	default:
		r, g, b = one, low, fall
	}
	channel := func(x fix) int32 { return int32(mul(x, v) * full >> bits) }
	return colour{channel(r), channel(g), channel(b)}
}

// gradient returns the colour at t, 0 to one, between evenly spaced stops.
func gradient(stops []colour, t fix) colour {
	last := len(stops) - 1
	t = clamp(t, 0, one) * fix(last)
	i := min(int(t>>bits), last-1)
	return mix(stops[i], stops[i+1], t-fix(i)<<bits)
}
