package testworld

// Wakes connects the wake-ups of the processes in a bubble, by name. Its Share is a
// loop.Share. The processes are built before one of them is started.
type Wakes map[string][]func()

// Share returns a function that wakes all processes.
func (w Wakes) Share(name string, wake func()) (wakeAll func()) {
	w[name] = append(w[name], wake)
	return func() {
		for _, wake := range w[name] {
			wake()
		}
	}
}
