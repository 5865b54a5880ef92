package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

// phoneCard opens the confirm card of n phones for Telegram in the United States.
func (w *world) phoneCard(n string) {
	w.T.Helper()
	w.types("/sms")
	w.types("Telegram") // opens it, or lists it among others
	w.types(w.l.Country("us", ""))
	w.tapLabel(n)
}

// rent rents n phones for Telegram in the United States.
func (w *world) rent(n string) {
	w.T.Helper()
	w.phoneCard(n)
	w.tap("confirm_button_confirm")
	pass(2 * time.Second)
}

// firstPhone is the phone that was rented first.
func (w *world) firstPhone() market.Number {
	w.T.Helper()
	return w.Market.Numbers()[0]
}

func TestThreePhonesCodesInAnyOrder(t *testing.T) {
	inEnglish(t, "sms_three", func(w *world) {
		w.withKey(annaKey)
		w.rent("3")
		pass(30 * time.Second)
		for _, n := range []int64{2, 0, 1} {
			must(w.T, w.Market.SendCode(market.FirstOrder+n, "1000"+string(rune('0'+n))))
			pass(10 * time.Second)
		}
	})
}

func TestFewerPhonesThanOrdered(t *testing.T) {
	inEnglish(t, "sms_fewer", func(w *world) {
		w.withKey(annaKey)
		w.setPhones(2)
		w.rent("5")
		w.types("/balance")
	})
}

// setPhones sets how many phones for Telegram are left in the United States.
func (w *world) setPhones(n int) {
	w.T.Helper()
	must(w.T, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, n))
}

func TestSamePhoneAgain(t *testing.T) {
	inEnglish(t, "sms_again", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "111111"))
		pass(5 * time.Second)
		w.tap("phone_button_again")
		w.tap("confirm_button_confirm")
		pass(2 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "222222"))
		pass(5 * time.Second)
		w.tap("phone_button_another")
		w.tap("confirm_button_confirm")
		pass(2 * time.Second)
		// The marketplace may refuse to rent a phone again.
		must(w.T, w.Market.SendCode(market.FirstOrder+2, "333333"))
		pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.Refuse, Message: "This phone number can not be reused"})
		w.tap("phone_button_again")
		w.tap("confirm_button_confirm")
		pass(20 * time.Second) // until a second reading of the balance
	})
}

func TestPhoneExpires(t *testing.T) {
	inEnglish(t, "sms_expiry", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		pass(10 * time.Minute) // half of its time has passed
		pass(8 * time.Minute)  // two minutes are left
		pass(2 * time.Minute)  // it has expired
		must(w.T, w.Market.SendCode(market.FirstOrder, "777777"))
		pass(time.Minute)
		w.rent("1")
		pass(26 * time.Minute)
		w.list("orders_button_problems")
		w.tapLike("#23502")
	})
}

func TestCancelPhone(t *testing.T) {
	inEnglish(t, "sms_cancel", func(w *world) {
		w.withKey(annaKey)
		w.rent("2")
		w.tap("cancel_button")
		w.tap("cancel_button_keep")
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
		pass(5 * time.Second)
		w.list("orders_button_open")
		w.tapLike("#2350")
		w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Refuse, Message: "Order not found"})
		w.tap("cancel_button")
		w.tap("cancel_button")
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.HTML502, Times: market.Always})
		w.tap("cancel_button_sure")
		pass(30 * time.Second) // the outcome is unknown, and the request is not repeated
		w.Market.ClearFaults()
		pass(time.Minute)
		w.types("/orders")
	})
}

func TestCancelPhoneTooEarly(t *testing.T) {
	inEnglish(t, "sms_cancel_early", func(w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		w.withKey(annaKey)
		w.rent("1")
		w.tap("cancel_button")
		pass(5 * time.Minute)
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
	})
}

func TestCodeArrivesAfterRestart(t *testing.T) {
	inEnglish(t, "sms_restart", func(w *world) {
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

func TestFindCountryAndProject(t *testing.T) {
	inEnglish(t, "sms_find", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tap("sms_button_countries")
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

func TestSMSPurchaseFailures(t *testing.T) {
	inEnglish(t, "sms_faults", func(w *world) {
		w.withKey(annaKey)
		// A country without phones.
		w.types("/sms")
		w.tap("sms_button_countries")
		w.types("Iceland")
		// No phones are left.
		w.setPhones(0)
		w.rent("1")
		pass(20 * time.Second) // until a second reading of the balance
		w.setPhones(50)
		// The price has risen.
		w.phoneCard("2")
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		w.tap("confirm_button_confirm")
		// The balance was spent meanwhile.
		must(w.T, w.Market.SetBalance(annaKey, "0.10"))
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.SetBalance(annaKey, "100.00"))
		// The balance is too low from the start.
		w.withKey(poorKey)
		w.phoneCard("10")
		w.withKey(annaKey)
		// The project is gone.
		w.phoneCard("1")
		must(w.T, w.Market.RemoveProject(market.ProjectTelegram))
		w.tap("confirm_button_confirm")
		w.tap("rejected_button_again")
	})
}

func TestUnusualSMS(t *testing.T) {
	inEnglish(t, "sms_odd", func(w *world) {
		w.withKey(annaKey)
		w.rent("4")
		// An unknown status.
		must(w.T, w.Market.SetSMSStatus(market.FirstOrder+1, "parked"))
		pass(5 * time.Second)
		w.list("orders_button_sms")
		w.tapLike("#23502")
		w.tap("nav_button_refresh")
		// Markup, text from right to left, a thousand characters, and no code.
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

// TestMissingAndPastExpiry: the marketplace gives no expiry, or one in the past.
func TestMissingAndPastExpiry(t *testing.T) {
	inEnglish(t, "sms_odd_expiry", func(w *world) {
		w.withKey(annaKey)
		w.Market.SetClock(0, true)
		w.rent("1")
		pass(3 * time.Minute)
		must(w.T, w.Market.SendCode(market.FirstOrder, "606060"))
		pass(10 * time.Second)
		w.Market.SetClock(-time.Hour, false)
		w.rent("1")
		w.tap("phone_button_check")
		pass(3 * time.Minute)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "707070"))
		pass(10 * time.Second)
		w.rent("1")
		pass(6 * time.Minute)
	})
}

func TestUnknownOutcomeOfPhones(t *testing.T) {
	inEnglish(t, "sms_unknown", func(w *world) {
		w.withKey(annaKey)
		w.phoneCard("2")
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.tap("unresolved_button_id")
		w.types("23501")
		w.tap("unresolved_button_yes")
		w.types("23502")
		w.tap("unresolved_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "818181"))
		pass(10 * time.Second)
		if n := w.Market.Count("add_sms"); n != 1 {
			w.T.Errorf("%d requests to rent reached the marketplace, want 1", n)
		}
	})
}

func TestCountryWithoutProjects(t *testing.T) {
	inEnglish(t, "sms_empty", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tap("sms_button_countries")
		w.types("+354")
		w.tap("nav_button_back")
	})
}

func TestPhonesOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.types("an")
		searches := w.chat.Last()
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "424242"))
		pass(5 * time.Second)
		mallory := w.mallory("/key " + poorKey)
		before := w.Market.Count("add_sms") + w.Market.Count("cancel")
		forged := []string{}
		for _, m := range append(w.chat.Messages(), searches) {
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
				w.forge(mallory, 1, data)
			}
		}
		phone := w.firstPhone().Phone
		for _, m := range mallory.Messages() {
			if strings.Contains(m.Text, phone) || strings.Contains(m.Text, "424242") || strings.Contains(m.Text, "“an”") {
				w.T.Errorf("Mallory sees Anna's data: %q", m.Text)
			}
		}
		if after := w.Market.Count("add_sms") + w.Market.Count("cancel"); after != before {
			w.T.Errorf("%d requests by forged buttons", after-before)
		}
	})
}

func TestTwelveTapsOnConfirmRentOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.phoneCard("2")
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.Slow, Delay: 5 * time.Second})
		must(w.T, w.chat.TapOn(w.chat.Last().ID, w.l.Label("confirm_button_confirm")))
		for range 11 {
			must(w.T, w.chat.RepeatTap())
		}
		pass(30 * time.Second)
		if n := w.Market.Count("add_sms"); n != 1 {
			w.T.Errorf("%d requests to rent reached the marketplace, want 1", n)
		}
		if n := len(w.Market.Numbers()); n != 2 {
			w.T.Errorf("%d phones were rented, want 2", n)
		}
	})
}

// TestUsualTime: after ten codes, and ten deliveries, people see how long they usually take
// while they wait.
func TestUsualTime(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.setPhones(50)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		for range 2 {
			w.rent("5")
			pass(23 * time.Second)
			for _, phone := range w.Market.Numbers() {
				if phone.Code == "" {
					must(w.T, w.Market.SendCode(phone.Number, "100000"))
				}
			}
			pass(10 * time.Second)
		}
		for range 10 {
			w.buy("2", "1")
			pass(4 * time.Minute)
			orders := w.Market.Orders()
			must(w.T, w.Market.Finish(orders[len(orders)-1].Number))
			pass(2 * time.Minute)
		}
		shows := func(text string) {
			w.T.Helper()
			if !strings.Contains(w.chat.Last().Text, text) {
				w.T.Errorf("the chat does not show %q, but %q", text, w.chat.Last().Text)
			}
		}
		w.rent("1")
		shows("\n⏱ usually 25 s")
		w.list("orders_button_open")
		w.tapLike("Telegram")
		shows("waiting for the code\n⏱ usually 25 s\n")
		w.buy("2", "1")
		shows("\n⏱ usually 4 min\n")
		w.list("orders_button_open")
		w.tapLike("Gmail")
		shows("\n⏱ usually 4 min\n")
		must(w.T, w.Market.Finish(w.Market.Orders()[10].Number))
		pass(2 * time.Minute)
		w.list("orders_button_delivered")
		w.tapLike("Gmail")
		if strings.Contains(w.chat.Last().Text, "Usually") {
			w.T.Errorf("although it has arrived: %s", w.chat.Last().Text)
		}
	})
}
