package replica_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/replica"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// process is a Replica with a connection to the database that can be cut.
type process struct {
	*replica.Replica
	log    bytes.Buffer
	cut    atomic.Bool
	offset atomic.Int64 // of its clock, in nanoseconds
}

type connection struct {
	*storage.DB
	*process
}

var errCut = errors.New("connection cut")

func (c connection) Beat(ctx context.Context, id, lease string, now, until time.Time) (storage.Beat, error) {
	if c.cut.Load() {
		return storage.Beat{}, errCut
	}
	// The database is a file, whose clock is that of the bubble: now is off by the offset.
	return c.DB.Beat(ctx, id, lease, now.Add(time.Duration(c.offset.Load())), until.Add(time.Duration(c.offset.Load())))
}

func (c connection) ClockOffset(context.Context) (time.Duration, error) {
	return time.Duration(c.offset.Load()), nil
}

// world is some processes on one database.
type world struct {
	t    *testing.T
	path string
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	testworld.Run(t, func(tw *testworld.World) {
		test(tw.T, &world{t: tw.T, path: filepath.Join(tw.Dir, "bot.db")})
	})
}

func (w *world) start(change func(p *process, o *replica.Options)) *process {
	w.t.Helper()
	p := &process{}
	db := testworld.OpenDB(w.t, w.path)
	o := replica.Options{DB: connection{db, p}, Log: slog.New(slog.NewTextHandler(&p.log, nil)), Settings: "same"}
	if change != nil {
		change(p, &o)
	}
	p.Replica = replica.New(o)
	testworld.Must(w.t, p.Start(w.t.Context()))
	w.t.Cleanup(func() {
		testworld.Must(w.t, p.Stop(context.WithoutCancel(w.t.Context())))
		testworld.Must(w.t, db.Close(context.WithoutCancel(w.t.Context())))
	})
	return p
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// active returns which of the processes are active.
func active(processes ...*process) (found []int) {
	for i, p := range processes {
		if isClosed(p.Leads()) && !isClosed(p.Dead()) {
			found = append(found, i)
		}
	}
	return found
}

// takeover lets time pass until another process than the first one is active, and fails
// if two are at any time. It returns how long that took.
func (w *world) takeover(processes ...*process) time.Duration {
	w.t.Helper()
	began := time.Now()
	for range 600 {
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		now := active(processes...)
		if len(now) > 1 {
			w.t.Fatalf("processes %v are active after %s", now, time.Since(began))
		}
		if len(now) == 1 && now[0] != 0 {
			return time.Since(began)
		}
	}
	w.t.Fatal("no process takes over")
	return 0
}

func TestOneProcessIsActive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.start(nil), w.start(nil), w.start(nil)
		for range 100 {
			time.Sleep(time.Second)
			synctest.Wait()
			if now := active(a, b, c); len(now) != 1 || now[0] != 0 {
				t.Fatalf("active are %v, want the first one", now)
			}
		}
		for _, p := range []*process{a, b, c} {
			testworld.Must(t, p.Check(t.Context()))
		}
		if n := strings.Count(b.log.String(), "standing by"); n != 1 {
			t.Errorf("standing by is logged %d times:\n%s", n, &b.log)
		}
	})
}

func TestDeadProcessIsReplaced(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.start(nil), w.start(nil), w.start(nil)
		time.Sleep(replica.Life / 2)
		a.cut.Store(true) // as if it were dead
		if took := w.takeover(a, b, c); took > replica.Life+2*time.Second {
			t.Errorf("it took %s", took)
		}
		if !isClosed(a.Dead()) || a.Check(t.Context()) == nil {
			t.Error("the first process does not know that it has lost its lease")
		}
		a.cut.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := active(a, b, c); len(now) != 1 {
			t.Errorf("active are %v", now)
		}
	})
}

// TestMaySend: not before the first beat, nor as soon as another process may take over, nor
// after Stop. A process that is alone always may.
func TestMaySend(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, alone := range []bool{false, true} {
			if p := replica.New(replica.Options{Alone: alone}); p.MaySend() != alone {
				t.Errorf("not started, alone %v: may send %v", alone, !alone)
			}
		}
		a, b := w.start(nil), w.start(nil)
		for range 2 * replica.Life / time.Second {
			time.Sleep(time.Second)
			synctest.Wait()
			if !a.MaySend() {
				t.Fatal("it beats, and may not send")
			}
		}
		a.cut.Store(true)
		for since := time.Second; !isClosed(b.Leads()); since += time.Second {
			time.Sleep(time.Second)
			synctest.Wait()
			if may := a.MaySend(); may != (since < replica.Life-2*time.Second) {
				t.Errorf("%s after the last beat: may send %v", since, may)
			}
		}
		testworld.Must(t, b.Stop(t.Context()))
		if b.MaySend() {
			t.Error("it has stopped, and may send")
		}
	})
}

func TestStoppedProcessIsReplacedAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.start(nil), w.start(nil)
		time.Sleep(replica.Life)
		testworld.Must(t, a.Stop(t.Context()))
		time.Sleep(time.Second)
		synctest.Wait()
		if !isClosed(b.Leads()) {
			t.Error("the other process is not active")
		}
	})
}

// TestLeaseSurvivesAShortOutage: of the database, for all processes.
func TestLeaseSurvivesAShortOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.start(nil), w.start(nil)
		time.Sleep(replica.Life)
		a.cut.Store(true)
		b.cut.Store(true)
		time.Sleep(5 * time.Second)
		a.cut.Store(false)
		b.cut.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := active(a, b); len(now) != 1 || now[0] != 0 {
			t.Errorf("active are %v, want the first one", now)
		}
	})
}

func TestProcessWithAWrongClockIsNotActive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.start(func(p *process, _ *replica.Options) { p.offset.Store(int64(-3 * time.Second)) })
		b := w.start(nil)
		time.Sleep(replica.Life)
		synctest.Wait()
		if now := active(a, b); len(now) != 1 || now[0] != 1 || a.Check(t.Context()) == nil {
			t.Fatalf("active are %v, want the second one only", now)
		}
		b.offset.Store(int64(1500 * time.Millisecond))
		time.Sleep(replica.Life)
		synctest.Wait()
		if isClosed(b.Dead()) || !strings.Contains(b.log.String(), "by=1.5s") {
			t.Errorf("a small difference is not only logged:\n%s", &b.log)
		}
		b.offset.Store(int64(3 * time.Second))
		a.offset.Store(0)
		if took := w.takeover(b, a); took > 2*replica.Life {
			t.Errorf("after its clock was set the process was replaced in %s", took)
		}
		if log := a.log.String(); strings.Contains(log, "standing by") || !strings.Contains(log, "does the background work now") {
			t.Errorf("the first one did not wait for another, and takes over:\n%s", log)
		}
	})
}

func TestOtherSettingsAreLoggedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.start(nil)
		w.start(func(_ *process, o *replica.Options) { o.Settings = "other" })
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(a.log.String(), "has other settings"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, &a.log)
		}
	})
}

// TestProcessAloneIsActiveAtOnce: the lock of a file says that the others are gone.
func TestProcessAloneIsActiveAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(nil)
		alone := w.start(func(_ *process, o *replica.Options) { o.Alone = true })
		if !isClosed(alone.Leads()) {
			t.Fatal("it is not active")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if isClosed(alone.Dead()) || alone.Check(t.Context()) != nil {
			t.Error("it has lost its lease")
		}
	})
}
