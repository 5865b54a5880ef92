package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// The transcripts of numbers for SMS codes, and what goes wrong with them.

// rent walks from the menu to a rented number: n of Telegram in the United States.
func (w *world) rent(n string) {
	w.T.Helper()
	w.types("/sms")
	w.tapLike("🇺🇸")
	w.tapLike("Telegram")
	w.tapLabel(n)
	w.tap("confirm_button_confirm")
	pass(2 * time.Second)
}

// first is the number that was rented first.
func (w *world) first() market.Number {
	w.T.Helper()
	return w.Market.Numbers()[0]
}

func TestOneNumberToItsCode(t *testing.T) {
	inAll(t, "sms_one", func(w *world) {
		w.withKey(annaKey)
		w.tap("menu_button_sms")
		w.tapLabel("›")
		w.tapLabel("‹")
		w.tapLike("🇺🇸")
		w.tapLabel("›")
		w.tap("nav_button_back")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tap("nav_button_back")
		w.tapLike("Telegram")
		w.tapLabel("1")
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.tap("number_button_check")
		must(w.T, w.Market.SendSMS(market.FirstOrder, "40312", "Telegram code: 40312. Do not share it."))
		pass(5 * time.Second)
		w.types("/orders")
		w.tap("orders_button_sms")
		w.tapLike("#23501")
		w.tap("number_button_code")
		w.tap("nav_button_back")
		w.types("/sms") // the country comes first by now
	})
}

func TestThreeNumbersCodesInAnotherOrder(t *testing.T) {
	inBoth(t, "sms_three", func(w *world) {
		w.withKey(annaKey)
		w.rent("3")
		pass(30 * time.Second)
		for _, n := range []int64{2, 0, 1} {
			must(w.T, w.Market.SendCode(market.FirstOrder+n, "1000"+string(rune('0'+n))))
			pass(10 * time.Second)
		}
	})
}

func TestFewerNumbersThanAsked(t *testing.T) {
	inBoth(t, "sms_fewer", func(w *world) {
		w.withKey(annaKey)
		w.setNumbers(2)
		w.rent("5")
		w.types("/balance")
	})
}

// setNumbers says how many numbers for Telegram are left in the United States.
func (w *world) setNumbers(n int) {
	w.T.Helper()
	must(w.T, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, n))
}

func TestTheSameNumberAgain(t *testing.T) {
	inBoth(t, "sms_again", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "111111"))
		pass(5 * time.Second)
		w.tap("number_button_again")
		w.tap("confirm_button_confirm")
		pass(2 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "222222"))
		pass(5 * time.Second)
		w.tap("number_button_another")
		w.tap("confirm_button_confirm")
		pass(2 * time.Second)
		// The one that still waits can't be rented again: the marketplace refuses.
		must(w.T, w.Market.SendCode(market.FirstOrder+2, "333333"))
		pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.Refuse, Message: "This phone number can not be reused"})
		w.tap("number_button_again")
		w.tap("confirm_button_confirm")
	})
}

func TestANumberExpires(t *testing.T) {
	inBoth(t, "sms_expiry", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		pass(10 * time.Minute) // half of its time is over
		pass(8 * time.Minute)  // two minutes are left
		pass(2 * time.Minute)  // over
		must(w.T, w.Market.SendCode(market.FirstOrder, "777777"))
		pass(time.Minute)
		w.rent("1")
		pass(26 * time.Minute)
		w.types("/orders")
		w.tap("orders_button_problems")
		w.tapLike("#23502")
	})
}

func TestCancelANumber(t *testing.T) {
	inBoth(t, "sms_cancel", func(w *world) {
		w.withKey(annaKey)
		w.rent("2")
		w.tap("cancel_button")
		w.tap("cancel_button_keep")
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
		pass(5 * time.Second)
		w.types("/orders")
		w.tap("orders_button_open")
		w.tapLike("#2350")
		w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Refuse, Message: "Order not found"})
		w.tap("cancel_button")
		w.tap("cancel_button")
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.HTML502, Times: market.Always})
		w.tap("cancel_button_sure")
		pass(30 * time.Second) // what became of it nobody can tell, and it is not sent twice
		w.Market.ClearFaults()
		pass(time.Minute)
		w.types("/orders")
	})
}

func TestCancelTooEarly(t *testing.T) {
	inBoth(t, "sms_cancel_early", func(w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		w.withKey(annaKey)
		w.rent("1")
		w.tap("cancel_button")
		pass(5 * time.Minute)
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
	})
}

func TestKilledWhileWaitingForACode(t *testing.T) {
	inBoth(t, "sms_restart", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		w.stop()
		must(w.T, w.Market.SendCode(market.FirstOrder, "555555"))
		pass(time.Minute)
		w.start()
		pass(30 * time.Second)
		w.says("555555")
	})
}

func TestFindingACountryAndAProject(t *testing.T) {
	inBoth(t, "sms_find", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tap("sms_button_find")
		w.types("xyzzy")
		w.types("+7")
		w.tap("nav_button_back")
		w.types("an") // many
		w.restart()
		w.tapLabel("›")
		w.types("KAZAKH")
		w.tap("sms_button_find")
		w.types("xyzzy")
		w.types("o") // many
		w.tapLabel("›")
		w.tap("nav_button_back")
		w.types("what")
	})
}

func TestSMSFaults(t *testing.T) {
	inBoth(t, "sms_faults", func(w *world) {
		w.withKey(annaKey)
		// Nobody has numbers there.
		w.types("/sms")
		w.types("Iceland")
		// None are left.
		w.setNumbers(0)
		w.rent("1")
		w.setNumbers(50)
		// The price has risen.
		w.types("/sms")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tapLabel("2")
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		w.tap("confirm_button_confirm")
		// The balance has gone in between.
		must(w.T, w.Market.SetBalance(annaKey, "0.10"))
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.SetBalance(annaKey, "100.00"))
		// Too little money from the start.
		w.withKey(poorKey)
		w.types("/sms")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tapLabel("10")
		w.withKey(annaKey)
		// The project is gone.
		w.types("/sms")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tapLabel("1")
		must(w.T, w.Market.RemoveProject(market.ProjectTelegram))
		w.tap("confirm_button_confirm")
		w.tap("rejected_button_again")
	})
}

func TestOddNumbers(t *testing.T) {
	inBoth(t, "sms_odd", func(w *world) {
		w.withKey(annaKey)
		w.rent("4")
		// A state never heard of.
		must(w.T, w.Market.SetSMSStatus(market.FirstOrder+1, "parked"))
		pass(5 * time.Second)
		w.types("/orders")
		w.tap("orders_button_sms")
		w.tapLike("#23502")
		w.tap("nav_button_refresh")
		// Markup, from right to left, a thousand characters, and no code at all.
		must(w.T, w.Market.SendSMS(market.FirstOrder, "<b>42</b>&", "Code <b>42</b>& \"quoted\" <script>"))
		pass(10 * time.Second)
		must(w.T, w.Market.SetSMSStatus(market.FirstOrder+1, ""))
		must(w.T, w.Market.SendSMS(market.FirstOrder+1, "123456", "رمز التحقق الخاص بك هو 123456"))
		pass(10 * time.Second)
		must(w.T, w.Market.SendSMS(market.FirstOrder+2, "9999", strings.Repeat("0123456789", 99)+" code 9999"))
		pass(10 * time.Second)
		must(w.T, w.Market.SendSMS(market.FirstOrder+3, "", "  Welcome!\nNo code today.  "))
		pass(10 * time.Second)
	})
}

// TestOddExpiry: none is told, or one that was over before the number was rented.
func TestOddExpiry(t *testing.T) {
	inBoth(t, "sms_odd_expiry", func(w *world) {
		w.withKey(annaKey)
		w.Market.SetClock(0, true)
		w.rent("1")
		pass(3 * time.Minute)
		must(w.T, w.Market.SendCode(market.FirstOrder, "606060"))
		pass(10 * time.Second)
		w.Market.SetClock(-time.Hour, false)
		w.rent("1")
		w.tap("number_button_check")
		pass(3 * time.Minute)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "707070"))
		pass(10 * time.Second)
		w.rent("1")
		pass(6 * time.Minute)
	})
}

func TestUnknownOutcomeOfNumbers(t *testing.T) {
	inBoth(t, "sms_unknown", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tapLabel("2")
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.tap("unknown_button_number")
		w.types("23501")
		w.tap("unknown_button_yes")
		w.types("23502")
		w.tap("unknown_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "818181"))
		pass(10 * time.Second)
		if n := w.Market.Count("add_sms"); n != 1 {
			w.T.Errorf("%d requests to rent reached the marketplace, want 1", n)
		}
	})
}

func TestACountryWithoutProjects(t *testing.T) {
	inBoth(t, "sms_empty", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.types("+354")
		w.tap("nav_button_back")
	})
}

// TestNumbersOfSomebodyElse: forged buttons show and do nothing.
func TestNumbersOfSomebodyElse(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.types("an")
		searches := w.anna.Last()
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "424242"))
		pass(5 * time.Second)
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/key " + poorKey)
		pass(time.Second)
		before := w.Market.Count("add_sms") + w.Market.Count("cancel")
		forged := []string{}
		for _, m := range append(w.anna.Messages(), searches) {
			for _, row := range m.Keyboard {
				for _, b := range row {
					forged = append(forged, b.CallbackData)
				}
			}
		}
		for _, data := range forged {
			if data == "" {
				continue
			}
			for _, data := range []string{data, strings.Replace(data, "nr:", "ns:", 1), strings.Replace(data, "na:", "nc:", 1), strings.Replace(data, "ox:", "oy:", 1)} {
				mallory.TapData(1, data)
				pass(time.Second)
			}
		}
		phone := w.first().Phone
		for _, m := range mallory.Messages() {
			if strings.Contains(m.Text, phone) || strings.Contains(m.Text, "424242") || strings.Contains(m.Text, "“an”") {
				w.T.Errorf("Mallory sees what is Anna's: %q", m.Text)
			}
		}
		if after := w.Market.Count("add_sms") + w.Market.Count("cancel"); after != before {
			w.T.Errorf("%d requests by forged buttons", after-before)
		}
	})
}

// TestTwelveTapsOnOneConfirmOfNumbers rent once.
func TestTwelveTapsOnOneConfirmOfNumbers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tapLabel("2")
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.Slow, Delay: 5 * time.Second})
		must(w.T, w.anna.TapOn(w.anna.Last().ID, w.l.Label("confirm_button_confirm")))
		for range 11 {
			must(w.T, w.anna.RepeatTap())
		}
		pass(30 * time.Second)
		if n := w.Market.Count("add_sms"); n != 1 {
			w.T.Errorf("%d requests to rent reached the marketplace, want 1", n)
		}
		if n := len(w.Market.Numbers()); n != 2 {
			w.T.Errorf("%d numbers were rented, want 2", n)
		}
	})
}
