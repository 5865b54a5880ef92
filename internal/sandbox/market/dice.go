package market

// dice are the marketplace's chances: splitmix64, so that a seed gives the same
// goods in every release of Go.
type dice struct{ state uint64 }

// newDice returns dice of their own for one thing: another thing in the data
// changes no other's chances.
func newDice(seed, thing uint64) *dice { return &dice{state: mix(seed) ^ mix(^thing)} }

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.state += 0x9e3779b97f4a7c15
	return int(mix(d.state) >> 33 % uint64(n)) //nolint:gosec // under n, which is positive
}

// scatter makes an unlike number of some numbers, the same each time.
func scatter(numbers ...int64) uint64 {
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
