package handlers

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/locales"
	"hstockbot/storage"
)

func TestParsesLines(t *testing.T) {
	for text, want := range map[string]pastedLine{
		"501 | https://t.me/anna | 1000":         {service: 501, link: "https://t.me/anna", quantity: 1000},
		"501|t.me/anna|1,000":                    {service: 501, link: "https://t.me/anna", quantity: 1000},
		"  501\t|  https://t.me/anna |  1 000  ": {service: 501, link: "https://t.me/anna", quantity: 1000},
		"５０１｜https://t.me/anna｜１０００":             {service: 501, link: "https://t.me/anna", quantity: 1000},
		"٥٠١ | https://t.me/anna | ١٠٠٠":         {service: 501, link: "https://t.me/anna", quantity: 1000},
		"৫০১ │ https://t.me/anna │ १०००":         {service: 501, link: "https://t.me/anna", quantity: 1000},
		"733 | | 2":                       {service: 733, quantity: 2},
		"733||2":                          {service: 733, quantity: 2},
		"733 | anna@example.com | 2":      {service: 733, link: "anna@example.com", quantity: 2},
		"501 | hello | 5":                 {service: 501, bad: "basket_bad_link"},
		"501 | javascript:alert(1) | 5":   {service: 501, bad: "basket_bad_link"},
		"501 | https://t.me/anna | many":  {service: 501, link: "https://t.me/anna", bad: "basket_bad_quantity"},
		"501 | https://t.me/anna | -5":    {service: 501, link: "https://t.me/anna", bad: "basket_bad_quantity"},
		"501 | https://t.me/anna | 0":     {service: 501, link: "https://t.me/anna", bad: "basket_bad_quantity"},
		"501 | https://t.me/anna |":       {service: 501, link: "https://t.me/anna", bad: "basket_bad_quantity"},
		"501 | https://t.me/anna":         {service: 501, bad: "basket_bad_parts"},
		"501 | https://t.me/anna | 5 | 6": {service: 501, bad: "basket_bad_parts"},
	} {
		lines, ok := parseLines(text)
		want.text, want.place = strings.TrimSpace(text), 1
		if !ok || len(lines) != 1 || lines[0] != want {
			t.Errorf("%q: %v, %+v, want %+v", text, ok, lines, want)
		}
	}
}

// TestTextsAreNoLines: a search may contain a bar.
func TestTextsAreNoLines(t *testing.T) {
	for _, text := range []string{"", "gmail", "gmail | usa", "501", "https://t.me/anna", "| 5 | 6", "0 | | 5", "-5 | | 5", "99999999999999999999 | | 1"} {
		if lines, ok := parseLines(text); ok {
			t.Errorf("%q: %+v", text, lines)
		}
	}
}

// TestGoodLinesStayBesideBadOnes, each under its number; empty lines do not count.
func TestGoodLinesStayBesideBadOnes(t *testing.T) {
	lines, ok := parseLines("1 | | 2\r\n\r\nhello\n3 | | 4\u20285 | | 6\n1 | | 2")
	if !ok || len(lines) != 5 {
		t.Fatalf("%v, %+v", ok, lines)
	}
	for i, want := range []pastedLine{{service: 1, quantity: 2}, {bad: "basket_bad_parts"}, {service: 3, quantity: 4}, {service: 5, quantity: 6}, {service: 1, quantity: 2}} {
		want.place, want.text = int64(i)+1, lines[i].text
		if lines[i] != want {
			t.Errorf("line %d is %+v, want %+v", i+1, lines[i], want)
		}
	}
}

// FuzzParseLines: a line is good, with a number and a quantity above zero, or says why not.
func FuzzParseLines(f *testing.F) {
	for _, seed := range []string{"501 | https://t.me/anna | 1000", "733 | | 2", "５０１｜｜２", "a|b|c\n1|2", "1||9999999999999999999", "\x00|\xff|1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, ok := parseLines(text)
		good := false
		for i, line := range lines {
			good = good || line.service > 0
			switch {
			case line.place != int64(i)+1 || line.text == "" || strings.ContainsAny(line.text, "\r\n"):
				t.Errorf("line %d is %+v", i+1, line)
			case line.service < 0 || line.quantity < 0 || line.bad == "" && (line.service == 0 || line.quantity == 0):
				t.Errorf("a line is %+v", line)
			case line.link != "" && (strings.ContainsAny(line.link, "| \n") || len(line.link) > maxLinkLength+len("https://")):
				t.Errorf("a link is %q", line.link)
			case utf8.ValidString(text) && !utf8.ValidString(line.link):
				t.Errorf("a link of %q is %q", text, line.link)
			}
		}
		if ok != good {
			t.Errorf("%q counts as lines: %v", text, ok)
		}
	})
}

// TestLongestBasketFitsMessage: 50 lines with long names and links and all warnings, below
// ten lines that are none, and their result; a row that has no room is cut as a whole.
func TestLongestBasketFitsMessage(t *testing.T) {
	bundle, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	quote := orders.BasketQuote{
		Currency: "USD", Total: decimal.New(123456789, -2), Balance: decimal.New(1, 0), Short: decimal.New(123456789, -2), Estimate: true, Blocked: true,
		OtherTotal: decimal.NewNullDecimal(decimal.New(123456789, 0)), Warnings: map[int64]orders.LineWarnings{},
	}
	var bad []string
	for i := range int64(orders.MaxBasketLines) {
		quote.Lines = append(quote.Lines, storage.BasketLine{
			ID: i, Place: i + 1, Kind: storage.KindSMM, Name: strings.Repeat("Name & 😀", 40), Quantity: 1_000_000_000, Link: "https://t.me/" + strings.Repeat("x", 1900),
			Rate: decimal.New(123456789, -4), RatePer: 1000, Currency: "USD", State: storage.PurchaseRejected, Reason: orders.ReasonPrice, ExternalID: "1234567890123",
		})
		quote.Warnings[i] = orders.LineWarnings{Repeated: storage.Earlier{Purchase: 1}, Twin: 1, Misfit: links.MisfitPrivate}
	}
	for _, language := range bundle.Languages() {
		l := bundle.Localizer(language.Code)
		bad = bad[:0]
		for i := range int64(listedBad) {
			bad = append(bad, badRow(l, pastedLine{place: i + 40, text: strings.Repeat("<&😀", 40), bad: "basket_bad_goods"}))
		}
		texts := []string{strings.Join(bad, "\n") + "\n…\n\n" + basketCard(l, quote, true).Text}
		for _, state := range []storage.BasketState{storage.BasketRunning, storage.BasketEnded} {
			quote.State, quote.Reason = state, orders.BasketUnknown
			texts = append(texts, basketView(l, quote.Basket).Text)
		}
		for _, text := range texts {
			if n := bot.Length(text); n > bot.MaxText {
				t.Errorf("%s: %d of %d characters:\n%s", language.Code, n, bot.MaxText, text)
			}
		}
	}
}
