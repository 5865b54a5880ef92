package loop

// Share makes a wake-up of this process one of all processes that share the database
// (package hints): it returns a function that calls wake in this process at once and in
// the others soon. The name is the same in all of them. nil: in this process only.
type Share func(name string, wake func()) (wakeAll func())

// Of returns what the function returns, or wake where it is nil.
func (s Share) Of(name string, wake func()) (wakeAll func()) {
	if s == nil {
		return wake
	}
	return s(name, wake)
}
