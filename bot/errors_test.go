package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

// A response of a proxy says nothing about the person, and a response of Telegram is
// classified also if it is incomplete.
func TestErrorKindsOfResponses(t *testing.T) {
	for _, test := range []struct {
		status    int
		body      string
		kind      error
		transient bool
	}{
		{200, "<html>", outbox.ErrUncertain, false},
		{200, "", outbox.ErrUncertain, false},
		{200, `{"ok":true,"result":{"message_id"`, outbox.ErrUncertain, false},
		{200, `{"ok":true,"result":{}}`, outbox.ErrUncertain, false},
		{200, `{"result":{"message_id":1}}`, outbox.ErrUncertain, false},
		{302, "", nil, true},
		{403, "<html>Forbidden</html>", nil, true},
		{404, "<html>", nil, true},
		{413, "<html>", outbox.ErrRejected, false},
		{502, "<html>", outbox.ErrUncertain, false},
		{504, "", outbox.ErrUncertain, false},
		{400, `{"ok":false,"description":"Bad Request: chat not found"}`, outbox.ErrUnreachable, false},
		{200, `{"ok":false,"error_code":403,"description":"Forbidden"}`, outbox.ErrUnreachable, false},
		{403, `{"ok":false,"error_code":403,"description":"Forbidden: ` + strings.Repeat("x", 1000) + canary + `"}`, outbox.ErrUnreachable, false},
	} {
		t.Run(fmt.Sprint(test.status, test.body[:min(len(test.body), 20)]), func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.proxy = func(rw http.ResponseWriter, _ *http.Request) bool {
					rw.WriteHeader(test.status)
					_, _ = rw.Write([]byte(test.body))
					return true
				}
				_, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
				var e *Error
				if !errors.As(err, &e) || e.Method != "sendMessage" {
					t.Fatalf("error %v", err)
				}
				if test.kind != nil && !errors.Is(err, test.kind) {
					t.Errorf("%v is not %v", err, test.kind)
				}
				if transient := e.kind == nil; transient != test.transient {
					t.Errorf("%v: transient: %v", err, transient)
				}
				w.refuseCanary("the error", err.Error())
				if n := len([]rune(err.Error())); n > 300 {
					t.Errorf("%d characters", n)
				}
			})
		})
	}
}

func TestTruncatedResponseIsUncertain(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.proxy = func(rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = rw.Write([]byte(`{"ok":true,"result":{"message_id":1`))
			return true
		}
		if err := w.bot.Edit(t.Context(), 1, 1, View{Text: "b"}); !errors.Is(err, outbox.ErrUncertain) {
			t.Error(err)
		}
	})
}

// A 429 without retry_after is repeated after a default pause.
func TestFloodWithoutRetryAfter(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		for _, body := range []string{"<html>", `{"ok":false,"error_code":429,"description":"Too Many Requests"}`} {
			refused := false
			w.proxy = func(rw http.ResponseWriter, _ *http.Request) bool {
				if refused {
					return false
				}
				refused = true
				rw.WriteHeader(http.StatusTooManyRequests)
				_, _ = rw.Write([]byte(body))
				return true
			}
			w.join(1)
			if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"}); err != nil {
				t.Error(err)
			}
		}
	})
}

// An endless response is read up to the limit only.
func TestResponseIsBounded(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.proxy = func(rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = rw.Write([]byte(`{"ok":true,"result":"`))
			for r := 0; ; r++ {
				if _, err := rw.Write(make([]byte, 1<<16)); err != nil {
					if r > 2*maxResponse>>16 {
						t.Errorf("%d KiB read", r<<6)
					}
					return true
				}
			}
		}
		_, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
		if !errors.Is(err, errTooLarge) || !errors.Is(err, outbox.ErrUncertain) {
			t.Error(err)
		}
	})
}

func TestSendWithCancelledContext(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.join(1)
		_, err := w.bot.Send(ctx, 1, outbox.PriorityGoods, View{Text: "goods"})
		if !errors.Is(err, context.Canceled) || errors.Is(err, outbox.ErrUncertain) {
			t.Error(err)
		}
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", Delay: 2 * callTimeout})
		_, err = w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, outbox.ErrUncertain) {
			t.Error(err)
		}
	})
}
