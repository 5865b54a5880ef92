package bot

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
)

// mortalInbox is the inbox as one process sees it: after its end it writes nothing.
type mortalInbox struct {
	*memoryInbox
	dead atomic.Bool
	slow func() time.Duration // a pause before and after an update is stored; nil: none
}

func (m *mortalInbox) pause() {
	if m.slow != nil {
		time.Sleep(m.slow())
	}
}

func (m *mortalInbox) StoreUpdates(ctx context.Context, owner string, ids, chats []int64, payloads [][]byte) ([]bool, []int, error) {
	if m.dead.Load() {
		return nil, nil, errInbox
	}
	m.pause()
	defer m.pause()
	return m.memoryInbox.StoreUpdates(ctx, owner, ids, chats, payloads)
}

func (m *mortalInbox) StartAttempt(ctx context.Context, id int64) (int, error) {
	if m.dead.Load() {
		return 0, errInbox
	}
	return m.memoryInbox.StartAttempt(ctx, id)
}

func (m *mortalInbox) Finish(ctx context.Context, owner string, chat int64, ids ...int64) (bool, error) {
	if m.dead.Load() {
		return false, errInbox
	}
	return m.memoryInbox.Finish(ctx, owner, chat, ids...)
}

func (m *mortalInbox) FinishWithDialog(ctx context.Context, owner string, chat, id, user int64, step, data string, until time.Time) (bool, error) {
	if m.dead.Load() {
		return false, errInbox
	}
	return m.memoryInbox.FinishWithDialog(ctx, owner, chat, id, user, step, data, until)
}

func (m *mortalInbox) DeadLetter(ctx context.Context, owner string, chat, id int64) (bool, error) {
	if m.dead.Load() {
		return false, errInbox
	}
	return m.memoryInbox.DeadLetter(ctx, owner, chat, id)
}

func (m *mortalInbox) EndRecovery(ctx context.Context) error {
	if m.dead.Load() {
		return errInbox
	}
	return m.memoryInbox.EndRecovery(ctx)
}

// crashes runs bots one after another on one inbox. The command /do deadly ends each of
// them; /do slow takes until the end of its first process.
type crashes struct {
	*world
	inbox  *mortalInbox
	deaths chan struct{} // one for each "deadly" that is handled

	mu      sync.Mutex
	handled []string
	starts  int
}

func inCrashes(t *testing.T, test func(t *testing.T, c *crashes)) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		test(t, &crashes{world: w, deaths: make(chan struct{}, 100)})
	})
}

// begin starts a bot.
func (c *crashes) begin() {
	c.t.Helper()
	c.starts++
	c.inbox = &mortalInbox{memoryInbox: c.world.inbox}
	c.cfg.Inbox = c.inbox
	c.build()
	start := c.starts
	c.bot.Command("do", func(ctx context.Context, req *Request) (View, error) {
		c.mu.Lock()
		c.handled = append(c.handled, req.Args)
		c.mu.Unlock()
		switch {
		case req.Args == "deadly":
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return View{}, err
			}
			c.inbox.dead.Store(true)
			c.deaths <- struct{}{}
			<-ctx.Done()
			return View{}, ctx.Err()
		case req.Args == "slow" && start == 1:
			<-ctx.Done()
			return View{}, ctx.Err()
		}
		return View{}, pause(ctx, 30*time.Millisecond)
	})
	c.start()
}

// kill ends the bot as SIGKILL does.
func (c *crashes) kill() {
	c.inbox.dead.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), 8*time.Second)
	defer cancel()
	c.bot.stopReceiving()
	c.bot.cancelWork()
	_ = c.bot.Stop(ctx)
}

// live starts a bot that lives for so long, or until it handles "deadly". It returns what
// it has handled.
func (c *crashes) live(d time.Duration) []string {
	c.t.Helper()
	c.handled = nil
	c.begin()
	select {
	case <-c.deaths:
	case <-time.After(d):
	}
	c.kill()
	return c.handled
}

func (c *crashes) wantHandled(got []string, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("handled in start %d: %s", c.starts, diff)
	}
}

// An update that ends the process is handled as usual by the next one, then up to three
// times after all others, then dead-lettered. The others lose no attempt.
func TestUpdateThatCrashesTheProcess(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		var deadLettered []DeadLetter
		c.hooks.DeadLettered = func(_ context.Context, letter DeadLetter) error {
			deadLettered = append(deadLettered, letter)
			return nil
		}
		c.join(1).Type("/do deadly")
		c.join(1).Type("/do next")
		c.wantHandled(c.live(time.Minute), "deadly") // received
		if n := c.world.inbox.records; n != 0 {
			t.Errorf("a start without unfinished updates wrote %d times", n)
		}
		var others []string
		for i := range 5 {
			c.join(int64(10 + i)).Type(fmt.Sprint("/do other ", i))
			others = append(others, fmt.Sprint("other ", i))
		}
		got := c.live(time.Minute)
		slices.Sort(got)
		c.wantHandled(got, append([]string{"deadly"}, others...)...) // as usual
		c.wantHandled(c.live(time.Minute), "deadly")                 // the oldest first
		c.wantHandled(c.live(time.Minute), append(others, "deadly")...)
		c.wantHandled(c.live(time.Minute), "deadly")
		c.handled = nil
		c.begin()
		time.Sleep(time.Second)
		c.idle()
		c.wantHandled(c.handled, "next")
		if len(deadLettered) != 1 || deadLettered[0].UserID != 1 || deadLettered[0].User.ID != 1 || deadLettered[0].Text != "/do deadly" || c.observed("dead_lettered") != 1 {
			t.Errorf("dead-lettered %v, observed %d", deadLettered, c.observed("dead_lettered"))
		}
		if diff := cmp.Diff(map[string]int{"dead_lettered": 1, "done": 6}, c.world.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// While suspects are handled one after another, new updates of other people are served
// at once, and those of the suspects' chats in order.
func TestRecoveryDelaysNobodyElse(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		for i := range 40 {
			c.join(int64(100 + i)).Type("/do slow")
		}
		c.live(time.Second)
		c.world.inbox.recovery = true // as after another crash
		c.handled = nil
		c.begin()
		c.join(100).Type("/do new")
		c.join(1).Type("/do fresh")
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		c.mu.Lock()
		if len(c.handled) > 4 || !slices.Contains(c.handled, "fresh") {
			t.Errorf("at once: %q", c.handled)
		}
		c.mu.Unlock()
		c.idle()
		if n := len(c.handled); n != 42 {
			t.Errorf("handled %d: %q", n, c.handled)
		}
		if c.world.inbox.inRecovery() {
			t.Error("the recovery has not ended")
		}
		for _, r := range c.world.inbox.rows {
			if r.attempts > 1 {
				t.Errorf("%d attempts", r.attempts)
			}
		}
	})
}

// Processes that are killed for another reason lose no update, however often.
func TestKillsAreNotBlamedOnUpdates(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		want := 0
		for kill := range 30 {
			for i := range 20 {
				c.join(int64(i + 1)).Type(fmt.Sprint("/do ", kill, i))
				want++
			}
			c.live(time.Duration(kill%7) * 15 * time.Millisecond)
		}
		c.begin()
		c.idle()
		if diff := cmp.Diff(map[string]int{"done": want}, c.world.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// A stored update that can't be read is dead-lettered at once.
func TestUnreadableStoredUpdateIsDeadLettered(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		c.join(1).Type("/do slow")
		c.live(time.Second)
		for _, r := range c.world.inbox.rows {
			r.payload = nil
		}
		c.begin()
		c.idle()
		if diff := cmp.Diff(map[string]int{"dead_lettered": 1}, c.world.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// A stop is no crash: what it cuts off is handled as usual after the next start.
func TestStopIsNoCrash(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		c.join(1).Type("/do slow")
		c.live(time.Second)
		c.starts = 0 // slow again
		c.begin()
		c.stop()
		if c.world.inbox.recovery {
			t.Error("a stop leaves the record of a crash")
		}
		c.begin()
		c.idle()
		for _, r := range c.world.inbox.rows {
			if r.attempts != 0 {
				t.Errorf("%d attempts", r.attempts)
			}
		}
	})
}

// A process that has lived for a minute was not ended by what the start found.
func TestRecoveryEndsAfterAMinute(t *testing.T) {
	inCrashes(t, func(t *testing.T, c *crashes) {
		c.join(1).Type("/do slow")
		c.live(time.Second)
		c.starts = 0 // slow again, until the handler's time is over
		c.begin()
		for _, wait := range []time.Duration{recoveryPeriod - time.Second, 2 * time.Second} {
			before := c.world.inbox.inRecovery()
			time.Sleep(wait)
			synctest.Wait()
			if !before {
				t.Error("no recovery began")
			}
		}
		if c.world.inbox.recovery {
			t.Error("the recovery has not ended")
		}
	})
}
