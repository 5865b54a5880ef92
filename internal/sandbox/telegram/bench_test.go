package telegram

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkCall measures the server's own cost of an editMessageText call, as the
// library posts it.
func BenchmarkCall(b *testing.B) {
	s := New(Options{NoLog: true})
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	texts := map[string]string{
		"chat_id": "7", "message_id": "1", "parse_mode": "HTML",
		"text":         "<b>Menu</b>\n\nYour balance is <code>$25.00</code>.",
		"reply_markup": `{"inline_keyboard":[[{"text":"🛍 Catalog","callback_data":"c"},{"text":"🔎 Search","callback_data":"s"}],[{"text":"📦 My orders","callback_data":"o"},{"text":"💰 Balance","callback_data":"b"}]]}`,
	}
	s.mu.Lock()
	ann.chat.add(Message{FromBot: true, From: s.bot, Text: "x"})
	s.mu.Unlock()
	var kinds [2]string
	var bodies [2][]byte
	for i, text := range []string{texts["text"], "other"} {
		texts["text"] = text
		kinds[i], bodies[i] = multipartBody(b, texts, nil)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w := httptest.NewRecorder()
		r := request(b, http.MethodPost, "/bot"+DefaultToken+"/editMessageText", kinds[i%2], bytes.NewReader(bodies[i%2]))
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
