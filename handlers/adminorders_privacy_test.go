package handlers_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// buyWithCanaries orders goods of each kind, and returns the texts that the person and
// the marketplace wrote: no admin may see them.
func (w *world) buyWithCanaries(key, who string) (canaries []string) {
	w.T.Helper()
	email, link, pasted, words, refusal := who+"@canary.example", "https://instagram.com/canary-"+who, "https://instagram.com/p/canary-"+who, "canary words of "+who, "canary refusal of "+who
	w.withKey(key)
	w.open("2")
	w.tapLabel("1")
	w.types(email)
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
	w.open("1")
	w.tapLabel(w.l.Number(100))
	w.types(link)
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
	w.types("/search " + words)
	w.types(pasted)
	before := len(w.Market.Numbers())
	w.rent("2")
	for i, phone := range w.Market.Numbers()[before:] {
		sms := "canary SMS " + who + " " + strconv.Itoa(i)
		must(w.T, w.Market.SendSMS(phone.Number, "7777"+strconv.Itoa(i)+"1", sms))
		canaries = append(canaries, sms, "7777"+strconv.Itoa(i)+"1")
	}
	pass(20 * time.Second)
	w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: refusal, Commit: true})
	w.buyGmail("2")
	w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
	w.open("1")
	w.tapLabel(w.l.Number(1000))
	w.types(link)
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
	w.typed = append(append(w.typed, canaries...), email, link, "canary-"+who, words) // the log has refusals, without what was sent
	return append(canaries, email, link, "canary-"+who, pasted, words, refusal, key, key[len(key)-4:])
}

// TestAdminOrdersContainNoSecrets: no screen, file, picture or answer shows an admin
// what people typed, their deliveries, keys or balances.
func TestAdminOrdersContainNoSecrets(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		// Both balances begin with 4242.
		must(w.T, w.Market.SetBalance(annaKey, "424242.00"))
		w.Market.AddKey(bobKey, "424242.00", "EUR")
		canaries := w.buyWithCanaries(annaKey, "anna")
		w.as(bob, func() {
			canaries = append(canaries, w.buyWithCanaries(bobKey, "bob")...)
			w.types("/balance")
			w.says("42423") // so the balance is a canary
		})
		for _, order := range w.Market.Orders() {
			canaries = append(canaries, order.Accounts...)
		}
		for _, phone := range w.Market.Numbers() {
			canaries = append(canaries, phone.Phone, strings.TrimPrefix(phone.Phone, "+"))
		}
		_, unknown, err := w.app.DB.AdminUnresolvedPurchases(w.T.Context(), storage.AdminOrderFilter{}, 9, 0)
		must(w.T, err)
		if unknown != 4 || len(canaries) < 30 {
			w.T.Fatalf("%d unresolved purchases, %q", unknown, canaries)
		}
		w.becomeAdmin()
		for range 2 { // before and after the unknown outcomes have their verdicts
			for _, typed := range []string{"/admin", "/balance", "/orders", "/orders @1001", "/orders @2002"} {
				w.types(typed)
			}
			for _, order := range w.Market.Orders() {
				w.types("/orders " + strconv.FormatInt(order.Number, 10))
			}
			for _, phone := range w.Market.Numbers() {
				w.types("/orders " + strconv.FormatInt(phone.Number, 10))
			}
			tapped := w.walk(func(name string) bool {
				return strings.HasPrefix(name, "A") && name != "Avc" && name != "Ace" && name != "Aac"
			}) // whose keyboard is below the text field
			for _, name := range adminRoutes {
				if house := name == "Aoh" || name == "Aoq"; strings.HasPrefix(name, "Ao") && !house && tapped[name] == 0 {
					w.T.Errorf("the walk did not reach route %q", name)
				}
			}
			pass(7 * time.Minute)
		}
		files, pictures := 0, 0
		for _, m := range w.chat.Messages() {
			if m.Document != nil {
				files++
			}
			if m.Photo != nil {
				pictures++
			}
		}
		seen := w.seen()
		for _, canary := range canaries {
			if strings.Contains(seen, canary) {
				w.T.Errorf("the admin has seen %q: %s", canary, around(seen, canary))
			}
		}
		if balance := regexp.MustCompile(`4242[0-9]{2}\.`).FindString(seen); balance != "" {
			w.T.Errorf("the admin has seen a balance: %s", around(seen, balance))
		}
		for _, shown := range []string{"Anna (1001)", "Bob (2002)", "Telegram · 🇺🇸 United States", "It has gone down by"} {
			if !strings.Contains(seen, shown) {
				w.T.Errorf("the admin has not seen %q, so the walk was incomplete", shown)
			}
		}
		if files == 0 || pictures == 0 {
			w.T.Errorf("%d files and %d pictures arrived", files, pictures)
		}
	})
}

// seen is all that the person of the chat could see: messages, files, buttons and answers.
func (w *world) seen() string {
	var seen strings.Builder
	seen.WriteString(w.chat.History())
	for _, m := range w.chat.Messages() {
		if m.Document != nil {
			seen.Write(m.Document.Data)
		}
		for _, b := range slices.Concat(m.Keyboard...) {
			seen.WriteString("\n" + b.Text + " " + b.CallbackData)
		}
	}
	for _, answer := range w.chat.Answers() {
		seen.WriteString("\n" + answer.Text)
	}
	return seen.String()
}

// around is a part of a text with the text on both sides.
func around(text, part string) string {
	at := strings.Index(text, part)
	return text[max(at-200, 0):min(at+len(part)+100, len(text))]
}

// TestMetricsContainNoSecrets: nothing of a person who has bought goods of each kind.
func TestMetricsContainNoSecrets(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.become(telegram.Person{ID: anna.ID, FirstName: "Canarina", LanguageCode: "en"})
		canaries := append(w.buyWithCanaries(annaKey, "anna"), w.secrets()...)
		served := testworld.Scrape(w.T, w.app.Metrics)
		if !strings.Contains(served, `hstockbot_purchases_total{outcome="placed",reason=""}`) {
			w.T.Fatalf("no sale in\n%s", served)
		}
		for line := range strings.Lines(served) {
			labels := line[:strings.LastIndex(line, " ")+1] // the digits of a value are of no person
			for _, canary := range append(canaries, "anary", "Gmail", idOf(anna.ID)) {
				if strings.Contains(labels, canary) {
					w.T.Errorf("%q is served: %s", canary, line)
				}
			}
		}
	})
}

// TestWhatPeopleTypeIsSealed: inWorld looks for it in the log, in the files of the database
// and in the data of buttons.
func TestWhatPeopleTypeIsSealed(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.buyWithCanaries(annaKey, "anna")
		w.types("1 | https://instagram.com/canary-basket | 1000\n2 | canary-line@canary.example | 1")
		w.tap("basket_button_save")
		w.types("Canary set")
		w.types("/search canary question") // and its answer is awaited in a dialog
		w.types("/search")
		w.types("canary dialog")
		w.types("canary text")
		w.becomeAdmin()
		w.findPerson("1001")
		w.tap("person_button_write")
		w.types("Canary letter")
		w.Telegram.Group(groupID, "Canary team").Type(w.chat, "/here")
		pass(time.Minute)
		w.typed = append(w.typed, "canary-basket", "canary-line", "Canary set", "canary question", "canary dialog", "canary text", "Canary letter", "Canary team")
	})
}
