package app_test

import (
	"os"
	"testing"

	"hstockbot/internal/sandbox/testworld"
)

// What asks for the long forms of tests (make torture).
const (
	envKills     = "HSTOCKBOT_TEST_KILLS"     // how often to kill
	envPurchases = "HSTOCKBOT_TEST_PURCHASES" // that a failover has to survive
	envStops     = "HSTOCKBOT_TEST_STOPS"     // how often to stop with SIGTERM
	envFrozen    = "HSTOCKBOT_TEST_FROZEN"    // for how long to stop with SIGSTOP
	envMatrix    = "HSTOCKBOT_TEST_MATRIX"    // all, or the scenario in which to kill at every event
	envClock     = "HSTOCKBOT_TEST_CLOCK"     // how often to set the wall clock
	envSoak      = "HSTOCKBOT_TEST_SOAK"      // how long to watch what the program uses
)

// askedFor is asked for a test without a short form, which says that nothing runs.
func askedFor[T any](t testing.TB, variable, target string, parse func(string) (T, error)) T {
	t.Helper()
	value, ok := asked(t, variable, parse)
	if !ok {
		t.Skipf("it has no short form; make %s runs it", target)
	}
	return value
}

// asked returns what a variable asks a test for. If it asks for nothing the test does its
// short form.
func asked[T any](t testing.TB, variable string, parse func(string) (T, error)) (value T, ok bool) {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		t.Logf("%s does not ask for the long form", variable)
		return value, false
	}
	value, err := parse(text)
	testworld.Must(t, err)
	return value, true
}
