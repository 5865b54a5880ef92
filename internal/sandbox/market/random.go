package market

// prng is a splitmix64 generator: a seed gives the same goods in every
// release of Go.
type prng struct{ state uint64 }

// newRandom returns the generator of one thing in the data. Each thing has its
// own, so that adding one does not change the others.
func newRandom(seed, thing uint64) *prng { return &prng{state: mix(seed) ^ mix(^thing)} }

// below returns a number from 0 to n-1.
func (r *prng) below(n int) int {
	r.state += 0x9e3779b97f4a7c15
	return int(mix(r.state) >> 33 % uint64(n)) //nolint:gosec // below n, which is positive
}

func hash(numbers ...int64) uint64 {
	var state uint64
	for _, n := range numbers {
		state = mix(state ^ uint64(n)) //nolint:gosec // any bits will do
	}
	return state
}

// mix is the finalizer of splitmix64.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
