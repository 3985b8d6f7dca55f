package sketch

// shape is a thing with an outline. at returns its colour at a point, or that the point is outside.
type shape struct {
	x, y, size fix // foot of the shape and its height
	draw       func(x, y fix) (colour, bool)
}

// at moves the point into the shape's own space: x to the right, y up from the foot, 1 at the top.
func (h *shape) at(u, v fix) (colour, bool) {
	x, y := u-h.x, h.y-v
	if abs(x) > h.size*3/2 || y < -h.size/2 || y > h.size*3/2 {
		return colour{}, false
	}
	return h.draw(x*one/h.size, y*one/h.size)
}

// newShapes returns the things in the picture, from near to far.
func newShapes(s *scene, luck *random) []shape {
	t, half := s.theme, s.width*one/s.height/2
	var found []shape
	add := func(asked theme, size fix, draw func(x, y fix) (colour, bool)) {
		x := mul(luck.between(-55, 55), half)
		if !t.has(asked) {
			return // the draw of luck above keeps the other shapes where they are
		}
		found = append(found, shape{x: x, y: s.groundAt(x) + size/40, size: size, draw: draw})
	}
	add(cat, ratio(34, 100), s.drawCat)
	add(house, ratio(17, 100), s.drawHouse)
	if boatAt := mul(luck.between(-40, 40), half); t.has(boat) {
		y := s.horizon + (one-s.horizon)/4
		found = append(found, shape{x: boatAt, y: y, size: ratio(17, 100), draw: s.drawBoat})
	}
	for i := range int64(3) {
		x, y := mul(luck.between(-75, 75), half), luck.between(30, 44)
		if t.has(balloon) {
			size := ratio(22-6*i, 100)
			tint := s.palette.flow[1+i]
			found = append(found, shape{x: x, y: y, size: size, draw: func(x, y fix) (colour, bool) {
				return s.drawBalloon(x, y, tint)
			}})
		}
	}
	for range 7 {
		x, y, size := mul(luck.between(-60, 60), half), luck.between(14, 40), luck.between(2, 5)
		if t.has(bird) {
			found = append(found, shape{x: x, y: y, size: size, draw: s.drawBird})
		}
	}
	return found
}

// groundAt is where something at u stands: the edge of the nearest land, or a little below the horizon.
func (s *scene) groundAt(u fix) fix {
	if len(s.layers) == 0 {
		return s.horizon + (one-s.horizon)/3
	}
	top := s.layers[0].top
	column := clamp((u*s.height+s.width<<bits/2)>>(bits-1), 0, int64(len(top))-1)
	return min(top[column], ratio(94, 100))
}

// silhouette is the dark that things have against the light.
func (s *scene) silhouette() colour { return mix(s.palette.shade, hex(0x0a0910), ratio(65, 100)) }

func inEllipse(x, y, rx, ry fix) bool { return dist(x*one/rx, y*one/ry) < one }

// drawCat is a cat that sits with its back to us and looks at the light.
func (s *scene) drawCat(x, y fix) (colour, bool) {
	body := inEllipse(x, y-ratio(24, 100), ratio(23, 100), ratio(30, 100)) ||
		inEllipse(x, y-ratio(48, 100), ratio(15, 100), ratio(24, 100)) ||
		inEllipse(x, y-ratio(4, 100), ratio(27, 100), ratio(8, 100))
	hx, hy := x-ratio(1, 100), y-ratio(77, 100)
	head := inEllipse(hx, hy, ratio(17, 100), ratio(14, 100))
	ex, ey := abs(hx)-ratio(10, 100), hy-ratio(6, 100)
	ear := ey > 0 && ey < ratio(18, 100) && abs(ex+ey/8) < (ratio(18, 100)-ey)*45/100
	tx, ty := x-ratio(34, 100), y-ratio(16, 100)
	ring := abs(dist(tx, ty)-ratio(15, 100)) < ratio(4, 100)
	tail := ring && (tx > 0 || ty < 0)
	tip := inEllipse(x-ratio(34, 100), y-ratio(31, 100), ratio(5, 100), ratio(4, 100))
	if !(body || head || ear || tail || tip) {
		return colour{}, false
	}
	c := s.silhouette()
	side := x
	if s.sky.x < 0 {
		side = -x
	}
	return lit(c, s.palette.haze, mul(ramp(0, one/3, side), ramp(0, one, y))*2/5), true
}

func (s *scene) drawHouse(x, y fix) (colour, bool) {
	wall := abs(x) < ratio(48, 100) && y > -one/4 && y < ratio(50, 100)
	roof := y >= ratio(46, 100) && y < one && abs(x) < (one-y)*115/100
	chimney := x > ratio(22, 100) && x < ratio(36, 100) && y > ratio(50, 100) && y < ratio(98, 100)
	if !(wall || roof || chimney) {
		return colour{}, false
	}
	dim := mul(s.palette.gloom, ratio(60, 100))
	if roof || chimney {
		top := hex(0x8a3f34)
		if s.theme.has(snow) {
			top = hex(0xf3f7fc)
		}
		return mix(top, s.palette.shade, dim), true
	}
	wx, wy := abs(x)-ratio(26, 100), y-ratio(26, 100)
	if abs(wx) < ratio(9, 100) && abs(wy) < ratio(10, 100) && abs(wx) > ratio(1, 100) && abs(wy) > ratio(1, 100) {
		return hex(0xffdf92), true
	}
	if abs(x) < ratio(8, 100) && y < ratio(30, 100) {
		return mix(hex(0x5a3826), s.palette.shade, dim), true
	}
	return mix(mix(hex(0xf0dfc4), hex(0xcdb497), clamp(x+one/2, 0, one)), s.palette.shade, dim), true
}

func (s *scene) drawBoat(x, y fix) (colour, bool) {
	hull := y > 0 && y < ratio(16, 100) && abs(x) < ratio(34, 100)+y*3/4
	mast := abs(x) < ratio(1, 100) && y >= 0 && y < one
	main := x > ratio(2, 100) && y > ratio(20, 100) && x < (one-y)*45/100
	jib := x < -ratio(2, 100) && y > ratio(24, 100) && -x < (ratio(88, 100)-y)*50/100
	dim := mul(s.palette.gloom, ratio(70, 100))
	switch {
	case main:
		return mix(mix(hex(0xfdf6e8), s.palette.haze, clamp(x*2, 0, one)), s.palette.shade, dim/2), true
	case jib:
		return mix(mix(hex(0xf5e4cf), s.palette.haze, one/3), s.palette.shade, dim/2), true
	case hull:
		return mix(hex(0x7a3328), s.palette.shade, clamp(dim+one/5-y, 0, one)), true
	case mast:
		return s.silhouette(), true
	case y <= 0 && y > -one/3 && abs(x) < ratio(34, 100)+y/2+s.noise.at(x*4, y*40)/6:
		return mix(s.palette.deep, s.palette.shade, one/2), y*13&(one-1) < one/2 // its reflection, in strips
	default:
		return colour{}, false
	}
}

func (s *scene) drawBalloon(x, y fix, tint colour) (colour, bool) {
	round := inEllipse(x, y-ratio(64, 100), ratio(36, 100), ratio(37, 100))
	neck := y > ratio(16, 100) && y < ratio(50, 100) && abs(x) < ratio(7, 100)+(y-ratio(16, 100))*4/5
	basket := abs(x) < ratio(6, 100) && y > 0 && y < ratio(9, 100)
	ropes := y >= ratio(9, 100) && y <= ratio(16, 100) && abs(abs(x)-ratio(5, 100)) < ratio(1, 100)
	switch {
	case round || neck:
		gore := abs(x) * one / max(ratio(38, 100)-abs(y-ratio(64, 100))/3, one/20)
		c := tint
		if mul(gore, gore+one)*3>>bits&1 == 1 {
			c = hex(0xfff1dc)
		}
		c = mix(c, s.palette.shade, clamp(x+one/4, 0, one)/2)
		return mix(c, s.palette.shade, s.palette.gloom/2), true
	case basket || ropes:
		return mix(hex(0x6b4426), s.palette.shade, s.palette.gloom/2), true
	default:
		return colour{}, false
	}
}

func (s *scene) drawBird(x, y fix) (colour, bool) {
	wing := abs(x)
	arc := ratio(30, 100) + mul(wing, one-wing) - wing/8
	if wing > one || abs(y-arc) > ratio(12, 100)-wing/10 {
		return colour{}, false
	}
	return s.silhouette(), true
}
