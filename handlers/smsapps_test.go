package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

const indonesia = "id"

// rentalsOfOthers are nine rentals of two people for Telegram in Indonesia, of which seven
// get a code after 25 seconds, and five in the United States, which get none.
func (w *world) rentalsOfOthers() {
	w.T.Helper()
	must(w.T, w.Market.SetNumbers(market.ProjectTelegram, indonesia, 100))
	for i, first := range []string{"Bob", "Cara"} {
		key := "key-of-" + first + "-0123456789"
		w.Market.AddKey(key, "100.00", "USD")
		w.as(telegram.Person{ID: int64(2002 + i), FirstName: first, LanguageCode: w.l.Lang()}, func() {
			w.withKey(key)
			w.rentIn(indonesia, int64(5-i))
			w.rentIn(market.CountryUS, int64(3-i))
		})
	}
	codes := 0
	for _, phone := range w.Market.Numbers() {
		if phone.Country == indonesia && codes < 7 {
			must(w.T, w.Market.SendCode(phone.Number, "100000"))
			codes++
		} else {
			must(w.T, w.Market.SetExpiry(phone.Number, time.Now()))
		}
	}
	pass(time.Minute)
	w.Exec(`UPDATE delivery_times SET millis = 25000 WHERE arrived = 1`) // the times of polls are random
	w.Exec(`UPDATE orders SET closed_at = updated_at WHERE closed_at = 0`)
	pass(6 * time.Minute) // the figures and the lists are read again
}

// rentIn rents phones for Telegram in a country.
func (w *world) rentIn(country string, n int64) {
	w.T.Helper()
	w.types("/sms")
	w.types("telegram")
	w.types(w.l.Country(country, ""))
	w.tapLabel(w.l.Number(n))
	w.tap("confirm_button_confirm")
	pass(10 * time.Second) // until all messages have come
}

// saveNumber saves Indonesia for Telegram.
func (w *world) saveNumber() {
	w.T.Helper()
	w.types("/sms")
	w.types("telegram")
	w.tapLike(w.l.Country(indonesia, ""))
	w.tap("product_button_save")
}

// TestAppToConfirmCard: what for, where, by price and by success, saved, to the card.
func TestAppToConfirmCard(t *testing.T) {
	inEveryLanguage(t, "sms_apps", func(w *world) {
		w.rentalsOfOthers()
		w.withKey(annaKey)
		w.tap("menu_button_sms") // Telegram is used most here
		w.tapLabel("›")
		w.tapLabel("‹")
		w.tapLike("Telegram")
		w.tap("sms_button_success")
		w.tapLike("🇺🇸")
		w.tap("nav_button_back")
		w.tap("sms_button_price")
		w.tapLike("🇮🇩")
		w.tap("product_button_save")
		w.tap("nav_button_back") // it is first in its list
		w.tap("nav_button_back") // and above the apps
		w.tapLike("★ 🇮🇩")
		w.tap("nav_button_back")
		w.tapLike("★ 🇮🇩")
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, indonesia, "0.4500"))
		w.tapLabel(w.l.Number(2)) // the card has the price of this moment
		w.tap("confirm_button_cancel")
		w.tap("nav_button_back")
		w.tap("product_button_saved") // no longer
		w.tap("nav_button_back")
	})
}

func TestFindApp(t *testing.T) {
	inEnglish(t, "sms_apps_find", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		w.tap("sms_button_find")
		w.types("xyzzy")
		w.types("a") // many
		w.restart()
		w.tapLabel("›")
		w.tapLike("an")
		w.tap("nav_button_back") // to that page of the results
		w.tap("nav_button_back")
		w.types("whats")
		w.types("indonesia") // a country of the app
		w.tap("nav_button_back")
		w.types("+7") // two
		w.tap("nav_button_back")
		w.types("telegram") // another app
		w.tap("nav_button_back")
	})
}

// TestAppsOfOneCountryAtATime: the marketplace does not list all countries in one answer,
// and answers late. People see what is known, and then the rest.
func TestAppsOfOneCountryAtATime(t *testing.T) {
	inEnglish(t, "sms_apps_slow", func(w *world) {
		w.Market.SetAllProjects(market.CountryRequired)
		w.withKey(annaKey)
		w.Market.Fault(market.Fault{Action: "sms_projects", Kind: market.Slow, Delay: time.Second, Times: market.Always})
		w.types("/sms")
		pass(4 * time.Second)
		w.tapLike("Airbnb")
		pass(4 * time.Second)
		w.Market.ClearFaults()
		pass(time.Minute)
		w.types("/sms")
		w.tapLike("Airbnb")
	})
}

// TestAppIsGone: an app, and a saved offer, that the marketplace no longer has.
func TestAppIsGone(t *testing.T) {
	inEnglish(t, "sms_apps_gone", func(w *world) {
		w.withKey(annaKey)
		w.saveNumber()
		must(w.T, w.Market.RemoveProject(market.ProjectTelegram))
		w.tapLabel("1") // the lists are older than the card
		pass(6 * time.Minute)
		w.types("/sms") // without what was saved
		w.tapLike("AOL")
		offer := w.chat.Last()
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(6 * time.Minute)
		must(w.T, w.chat.TapOn(offer.ID, w.l.Label("sms_button_success"))) // while the marketplace is down
		pass(time.Minute)
		w.restart()
		w.types("/sms")
		pass(time.Minute)
	})
}

// TestWarmAppsMakeNoCalls: neither figures nor pages, sorting or saving cost a call of
// the marketplace once the list is known.
func TestWarmAppsMakeNoCalls(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.rentalsOfOthers()
		w.withKey(annaKey)
		w.types("/sms")
		before := len(w.Market.Calls())
		for _, tap := range []string{"Telegram", "›", "‹", "✅ Success", "7 of 9", "☆ Save", "‹ Back", "💵 Price", "‹ Back", "★", "★ Saved", "‹ Back", "Airbnb", "Indonesia", "‹ Back"} {
			w.tapLike(tap)
		}
		w.types("telegram")
		w.types("kenya")
		var actions []string
		for _, call := range w.Market.Calls()[before:] {
			if call.Action != "sms_code" && call.Action != "sms_status" { // polls of the rentals
				actions = append(actions, call.Action)
			}
		}
		if len(actions) > 0 {
			w.T.Errorf("calls: %v", actions)
		}
		w.tapLabel("1")
		if calls := w.Market.Calls(); len(calls) == before || !slices.ContainsFunc(calls[before:], func(c market.Call) bool { return c.Action == "sms_projects" }) {
			w.T.Error("the card did not read the price")
		}
	})
}

// TestFiguresOfOnePersonAreNotShown: neither in the list of countries nor by the order of
// the apps.
func TestFiguresOfOnePersonAreNotShown(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.as(bob, func() {
			w.withKey(poorKey)
			must(w.T, w.Market.SetBalance(poorKey, "100.00"))
			w.rent("5")
		})
		for _, phone := range w.Market.Numbers() {
			must(w.T, w.Market.SendCode(phone.Number, "100000"))
		}
		pass(10 * time.Minute)
		w.withKey(annaKey)
		w.types("/sms")
		if first := w.chat.Last().Keyboard[0][0].Text; first != "Adidas" {
			w.T.Errorf("the first app is %q", first)
		}
		w.types("telegram")
		w.tap("sms_button_success")
		for _, b := range slices.Concat(w.chat.Last().Keyboard...) {
			if strings.Contains(b.Text, " of ") {
				w.T.Errorf("figures of one person: %s", b.Text)
			}
		}
	})
}

// TestOwnAppsAreFirst: what the person rents comes before what is rented most here.
func TestOwnAppsAreFirst(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.rentalsOfOthers()
		w.withKey(annaKey)
		for _, app := range []string{"OpenAI", "Amazon"} {
			w.types("/sms")
			w.types(app)
			if strings.Contains(w.chat.Last().Text, "Results") {
				w.tapLike(app)
			}
			w.types("United States")
			w.tapLabel("1")
			w.tap("confirm_button_confirm")
			pass(5 * time.Second)
		}
		w.types("/sms")
		var apps []string
		for _, b := range slices.Concat(w.chat.Last().Keyboard[:2]...) {
			apps = append(apps, b.Text)
		}
		if got := strings.Join(apps, ", "); got != "Amazon, OpenAI / ChatGPT, Telegram, Adidas" {
			w.T.Errorf("the apps are %s", got)
		}
	})
}

// TestSavedNumbersAreLimited: four are shown, and the limit is said.
func TestSavedNumbersAreLimited(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("/sms")
		for i := range 100 {
			w.Exec(`INSERT INTO saved_numbers (user_id, project, country, name, created_at) VALUES (?, ?, ?, 'Telegram', ?)`,
				anna.ID, market.ProjectTelegram, []string{"us", "gb", "fr", "de", "ru"}[i%5]+strings.Repeat("x", i/5), i)
		}
		w.types("/sms")
		var starred []string
		for _, b := range slices.Concat(w.chat.Last().Keyboard...) {
			if strings.HasPrefix(b.Text, "★") {
				starred = append(starred, b.Text)
			}
		}
		if got := strings.Join(starred, ", "); got != "★ 🇷🇺 Telegram · $0.27, ★ 🇩🇪 Telegram · $1.26, ★ 🇫🇷 Telegram · $1.17, ★ 🇬🇧 Telegram · $1.08" {
			w.T.Errorf("the saved numbers are %s", got)
		}
		w.types("telegram")
		w.tapLike("Kazakhstan")
		w.tap("product_button_save")
		w.says("You’ve saved 100 numbers, which is the limit.")
	})
}

// TestForgottenPersonLeavesFigures: at once, although figures are kept for minutes. Those of
// one person alone are not shown.
func TestForgottenPersonLeavesFigures(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.rentalsOfOthers()
		w.withKey(annaKey)
		shown := func() bool {
			w.types("/sms")
			w.types("telegram")
			return strings.Contains(w.chat.Transcript(), "7 of 9 · 25 s ]")
		}
		if !shown() {
			w.T.Fatal("no figures")
		}
		w.as(bob, w.forget)
		must(w.T, w.chat.Delete(w.chat.Last().ID))
		if shown() {
			w.T.Errorf("figures of one person:\n%s", w.chat.Transcript())
		}
	})
}
