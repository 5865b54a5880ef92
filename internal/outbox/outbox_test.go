package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	anna  = int64(1001)
	boris = int64(1002)
)

// world is a testworld with an Outbox that is started with a Sender.
type world struct {
	*testworld.World
	t      *testing.T // of the bubble
	db     *storage.DB
	outbox *outbox.Outbox
	sender sender
	stored int // messages

	mu    sync.Mutex
	delay map[string]time.Duration // of the last message of a priority
}

// sender is a Recorder that can take its time.
type sender struct {
	testworld.Recorder
	before func(ctx context.Context, message storage.Message) // nil: nothing
}

func (s *sender) Send(ctx context.Context, message storage.Message) (int64, error) {
	if s.before != nil {
		s.before(ctx, message)
	}
	return s.Recorder.Send(ctx, message)
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testworld.Run(t, func(tw *testworld.World) {
		w := &world{World: tw, t: tw.T, db: tw.OpenDB(), delay: map[string]time.Duration{}}
		for _, user := range []int64{anna, boris} {
			_, _, err := w.db.TouchUser(w.t.Context(), user, "Somebody", "en", true)
			testworld.Must(w.t, err)
		}
		w.outbox = w.newOutbox()
		w.outbox.Start(&w.sender)
		synctest.Wait() // the first round is over

		test(w.t, w)

		testworld.Must(w.t, w.outbox.Stop(w.t.Context()))
		testworld.Must(w.t, w.db.Close(w.t.Context()))
	})
}

func (w *world) newOutbox() *outbox.Outbox {
	return outbox.New(outbox.Options{
		DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil)),
		ObserveSent: func(priority string, delay time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.delay[priority] = delay
		},
	})
}

// store stores messages for a person, in this order. Each kind is a name.
func (w *world) store(user int64, priority outbox.Priority, kinds ...string) {
	w.t.Helper()
	for _, kind := range kinds {
		w.stored++
		createdAt := time.Now().Add(-time.Second + time.Duration(w.stored)*time.Millisecond) // due, and in this order
		testworld.Must(w.t, w.db.AddMessage(w.t.Context(), storage.Message{
			UserID: user, Kind: kind, Priority: priority, Body: []byte("body of " + kind), CreatedAt: createdAt,
		}))
	}
}

// sentTo returns the kinds of the messages that have arrived at a person, in order.
func (w *world) sentTo(user int64) (kinds []string) {
	for _, message := range w.sender.Sent() {
		if message.UserID == user {
			kinds = append(kinds, message.Kind)
		}
	}
	return kinds
}

func (w *world) wantSent(user int64, kinds ...string) {
	w.t.Helper()
	if got := w.sentTo(user); !slices.Equal(got, kinds) {
		w.t.Errorf("person %d received %q, want %q", user, got, kinds)
	}
}

// wantFirstTry checks that a message has arrived at the first attempt.
func (w *world) wantFirstTry(kind string) {
	w.t.Helper()
	for _, message := range w.sender.Sent() {
		if message.Kind == kind && message.Tries != 1 {
			w.t.Errorf("%q arrived at attempt %d, want the first", kind, message.Tries)
		}
	}
}

func (w *world) wantLogged(event string, want bool) {
	w.t.Helper()
	if strings.Contains(w.Log.String(), event) != want {
		w.t.Errorf("logged %q: %t, want %t", event, !want, want)
	}
}

// TestOrderPerPerson: one person's messages arrive in order, and a slow chat delays
// no other.
func TestOrderPerPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sender.before = func(_ context.Context, message storage.Message) {
			if message.UserID == anna {
				time.Sleep(10 * time.Second)
			}
		}
		w.store(anna, outbox.PriorityStatus, "a1", "a2", "a3")
		w.store(boris, outbox.PriorityStatus, "b1", "b2", "b3")
		w.outbox.Wake()
		testworld.Pass(time.Second)
		w.wantSent(boris, "b1", "b2", "b3")
		testworld.Pass(15 * time.Second)
		w.wantSent(anna, "a1")
		testworld.Pass(20 * time.Second)
		w.wantSent(anna, "a1", "a2", "a3")
		if body := w.sender.Sent()[0].Body; !strings.HasPrefix(string(body), "body of ") {
			t.Errorf("body %q", body)
		}
		w.wantLogged("lease of a message not renewed", false)
	})
}

// TestUrgentMessageOvertakes: a code does not wait until ten phones were sent.
func TestUrgentMessageOvertakes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sender.before = func(context.Context, storage.Message) {
			time.Sleep(5 * time.Second)
		}
		var phones []string
		for n := range 10 {
			phones = append(phones, fmt.Sprint("phone", n))
		}
		w.store(anna, outbox.PriorityGoods, phones...)
		w.outbox.Wake()
		testworld.Pass(2 * time.Second) // the first phone is being sent
		w.store(anna, outbox.PriorityCode, "code")
		w.outbox.Wake()
		testworld.Pass(2 * time.Minute)
		got := w.sentTo(anna)
		if at := slices.Index(got, "code"); at != 1 {
			t.Errorf("the code is at %d: %q", at, got)
		}
		if got = slices.DeleteFunc(got, func(kind string) bool { return kind == "code" }); !slices.Equal(got, phones) {
			t.Errorf("received %q, want %q", got, phones)
		}
	})
}

// TestRetriesWithBackoff: after 2 s, doubling up to 10 min, each ±10 %, and the
// person's next message waits as well.
func TestRetriesWithBackoff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var attempts []time.Time
		w.sender.before = func(_ context.Context, message storage.Message) {
			if message.Kind == "first" {
				attempts = append(attempts, time.Now())
			}
		}
		w.sender.FailWith(func(message storage.Message) error {
			if message.Kind == "first" && message.Tries <= 12 {
				return context.DeadlineExceeded
			}
			return nil
		})
		w.store(anna, outbox.PriorityStatus, "first", "second")
		w.outbox.Wake()
		testworld.Pass(time.Hour)
		w.wantSent(anna, "first", "second")
		if len(attempts) != 13 {
			t.Fatalf("%d attempts, want 13", len(attempts))
		}
		want := 2 * time.Second
		for i, at := range attempts[1:] {
			if gap := at.Sub(attempts[i]); gap < want*9/10 || gap > want*11/10+time.Second {
				t.Errorf("attempt %d came after %s, want %s ± 10 %%", i+2, gap, want)
			}
			want = min(2*want, 10*time.Minute)
		}
	})
}

// TestRetryAfter: the next attempt is made when the error says so.
func TestRetryAfter(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.sender.FailWith(func(message storage.Message) error {
			if message.Tries == 1 {
				return fmt.Errorf("send: %w", &outbox.RetryAfterError{After: 42 * time.Second, Err: errors.New("too many requests")})
			}
			return nil
		})
		w.store(anna, outbox.PriorityStatus, "news")
		w.outbox.Wake()
		testworld.Pass(41 * time.Second)
		w.wantSent(anna)
		testworld.Pass(2 * time.Second)
		w.wantSent(anna, "news")
	})
}

// TestUnreachablePersonsMessagesAreHeld until an update of theirs releases them.
func TestUnreachablePersonsMessagesAreHeld(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		attempts := 0
		w.sender.FailWith(func(message storage.Message) error {
			if message.UserID == boris {
				attempts++
				return fmt.Errorf("send: %w", outbox.ErrUnreachable)
			}
			return nil
		})
		w.store(boris, outbox.PriorityGoods, "b1", "b2")
		w.store(anna, outbox.PriorityGoods, "a1")
		w.outbox.Wake()
		testworld.Pass(24 * time.Hour)
		w.wantSent(anna, "a1")
		w.wantSent(boris)
		if attempts != 1 {
			t.Errorf("%d attempts to reach Boris, want 1", attempts)
		}

		w.sender.FailWith(nil)
		_, released, err := w.db.TouchUser(t.Context(), boris, "Boris", "ru", true)
		testworld.Must(t, err)
		if !released {
			t.Error("nothing was released")
		}
		w.outbox.Wake()
		w.wantSent(boris, "b1", "b2")
	})
}

// TestRejectedMessageIsNotRepeated, and the next one follows at once.
func TestRejectedMessageIsNotRepeated(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		attempts := 0
		w.sender.FailWith(func(message storage.Message) error {
			if message.Kind == "bad" {
				attempts++
				return fmt.Errorf("send: %w", outbox.ErrRejected)
			}
			return nil
		})
		w.store(anna, outbox.PriorityStatus, "bad", "good")
		w.outbox.Wake()
		w.wantSent(anna, "good")
		w.wantFirstTry("good")
		testworld.Pass(24 * time.Hour)
		if attempts != 1 {
			t.Errorf("%d attempts, want 1", attempts)
		}
	})
}

// TestUnknownKindWaits: the messages behind it arrive, and so does this one from a
// program that knows its kind.
func TestUnknownKindWaits(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.sender.FailWith(func(m storage.Message) error {
			if m.Kind == "new" {
				return outbox.ErrUnknownKind
			}
			return nil
		})
		w.store(anna, outbox.PriorityCode, "new", "goods")
		w.outbox.Wake()
		testworld.Pass(time.Hour)
		w.wantSent(anna, "goods")
		w.wantFirstTry("goods")
		w.sender.FailWith(nil)
		testworld.Pass(30 * time.Second)
		w.wantSent(anna, "goods", "new")
	})
}

// TestPanicOfTheSenderIsRetried, and delays no other person.
func TestPanicOfTheSenderIsRetried(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.sender.before = func(_ context.Context, message storage.Message) {
			if message.UserID == anna && message.Tries < 3 {
				panic("a template")
			}
		}
		w.store(anna, outbox.PriorityGoods, "a1")
		w.store(boris, outbox.PriorityGoods, "b1")
		w.outbox.Wake()
		w.wantSent(boris, "b1")
		testworld.Pass(5 * time.Minute)
		w.wantSent(anna, "a1")
		w.wantLogged("panic recovered", true)
	})
}

// TestDamagedMessageDoesNotDelayOthers: a body that can't be opened is logged.
func TestDamagedMessageDoesNotDelayOthers(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.store(anna, outbox.PriorityGoods, "a1")
		w.store(boris, outbox.PriorityGoods, "b1")
		w.Exec(`UPDATE outbox SET body_sealed = 'v1.00000000.AAAA' WHERE user_id = ?`, anna)
		w.outbox.Wake()
		testworld.Pass(20 * time.Minute)
		w.wantSent(boris, "b1")
		w.wantLogged("background work failed", true)
	})
}

// TestLeaseIsRenewed: while one process sends slowly, another one repeats nothing.
func TestLeaseIsRenewed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sender.before = func(context.Context, storage.Message) {
			time.Sleep(25 * time.Second)
		}
		var kinds []string
		for n := range 8 {
			kinds = append(kinds, fmt.Sprint("goods", n))
		}
		w.store(anna, outbox.PriorityGoods, kinds...)
		other := w.newOutbox()
		other.Start(&w.sender)
		w.outbox.Wake()
		testworld.Pass(20 * time.Minute)
		testworld.Must(t, other.Stop(t.Context()))
		w.wantSent(anna, kinds...)
	})
}

// TestMessageIsSentAgainWhenItWasNotMarked: the process ended in between.
func TestMessageIsSentAgainWhenItWasNotMarked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store(anna, outbox.PriorityGoods, "goods")
		claimed, err := w.db.ClaimMessages(t.Context(), "a process that was killed", time.Now(), time.Now().Add(2*time.Minute), 1)
		testworld.Must(t, err)
		if len(claimed) != 1 {
			t.Fatalf("%d messages claimed, want 1", len(claimed))
		}
		w.outbox.Wake()
		testworld.Pass(119 * time.Second)
		w.wantSent(anna)
		testworld.Pass(2 * time.Second)
		w.wantSent(anna, "goods")
	})
}

// TestMarkingASentMessageIsRetried: the message arrives once, although the database
// accepts nothing for half a minute.
func TestMarkingASentMessageIsRetried(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		accept := w.Refuse(`UPDATE ON outbox FOR EACH ROW WHEN (NEW.state = 'sent')`)
		w.store(anna, outbox.PriorityGoods, "goods")
		w.outbox.Wake()
		testworld.Pass(30 * time.Second)
		accept()
		testworld.Pass(10 * time.Minute)
		w.wantSent(anna, "goods")

		accept = w.Refuse(`UPDATE ON outbox FOR EACH ROW WHEN (NEW.state = 'sent')`)
		w.store(anna, outbox.PriorityGoods, "second", "third")
		w.outbox.Wake()
		testworld.Pass(50 * time.Millisecond)
		accept()
		testworld.Pass(100 * time.Millisecond) // the first retry comes after 0.1 s
		w.wantSent(anna, "goods", "second", "third")
	})
}

// TestLeaseThatCanNotBeRenewedIsGivenBack: the next message does not wait for its end.
func TestLeaseThatCanNotBeRenewedIsGivenBack(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.sender.before = func(context.Context, storage.Message) { time.Sleep(time.Second) }
		w.store(anna, outbox.PriorityGoods, "first", "second")
		w.outbox.Wake()
		testworld.Pass(500 * time.Millisecond) // the first one is being sent
		accept := w.Refuse(`UPDATE OF lease_until ON outbox FOR EACH ROW WHEN (NEW.lease_until > 0)`)
		testworld.Pass(5 * time.Second)
		accept()
		testworld.Pass(20 * time.Second)
		w.wantSent(anna, "first", "second")
		w.wantLogged("lease of a message not renewed", true)
	})
}

// TestWakeReachesAnotherProcess: one process stores a message, and another one sends it.
func TestWakeReachesAnotherProcess(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.outbox.Stop(t.Context()))
		wakes := testworld.Wakes{}
		options := outbox.Options{DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil)), Share: wakes.Share}
		storing, sending := outbox.New(options), outbox.New(options)
		sending.Start(&w.sender)
		testworld.Pass(time.Second)
		w.store(anna, outbox.PriorityReply, "reply")
		storing.Wake()
		w.wantSent(anna, "reply")
		testworld.Must(t, sending.Stop(t.Context()))
	})
}

// TestObservesDelays: a message counts once, from when it was stored to its arrival.
func TestObservesDelays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		failures := 0
		w.sender.FailWith(func(message storage.Message) error {
			if failures++; message.UserID == boris && failures < 5 {
				return &outbox.RetryAfterError{After: time.Minute, Err: errors.New("too many requests")}
			}
			return nil
		})
		w.store(anna, outbox.PriorityCode, "code") // a second ago
		w.store(boris, outbox.PriorityStatus, "status")
		w.outbox.Wake()
		testworld.Pass(10 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if code, status := w.delay["code"].Round(time.Second), w.delay["status"].Round(time.Minute); code != time.Second || status < 3*time.Minute || len(w.delay) != 2 {
			t.Errorf("got %v", w.delay)
		}
	})
}

func TestStartTwice(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var second testworld.Recorder
		w.outbox.Start(&second)
		w.store(anna, outbox.PriorityGoods, "goods")
		w.outbox.Wake()
		w.wantSent(anna, "goods")
		if got := second.Kinds(); len(got) > 0 {
			t.Errorf("the second Start's sender received %q", got)
		}
	})
}

func TestStopBeforeStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store(anna, outbox.PriorityGoods, "goods")
		testworld.Must(t, w.newOutbox().Stop(t.Context()))
		w.wantSent(anna)
		w.wantLogged("panic recovered", false)
	})
}

// TestStopSendsWhatIsDue: messages that were stored without a Wake are sent first. A second
// Stop sends no more.
func TestStopSendsWhatIsDue(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store(anna, outbox.PriorityGoods, "a1", "a2")
		w.wantSent(anna)
		testworld.Must(t, w.outbox.Stop(t.Context()))
		w.wantSent(anna, "a1", "a2")
		w.store(anna, outbox.PriorityGoods, "a3")
		testworld.Must(t, w.outbox.Stop(t.Context()))
		w.wantSent(anna, "a1", "a2")
	})
}

// TestStopObeysItsContext: each Stop waits for the message in flight as long as its
// own context allows. The message itself is not cut off.
func TestStopObeysItsContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		cutOff := false
		w.sender.before = func(ctx context.Context, _ storage.Message) {
			time.Sleep(30 * time.Second)
			cutOff = ctx.Err() != nil
		}
		w.store(anna, outbox.PriorityGoods, "goods") // is sent by the first Stop
		for _, timeout := range []time.Duration{5 * time.Second, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			began := time.Now()
			if err := w.outbox.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Stop returned %v, want DeadlineExceeded", err)
			}
			if took := time.Since(began); took != timeout {
				t.Errorf("Stop took %s, want %s", took, timeout)
			}
			cancel()
		}
		testworld.Must(t, w.outbox.Stop(t.Context()))
		w.wantSent(anna, "goods")
		if cutOff {
			t.Error("the message in flight was cut off")
		}
	})
}

// TestStopWithAnExpiredContext: a Stop whose context is over sends nothing, and the next
// one does.
func TestStopWithAnExpiredContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store(anna, outbox.PriorityGoods, "goods")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 { // a select that sees two reasons takes either
			if err := w.outbox.Stop(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Stop returned %v, want Canceled", err)
			}
		}
		w.wantSent(anna)
		testworld.Must(t, w.outbox.Stop(t.Context()))
		w.wantSent(anna, "goods")
	})
}

// TestPriorityOfNewerProgram: a message with a priority that this program doesn't know, as
// a newer one stores beside it, is sent, and counted as "other".
func TestPriorityOfNewerProgram(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store(anna, outbox.PriorityNews+1, "a1")
		w.outbox.Wake()
		testworld.Pass(time.Second)
		w.wantSent(anna, "a1")
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.delay) != 1 || w.delay["other"] == 0 {
			t.Errorf("the delays are %v", w.delay)
		}
	})
}
