package storage

import (
	"fmt"
	"testing"
)

func TestSources(t *testing.T) {
	db := openTest(t)
	count := func(name string) {
		t.Helper()
		if err := db.CountSource(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for range 11 {
		count("blog")
	}
	count("Blog")
	count("Blog")
	for i := range 2 * maxSources {
		count(fmt.Sprintf("made-up_%03d", i))
	}
	got, err := db.Sources(t.Context())
	if err != nil || len(got) != maxSources || got[0] != (Source{"blog", 11}) || got[1] != (Source{"Blog", 2}) || got[2] != (Source{"made-up_000", 1}) {
		t.Errorf("%d sources, %+v, %v", len(got), got[:min(len(got), 3)], err)
	}
	count("blog") // still counted
	if got, err := db.Sources(t.Context()); err != nil || got[0].People != 12 {
		t.Errorf("%+v, %v", got[0], err)
	}
}
