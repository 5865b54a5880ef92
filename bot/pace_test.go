package bot

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/outbox"
)

// With random messages, no second has more messages than the rate, no chat more than
// one a second and its burst, no group more than 20 in any minute, and all messages
// are granted.
func TestPacerKeepsLimits(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			p := newPacer(30, nil)
			var mu sync.Mutex
			all, chats := []time.Time{}, map[int64][]time.Time{}
			const messages = 600
			for range messages {
				chat := random.Int64N(12) - 2
				priority := outbox.Priority(random.IntN(5))
				time.Sleep(rand.N(2 * time.Second / 30))
				go func() {
					if _, err := p.message(t.Context(), chat, priority, time.Hour); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					all, chats[chat] = append(all, time.Now()), append(chats[chat], time.Now())
				}()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if len(all) != messages {
				t.Fatalf("%d of %d messages granted", len(all), messages)
			}
			within(t, "all", all, time.Second, 30)
			for chat, times := range chats {
				if chat < 0 {
					within(t, "group", times, time.Minute, 20)
				} else {
					within(t, "chat", times, 10*time.Second, 10+chatBurst)
				}
			}
		})
	}
}

// within fails the test if any window has more than limit times.
func within(t *testing.T, what string, times []time.Time, window time.Duration, limit int) {
	t.Helper()
	for i := limit; i < len(times); i++ {
		if gap := times[i].Sub(times[i-limit]); gap < window {
			t.Fatalf("%s: %d within %v", what, limit+1, gap)
		}
	}
}

// A message whose context is done is not counted and does not block others.
func TestPacerWithCancelledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1, nil)
		start := time.Now()
		message := func(ctx context.Context, priority outbox.Priority) error {
			_, err := p.message(ctx, 1, priority, time.Hour)
			return err
		}
		if err := message(t.Context(), outbox.PriorityReply); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		go func() {
			if err := message(ctx, outbox.PriorityCode); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if err := message(t.Context(), outbox.PriorityNews); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.waiting) != 0 {
			t.Errorf("%d wait", len(p.waiting))
		}
	})
}

// States of chats without recent messages are deleted, with or without a rate.
func TestPacerDeletesUnusedChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1e6, nil)
		for chat := range int64(20 * minSweep) {
			if _, err := p.message(t.Context(), chat, outbox.PriorityNews, 0); err != nil {
				t.Fatal(err)
			}
			p.holdEdits(chat, time.Second)
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(p.chats); n > minSweep {
			t.Errorf("%d chats kept", n)
		}
	})
	p := newPacer(0, nil)
	for chat := range int64(10) {
		if _, err := p.message(t.Context(), chat, outbox.PriorityNews, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.chats) != 0 {
		t.Errorf("%d chats kept without a rate", len(p.chats))
	}
}

// A timer that is a little late does not reduce the rate, and a pause allows no burst.
func TestPacerWithLateTimer(t *testing.T) {
	p := newPacer(30, nil)
	due := time.Now()
	p.next = due
	p.count(1, due.Add(time.Millisecond))
	if want := due.Add(p.interval); !p.next.Equal(want) {
		t.Errorf("the next message is %v later", p.next.Sub(want))
	}
	late := p.next.Add(20 * time.Millisecond)
	p.count(2, late)
	if want := late.Add(p.interval); !p.next.Equal(want) {
		t.Errorf("after a pause the next message is %v later", p.next.Sub(want))
	}
}
