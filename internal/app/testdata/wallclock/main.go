// A file of package main in builds for TestClockSetUnderLoad: the program's wall clock is
// wrong by what stands in a file.
package main

import (
	"os"
	"time"
)

// offset is read again every few milliseconds, as clocks are set while programs run.
var _ = func() bool {
	read := func() {
		text, _ := os.ReadFile(os.Getenv("HSTOCKBOT_TEST_WALL_CLOCK"))
		offset, _ := time.ParseDuration(string(text))
		time.SetWallOffset(offset)
	}
	read()
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			read()
		}
	}()
	return true
}()
