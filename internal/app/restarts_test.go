package app_test

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
)

// finish lets people end what they do, and checks everything. The recoveries are those of
// the report.
func (r *builtWorld) finish(cancel context.CancelFunc, end func(), ends int, recoveries []time.Duration) {
	r.t.Helper()
	began := time.Now()
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	timeout.Stop()
	r.awaitDeliveries(time.Now().Add(crashDeadline))
	r.awaitOutcomes(time.Now().Add(crashDeadline))
	rest := time.Since(began)
	r.stop()
	r.check()
	r.t.Logf("%d messages with goods, numbers or codes came again", r.checkMessages())
	r.report(ends, recoveries, rest)
}

// TestRestartedUnderLoad stops the program with SIGTERM at random while people buy and ask.
// Beside what TestKilledUnderLoad checks, no message comes again, and nothing is given up.
func TestRestartedUnderLoad(t *testing.T) {
	stops, ok := asked(t, envStops, strconv.Atoi)
	if !ok {
		stops = 2
	}
	r := newBuiltWorld(t)
	r.joinAskers()
	r.restart(testworld.SecretKey)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := r.live(ctx)
	var recoveries []time.Duration
	for range stops {
		r.awaitChanges(rand.N(100))
		r.restart(testworld.SecretKey)
		recoveries = append(recoveries, r.awaitAnswers(time.Now()))
		if t.Failed() {
			break
		}
	}
	r.finish(cancel, end, stops, recoveries)
	for _, b := range r.people {
		if b.givenUp > 0 {
			t.Errorf("updates were given up:\n%s", b.Transcript())
		}
	}
	t.Logf("the longest stop took %s", slices.Max(r.stops).Round(time.Millisecond))
}

// TestFrozenUnderLoad stops the program with SIGSTOP for longer than every lease while people
// buy and ask, and lets it go on. On a file another process waits all the time, and takes
// over when the first one has ended.
func TestFrozenUnderLoad(t *testing.T) {
	frozen := askedFor(t, envFrozen, "torture-kills", time.ParseDuration)
	r := newBuiltWorld(t)
	r.joinAskers()
	for _, b := range r.people {
		b.mayFail = true // a step that waits for the marketplace meanwhile says that it didn’t answer
	}
	r.restart(testworld.SecretKey)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := r.live(ctx)
	r.awaitPurchases(crashPeople)
	var log testworld.Log
	second := exec.CommandContext(context.WithoutCancel(ctx), r.program.path)
	second.Env, second.Stderr = append(r.settings, "SECRET_KEY="+testworld.SecretKey), &log
	if !pgtest.Wanted() {
		testworld.Must(t, second.Start())
		t.Cleanup(func() { _ = second.Process.Kill() })
		r.awaitUntil("another process waits", func() bool { return strings.Contains(log.String(), "another process uses this database") })
	}
	testworld.Must(t, r.process.Process.Signal(syscall.SIGSTOP))
	<-time.After(frozen)
	if strings.Contains(log.String(), "msg=started") {
		t.Errorf("another process works beside the stopped one:\n%s", &log)
	}
	r.notePause(life{killed: true, frozen: true})
	testworld.Must(t, r.process.Process.Signal(syscall.SIGCONT))
	recoveries := []time.Duration{r.awaitAnswers(time.Now())}
	r.awaitPurchases(crashPeople)
	if !pgtest.Wanted() {
		r.stop()
		recoveries = append(recoveries, r.awaitAnswers(time.Now()))
		r.awaitPurchases(crashPeople)
	}
	r.finish(cancel, end, 1, recoveries)
	if second.Process != nil {
		testworld.Must(t, second.Process.Signal(syscall.SIGTERM))
		if err := second.Wait(); err != nil {
			t.Errorf("the other process stopped with %v\n%s", err, &log)
		}
	}
}
