package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGetUpdatesOffsets(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	defer s.Close()
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	for range 5 {
		ann.Type("hello")
	}
	want := func(p params, want ...int64) {
		t.Helper()
		for i := range want {
			want[i] += firstUpdateID
		}
		if got, _ := getUpdates(t, s, p); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", p, got, want)
		}
	}
	want(nil, 0, 1, 2, 3, 4)
	want(nil, 0, 1, 2, 3, 4) // nothing was acknowledged
	want(params{"limit": 2}, 0, 1)
	want(params{"offset": firstUpdateID + 2, "limit": 1}, 2)
	want(params{"offset": firstUpdateID}, 2, 3, 4) // acknowledged updates do not return
	if s.Pending() != 3 {
		t.Errorf("%d pending", s.Pending())
	}
	want(params{"offset": -2}, 3, 4)
	want(nil, 3, 4)
	want(params{"offset": -9}, 3, 4)

	if got := s.Redeliver(2); !slices.Equal(got, []int64{firstUpdateID + 1, firstUpdateID + 2}) {
		t.Errorf("redelivered %v", got)
	}
	want(params{"offset": firstUpdateID + 4}, 1, 2, 4)
	want(params{"offset": firstUpdateID + 5})
	if s.Redeliver(100); len(s.updates.redeliver) != 5 {
		t.Errorf("%d updates to redeliver, want 5", len(s.updates.redeliver))
	}
	want(params{"offset": firstUpdateID + 5}, 0, 1, 2, 3, 4)

	// allowed_updates applies to later updates, until it is changed.
	want(params{"offset": firstUpdateID + 5, "allowed_updates": []string{"callback_query"}})
	ann.Type("unseen")
	want(nil)
	want(params{"allowed_updates": []string{}})
	ann.Type("seen")
	want(nil, 5)
}

func TestLongPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		ann := s.Join(Person{ID: annID, FirstName: "Ann"})
		start := func(ctx context.Context, seconds int) <-chan answer {
			got := make(chan answer, 1)
			go func() { got <- serve(s, jsonRequest(ctx, "getUpdates", params{"timeout": seconds})) }()
			synctest.Wait()
			return got
		}
		began := time.Now()
		if got := <-start(t.Context(), 30); !got.OK || string(got.Result) != "[]" || time.Since(began) != 30*time.Second {
			t.Errorf("an empty poll: %+v after %v", got, time.Since(began))
		}
		began = time.Now()
		if <-start(t.Context(), 600); time.Since(began) != 50*time.Second {
			t.Errorf("a poll of 600 s took %v, want 50 s", time.Since(began))
		}

		waiting := start(t.Context(), 30)
		ann.Type("hi")
		if got := <-waiting; !got.OK || !bytes.Contains(got.Result, []byte(`"hi"`)) {
			t.Errorf("a woken poll: %+v", got)
		}
		getUpdates(t, s, params{"offset": firstUpdateID + 1})

		first := start(t.Context(), 30)
		second := start(t.Context(), 30)
		if got := <-first; got.Code != http.StatusConflict || got.Description != conflictPoll {
			t.Errorf("the first of two polls: %+v", got)
		}
		ann.Type("again")
		if got := <-second; !got.OK || string(got.Result) == "[]" {
			t.Errorf("the second of two polls: %+v", got)
		}
		getUpdates(t, s, params{"offset": firstUpdateID + 2})

		ctx, cancel := context.WithCancel(t.Context())
		left := start(ctx, 30)
		cancel()
		if got := <-left; !got.Lost {
			t.Errorf("a poll whose caller left: %+v", got)
		}

		ann.Type("old")
		time.Sleep(24*time.Hour + time.Second)
		if ids, _ := getUpdates(t, s, nil); len(ids) != 0 {
			t.Errorf("updates older than a day: %v", ids)
		}
		open := start(t.Context(), 30)
		s.Close()
		s.Close()
		if got := <-open; !got.Lost {
			t.Errorf("an open poll when the server closes: %+v", got)
		}
	})
}

func TestWebhookDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type delivery struct {
			id     int64
			secret string
			at     time.Duration
		}
		var got []delivery
		began := time.Now()
		fail, retryAfter := 0, ""
		bot := listenPipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var u struct {
				ID int64 `json:"update_id"`
			}
			if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
				t.Error(err)
			}
			got = append(got, delivery{u.ID - firstUpdateID, r.Header.Get("X-Telegram-Bot-Api-Secret-Token"), time.Since(began)})
			if fail > 0 {
				fail--
				w.Header().Set("Retry-After", retryAfter)
				w.WriteHeader(http.StatusInternalServerError)
			}
		}))
		s := New(Options{Dial: bot.dial})
		defer s.Close()
		ann := s.Join(Person{ID: annID, FirstName: "Ann"})
		ann.Type("before")

		poll := make(chan answer, 1)
		wantRefusal(t, s, "setWebhook", params{"url": "http://"}, 400, "bad webhook")
		wantRefusal(t, s, "setWebhook", params{"url": "https://shop.example/hook", "secret_token": "ä"}, 400, "secret token contains unallowed characters")
		wantRefusal(t, New(Options{}), "setWebhook", params{"url": "http://shop.example/hook"}, 400, "An HTTPS URL must be provided for webhook")
		getUpdates(t, s, params{"offset": firstUpdateID + 1})
		go func() { poll <- call(t, s, "getUpdates", params{"timeout": 50}) }()
		synctest.Wait()
		must(t, s, "setWebhook", params{"url": "http://shop.example/hook", "secret_token": "s-3"})
		if conflict := <-poll; conflict.Code != 409 || conflict.Description != conflictSetWebhook {
			t.Errorf("the open poll: %+v", conflict)
		}
		wantRefusal(t, s, "getUpdates", nil, 409, "can't use getUpdates method while webhook is active")

		fail = 2
		ann.Type("one")
		ann.Type("two")
		synctest.Wait()
		info := string(must(t, s, "getWebhookInfo", nil))
		if want := `"last_error_message":"wrong response from the webhook: 500 Internal Server Error"`; !bytes.Contains([]byte(info), []byte(want)) {
			t.Errorf("info %s", info)
		}
		time.Sleep(time.Minute)
		s.Redeliver(1)
		synctest.Wait()
		want := []delivery{{1, "s-3", 0}, {1, "s-3", time.Second}, {1, "s-3", 3 * time.Second}, {2, "s-3", 3 * time.Second}, {2, "s-3", time.Minute}}
		if !slices.Equal(got, want) {
			t.Errorf("delivered\n%v, want\n%v", got, want)
		}

		fail, retryAfter, began, got = 3, "2", time.Now(), nil
		ann.Type("three")
		time.Sleep(time.Minute)
		synctest.Wait()
		want = []delivery{{3, "s-3", 0}, {3, "s-3", 2 * time.Second}, {3, "s-3", 4 * time.Second}, {3, "s-3", 6 * time.Second}}
		if !slices.Equal(got, want) {
			t.Errorf("delivered with Retry-After\n%v, want\n%v", got, want)
		}

		fail = 1 << 30
		ann.Type("never")
		synctest.Wait()
		must(t, s, "deleteWebhook", params{"drop_pending_updates": true})
		if s.Pending() != 0 {
			t.Errorf("%d still pending", s.Pending())
		}
		ann.Type("polled")
		if ids, _ := getUpdates(t, s, nil); len(ids) != 1 {
			t.Errorf("polled %v", ids)
		}
	})
}

// TestWebhookQueues: the messages of a chat wait for each other, those of other chats and
// a tap don't, and no more than max_connections are under way.
func TestWebhookQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []int64
		bot := listenPipes(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var u struct {
				ID int64 `json:"update_id"`
			}
			if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
				t.Error(err)
			}
			mu.Lock()
			got = append(got, u.ID-firstUpdateID)
			mu.Unlock()
			time.Sleep(time.Second)
		}))
		s := New(Options{Dial: bot.dial})
		defer s.Close()
		must(t, s, "setWebhook", params{"url": "http://shop.example/hook", "max_connections": 3})
		ann, ben := s.Join(Person{ID: annID, FirstName: "Ann"}), s.Join(Person{ID: annID + 1, FirstName: "Ben"})
		cleo := s.Join(Person{ID: annID + 2, FirstName: "Cleo"})
		first := ann.Type("0")
		ann.Type("1")
		ann.TapData(first, "2")
		ben.Type("3")
		cleo.Type("4")
		for _, want := range [][]int64{{0, 2, 3}, {0, 1, 2, 3, 4}} {
			synctest.Wait()
			mu.Lock()
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("delivered %v, want %v", got, want)
			}
			mu.Unlock()
			time.Sleep(time.Second)
		}
	})
}
