package handlers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/bot"
	"hstockbot/locales"
	"hstockbot/storage"
)

// bundle returns the message files.
func bundle(tb testing.TB) *locales.Bundle {
	tb.Helper()
	b, err := locales.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParsePositions(t *testing.T) {
	for text, want := range map[string]string{
		"2": "2", "2, 5-7": "2, 5-7", "7 5 6;2": "2, 5-7", "5–7": "5-7", "5 — 7": "5-7", "1-2-3": "", "2,2,2": "2", "٢، ٥-٧": "2, 5-7", "２～４": "2-4", "1、2，3": "1-3", "2.": "2",
		"1-10": "1-10", "11": "", "0": "", "-2": "", "3-": "", "7-5": "", "": "", ",": "", "two": "", "2 and 5": "", "#2": "", "99999999999999999999": "", "1-99999999999": "",
	} {
		got, ok := parsePositions(text, 10)
		if formatPositions(got, ", ") != want || ok != (want != "") {
			t.Errorf("%q is %v, %v, want %q", text, got, ok, want)
		}
	}
}

// TestAnyPositionsSurvive: what is formatted is parsed as the same.
func TestAnyPositionsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.IntRange(1, 60), 1, -1, rapid.ID).Draw(t, "numbers")
		slices.Sort(numbers)
		for _, separator := range []string{",", ", "} {
			if got, ok := parsePositions(formatPositions(numbers, separator), 60); !ok || !slices.Equal(got, numbers) {
				t.Errorf("%v is parsed as %v, %v", numbers, got, ok)
			}
		}
	})
}

func TestNumbersOf(t *testing.T) {
	for _, test := range []struct {
		accounts  int
		positions []int
		want      []int
	}{
		{2, []int{3, 5}, []int{4, 6}},
		{2, nil, []int{1, 2}},            // of an older program
		{2, []int{1, 1}, []int{1, 2}},    // equal accounts
		{3, []int{2, 1}, []int{1, 2, 3}}, // not all are known
	} {
		if got := numbersOf(test.accounts, test.positions); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.positions, got, test.want)
		}
	}
}

func TestClaimsMerge(t *testing.T) {
	o := storage.Order{Present: 5}
	for _, step := range []struct {
		id       string
		accounts []int
		of       int
		want     string
		count    int
	}{
		{"password", []int{2, 3, 5}, 5, "password:2-3,5", 3},
		{"locked", []int{1, 2}, 5, "password:3,5;locked:1-2", 4}, // 2 is locked, too
		{"password", []int{4}, 5, "password:4;locked:1-2", 3},    // a correction
		{"missing", []int{1}, 1, "missing:1", 1},                 // the others were taken back
	} {
		o.Feedback = parseClaims(o).with(step.id, step.accounts, step.of).feedback()
		o.FeedbackOf = int64(step.of)
		if n := parseClaims(o).count(); o.Feedback != step.want || n != step.count {
			t.Errorf("%s %v: %q, %d accounts, want %q, %d", step.id, step.accounts, o.Feedback, n, step.want, step.count)
		}
	}
	for _, feedback := range []string{storage.FeedbackNone, storage.FeedbackWorks, storage.FeedbackDropped, "password:9", "password:", "future"} {
		if parsed := parseClaims(storage.Order{Feedback: feedback, FeedbackOf: 5}); len(parsed) != 0 {
			t.Errorf("%q is %v", feedback, parsed)
		}
	}
}

// TestChatAddress: only an @name has a chat, and the text in it is exactly the text unless
// it is too long.
func TestChatAddress(t *testing.T) {
	const text = "Order #23501: A & B + C\nLocked, 2 of 5: 2, 5 – 100 %"
	for _, support := range []string{"support@hstockplus.net", "write to @shop_help", "@shop help", "@x", "@1234567", "@shop_help, @other", "t.me/shop_help", "@" + strings.Repeat("a", 33), ""} {
		if got := chatAddress(support, text); got != "" {
			t.Errorf("%q has the chat %q", support, got)
		}
	}
	address, err := url.Parse(chatAddress("@shop_help", text))
	if err != nil || address.Query().Get("text") != text || strings.Contains(address.RawQuery, "+") {
		t.Errorf("the address is %s, %v", address, err)
	}
	room := claimAddressLength - len("https://t.me/shop_help?text=")
	for _, n := range []int{room, room + 1} {
		if got := chatAddress("@shop_help", strings.Repeat("a", n)); (got == "https://t.me/shop_help") != (n > room) || len(got) > claimAddressLength {
			t.Errorf("the address of %d characters has %d", n, len(got))
		}
	}
}

// TestClaimView: any name and any support fit a message; the text is only copied by a
// button if that is possible.
func TestClaimView(t *testing.T) {
	l := english(t)
	at := time.Date(2026, 6, 23, 12, 5, 0, 0, time.UTC)
	odd := make([]int, 0, 2500)
	for n := 1; n < 5000; n += 2 {
		odd = append(odd, n)
	}
	for name, support := range map[string]string{
		"Gmail": "support@hstockplus.net", strings.Repeat("<b>&\n", 60): strings.Repeat("<i>call & write", 33), strings.Repeat("я", 300): "@shop_help",
	} {
		s := &Screens{Options: Options{People: People{Bundle: bundle(t), DefaultLang: "en"}, SupportText: support}}
		o := storage.Order{
			ExternalID: strings.Repeat("7", 100), Kind: storage.KindProduct, Name: name, Quantity: 5000, Present: 5000, Delivered: 5000, CreatedAt: at, DeliveredAt: at, FeedbackAt: at, FeedbackOf: 5000,
		}
		o.Feedback = fmt.Sprint("password:", formatPositions(odd, ","), ";locked:2,4,6,8")
		view := s.claimView(l, o)
		if n := bot.Length(view.Text); n > bot.MaxText {
			t.Errorf("%.20s: %d characters", name, n)
		}
		if err := bot.CheckMarkup(view.Text); err != nil {
			t.Errorf("%.20s: %v", name, err)
		}
		for _, row := range view.Keyboard {
			for _, button := range row {
				if button.CopyText != nil {
					t.Errorf("%.20s: a text of more than 256 characters has a copy button", name)
				}
			}
		}
	}
	s := &Screens{Options: Options{People: People{Bundle: bundle(t), DefaultLang: "en"}, SupportText: "@shop_help"}}
	long := storage.Order{ExternalID: "1", Kind: storage.KindProduct, Name: strings.Repeat("я", 300), Delivered: 5, Present: 5, CreatedAt: at, DeliveredAt: at, Feedback: "locked:1-3;other:4", FeedbackOf: 5, FeedbackAt: at}
	if address := s.claimView(l, long).Keyboard[1][0].URL; !strings.Contains(address, "?text=") {
		t.Errorf("a long name leaves no room for the text: %s", address)
	}
	o := storage.Order{ExternalID: "1", Kind: storage.KindSMM, Name: "Followers", Link: "https://instagram.com/anna?a=1&b=2", Quantity: 1000, State: storage.OrderDelivered, CreatedAt: at, ClosedAt: at, Refill: true, Feedback: storage.FeedbackDropped, FeedbackAt: at.Add(time.Hour)}
	const want = `Order #1: Followers
Placed (UTC): 2026-06-23 12:05
Link: https://instagram.com/anna?a=1&b=2
Ordered: 1000. Start count: –. Remaining: –.
Completed (UTC): 2026-06-23 12:05
Status: delivered
The count has dropped since. Please refill it.
Reported (UTC): 2026-06-23 13:05`
	if got := claimText(l, o); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestSupportReadsItsOwnLanguage: the operator's, not the person's.
func TestSupportReadsItsOwnLanguage(t *testing.T) {
	b := bundle(t)
	s := &Screens{Options: Options{People: People{Bundle: b, DefaultLang: "de"}, SupportText: "@shop_help"}}
	text := s.claimView(b.Localizer("en"), storage.Order{ExternalID: "1", Kind: storage.KindProduct, Name: "Gmail", Delivered: 1, Present: 1, Feedback: "locked:1", FeedbackOf: 1, FeedbackAt: time.Now()}).Text
	if !strings.Contains(text, "Gesperrt") || !strings.Contains(text, "Send this to support") {
		t.Errorf("the text is %s", text)
	}
}
