package market

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const (
	alice = "alice-key-0001"
	bob   = "bob-key-0002"
)

// open returns a marketplace where alice has $100 and bob has €5. The test fails
// on violations that it does not expect with expectViolations.
func open(t *testing.T, opt Options) *Server {
	t.Helper()
	s := New(opt)
	s.AddKey(alice, "100.00", "USD")
	s.AddKey(bob, "5", "EUR")
	t.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			t.Errorf("violation: %s", v)
		}
	})
	return s
}

// post sends a form to the handler.
func post(t *testing.T, s http.Handler, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://market.test/api/v2", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// ask makes a call with alice's key and returns the body of the answer.
func ask(t *testing.T, s http.Handler, action string, pairs ...string) string {
	t.Helper()
	return askAs(t, s, alice, action, pairs...)
}

func askAs(t *testing.T, s http.Handler, key, action string, pairs ...string) string {
	t.Helper()
	form := url.Values{"key": {key}, "action": {action}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	w := post(t, s, form)
	if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("%s: Content-Type %q", action, got)
	}
	return w.Body.String()
}

// read makes a call with alice's key and decodes the answer.
func read[T any](t *testing.T, s http.Handler, action string, pairs ...string) T {
	t.Helper()
	var answer T
	body := ask(t, s, action, pairs...)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v in %.200s", action, err, body)
	}
	return answer
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expectViolations checks the violations so far and clears them.
func expectViolations(t *testing.T, s *Server, want ...string) {
	t.Helper()
	got := s.Violations()
	s.mu.Lock()
	s.violations = nil
	s.mu.Unlock()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("violations %q, want %q", got, want)
	}
}

// uniqueGoods returns the number of delivered goods. The test fails if two are the same.
func uniqueGoods(t *testing.T, s *Server) int {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range s.Orders() {
		for _, account := range o.Accounts {
			if seen[account] {
				t.Errorf("%q was delivered twice", account)
			}
			seen[account] = true
		}
	}
	return len(seen)
}
