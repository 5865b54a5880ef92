package app_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
)

// envWallClock names the file with what the wall clock is wrong by.
const envWallClock = "HSTOCKBOT_TEST_WALL_CLOCK"

// buildWithClock builds the program with a package time whose Now can be set wrong, and a
// file of package main that sets it. Nothing in the sources knows of it. It takes a minute,
// because everything is built anew.
func buildWithClock(t *testing.T) program {
	t.Helper()
	folder := t.TempDir()
	root, err := filepath.Abs("../..")
	testworld.Must(t, err)
	original := filepath.Join(goRoot(t), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	testworld.Must(t, err)
	text := string(source)
	for _, change := range [][2]string{
		{"import (\n", "import (\n\t\"sync/atomic\"\n"},
		{"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "var wallOffset atomic.Int64 // seconds\n\n" +
			"func SetWallOffset(d Duration) { wallOffset.Store(int64(d / Second)) }\n\n" +
			"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += wallOffset.Load()\n"},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("package time of %s has changed: %q is not there once", runtime.Version(), change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	changed, overlay := filepath.Join(folder, "time.go"), filepath.Join(folder, "overlay.json")
	testworld.Must(t, os.WriteFile(changed, []byte(text), 0o600))
	files, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: changed, filepath.Join(root, "wallclock.go"): filepath.Join(root, "internal", "app", "testdata", "wallclock", "main.go"),
	}})
	testworld.Must(t, err)
	testworld.Must(t, os.WriteFile(overlay, files, 0o600))
	p := program{filepath.Join(folder, "hstockbot")}
	command := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", p.path, ".")
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	return p
}

func goRoot(t *testing.T) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	testworld.Must(t, err)
	return strings.TrimSpace(string(output))
}

// TestClockSetUnderLoad sets the wall clock of the program an hour and a day forward and
// back while people buy, and kills the program after every second time. Nothing is bought
// twice, and everything arrives, long before an hour. A process whose clock differs from that of
// a PostgreSQL server would do no background work until it is right again.
func TestClockSetUnderLoad(t *testing.T) {
	pgtest.SQLiteOnly(t)
	steps := askedFor(t, envClock, "torture-kills", strconv.Atoi)
	r := newBuiltWorld(t)
	r.program = buildWithClock(t)
	clock := filepath.Join(t.TempDir(), "clock")
	r.settings = append(r.settings, envWallClock+"="+clock)
	set := func(offset time.Duration) {
		testworld.Must(t, os.WriteFile(clock+".new", []byte(offset.String()), 0o600))
		testworld.Must(t, os.Rename(clock+".new", clock))
	}
	set(0)
	for _, b := range r.people {
		b.mayFail = true // a question about an address is forgotten after an hour
	}
	r.joinAskers()
	r.restart(testworld.SecretKey)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := r.live(ctx)
	offsets := []time.Duration{time.Hour, 0, -time.Hour, 0, 24 * time.Hour, 0, -24 * time.Hour, 0}
	var recoveries []time.Duration
	for i := range steps {
		r.awaitPurchases(crashPeople)
		offset := offsets[i%len(offsets)]
		set(offset)
		kill := i/len(offsets)%2 != i%2
		if kill {
			r.awaitChanges(20)
			r.kill()
			r.restart(testworld.SecretKey)
		}
		began := time.Now()
		recoveries = append(recoveries, r.awaitAnswers(began))
		r.awaitDeliveries(began.Add(crashDeadline))
		t.Logf("the clock is %s ahead; killed: %v; everything of before has arrived after %s", offset, kill, time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			break
		}
	}
	r.finish(cancel, end, steps, recoveries)
}
