package sketch

// flowAt is the picture for prompts that name nothing known: noise bent by noise bent by noise, in the colours of the
// words, with fine lines along the folds.
func (s *scene) flowAt(u, v fix) colour {
	n := s.noise
	ax, ay := n.cloud(u, v, 2), n.cloud(u+5*one, v+one, 2)
	bx := n.cloud(u+2*ax+one, v+2*ay, 2)
	by := n.at(u+2*ax, v+2*ay+7*one)
	body := n.cloud(u+3*bx/2, v+3*by/2, 4)

	stops := s.palette.flow
	c := gradient(stops[:4], one*9/20+body*3/5)
	c = mix(c, stops[4], ramp(one/4, one, abs(ax)+abs(bx)/3)*3/5)
	c = mix(c, stops[5], ramp(one/5, one*4/5, by))
	fold := abs((body*6+bx*2)&(one-1)-one/2) * 2
	c = lit(c, stops[3], mul(ramp(one/4, 0, fold), ramp(0, one, body+one/2))/4)
	return mix(c, stops[0], ramp(one*3/5, one, fold)/5)
}
