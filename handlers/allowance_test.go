package handlers_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

// gives lets an admin give a person an allowance: each month, with a markup of 10 %.
func (w *world) gives(person telegram.Person, amount string) {
	w.T.Helper()
	person.LanguageCode = w.l.Lang()
	w.as(person, func() { w.types("/start") })
	before := w.chat
	w.becomeAdmin()
	w.opensAllowance(person)
	w.tap("adminallowance_button_give")
	w.types(amount)
	w.tap("adminallowance_button_month")
	w.tapLike("0%")
	w.types("10%")
	w.tap("adminallowance_button_sure")
	w.chat = before
}

// opensAllowance opens the allowance of a person, as an admin.
func (w *world) opensAllowance(person telegram.Person) {
	w.T.Helper()
	w.types("/admin")
	w.tap("admin_button_person")
	w.types(strconv.FormatInt(person.ID, 10))
	w.tap("adminallowance_button")
}

// TestAllowance is given by an admin, and the person buys with it, without a key.
func TestAllowance(t *testing.T) {
	for _, lang := range languages(t) {
		inLanguage(t, lang, "allowance", func(w *world) {
			w.gives(anna, "20")
			w.types("/balance")
			w.tap("nav_button_menu")
			w.tap("menu_button_key")
			w.buyGmail("1")
			w.list("orders_button_export")
			w.types("/balance")
			w.tap("balance_button_spending")
			w.wantAdds(1)
		})
	}
}

// TestGivesAllowance shows the screens of the admin who gives, changes and removes one.
func TestGivesAllowance(t *testing.T) {
	inEnglish(t, "allowance_give", func(w *world) {
		w.types("/start")
		w.becomeAdmin()
		w.opensAllowance(anna)
		w.tap("adminallowance_button_give")
		w.types("-5")
		w.types("1.23456")
		w.tapLabel("$25.00")
		w.tap("adminallowance_button_month")
		w.tap("adminallowance_button_once")
		w.tapLike("Markup")
		w.types("101")
		w.types("7.555")
		w.types("7.5%")
		w.tap("adminallowance_button_sure")
		w.tapLike("Change")
		w.types("30")
		w.tap("adminallowance_button_sure")
		w.tap("adminallowance_button_remove")
		w.tap("nav_button_back")
		w.tap("adminallowance_button_remove")
		w.tap("adminallowance_button_remove")
		w.types("/admin")
		w.tap("admin_button_log")
	})
	inEnglish(t, "allowance_told", func(w *world) {
		w.gives(anna, "20")
		before := w.chat
		w.becomeAdmin()
		w.opensAllowance(anna)
		w.tapLike("Change")
		w.types("5")
		w.tap("adminallowance_button_sure")
		w.tap("adminallowance_button_remove")
		w.tap("adminallowance_button_remove")
		w.chat = before
		pass(time.Second)
	})
}

// TestChoosesPerson: an admin chooses a person from their contacts. One who has never
// written can be given an allowance by link only.
func TestChoosesPerson(t *testing.T) {
	inEnglish(t, "allowance_choose", func(w *world) {
		w.types("/start")
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_person")
		w.tap("adminallowance_button_choose")
		w.types("who?")
		must(w.T, w.chat.ShareUsers(1, anna.ID))
		pass(time.Second)
		w.types("/admin")
		w.tap("admin_button_person")
		w.tap("adminallowance_button_choose")
		w.Telegram.Join(bob)
		pass(time.Hour) // the dialog has ended
		must(w.T, w.chat.ShareUsers(1, bob.ID))
		pass(time.Second)
		w.tap("adminallowance_button_link")
	})
}

var startLink = regexp.MustCompile(`start=(a_\w+)`)

// TestAllowanceByLink: the first person who opens a link gets the allowance. For all
// others, and when it is revoked or has expired, it is a link that does not work.
func TestAllowanceByLink(t *testing.T) {
	inEnglish(t, "allowance_link", func(w *world) {
		link := func() string {
			var command string
			w.as(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"}, func() {
				w.types("/admin")
				w.tap("admin_button_person")
				w.tap("adminallowance_button_links")
				w.tap("adminallowance_button_link")
				w.types("20")
				w.tap("adminallowance_button_sure")
				command = "/start " + startLink.FindStringSubmatch(w.chat.Last().Text)[1]
			})
			return command
		}
		code := link()
		w.types(code)
		w.types(code) // a repeat
		for _, dump := range w.codesInDatabase() {
			if strings.Contains(dump, strings.TrimPrefix(code, "/start a_")) {
				w.T.Errorf("the database has the code: %s", dump)
			}
		}
		w.as(bob, func() {
			w.types(code)
			used := w.chat.Last().Text
			w.types("/start a_unknown")
			if got := w.chat.Last().Text; got != used {
				w.T.Errorf("an unknown link says %q, a used one %q", got, used)
			}
			revoked := link()
			w.as(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"}, func() {
				w.types("/admin")
				w.tap("admin_button_person")
				w.tap("adminallowance_button_links")
				w.tapLike("✖ $20.00")
			})
			w.types(revoked)
			if got := w.chat.Last().Text; got != used {
				w.T.Errorf("a revoked link says %q, a used one %q", got, used)
			}
			expired := link()
			w.skipDays(8)
			w.types(expired)
			if got := w.chat.Last().Text; got != used {
				w.T.Errorf("an expired link says %q, a used one %q", got, used)
			}
		})
	})
}

// codesInDatabase returns what the tables say in which a code could be.
func (w *world) codesInDatabase() (all []string) {
	w.T.Helper()
	links, err := w.app.DB.AllowanceLinks(w.T.Context(), time.Now())
	must(w.T, err)
	for _, link := range links {
		all = append(all, link.Currency)
	}
	entries, _, err := w.app.DB.AuditLog(w.T.Context(), 100, 0)
	must(w.T, err)
	for _, entry := range entries {
		all = append(all, entry.Action+" "+entry.Detail)
	}
	return append(all, w.Log.String())
}

// TestAllowanceRunsOut: what costs more than is left can't be confirmed, and nothing
// offers to top anything up. A month later it is renewed.
func TestAllowanceRunsOut(t *testing.T) {
	inEnglish(t, "allowance_low", func(w *world) {
		w.gives(anna, "2")
		w.buyGmail("1")
		w.open("2")
		w.card("2", "1")
		for _, row := range w.chat.Last().Keyboard {
			for _, button := range row {
				if strings.Contains(button.Text, "Top up") || strings.Contains(button.Text, "Tell me") {
					w.T.Errorf("the card has the button %q", button.Text)
				}
			}
		}
		w.skipDays(31)
		w.types("/balance")
		w.buyGmail("1")
		w.wantAdds(2)
		w.tap("feedback_button_claim") // no advice about an account that the person does not have
		w.tap("claim_missing")
	})
}

// TestSwitchesKeys: a person who has both says which pays.
func TestSwitchesKeys(t *testing.T) {
	inEnglish(t, "allowance_keys", func(w *world) {
		w.gives(anna, "20")
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("3", "1") // the operator's key bought it: removing the own one changes nothing
		w.types("/key " + annaKey)
		w.card("2", "1")
		w.types("/key")
		w.tap("allowance_button_pays")
		w.types("/balance")
		w.card("2", "1")
		w.types("/key")
		w.tap("allowance_button_own")
		w.types("/balance")
		w.tap("nav_button_menu")
		w.tap("menu_button_key")
		w.tap("key_button_remove")
		w.tap("key_button_remove")
		w.card("2", "1")
	})
}

// TestKeyOfAnAllowance: nothing in /key says that the operator's account is the person's.
func TestKeyOfAnAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		must(w.T, w.app.DB.SetKeepsEmail(w.T.Context(), anna.ID, true))
		w.types("/key")
		w.says(w.l.T("key_email_allowance"))
		if text := w.chat.Transcript(); strings.Contains(text, "HStockPlus account") {
			w.T.Errorf("the person reads of an account:\n%s", text)
		}
		w.types("/key " + annaKey)
		w.types("/key")
		w.says(w.l.T("key_email_none"))
	})
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		terms := storage.AllowanceTerms{Amount: decimal.NewFromInt(20), Currency: "USD"}
		_, err := w.app.DB.GiveAllowance(w.T.Context(), adminID, terms, storage.AuditEntry{AdminID: adminID, Action: "x", At: time.Now()})
		must(w.T, err)
		w.types("/key " + operatorKey)
		w.says(w.l.T("allowance_key_house"))
	})
}

// TestAllowanceOfAnotherCurrency buys nothing, so no quantity above the least is offered.
func TestAllowanceOfAnotherCurrency(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.types("/start p_2")
		w.says("[ 1 ] [ 2 ] [ 5 ] [ 10 ]")
		terms := storage.AllowanceTerms{Amount: decimal.NewFromInt(20), Currency: "EUR"}
		_, err := w.app.DB.GiveAllowance(w.T.Context(), anna.ID, terms, storage.AuditEntry{AdminID: adminID, Action: "x", At: time.Now()})
		must(w.T, err)
		w.types("/start p_2")
		w.says("[ 1 ]\n")
	})
}

// TestAllowanceRemovedOnTheWay: what is on its way arrives and is charged.
func TestAllowanceRemovedOnTheWay(t *testing.T) {
	inEnglish(t, "allowance_removed", func(w *world) {
		w.gives(anna, "20")
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("3", "1")
		pass(5 * time.Second)
		w.as(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"}, func() {
			w.opensAllowance(anna)
			w.tap("adminallowance_button_remove")
			w.tap("adminallowance_button_remove")
		})
		w.types("/balance")
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(10 * time.Minute)
		w.open("2")
		w.tapLabel("1")
	})
}

// boss is the admin of the tests.
var boss = telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"}

// TestWaitsForItsTurn: buyers with the operator's key take turns, and a card that waits
// goes on by itself. A tap on Cancel takes it out of the queue.
func TestWaitsForItsTurn(t *testing.T) {
	inEnglish(t, "allowance_turn", func(w *world) {
		cy := telegram.Person{ID: 3003, FirstName: "Cy", LanguageCode: "en"}
		for _, person := range []telegram.Person{anna, bob, cy} {
			w.gives(person, "20")
		}
		w.as(cy, func() { w.card("2", "1") })
		w.card("2", "1")
		w.as(bob, func() { w.card("3", "1") })
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		must(w.T, w.Market.Hold(market.GmailUSA, true)) // its first poll comes in the moment in which its card is drawn
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
		w.as(bob, func() { w.tap("confirm_button_confirm") })
		w.tap("confirm_button_confirm")
		w.as(cy, func() {
			w.tap("confirm_button_confirm")
			w.says("waiting for its turn")
			w.tap("confirm_button_cancel")
		})
		pass(30 * time.Second)
		must(w.T, w.Market.Hold(market.GmailUSA, false))
		pass(time.Minute)
		w.wantAdds(2)
	})
}

// TestDearerWhileItWaited: nothing is bought at another price than the card has shown.
func TestDearerWhileItWaited(t *testing.T) {
	inEnglish(t, "allowance_dearer", func(w *world) {
		w.gives(anna, "20")
		w.gives(bob, "20")
		w.card("2", "1")
		w.as(bob, func() { w.card("3", "1") })
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
		w.as(bob, func() { w.tap("confirm_button_confirm") })
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.50"))
		pass(time.Minute)
		w.wantAdds(1)
		w.says("The price has gone up since you confirmed.")
		w.types("/balance")
	})
}

// TestCardOfATurnIsDrawnLate: a card that could only be drawn later as one that waits is
// redrawn in the end, too.
func TestCardOfATurnIsDrawnLate(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.gives(bob, "20")
		w.card("2", "1")
		w.as(bob, func() { w.card("3", "1") })
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
		w.as(bob, func() { w.tap("confirm_button_confirm") })
		card := w.chat.Last().ID
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: w.chat.ChatID(), HTML: true, Times: telegram.Always})
		w.tap("confirm_button_confirm")
		w.Telegram.ClearFaults()
		pass(10 * time.Second)
		if message, _ := w.chat.Message(card); !strings.Contains(message.Text, "waiting for its turn") {
			t.Errorf("the card says %q", message.Text)
		}
		pass(time.Minute)
		if message, _ := w.chat.Message(card); !strings.Contains(message.Text, "placed") {
			t.Errorf("the card says %q in the end", message.Text)
		}
	})
}

// TestUnknownOutcomeOfAnAllowance: the buyer reads that an admin looks after it, and has no
// buttons to settle it. The admin adopts the order, and the goods go to the buyer only.
func TestUnknownOutcomeOfAnAllowance(t *testing.T) {
	inEnglish(t, "allowance_unknown", func(w *world) {
		w.gives(anna, "20")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502, Commit: true})
		w.buy("2", "1")
		pass(6 * time.Minute)
		w.types("/orders")
		w.tapLike("❔")
		w.types("/balance")
		w.as(boss, func() {
			w.types("/orders")
			w.tapLike("❔ Gmail")
			w.tap("unresolved_button_dismiss")
			w.tap("nav_button_back")
			w.tap("unresolved_button_id")
			w.types("nothing")
			w.types("23501")
			w.tap("unresolved_button_yes")
			pass(10 * time.Second)
			if text := w.chat.Transcript(); strings.Contains(text, w.Market.Orders()[0].Accounts[0]) {
				w.T.Error("the admin got the goods")
			}
		})
		if text := w.chat.Transcript(); !strings.Contains(text, w.Market.Orders()[0].Accounts[0]) {
			w.T.Error("the buyer did not get the goods")
		}
		w.types("/balance")
	})
	inEnglish(t, "allowance_unknown_admin", func(w *world) {
		w.gives(anna, "20")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buy("2", "1")
		pass(6 * time.Minute)
		buyer := w.chat
		w.become(boss)
		w.types("/orders")
		w.tapLike("❔ Gmail")
		w.tap("unresolved_button_dismiss")
		w.tap("unresolved_button_dismiss")
		pass(10 * time.Second)
		if count(buyer, "This wasn’t bought") == 0 {
			w.T.Errorf("the buyer was not told:\n%s", buyer.Transcript())
		}
		w.chat = buyer
		w.types("/balance")
		w.says("Allowance *$20.00*")
		w.become(boss)
	})
}

// TestUnknownPhonesOfAnAllowance: a wrong dismissal is undone, and the other phones stay on the
// admins' list until an admin says that there are none.
func TestUnknownPhonesOfAnAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) { // no transcript: a phone is polled while its screen is drawn
		w.gives(anna, "20")
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		w.rent("3")
		pass(6 * time.Minute)
		buyer := w.chat
		w.become(boss)
		w.types("/orders")
		w.tapLike("❔ ")
		w.tap("unresolved_button_dismiss")
		w.tap("unresolved_button_dismiss")
		w.tapLike("✖ ")
		w.tap("unresolved_button_id")
		w.types(strconv.FormatInt(w.firstPhone().Number, 10))
		w.tap("unresolved_button_yes")
		w.types("/orders")
		w.tapLike("❔ ")
		w.says("Numbers found: 1 of 3")
		w.tap("adminunresolved_button_rest")
		w.tap("adminunresolved_button_rest")
		w.tapLike("✖ ")
		w.chat = buyer
		w.types("/balance")
		w.says("Allowance *$19.01*")
		w.become(boss)
	})
}

// TestChargeAboveItsHold: admins and the buyer are told once, with both sums. The buyer does
// not see what the marketplace has charged.
func TestChargeAboveItsHold(t *testing.T) {
	inEnglish(t, "allowance_over", func(w *world) {
		w.gives(anna, "20")
		buyer := w.chat
		w.become(boss)
		w.answers("status", `{"charge":"3.00","status":"Completed","remains":"0","currency":"USD","entityType":"product","accounts":["a:b"]}`)
		w.as(anna, func() { w.buyGmail("1") })
		pass(10 * time.Minute)
		if n := count(w.chat, "cost more than its card"); n != 1 {
			w.T.Errorf("the admin was told %d times", n)
		}
		if n := count(buyer, "charged to your allowance: $3.30"); n != 1 || count(buyer, "HStockPlus charged") != 0 {
			w.T.Errorf("the buyer was told %d times:\n%s", n, buyer.Transcript())
		}
		w.tap("ledger_button")
	})
}

// TestOrdersOfOthersDoNotExist: an order of the operator's key, and one of another person,
// answer as one that there never was.
func TestOrdersOfOthersDoNotExist(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.gives(bob, "20")
		w.buyGmail("1")
		w.become(bob)
		answer := func(id string) string {
			w.types("/orders " + id)
			return strings.ReplaceAll(w.chat.Last().Text, id, "…")
		}
		if others, none := answer("23501"), answer("99999"); others != none {
			w.T.Errorf("an order of Anna's says %q, one that does not exist %q", others, none)
		}
	})
}

// TestPricesWithAMarkup: somebody whose allowance pays sees no price of the marketplace's
// anywhere, and no balance of the operator's.
func TestPricesWithAMarkup(t *testing.T) {
	inEnglish(t, "allowance_prices", func(w *world) {
		must(w.T, w.app.DB.SetSetting(w.T.Context(), storage.SMMRateConfirmedSetting(1000), "1")) // else the larger reading is held
		w.gives(anna, "20")
		w.types("/catalog")
		w.tapLike("Email Accounts")
		w.tapLike("Gmail")
		w.types("gmail usa")
		w.types("/menu")
		w.tap("menu_button_recommended")
		w.types("https://instagram.com/anna")
		w.inline("gmail usa")
		seen, _ := w.chat.InlineAnswer()
		w.smmCard("1", "1,000", annaLink)
		w.types(threeLines)
		w.tapLike("Confirm")
		pass(time.Minute)
		w.types("/sms")
		w.types("Telegram")
		w.rent("1")
		pass(3 * time.Minute)
		w.tap("swap_button")
		w.types("/orders")
		w.types("/balance")
		shown := w.chat.Transcript() + seen.Results[0].Description
		for _, row := range w.Market.Rows() {
			if entry := row.Name + " · " + w.l.Money(row.Rate, "USD") + " "; strings.Contains(shown, entry) {
				w.T.Errorf("the person sees %q, without the markup", entry)
			}
		}
		for _, part := range []string{"$100.00", "•••", "$1.25 ", "$0.50 ", "$0.225 ", "$0.90 per"} {
			if strings.Contains(shown, part) {
				w.T.Errorf("the person sees %q", part)
			}
		}
	})
}

// TestRefundsWithAMarkup: what a person is told of a refund is what the allowance gets back.
func TestRefundsWithAMarkup(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(0)
		w.buyGmail("2") // for 2.75
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(time.Hour)
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.says(w.l.T("cancel_to_allowance"))
		w.says("$1.37") // 2.75 - 1.38
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.says("$2.75")
	})
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.types("/sms")
		w.types("Telegram")
		w.rent("1")
		pass(2*time.Minute + 10*time.Second)
		w.tap("swap_button")
		w.says("+$0.99")
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		w.tap("swap_button_sure")
		pass(10 * time.Second)
		w.says("$0.99")
		if text := w.chat.Transcript(); strings.Contains(text, "$0.90") {
			w.T.Errorf("the refund is told without the markup:\n%s", text)
		}
	})
}

// TestLedger shows the ledger, with the debtors first, and its table.
func TestLedger(t *testing.T) {
	inEnglish(t, "ledger", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.tap("ledger_button")
		w.gives(anna, "20")
		w.gives(bob, "20")
		w.as(anna, func() { w.buyGmail("1") })
		w.as(bob, func() { w.buyGmail("2") })
		w.opensAllowance(bob)
		w.tapLike("Change")
		w.types("1") // less than he has used
		w.tap("adminallowance_button_sure")
		w.types("/admin")
		w.tap("ledger_button")
		w.tapLike("🔻 Bob")
		w.tap("nav_button_back")
		w.tap("ledger_button_days")
		w.tap("nav_button_back")
		w.tap("orders_button_export")
		w.types("/orders")
		w.tapLike("Anna")
	})
}
