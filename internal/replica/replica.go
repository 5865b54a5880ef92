// Package replica owns the place of this process among the processes that share a
// database: it tells them that it is alive, and it holds or waits for the lease of the
// one that does the background work.
//
// A process is alive for Life after its last beat. The one that has the lease removes the
// dead ones and ends the leases of their purchases, so that others settle these. A process
// that stops gives back what it has. One that can't beat for fence considers itself dead
// before others do. A purchase that has begun can't be called back by compare-and-set, so
// a process asks MaySend right before it lets one out: one that was stopped and goes on
// can't send what another has settled.
//
// A process that uses its database alone, which a file's lock says, beats once.
package replica

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hstockbot/storage"
)

const (
	// Life is how long a process is alive after a beat.
	Life = 12 * time.Second
	// fence is after how long without a beat it considers itself dead.
	fence = Life - 2*time.Second
	// stale is after how long without a beat it is not ready.
	stale       = 8 * time.Second
	beatPause   = time.Second
	beatTimeout = 5 * time.Second

	// By how much the clocks of this machine and of the database's server may differ:
	// until a warning, and until the process does not take the lease.
	clockWarning   = time.Second
	maxClockOffset = 2 * time.Second

	// aloneFor is how long a process is alive that uses its database alone.
	aloneFor = 100 * 365 * 24 * time.Hour

	lease = "background"
)

// DB is what a Replica needs of *storage.DB.
type DB interface {
	AddReplica(ctx context.Context, r storage.Replica) error
	Beat(ctx context.Context, id, lease string, now, until time.Time) (storage.Beat, error)
	RemoveReplica(ctx context.Context, id string) error
	RemoveReplicas(ctx context.Context) error
	ClockOffset(ctx context.Context) (time.Duration, error)
}

// Options configures a Replica. All but Version and Ended are required.
type Options struct {
	DB      DB
	Log     *slog.Logger
	Version string
	// Settings is a digest of the settings that all processes must share.
	Settings string
	// Alone says that no other process uses the database.
	Alone bool
	// Ended is called after this process has ended leases of others.
	Ended func()
}

// Replica is this process.
type Replica struct {
	Options
	id        string
	startedAt time.Time

	stop  context.CancelFunc
	done  chan struct{} // closed when the beats have ended
	wake  chan struct{} // holds a token after Wake
	leads chan struct{} // closed when the process has the lease
	dead  chan struct{} // closed when the process must stop

	mu       sync.Mutex
	beatAt   time.Time // when the last successful beat began
	offset   time.Duration
	fence    *time.Timer
	others   int // that were alive at the last beat
	isDead   bool
	removed  bool // by Stop
	waiting  bool // logged that another process has the lease
	differed bool // logged that settings differ
}

// New returns a Replica that is not started.
func New(o Options) *Replica {
	if o.Ended == nil {
		o.Ended = func() {}
	}
	return &Replica{
		Options: o, id: rand.Text(), startedAt: time.Now(),
		done: make(chan struct{}), wake: make(chan struct{}, 1), leads: make(chan struct{}), dead: make(chan struct{}),
	}
}

// ID names this process in the database, as the owner of what it handles.
func (r *Replica) ID() string { return r.id }

// Start makes the first beat. Its errors are those of the database.
func (r *Replica) Start(ctx context.Context) error {
	if r.Alone {
		if err := r.DB.RemoveReplicas(ctx); err != nil {
			return err
		}
	}
	now, err := r.serverTime(ctx)
	if err != nil {
		return err
	}
	if err := r.DB.AddReplica(ctx, storage.Replica{ID: r.id, Version: r.Version, Settings: r.Settings, StartedAt: r.startedAt, Until: now.Add(r.life())}); err != nil {
		return err
	}
	if err := r.beat(ctx); err != nil || r.Alone {
		return err
	}
	beating, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.run(beating)
	return nil
}

func (r *Replica) life() time.Duration {
	if r.Alone {
		return aloneFor
	}
	return Life
}

// Leads returns a channel that is closed when this process gets the lease. It keeps it
// until it stops.
func (r *Replica) Leads() <-chan struct{} { return r.leads }

// Dead returns a channel that is closed when this process must stop at once, because
// others may do its work.
func (r *Replica) Dead() <-chan struct{} { return r.dead }

// StandsBy reports whether this process does not have the lease.
func (r *Replica) StandsBy() bool {
	select {
	case <-r.leads:
		return false
	default:
		return true
	}
}

// Alive returns how many processes were alive at the last beat, with this one.
func (r *Replica) Alive() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.others + 1
}

// MaySend reports whether others surely count this process as alive, and so have not
// settled the purchase that it is about to send. It asks two clocks: the monotonic one
// stands still while the machine sleeps, and the wall clock may be set back.
func (r *Replica) MaySend() bool {
	if r.Alone {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	return !r.isDead && max(now.Sub(r.beatAt), now.Round(0).Sub(r.beatAt)) < fence
}

// Wake makes the next beat now: another process may have given the lease back.
func (r *Replica) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Check returns why this process can't do its part.
func (r *Replica) Check(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.isDead:
		return errors.New("other processes may do this one's work")
	case !r.Alone && time.Since(r.beatAt) > stale:
		return errors.New("the database could not be told that this process is alive")
	case r.offset.Abs() > maxClockOffset:
		return fmt.Errorf("the clock of this machine differs from the database server's by %s", r.offset.Round(time.Millisecond))
	default:
		return nil
	}
}

// Stop gives back what the process has. Its work must have ended. A process that is alone
// leaves that to the next one.
func (r *Replica) Stop(ctx context.Context) error {
	if r.stop == nil {
		return nil
	}
	r.stop()
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fence != nil {
		r.fence.Stop()
	}
	if r.removed {
		return nil
	}
	r.beatAt = time.Time{} // others may settle what it still sends
	err := r.DB.RemoveReplica(ctx, r.id)
	r.removed = err == nil
	return err
}

func (r *Replica) run(ctx context.Context) {
	defer close(r.done)
	failing := false
	for {
		timer := time.NewTimer(beatPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
		}
		if r.hasDied() {
			return // others remove it when its time is over
		}
		err := r.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			r.Log.Error("the database could not be told that this process is alive, retrying", "error", err)
		case err == nil && failing:
			r.Log.Info("the database knows again that this process is alive")
		}
		failing = err != nil
	}
}

// beat renews the life of this process, and takes the lease if it is free.
func (r *Replica) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	began, asked := time.Now(), lease
	now, err := r.serverTime(ctx)
	if err != nil {
		return err
	}
	if began.Sub(now).Abs() > maxClockOffset {
		asked = "" // the background work would be done at the wrong time
	}
	beat, err := r.DB.Beat(ctx, r.id, asked, now, now.Add(r.life()))
	if err != nil {
		return err
	}
	r.renewed(began, beat, asked != "")
	if beat.Ended {
		r.Ended()
	}
	return nil
}

// serverTime returns the time by the clock of the database's server, by which all
// processes judge who is alive.
func (r *Replica) serverTime(ctx context.Context) (time.Time, error) {
	if r.Alone {
		return time.Now(), nil
	}
	offset, err := r.DB.ClockOffset(ctx)
	if err != nil {
		return time.Time{}, err
	}
	r.checkClock(offset)
	return time.Now().Add(-offset), nil
}

func (r *Replica) checkClock(offset time.Duration) {
	r.mu.Lock()
	before := r.offset
	r.offset = offset
	r.mu.Unlock()
	if offset.Abs() > clockWarning && before.Abs() <= clockWarning {
		r.Log.Warn("the clock of this machine differs from the database server's", "by", offset.Round(time.Millisecond), "at_most", maxClockOffset)
	}
}

// renewed notes the result of a beat that began at a time, and that asked for the lease or not.
func (r *Replica) renewed(began time.Time, beat storage.Beat, asked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isDead {
		return
	}
	if beat.Removed {
		r.die()
		return
	}
	r.beatAt, r.others = began, len(beat.Others)
	r.compareSettings(beat.Others)
	switch {
	case r.Alone:
	case r.fence == nil:
		r.fence = time.AfterFunc(fence-time.Since(began), func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.die()
		})
	default:
		r.fence.Reset(fence - time.Since(began))
	}
	switch {
	case !r.StandsBy():
		if !beat.Held {
			r.die()
		}
	case beat.Held:
		if r.waiting {
			r.Log.Info("this process does the background work now")
		}
		close(r.leads)
	case !r.waiting:
		r.waiting = true
		if asked { // else it waits for its clock (checkClock)
			r.Log.Info("another process does the background work, standing by")
		}
	}
}

func (r *Replica) hasDied() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.isDead
}

func (r *Replica) die() {
	if !r.isDead {
		r.isDead = true
		close(r.dead)
	}
}

// compareSettings logs once that another process has other settings.
func (r *Replica) compareSettings(others []storage.Replica) {
	for _, other := range others {
		if other.Settings != r.Settings && !r.differed {
			r.differed = true
			r.Log.Warn("another process on this database has other settings", "its_version", other.Version, "version", r.Version)
		}
	}
}
