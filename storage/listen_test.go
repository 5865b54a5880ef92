package storage

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// hintDeadline is far longer than a hint takes.
const hintDeadline = 20 * time.Second

var patient = listenTiming{interval: time.Hour, timeout: hintDeadline}

// listening is a call of Listen.
type listening struct {
	t     *testing.T
	hints chan string
	ended chan error
	stop  context.CancelFunc
}

func listenTo(t *testing.T, db *DB, timing listenTiming) *listening {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listening{t: t, hints: make(chan string, 100), ended: make(chan error, 1), stop: cancel}
	go func() { l.ended <- db.listen(ctx, timing, func(hint string) { l.hints <- hint }) }()
	t.Cleanup(cancel)
	return l
}

// expect waits for the next hint.
func (l *listening) expect(want string) {
	l.t.Helper()
	select {
	case hint := <-l.hints:
		equal(l.t, "hint", want, hint)
	case err := <-l.ended:
		l.t.Fatalf("ended before the hint %q: %v", want, err)
	case <-time.After(hintDeadline):
		l.t.Fatalf("no hint, want %q", want)
	}
}

// end waits until Listen has returned, and returns its error.
func (l *listening) end() error {
	l.t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(hintDeadline):
		l.t.Fatal("still listening")
		return nil
	}
}

func notify(t *testing.T, db *DB, hint string) {
	t.Helper()
	if err := db.Notify(t.Context(), hint); err != nil {
		t.Error(err)
	}
}

// TestHintsReachOtherProcesses: each listener gets the hints of the others, in order, and
// neither its own nor anybody's checks.
func TestHintsReachOtherProcesses(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	a, b := openURL(t, url), openURL(t, url)
	ofA := listenTo(t, a, listenTiming{interval: time.Millisecond, timeout: hintDeadline})
	ofA.expect("")
	ofB := listenTo(t, b, patient)
	ofB.expect("")
	notify(t, a, "one")
	notify(t, b, "two")
	notify(t, a, "three, with spaces")
	notify(t, b, "four")
	ofA.expect("two")
	ofA.expect("four")
	ofB.expect("one")
	ofB.expect("three, with spaces")
	for _, l := range []*listening{ofA, ofB} {
		l.stop()
		if err := l.end(); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped with %v", err)
		}
	}
}

func TestListenEndsWithItsConnection(t *testing.T) {
	proxy := pgtest.NewProxy(t, postgresURL(t, filepath.Join(t.TempDir(), "bot.db")))
	l := listenTo(t, openURL(t, proxy.URL()), patient)
	l.expect("")
	proxy.Down()
	if err := l.end(); err == nil {
		t.Error("a lost connection is no error")
	}
	proxy.Up()
}

// TestMissingNotificationsAreNoticed: a pooler may accept LISTEN and notify nobody.
func TestMissingNotificationsAreNoticed(t *testing.T) {
	proxy := pgtest.NewProxy(t, postgresURL(t, filepath.Join(t.TempDir(), "bot.db")))
	db := openURL(t, proxy.URL())
	later := listenTo(t, db, listenTiming{interval: time.Millisecond, timeout: 2 * time.Second})
	later.expect("")
	proxy.Mute(true)
	if err := later.end(); !errors.Is(err, errNotNotified) {
		t.Errorf("not notified any longer: %v", err)
	}
	first := listenTo(t, db, listenTiming{interval: time.Hour, timeout: time.Millisecond})
	if err := first.end(); !errors.Is(err, errNotNotified) || len(first.hints) > 0 {
		t.Errorf("never notified: %v, and %d hints", err, len(first.hints))
	}
}

// TestPoolKeepsNoNotifications: pgx collects those of a connection that nobody reads.
func TestPoolKeepsNoNotifications(t *testing.T) {
	db := openPostgresTest(t)
	conn, err := db.writer.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), `LISTEN `+hintChannel); err != nil {
		t.Fatal(err)
	}
	notify(t, db, "hint") // by another connection
	if _, err := conn.ExecContext(t.Context(), `SELECT 1`); err != nil {
		t.Fatal(err)
	}
	err = conn.Raw(func(driverConn any) error {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if notification, err := driverConn.(*pgConn).Conn.Conn().WaitForNotification(ended); err == nil {
			t.Errorf("a connection of the pool keeps %q", notification.Payload)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileHasNoHints(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	notify(t, db, "hint")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Listen(ctx, func(hint string) { t.Errorf("hint %q", hint) }); !errors.Is(err, context.Canceled) {
		t.Errorf("listening ended with %v", err)
	}
}

// TestListenerOnAnotherServerIsNoticed: after a failover the old server may still answer,
// and other listeners there too.
func TestListenerOnAnotherServerIsNoticed(t *testing.T) {
	db, other := openPostgresTest(t), openPostgresTest(t)
	db.listener = other.listener
	l := listenTo(t, db, listenTiming{interval: time.Hour, timeout: 500 * time.Millisecond})
	for {
		notify(t, other, "") // a check of another listener
		select {
		case hint := <-l.hints:
			t.Fatalf("hint %q", hint)
		case err := <-l.ended:
			if !errors.Is(err, errNotNotified) {
				t.Errorf("ended with %v", err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
