package sketch

const (
	latticeSize = 256
	latticeMask = latticeSize - 1
)

// noise is two-dimensional gradient noise that repeats after 256 units.
type noise struct {
	order [2 * latticeSize]uint8
	fade  [latticeSize + 1]fix // smooth step, by the upper 8 fractional bits
	// directions are the slopes that a lattice point may have, in halves: a table is faster here than branches that the
	// processor cannot predict.
	directions [8][2]fix
}

func newNoise(seed uint64) *noise {
	n := &noise{directions: [8][2]fix{{2, 1}, {2, -1}, {-2, 1}, {-2, -1}, {1, 2}, {1, -2}, {-1, 2}, {-1, -2}}}
	for i := range latticeSize {
		n.order[i] = uint8(i)
	}
	r := random{state: seed}
	for i := latticeSize - 1; i > 0; i-- {
		j := int(r.next() % uint64(i+1))
		n.order[i], n.order[j] = n.order[j], n.order[i]
	}
	copy(n.order[latticeSize:], n.order[:latticeSize])
	for i := range n.fade {
		t := fix(i) << 8
		n.fade[i] = mul(mul(mul(t, t), t), mul(t, 6*t-15*one)+10*one)
	}
	return n
}

// at returns about -1 to 1.
func (n *noise) at(x, y fix) fix {
	xi, yi := int(x>>bits)&latticeMask, int(y>>bits)&latticeMask
	xf, yf := x&(one-1), y&(one-1)
	a, b := int(n.order[xi])+yi, int(n.order[xi+1])+yi
	s, t := n.smooth(xf), n.smooth(yf)
	top := n.slope(n.order[a&latticeMask], xf, yf)
	top += mul(n.slope(n.order[b&latticeMask], xf-one, yf)-top, s)
	low := n.slope(n.order[(a+1)&latticeMask], xf, yf-one)
	low += mul(n.slope(n.order[(b+1)&latticeMask], xf-one, yf-one)-low, s)
	return top + mul(low-top, t)
}

func (n *noise) smooth(t fix) fix {
	i := t >> 8
	return n.fade[i] + (n.fade[i+1]-n.fade[i])*(t&0xff)>>8
}

// slope is the dot product with one of eight directions.
func (n *noise) slope(h uint8, x, y fix) fix {
	d := &n.directions[h&7]
	return (x*d[0] + y*d[1]) >> 1
}

// cloud adds octaves of noise, each turned, twice as fine and half as strong. It returns about -1 to 1.
func (n *noise) cloud(x, y fix, octaves int) fix {
	sum, weight := fix(0), one
	for range octaves {
		sum += mul(n.at(x, y), weight)
		// Turned by about 37 degrees, so that the lattices of the octaves do not line up.
		x, y = (8*x+6*y)/5+37*one/8, (8*y-6*x)/5+11*one/8
		weight /= 2
	}
	return sum
}

// ridge is like cloud with sharp crests, 0 to about 1.
func (n *noise) ridge(x, y fix, octaves int) fix {
	sum, weight := fix(0), one/2
	for range octaves {
		v := n.at(x, y)
		v = one - 2*max(v, -v)
		sum += mul(mul(v, max(v, -v)), weight)
		x, y = (8*x+6*y)/5+37*one/8, (8*y-6*x)/5+11*one/8
		weight /= 2
	}
	return sum
}
