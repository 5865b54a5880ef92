package storage

import (
	"errors"
	"path/filepath"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

func TestAsynchronousStandbysAreNotDurable(t *testing.T) {
	for _, test := range []struct {
		failover      Failover
		standbys      int
		names, commit string
		durable       bool
	}{
		{"", 0, "", "on", true},
		{"", 1, "", "on", false},
		{"", 1, "ANY 1 (*)", "on", true},
		{"", 1, "ANY 1 (*)", "remote_apply", true},
		{"", 1, "ANY 1 (*)", "remote_write", false},
		{"", 1, "ANY 1 (*)", "local", false},
		{FailoverSynchronous, 0, "", "on", false},
		{FailoverSynchronous, 0, "ANY 1 (*)", "on", true}, // commits wait for a standby
		{FailoverSynchronous, 2, "", "on", false},
	} {
		err := test.failover.judge(test.standbys, test.names, test.commit)
		if (err == nil) != test.durable || err != nil && !errors.Is(err, ErrNotDurable) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

// A server without standbys is durable, unless it is said to have one.
func TestDurable(t *testing.T) {
	for failover, durable := range map[Failover]bool{"": true, FailoverNone: true, FailoverAcceptedLoss: true, FailoverSynchronous: !pgtest.Wanted()} {
		db := openAt(t, filepath.Join(t.TempDir(), "bot.db"), testKeys(t, 1))
		db.failover = failover
		for range 2 { // the second time without asking
			if err := db.Durable(t.Context()); (err == nil) != durable {
				t.Errorf("%q: got %v", failover, err)
			}
		}
	}
}

func TestHostsOfAURL(t *testing.T) {
	for url, hosts := range map[string]int{
		"sqlite:bot.db":                                  0,
		"postgres://bot@one/bot":                         1,
		"postgres://bot@one/bot?sslmode=prefer":          1,
		"postgres://bot@one:1,two:2/bot":                 2,
		"postgres://bot@one,two,three/bot?sslmode=allow": 3,
		"postgres://bot@/bot?host=one,two":               2,
		"other:bot":                                      0,
	} {
		if got := Hosts(url); got != hosts {
			t.Errorf("%s: %d hosts, want %d", url, got, hosts)
		}
	}
}
