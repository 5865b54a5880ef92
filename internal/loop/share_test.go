package loop_test

import (
	"testing"

	"hstockbot/internal/loop"
)

func TestShareOf(t *testing.T) {
	woken := 0
	loop.Share(nil).Of("name", func() { woken++ })()
	if woken != 1 {
		t.Errorf("woken %d times", woken)
	}
	var shared string
	share := loop.Share(func(name string, wake func()) func() {
		shared = name
		return func() { wake(); wake() }
	})
	share.Of("name", func() { woken++ })()
	if woken != 3 || shared != "name" {
		t.Errorf("%q is shared, woken %d times in all", shared, woken)
	}
}
