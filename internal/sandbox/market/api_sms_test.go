package market

import (
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

// numbered is an element of the answer to add_sms, with a number as its id.
type numbered struct {
	Order                  int64
	Phone, Country, Status string
}

func addSMS(t *testing.T, s *Server, form ...string) []numbered {
	t.Helper()
	return read[struct{ Orders []numbered }](t, s, "add_sms", form...).Orders
}

func TestAddSMS(t *testing.T) {
	s := open(t, Options{})
	three := addSMS(t, s, "project_id", ProjectTelegram, "country", "gb", "quantity", "3")
	phones := map[string]bool{}
	for i, n := range three {
		phones[n.Phone] = true
		if n.Order != FirstOrder+int64(i) || n.Country != "gb" || n.Status != "active" || !regexp.MustCompile(`^\+44\d{9,10}$`).MatchString(n.Phone) {
			t.Errorf("number %d: %+v", i, n)
		}
	}
	if len(phones) != 3 {
		t.Errorf("phones repeat: %v", phones)
	}
	if got := s.Balance(alice).String(); got != "96.76" { // 3 × 0.90 × 120 %
		t.Errorf("balance %s, want 96.76", got)
	}
	if got := addSMS(t, s, "project_id", ProjectTwoNumbers, "country", "us", "quantity", "5"); len(got) != 2 {
		t.Errorf("%d numbers, want the 2 that are left", len(got))
	}
	for name, tt := range map[string]struct {
		form []string
		want string
	}{
		"none left":                     {[]string{"project_id", ProjectTwoNumbers, "country", "us"}, "No numbers available"},
		"sold out":                      {[]string{"project_id", ProjectNoNumbers, "country", "us"}, "No numbers available"},
		"no project":                    {[]string{"country", "us"}, "Project ID is required"},
		"unknown project":               {[]string{"project_id", "65f", "country", "us"}, "Project not found"},
		"not in that country":           {[]string{"project_id", ProjectOpenAI, "country", CountryWithoutProjects}, "Project not found"},
		"another account's phone":       {[]string{"project_id", ProjectOpenAI, "phone", "+12025550123"}, "This phone number can not be reused"},
		"a phone that is still open":    {[]string{"project_id", ProjectTelegram, "phone", three[0].Phone}, "This phone number can not be reused"},
		"a phone of another project":    {[]string{"project_id", ProjectOpenAI, "phone", three[0].Phone}, "This phone number can not be reused"},
		"balance too low":               {[]string{"project_id", ProjectOpenAI, "country", "us", "quantity", "10"}, "Insufficient balance"},
		"sold out in the first country": {[]string{"project_id", ProjectNoNumbers}, "No numbers available"}, // the first country is the US
	} {
		if name == "balance too low" {
			must(t, s.SetBalance(alice, "4.99"))
		}
		exact(t, name, ask(t, s, "add_sms", tt.form...), `{"error":"`+tt.want+`"}`)
	}
}

// TestAllProjects: without a country the marketplace may answer in several ways. With one
// the answer is always the same.
func TestAllProjects(t *testing.T) {
	s := open(t, Options{})
	ofUS := len(read[[]projectAnswer](t, s, "sms_projects", "country", CountryUS))
	for answer, want := range map[AllProjects]struct{ countries, least int }{
		EveryCountry: {60, 1000}, OneCountry: {1, ofUS}, NoProjects: {0, 0}, WithoutCountries: {1, 1000},
	} {
		s.SetAllProjects(answer)
		all := read[[]projectAnswer](t, s, "sms_projects")
		countries := map[string]bool{}
		for _, p := range all {
			countries[p.CountryID+p.CountryTitle] = true
		}
		if len(countries) < want.countries || want.countries < 2 && len(countries) != want.countries || len(all) < want.least {
			t.Errorf("%d: %d projects of %d countries, want %+v", answer, len(all), len(countries), want)
		}
	}
	s.SetAllProjects(CountryRequired)
	exact(t, "without a country", ask(t, s, "sms_projects"), `{"error":"Country is required"}`)
	if n := len(read[[]projectAnswer](t, s, "sms_projects", "country", CountryUS)); n != ofUS {
		t.Errorf("%d projects of one country, want %d", n, ofUS)
	}
}

func TestSendCode(t *testing.T) {
	tests := []struct{ text, code, content string }{
		{"424242", "424242", "Your verification code is 424242"},
		{"G-918273 is your Google code", "918273", "G-918273 is your Google code"},
		{"<#> Code: <b>1234</b> & more", "1234", "<#> Code: <b>1234</b> & more"},
		{"رمزك هو 5566", "5566", "رمزك هو 5566"},
		{"no digits at all", "", "no digits at all"},
	}
	s := open(t, Options{})
	for _, tt := range tests {
		n := addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")[0].Order
		must(t, s.SendCode(n, tt.text))
		got, _ := s.Number(n)
		if got.Code != tt.code || got.Content != tt.content || got.Status != "code_received" || got.Open {
			t.Errorf("%q: %+v", tt.text, got)
		}
	}
	n := addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")[0]
	must(t, s.SendCode(n.Order, ""))
	first, _ := s.Number(n.Order)
	must(t, s.SendSMS(n.Order, "A-1", "second"))
	second, _ := s.Number(n.Order)
	if len(first.Code) != 6 || second.Code != "A-1" || second.Content != "second" {
		t.Errorf("codes %q, then %+v", first.Code, second)
	}
	again := addSMS(t, s, "project_id", ProjectOpenAI, "phone", n.Phone)
	if len(again) != 1 || again[0].Phone != n.Phone || again[0].Country != "us" || again[0].Order == n.Order {
		t.Errorf("reused: %+v", again)
	}
	must(t, s.SetSMSStatus(again[0].Order, "timeout"))
	if got := read[codeAnswer](t, s, "sms_code", "order", "23507"); got.Status != "timeout" {
		t.Errorf("any status: %+v", got)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		n := addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")[0]
		addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")
		must(t, s.SetExpiry(23502, time.Time{}))
		time.Sleep(20*time.Minute - time.Millisecond)
		if got := s.Balance(alice).String(); got != "99" {
			t.Errorf("before the expiry: %s", got)
		}
		time.Sleep(time.Millisecond)
		if got := s.Balance(alice).String(); got != "99.5" {
			t.Errorf("after the expiry: %s, want a refund", got)
		}
		exact(t, "sms_code", ask(t, s, "sms_code", "order", "23501"), `{"status":"expired","message":"No code was received"}`)
		exact(t, "sms_status", ask(t, s, "sms_status", "order", "23501"),
			`{"status":"expired","phone":"`+n.Phone+`","code":null,"charge":"0.0000","currency":"USD","expires_at":"2000-01-01T00:20:00.000Z"}`)
		must(t, s.SendCode(23501, "777777")) // late
		if got := read[codeAnswer](t, s, "sms_code", "order", "23501"); got.Status != "completed" || got.Code != "777777" {
			t.Errorf("a late code: %+v", got)
		}
		if got := read[map[string]any](t, s, "sms_status", "order", "23502"); got["expires_at"] != nil || got["status"] != "active" {
			t.Errorf("without an expiry: %v", got)
		}
	})
}

func TestAutomaticCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{CodeAfter: 5 * time.Second})
		addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")
		time.Sleep(5*time.Second - time.Millisecond)
		if got := read[codeAnswer](t, s, "sms_code", "order", "23501"); got.Status != "waiting" {
			t.Errorf("too early: %+v", got)
		}
		time.Sleep(time.Hour) // long after the expiry; the code came before it
		got := read[codeAnswer](t, s, "sms_code", "order", "23501")
		if got.Status != "completed" || got.SMSContent != "Your OpenAI / ChatGPT verification code is "+got.Code {
			t.Errorf("%+v", got)
		}
		if got := s.Balance(alice).String(); got != "99.5" {
			t.Errorf("balance %s", got)
		}
	})
}

// TestFollowUpSMS checks that a follow-up arrives followUpAfter after sms_code has
// answered the first SMS or the expiry, and not earlier.
func TestFollowUpSMS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		addSMS(t, s, "project_id", ProjectOpenAI, "country", "us", "quantity", "3")
		answer := func(order string) string {
			t.Helper()
			got := read[codeAnswer](t, s, "sms_code", "order", order)
			return got.Status + " " + got.Code
		}
		must(t, s.SendTwice(23501, "first 1111"))
		must(t, s.SendLate(23502, "late 2222"))
		must(t, s.SendTwice(23503, ""))
		must(t, s.RefundSMS(23503)) // cancels the follow-up
		if n, _ := s.Number(23503); n.Follows {
			t.Errorf("refunded: %+v", n)
		}
		time.Sleep(time.Minute) // without sms_code
		for order, want := range map[string]string{"23501": "completed 1111", "23502": "expired "} {
			if got := answer(order); got != want {
				t.Errorf("%s: %q, want %q", order, got, want)
			}
		}
		time.Sleep(followUpAfter - time.Millisecond)
		if first, late := answer("23501"), answer("23502"); first != "completed 1111" || late != "expired " {
			t.Errorf("too early: %q, %q", first, late)
		}
		time.Sleep(time.Millisecond)
		if got := answer("23502"); got != "completed 2222" {
			t.Errorf("late: %q", got)
		}
		n, _ := s.Number(23501)
		if len(n.Received) != 2 || n.Received[0] != (SMS{"1111", "first 1111"}) || n.SMS != n.Received[1] || len(n.Code) != 6 || n.Follows {
			t.Errorf("two SMS: %+v", n)
		}
		time.Sleep(time.Hour)
		if got := answer("23501"); got != "completed "+n.Code {
			t.Errorf("the second SMS is answered as %q", got)
		}

		must(t, s.SendLate(23502, "3333")) // it is closed already
		if got := answer("23502"); got != "completed 3333" {
			t.Errorf("after the expiry: %q", got)
		}
		if got := s.Balance(alice).String(); got != "99.5" {
			t.Errorf("balance %s, want one number charged", got)
		}
	})
}

func TestGeneratedCodesDiffer(t *testing.T) {
	s := open(t, Options{})
	addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")
	codes := map[string]bool{}
	for range 5 {
		must(t, s.SendCode(23501, ""))
		n, _ := s.Number(23501)
		codes[n.Code] = true
	}
	if len(codes) != 5 {
		t.Errorf("five SMS have the codes %v", codes)
	}
}

func TestNeverCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{CodeAfter: 5 * time.Second})
		addSMS(t, s, "project_id", ProjectOpenAI, "country", "us", "quantity", "2")
		must(t, s.NeverCode(23501))
		if n, _ := s.Number(23501); !n.ComesAt.IsZero() {
			t.Errorf("a code arrives at %v", n.ComesAt)
		}
		if n, _ := s.Number(23502); !n.ComesAt.Equal(n.CreatedAt.Add(5 * time.Second)) {
			t.Errorf("a code arrives at %v for a number rented at %v", n.ComesAt, n.CreatedAt)
		}
		time.Sleep(time.Hour)
		if n, _ := s.Number(23501); n.Status != "expired" || n.Code != "" {
			t.Errorf("never: %+v", n)
		}
		if n, _ := s.Number(23502); n.Code == "" || !n.ComesAt.IsZero() {
			t.Errorf("the other: %+v", n)
		}
		for order, want := range map[int64]error{23501: ErrClosed, 23502: ErrClosed, 1: ErrUnknown} {
			if err := s.NeverCode(order); !errors.Is(err, want) {
				t.Errorf("%d: %v, want %v", order, err, want)
			}
		}
	})
}

func TestCancelSMSNumbers(t *testing.T) {
	for name, tt := range map[string]struct {
		opt  Options
		want string
	}{
		"cancelled": {Options{}, `[{"order":23501,"cancel":1},{"order":23502,"cancel":{"error":"Early auto refund is not available for this order"}}]`},
		"too early": {Options{CancelAfter: time.Minute}, `[{"order":23501,"cancel":{"error":"Early auto refund is not available for this order"}},{"order":23502,"cancel":{"error":"Early auto refund is not available for this order"}}]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tt.opt)
			addSMS(t, s, "project_id", ProjectOpenAI, "country", "us", "quantity", "2")
			must(t, s.SendCode(23502, "1234"))
			exact(t, "cancel", ask(t, s, "cancel", "orders", "23501,23502"), tt.want)
			exact(t, "status of a number", ask(t, s, "status", "order", "23501"), `{"error":"Order not found"}`)
		})
	}
}

// TestCancelPaysBackLess: allowcancel promises the charge, and the cancel pays back less.
func TestCancelPaysBackLess(t *testing.T) {
	s := open(t, Options{})
	addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")
	must(t, s.SetCancelRefund(23501, "0.30"))
	exact(t, "allowcancel", ask(t, s, "allowcancel", "orders", "23501"), `[{"order":23501,"allowcancel":1,"refundAmount":0.50}]`)
	exact(t, "cancel", ask(t, s, "cancel", "orders", "23501"), `[{"order":23501,"cancel":1}]`)
	if got := read[smsStatusAnswer](t, s, "sms_status", "order", "23501"); got.Charge != "0.2000" || got.Status != "canceled" {
		t.Errorf("sms_status: %+v", got)
	}
	if got := s.Balance(alice).String(); got != "99.8" {
		t.Errorf("balance %s", got)
	}
	for order, want := range map[int64]error{23501: ErrClosed, 1: ErrUnknown} {
		if err := s.SetCancelRefund(order, "0.30"); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", order, err, want)
		}
	}
	if err := s.SetCancelRefund(23501, "x"); !errors.Is(err, ErrAmount) {
		t.Errorf("a word: %v", err)
	}
}
