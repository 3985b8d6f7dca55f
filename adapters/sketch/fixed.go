package sketch

import "math"

// fix is a fixed-point number with 16 fractional bits.
type fix = int64

const (
	bits     = 16
	one  fix = 1 << bits
)

// ratio returns a/b as a fixed-point number.
func ratio(a, b int64) fix { return a * one / b }

// mul multiplies two fixed-point numbers.
func mul(a, b fix) fix { return a * b >> bits }

func clamp(x, low, high fix) fix { return min(max(x, low), high) }

// ramp is 0 up to low, 1 from high on, and smooth in between.
func ramp(low, high, x fix) fix {
	t := clamp((x-low)*one/(high-low), 0, one)
	return mul(mul(t, t), 3*one-2*t)
}

// dist returns the length of the vector (x, y).
func dist(x, y fix) fix { return fix(math.Sqrt(float64(x*x + y*y))) }

// falloff is 1 at distance 0, 1/2 at distance r, and goes to 0 smoothly.
func falloff(d, r fix) fix {
	rr := mul(r, r) + 1
	return rr * one / (rr + mul(d, d))
}

// mix64 scrambles a number (splitmix64's finalizer).
func mix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// cell scrambles the coordinates of a grid cell.
func cell(seed uint64, x, y int64) uint64 {
	return mix64(seed ^ uint64(x)*0xd6e8feb86659fd93 ^ uint64(y)*0xa0761d6478bd642f)
}

// unit turns the low bits of a hash into a number from 0 to 1; the caller shifts for more than one number.
func unit(h uint64) fix { return fix(h & 0xffff) }

// random is a small generator; the order of its calls is part of what a seed means.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state = mix64(r.state)
	return r.state
}

// between returns a number from low to high, in hundredths.
func (r *random) between(low, high int64) fix {
	return ratio(low, 100) + mul(unit(r.next()), ratio(high-low, 100))
}
