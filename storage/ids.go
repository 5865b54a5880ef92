package storage

import (
	"crypto/rand"
	"encoding/binary"
)

// newID returns the id of a new row: 53 random bits, never 0. Random and made
// here, because then it is the same SQL everywhere, it is known before the row
// is sealed (the id is part of what is sealed), it says nothing about how many
// rows there are, and it is exact in JSON. Among a million rows the chance
// that any two would meet is 1 in 18,000, and the primary key refuses it.
func newID() int64 {
	var raw [8]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
		if id := int64(binary.LittleEndian.Uint64(raw[:]) >> 11); id != 0 {
			return id
		}
	}
}
