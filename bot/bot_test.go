package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/telegram"
)

func TestNewChecksConfig(t *testing.T) {
	good := Config{Token: canary, Inbox: newInbox()}
	for name, change := range map[string]func(*Config){
		"no token":         func(c *Config) { c.Token = "" },
		"token with space": func(c *Config) { c.Token = canary + " x" },
		"address":          func(c *Config) { c.APIURL = "ftp://" + canary },
		"odd address":      func(c *Config) { c.APIURL = "http://%zz" + canary },
		"no inbox":         func(c *Config) { c.Inbox = nil },
		"webhook":          func(c *Config) { c.Webhook = &Webhook{URL: "https://example.com"} },
		"webhook's secret": func(c *Config) { c.Webhook = &Webhook{URL: "https://example.com", Secrets: []redact.Secret{"a", ""}} },
	} {
		cfg := good
		change(&cfg)
		if b, err := New(cfg); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	good.Token += "\n" // from a file
	b, err := New(good)
	if err != nil || b.ID() != 4200 {
		t.Errorf("a token with a line break: %v", err)
	}
}

func TestStartWhileTelegramIsDown(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.telegram.Fault(telegram.Fault{Method: "deleteWebhook", Cut: true, Times: 10})
		w.start()
		if w.bot.Ready() == nil {
			t.Error("ready without Telegram")
		}
		time.Sleep(10 * time.Minute)
		if w.bot.Ready() != nil {
			t.Error("not ready with Telegram")
		}
		if err := w.bot.Start(t.Context()); err != nil {
			t.Errorf("second start: %v", err)
		}
	})
}

// Stop waits until received updates are handled. Later updates stay at Telegram.
func TestStopDrains(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		handled := 0
		w.bot.Command("do", func(ctx context.Context, _ *Request) (View, error) {
			if err := pause(ctx, 2*time.Second); err != nil {
				return View{}, err
			}
			handled++
			return View{Text: "done"}, nil
		})
		w.start()
		ann := w.join(1)
		ann.Type("/do one")
		ann.Type("/do two")
		synctest.Wait()
		start := time.Now()
		w.stop()
		if took := time.Since(start); handled != 2 || took != 4*time.Second {
			t.Errorf("handled %d in %v", handled, took)
		}
		ann.Type("/do three")
		w.stop() // again
		if handled != 2 || w.telegram.Pending() == 0 {
			t.Errorf("received after the stop: %d", handled)
		}
		if err := w.bot.Start(t.Context()); err == nil {
			t.Error("started after a stop")
		}
	})
}

// Stop cancels handlers a second before its deadline. Their updates, and those that were
// not begun, are handled after the next start.
func TestStopCancelsHandlers(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		slow := true
		var handled []string
		w.hooks.Error = func(_ context.Context, _ *Request, err error) View {
			t.Errorf("the person is shown the error of the stop: %v", err)
			return View{}
		}
		w.build()
		text := func(ctx context.Context, req *Request) (View, error) {
			if slow {
				<-ctx.Done()
				return View{}, ctx.Err()
			}
			handled = append(handled, req.Args)
			return View{}, nil
		}
		w.bot.Command("do", text)
		w.start()
		ann := w.join(1)
		ann.Type("/do one")
		ann.Type("/do two")
		synctest.Wait()
		start := time.Now()
		w.stop()
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("took %v of 8 s", took)
		}
		if diff := cmp.Diff(map[string]int{"received": 2}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
		slow = false
		w.build()
		w.bot.Command("do", text)
		w.start()
		w.idle()
		if diff := cmp.Diff([]string{"one", "two"}, handled); diff != "" {
			t.Error(diff)
		}
	})
}

// Stop does not wait for places in memory. Updates without one stay in the inbox.
func TestStopWhileMemoryIsFull(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.dispatcher.workers, w.bot.dispatcher.places = 1, 2
		w.bot.Command("slow", func(ctx context.Context, _ *Request) (View, error) {
			return View{Text: "done"}, pause(ctx, time.Second)
		})
		for i := range int64(10) {
			w.join(1 + i%5).Type("/slow")
		}
		w.start()
		w.stop()
		time.Sleep(time.Minute)
		if diff := cmp.Diff(map[string]int{"done": 2, "received": 8}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// Each Stop returns at its own deadline, also while another one waits, and the
// earliest deadline decides when the handlers are cut off.
func TestConcurrentStopsObeyTheirOwnContexts(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		cutOff := time.Time{}
		w.bot.Text(func(ctx context.Context, _ *Request) (View, error) {
			<-ctx.Done()
			cutOff = time.Now()
			time.Sleep(20 * time.Second) // it does not obey its context
			return View{}, ctx.Err()
		})
		w.start()
		w.join(1).Type("hello")
		synctest.Wait()
		stop := func(timeout time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			return w.bot.Stop(ctx)
		}
		started := time.Now()
		first := make(chan error)
		go func() { first <- stop(time.Minute) }()
		synctest.Wait()
		for range 2 {
			called := time.Now()
			if err := stop(4 * time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(called) != 4*time.Second {
				t.Errorf("a second Stop returned %v after %v, want its deadline after 4 s", err, time.Since(called))
			}
		}
		if err := <-first; err != nil || time.Since(started) != 23*time.Second {
			t.Errorf("the first Stop returned %v after %v, want nil after 23 s", err, time.Since(started))
		}
		if got := cutOff.Sub(started); got != 3*time.Second {
			t.Errorf("the handler was cut off after %v, want 3 s", got)
		}
		if n := strings.Count(w.logs.String(), "handlers cut off by the stop"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, w.logs)
		}
		if err := stop(time.Nanosecond); err != nil {
			t.Errorf("Stop after the end: %v", err)
		}
	})
}

// A Stop whose context is done does not wait, and the one after it does.
func TestStopAfterAStopThatFailed(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(ctx context.Context, _ *Request) (View, error) {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return View{}, ctx.Err()
		})
		w.start()
		w.join(1).Type("hello")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		started := time.Now()
		if err := w.bot.Stop(ctx); !errors.Is(err, context.Canceled) || time.Since(started) != 0 {
			t.Errorf("Stop returned %v after %v, want context.Canceled at once", err, time.Since(started))
		}
		if err := w.bot.Stop(t.Context()); err != nil || time.Since(started) != 2*time.Second {
			t.Errorf("the next Stop returned %v after %v, want nil after 2 s", err, time.Since(started))
		}
	})
}
