package storage

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// newID returns the id of a new row: 53 random bits, never 0. It is made here because
// sealing needs the id before the insert, and so that all databases use the same SQL. It
// does not reveal the number of rows, and JSON represents it exactly. Among a million
// rows two ids are equal with a chance of 1 in 18,000; the primary key refuses that.
func newID() int64 {
	var raw [8]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
		if id := int64(binary.LittleEndian.Uint64(raw[:]) >> 11); id != 0 {
			return id
		}
	}
}

// namedID returns the id of a row that is stored once, however often: the same for the same
// names, and otherwise like one of newID.
func namedID(names ...any) int64 {
	sum := sha256.Sum256(fmt.Appendln(nil, names...))
	return int64(max(binary.LittleEndian.Uint64(sum[:])>>11, 1))
}
