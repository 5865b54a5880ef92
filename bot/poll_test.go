package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/sandbox/telegram"
)

// proxyPolls answers calls of getUpdates.
func (w *world) proxyPolls(answer func(r *http.Request) string) {
	w.proxy = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/getUpdates") {
			return false
		}
		body := answer(r)
		if body != "" {
			_, _ = rw.Write([]byte(body))
		}
		return body != ""
	}
}

// limitOf returns the limit of a call of getUpdates, and its body.
func limitOf(r *http.Request) (string, io.ReadCloser) {
	body, _ := io.ReadAll(r.Body)
	var params struct {
		Limit json.Number `json:"limit"`
	}
	_ = json.Unmarshal(body, &params)
	return params.Limit.String(), io.NopCloser(bytes.NewReader(body))
}

// setWebhook sets or, with an empty address, deletes the webhook as another program does.
func (w *world) setWebhook(address string) {
	w.t.Helper()
	body := strings.NewReader(url.Values{"url": {address}}.Encode())
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/bot"+canary+"/setWebhook", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.telegram.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatal(rec.Body)
	}
}

// A server that does not wait for updates is not polled more than once a second, and a
// batch that brings nothing new counts as empty.
func TestPollsThatBringNothingAreASecondApart(t *testing.T) {
	known := `{"ok":true,"result":[{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":1,"first_name":"Ann"},"text":"hello"}}]}`
	for name, body := range map[string]string{"empty": `{"ok":true,"result":[]}`, "known": known} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				polls := 0
				w.proxyPolls(func(*http.Request) string {
					polls++
					return body
				})
				w.start()
				time.Sleep(100 * time.Second)
				synctest.Wait()
				if polls < 90 || polls > 103 {
					t.Errorf("%d polls in 100 s", polls)
				}
			})
		})
	}
}

// A webhook that another program has set while this one polls is deleted, at most once a
// minute, and is no conflict of two programs that poll.
func TestWebhookOfAnotherProgramIsDeleted(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "answer"}, nil })
		w.start()
		setAnother := func() { w.setWebhook("https://other.example/hook") }
		setAnother()
		time.Sleep(10 * time.Second)
		ann := w.join(1)
		ann.Type("hello")
		time.Sleep(10 * time.Second)
		if ann.Last().Text != "answer" {
			t.Error("the bot does not receive updates again")
		}
		if since, _ := w.bot.PollConflict(); !since.IsZero() {
			t.Error("it counts as a program that polls")
		}
		deleted := len(w.calls("deleteWebhook"))
		for range 10 {
			setAnother()
			time.Sleep(6 * time.Second)
		}
		if n := len(w.calls("deleteWebhook")) - deleted; n > 2 {
			t.Errorf("deleted %d times in a minute", n)
		}
		if logs := w.logs.String(); !strings.Contains(logs, "another program has set a webhook for this bot, deleting it") {
			t.Errorf("log:\n%s", logs)
		}
	})
}

// A batch that is larger than a response may be is received in smaller ones.
func TestTooLargeBatchIsHalved(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var limits []string
		w.proxyPolls(func(r *http.Request) string {
			var limit string
			limit, r.Body = limitOf(r)
			limits = append(limits, limit)
			if limit != "6" && len(limits) < 20 {
				return `{"ok":true,"result":[],"x":"` + strings.Repeat("x", maxUpdates) + `"}`
			}
			return ""
		})
		handled := 0
		w.bot.Command("do", func(context.Context, *Request) (View, error) { handled++; return View{}, nil })
		for range 5 {
			w.join(1).Type("/do")
		}
		w.start()
		time.Sleep(time.Minute)
		w.idle()
		if handled != 5 {
			t.Errorf("handled %d; limits %v", handled, limits)
		}
	})
}
