package telegram

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ann := withText(t, Options{})
		send := func() answer { return call(t, s, "sendMessage", params{"chat_id": annID, "text": "x"}) }
		sent := func() int { return len(ann.Messages()) }
		for _, c := range []struct {
			fault       Fault
			code        int
			description string
			lost        bool
			done        bool
		}{
			{Fault{Method: "sendMessage", RetryAfter: 7}, 429, "Too Many Requests: retry after 7", false, false},
			{Fault{Method: "sendMessage", Code: 429}, 429, "Too Many Requests: retry after 1", false, false},
			{Fault{Code: 403}, 403, "Forbidden: bot was blocked by the user", false, false},
			{Fault{Code: 500}, 500, "Internal Server Error", false, false},
			{Fault{Code: 400, Description: "Bad Request: reason"}, 400, "Bad Request: reason", false, false},
			{Fault{Method: "sendMessage", Chat: annID, LoseAnswer: true}, 0, "", true, true},
			{Fault{Cut: true}, 0, "", true, false},
			{Fault{HTML: true}, 0, "", false, false},
			{Fault{Delay: time.Minute}, 0, "", false, true},
			{Fault{Method: "sendMessage", Chat: 8, Code: 400}, 0, "", false, true}, // of another chat
			{Fault{Method: "getMe", Code: 400}, 0, "", false, true},
		} {
			s.ClearFaults()
			s.Fault(c.fault)
			before, start := sent(), time.Now()
			got := send()
			if got.Code != c.code || got.Description != c.description || got.Lost != c.lost || (sent() > before) != c.done {
				t.Errorf("%+v: got %+v, done %v", c.fault, got, sent() > before)
			}
			if c.fault.HTML && (got.HTTP != http.StatusBadGateway || !strings.Contains(got.Body, "<html>")) {
				t.Errorf("%+v: got %d %s", c.fault, got.HTTP, got.Body)
			}
			if took := time.Since(start); took != c.fault.Delay {
				t.Errorf("%+v: took %v", c.fault, took)
			}
			if len(s.Faults()) == 0 {
				if again := send(); !again.OK {
					t.Errorf("%+v: hit a second call: %+v", c.fault, again)
				}
			}
		}
		s.ClearFaults()
		s.Fault(Fault{Code: 500, Times: Always})
		for range 3 {
			if send().OK {
				t.Error("Always did not hit the call")
			}
		}
		if ids, _ := getUpdates(t, s, nil); len(ids) != 1 {
			t.Errorf("a fault of any method hit getUpdates: %v", ids)
		}
		s.ClearFaults()
		if !send().OK {
			t.Error("ClearFaults left a fault")
		}
	})
}

func TestClearFaultKeepsOthers(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	s.Fault(Fault{RetryAfter: 3, Times: Always})
	s.Fault(Fault{LoseAnswer: true})
	s.ClearFault(func(f Fault) bool { return f.RetryAfter > 0 })
	if left := s.Faults(); len(left) != 1 || !left[0].LoseAnswer {
		t.Errorf("%+v are left", left)
	}
}

// TestLostAnswerOverHTTP checks that net/http does not repeat the call.
func TestLostAnswerOverHTTP(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	s.Fault(Fault{Method: "sendMessage", LoseAnswer: true})
	body := strings.NewReader("chat_id=7&text=lost")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/bot"+DefaultToken+"/sendMessage", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res, err := web.Client().Do(r); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered: %s", res.Status)
	}
	if got := ann.Last().Text; got != "lost" || s.Count("sendMessage") != 2 {
		t.Errorf("last message %q after %d calls", got, s.Count("sendMessage"))
	}
}

func TestCallLog(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	s.Join(Person{ID: annID, FirstName: "Ann"})
	s.Fault(Fault{Method: "sendMessage", LoseAnswer: true})
	call(t, s, "sendMessage", params{"chat_id": annID, "text": "x"})
	call(t, s, "sendMessage", params{"chat_id": 8, "text": "x"})
	call(t, s, "getYou", nil)
	calls := s.Calls()
	if len(calls) != 3 || s.Count("sendMessage") != 2 || s.Count("") != 3 || len(s.CallsAfter(2)) != 1 {
		t.Fatalf("calls %+v", calls)
	}
	if c := calls[0]; !c.OK || c.Fault != "lose_answer" || c.Fields["text"] != "x" || c.Number != 1 {
		t.Errorf("lost: %+v", c)
	}
	if c := calls[1]; c.OK || c.Code != 400 || c.Description != "Bad Request: chat not found" {
		t.Errorf("refused: %+v", c)
	}
	if c := calls[2]; c.Method != "getYou" || c.Code != 404 {
		t.Errorf("unknown: %+v", c)
	}
	quiet := New(Options{NoLog: true})
	ann := quiet.Join(Person{ID: annID, FirstName: "Ann"})
	for range maxCalls + 5 {
		call(t, s, "getMe", nil)
	}
	must(t, quiet, "sendMessage", params{"chat_id": annID, "text": "x"})
	if len(quiet.Calls()) != 0 || quiet.Count("sendMessage") != 1 || ann.History() != "" || ann.Last().Text != "x" {
		t.Error("NoLog kept a log or lost messages")
	}
	if calls := s.Calls(); len(calls) != maxCalls || calls[0].Number != 9 || calls[maxCalls-1].Number != maxCalls+8 {
		t.Errorf("%d calls kept, from %d", len(calls), calls[0].Number)
	}
}
