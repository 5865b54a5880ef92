package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

// memoryPace is the Pace of several pacers in one process. Each answer takes two
// milliseconds.
type memoryPace struct {
	mu    sync.Mutex
	next  time.Time
	held  map[int64]time.Time
	asked int
}

func newMemoryPace() *memoryPace { return &memoryPace{held: map[int64]time.Time{}} }

func (p *memoryPace) ReserveMessage(chat int64, interval, _ time.Duration, _ int) (inAll, inChat time.Duration, reserved bool) {
	time.Sleep(time.Millisecond)
	defer time.Sleep(time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	now := time.Now()
	p.next = later(p.next, now)
	inAll, inChat = p.next.Sub(now), p.held[chat].Sub(now)
	if inAll > interval || inChat > inAll {
		return inAll, inChat, false
	}
	p.next = p.next.Add(interval)
	return inAll, inChat, true
}

func (p *memoryPace) HoldChat(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[chat] = later(p.held[chat], time.Now().Add(d))
}

// One process uses the whole rate, and so do three together; no second has more messages
// than the rate, and few reservations are refused.
func TestSharedPacersKeepOneRate(t *testing.T) {
	for _, copies := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			const messages = 120
			shared := newMemoryPace()
			var (
				mu      sync.Mutex
				sent    []time.Time
				running sync.WaitGroup
			)
			start := time.Now()
			for n := range copies {
				p := newPacer(30, shared)
				for i := range messages / copies {
					running.Go(func() {
						if hold, err := p.message(t.Context(), int64(1+n*messages+i), outbox.PriorityNews, time.Hour); hold != 0 || err != nil {
							t.Error(hold, err)
						}
						mu.Lock()
						defer mu.Unlock()
						sent = append(sent, time.Now())
					})
				}
			}
			running.Wait()
			// The answer to the first reservation comes two milliseconds late.
			if took := time.Since(start) - 2*time.Millisecond; took > time.Second/30*messages {
				t.Errorf("%d copies: %d messages took %v", copies, messages, took)
			}
			slices.SortFunc(sent, time.Time.Compare)
			within(t, "all", sent, time.Second-2*time.Millisecond, 30) // an answer comes up to so late
			if shared.asked > messages+messages*(copies-1) {
				t.Errorf("%d copies: %d reservations for %d messages", copies, shared.asked, messages)
			}
		})
	}
}

// An urgent message overtakes those that wait for a slot, while other processes take most
// of them.
func TestUrgentMessageIsReservedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newMemoryPace()
		shared.next = time.Now().Add(10 * time.Second)
		p := newPacer(1, shared)
		var order []outbox.Priority
		var mu sync.Mutex
		var running sync.WaitGroup
		for _, priority := range []outbox.Priority{outbox.PriorityNews, outbox.PriorityReply, outbox.PriorityCode} {
			running.Go(func() {
				if _, err := p.message(t.Context(), int64(priority)+1, priority, time.Hour); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, priority)
			})
			time.Sleep(time.Second)
		}
		running.Wait()
		if want := []outbox.Priority{outbox.PriorityCode, outbox.PriorityReply, outbox.PriorityNews}; !slices.Equal(order, want) {
			t.Errorf("sent in the order %v, want %v", order, want)
		}
	})
}

// A chat that another process has to wait for does not delay other chats. A message that
// would wait for too long returns instead.
func TestChatHeldByAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newMemoryPace()
		shared.HoldChat(1, 20*time.Second)
		p := newPacer(30, shared)
		start := time.Now()
		var running sync.WaitGroup
		running.Go(func() {
			if hold, err := p.message(t.Context(), 1, outbox.PriorityCode, time.Minute); hold != 0 || err != nil || time.Since(start) < 20*time.Second {
				t.Errorf("the patient message: %v, %v after %v", hold, err, time.Since(start))
			}
		})
		running.Go(func() {
			if hold, err := p.message(t.Context(), 2, outbox.PriorityNews, time.Minute); hold != 0 || err != nil || time.Since(start) > time.Second {
				t.Errorf("another chat: %v, %v after %v", hold, err, time.Since(start))
			}
		})
		running.Wait()
		if shared.asked > 4 {
			t.Errorf("%d reservations for two messages", shared.asked)
		}
		shared.HoldChat(3, 20*time.Second)
		start = time.Now()
		if hold, err := p.message(t.Context(), 3, outbox.PriorityCode, 5*time.Second); hold < 19*time.Second || err != nil || time.Since(start) > time.Second {
			t.Errorf("the impatient message: %v, %v after %v", hold, err, time.Since(start))
		}
	})
}

// A pacer keeps to the limit of a chat itself, too: while the database is away no other
// does.
func TestSharedPacerKeepsLimitOfChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1000, newMemoryPace())
		var sent []time.Time
		for range 10 {
			if _, err := p.message(t.Context(), 1, outbox.PriorityReply, time.Hour); err != nil {
				t.Error(err)
			}
			sent = append(sent, time.Now())
		}
		within(t, "chat", sent, time.Second, chatBurst)
	})
}

// A message whose context ends before its slot is not sent, and the pacer goes on.
func TestSharedPacerWithCancelledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1, newMemoryPace())
		message := func(ctx context.Context) error {
			_, err := p.message(ctx, 1, outbox.PriorityReply, time.Hour)
			return err
		}
		if err := message(t.Context()); err != nil {
			t.Error(err)
		}
		for _, d := range []time.Duration{time.Millisecond, time.Second / 2} { // while it asks, and while it waits for its slot
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := message(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %v: %v", d, err)
			}
		}
		if err := message(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A bot tells the others of a retry_after.
func TestRetryAfterIsShared(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		shared := newMemoryPace()
		w.cfg.Rate, w.cfg.Pace = 30, shared
		w.build()
		w.start()
		w.join(1)
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: 1, RetryAfter: 60})
		if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityReply, View{Text: "hello"}); err == nil {
			t.Error("sent")
		}
		if left := time.Until(shared.held[1]); left < 59*time.Second {
			t.Errorf("the others wait for %v", left)
		}
	})
}
