package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

const (
	annaLink  = "https://instagram.com/anna"
	againLink = "http://www.Instagram.com/Anna/?igsh=MzRl#top" // the same page
)

// smmCard draws the confirm card of an SMM service.
func (w *world) smmCard(service, quantity, link string) {
	w.T.Helper()
	w.open(service)
	w.tapLabel(quantity)
	w.types(link)
}

// confirms taps the first button of the newest message: Confirm, or Buy anyway.
func (w *world) confirms() {
	w.T.Helper()
	w.tapTo(w.chat.Last().Keyboard[0][0].CallbackData)
}

// warns fails unless the newest message has exactly these of the warnings.
func (w *world) warns(wanted ...string) {
	w.T.Helper()
	text := w.chat.Last().Text
	if !strings.Contains(text, "Please confirm") {
		w.T.Fatalf("no confirm card:\n%s", w.chat.Transcript())
	}
	for _, warning := range []string{
		"is still running (", "is still running.", "may still be running", "less than two minutes ago",
		"leads to a profile", "leads to a post", "leads to a story", "private or an invitation",
	} {
		if got := strings.Contains(text, warning); got != slices.Contains(wanted, warning) {
			w.T.Errorf("%q is said: %v\n%s", warning, got, text)
		}
	}
	buttons := w.chat.Last().Keyboard
	if label := buttons[0][0].Text; (label == "Buy anyway") != (len(wanted) > 0) {
		w.T.Errorf("the first button is %q", label)
	}
	opens := slices.ContainsFunc(wanted, func(warning string) bool {
		return strings.Contains(warning, "running") || strings.Contains(warning, "ago")
	})
	if (len(buttons) == 3) != opens {
		w.T.Errorf("the buttons are %+v", buttons)
	}
}

func TestRepeatedPurchase(t *testing.T) {
	inEnglish(t, "guard_repeated", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		w.card("2", "1")
		w.warns("less than two minutes ago")
		w.tap("confirm_button_open")
		w.card("2", "2") // another quantity
		w.warns()
		w.open("2")
		w.tapLabel("1")
		w.types("anna@example.com")
		w.warns()
		w.confirms()
		pass(10 * time.Second)
		w.open("2")
		w.tapLabel("1")
		w.types("Anna@Example.com")
		w.warns("less than two minutes ago")
		pass(2 * time.Minute)
		w.card("2", "1")
		w.warns()
	})
}

// TestNumbersAreNoRepeats: each is another one.
func TestNumbersAreNoRepeats(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		w.phoneCard("1")
		w.warns()
	})
}

// TestRefusedAndRefundedAreNoRepeats: nothing was bought, or nothing is left of it.
func TestRefusedAndRefundedAreNoRepeats(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Status: 400, Message: "Service not found"})
		w.smmCard("1", "1,000", annaLink)
		w.confirms()
		w.smmCard("1", "1,000", annaLink)
		w.warns()
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		w.confirms()
		pass(5 * time.Second)
		must(w.T, w.Market.Refund(market.FirstOrder))
		pass(time.Minute)
		w.smmCard("1", "1,000", annaLink)
		w.warns()
	})
}

func TestLinkOfAnotherKind(t *testing.T) {
	inEnglish(t, "guard_link_kind", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true)) // no message comes in between
		w.smmCard("1", "1,000", "https://www.instagram.com/p/CxYz1/")
		w.warns("leads to a post")
		w.confirms() // nothing is blocked
		w.smmCard("18", "1,000", "https://www.tiktok.com/@anna")
		w.warns("leads to a profile")
		w.smmCard("1", "1,000", "https://instagram.com/stories/anna/1")
		w.warns("leads to a story")
		w.smmCard("16", "100", "https://t.me/+AbCd")
		w.warns("private or an invitation")
		w.smmCard("16", "100", "https://t.me/anna")
		w.warns()
		w.smmCard("16", "100", "@anna_b")
		w.warns()
		w.smmCard("1", "100", "@anna/b")
	})
	inWorld(t, "zh", func(w *world) { // the English name counts
		w.withKey(annaKey)
		w.smmCard("1", "1,000", "https://www.instagram.com/p/CxYz1/")
		w.says(w.l.T("confirm_link_post"))
	})
}

// TestWarningsStayWhenTheCardIsDrawnAgain: also when the catalogue can't be read.
func TestWarningsStayWhenTheCardIsDrawnAgain(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", "https://www.instagram.com/p/CxYz1/")
		must(w.T, w.Market.SetRate(market.InstagramFollowers, "0.60"))
		w.confirms()
		w.says("The price has gone up")
		w.warns("leads to a post")
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		w.confirms()
		pass(time.Minute)
		w.smmCard("1", "1,000", "https://www.instagram.com/p/CxYz1/")
		w.warns("is still running (", "less than two minutes ago", "leads to a post")
		pass(11 * time.Minute) // expired
		w.confirms()
		w.says("over ten minutes old")
		w.warns("is still running (", "leads to a post")
		w.wantAdds(1)
	})
}

// TestNewestRunningOrder is named and opened, of this person only.
func TestNewestRunningOrder(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		for _, quantity := range []string{"1,000", "2,000"} {
			w.smmCard("1", quantity, annaLink)
			w.confirms()
			pass(3 * time.Minute)
		}
		w.smmCard("1", "500", againLink)
		w.warns("is still running (")
		w.says("Order #23502 on this link is still running (0 of 2,000).")
		card, open := w.chat.Last(), buttonData(w.chat.Last(), "📦 Open it")
		w.tap("confirm_button_open")
		if opened := w.chat.Last(); !strings.Contains(opened.Text, "#23502") || opened.ID == card.ID {
			w.T.Errorf("the opened order is %q", opened.Text)
		}
		must(w.T, w.Market.Finish(market.FirstOrder+1))
		pass(15 * time.Minute)
		w.smmCard("1", "500", annaLink)
		w.says("Order #23501 on this link is still running (0 of 1,000).")

		mallory := w.mallory("/key " + poorKey)
		if answer := w.forge(mallory, mallory.Last().ID, open); !strings.Contains(answer, "out of date") {
			w.T.Errorf("somebody else's purchase: %q", answer)
		}
		draft := buttonData(w.chat.Last(), "Buy anyway")
		if answer := w.forge(w.chat, w.chat.Last().ID, strings.Replace(draft, keyboards.Confirm.Name(), keyboards.OpenPurchase.Name(), 1)); !strings.Contains(answer, "out of date") {
			w.T.Errorf("a draft was opened: %q", answer)
		}
		w.as(bob, func() {
			w.withKey(annaKey) // even with the same key
			w.smmCard("1", "1,000", annaLink)
			w.warns()
		})
	})
}

// TestOrderEndsBeforeBuyAnyway: the tap buys at the price that is shown, once.
func TestOrderEndsBeforeBuyAnyway(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		w.smmCard("1", "1,000", annaLink)
		w.confirms()
		pass(3 * time.Minute)
		w.smmCard("1", "1,000", annaLink)
		w.warns("is still running (")
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(8 * time.Minute)
		card := w.chat.Last()
		for _, m := range w.chat.Messages() {
			if buttonData(m, "Buy anyway") != "" {
				card = m
			}
		}
		data := buttonData(card, "Buy anyway")
		w.chat.TapData(card.ID, data) // a double tap
		w.chat.TapData(card.ID, data)
		pass(10 * time.Second)
		w.wantAdds(2)
		orders, err := w.app.DB.Orders(w.T.Context(), anna.ID, storage.FilterAll, 9, 0)
		must(w.T, err)
		if len(orders) != 2 || !strings.Contains(card.Text, "$0.50") {
			w.T.Errorf("%d orders; the card said\n%s", len(orders), card.Text)
		}
	})
}

// TestTypeChangesBeforeConfirm: nothing is sent that the service can't be ordered with.
func TestTypeChangesBeforeConfirm(t *testing.T) {
	inEnglish(t, "guard_type", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", annaLink)
		pass(6 * time.Minute) // the cache is older than the card
		must(w.T, w.Market.SetType(market.InstagramFollowers, " Poll & <b>more</b> "))
		w.confirms()
		w.wantAdds(0)
		w.tap("nav_button_back")
		must(w.T, w.Market.SetType(market.InstagramFollowers, " default "))
		pass(10 * time.Minute)
		w.smmCard("1", "1,000", annaLink)
		w.restart()
		for _, action := range []string{"products", "services"} { // the type can't be read
			w.Market.Fault(market.Fault{Action: action, Kind: market.Slow, Delay: time.Minute, Times: market.Always})
		}
		w.confirms()
		pass(time.Minute)
		w.wantAdds(1)
	})
}

func TestUnknownOutcomeOnTheLink(t *testing.T) {
	inEnglish(t, "guard_unknown", func(w *world) {
		w.withKey(annaKey)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.smmCard("1", "1,000", annaLink)
		w.confirms()
		pass(3 * time.Minute)
		w.smmCard("1", "500", annaLink)
		w.warns("may still be running")
		w.tap("confirm_button_open")
		w.tap("unresolved_button_dismiss")
		w.smmCard("1", "500", annaLink)
		w.warns()
	})
}

// TestPurchasesOfTheReleaseBefore have no digest, and no warning is made up from that.
func TestPurchasesOfTheReleaseBefore(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		w.smmCard("1", "1,000", annaLink)
		w.confirms()
		w.Exec(`UPDATE purchases SET link_digest = ''`)
		w.smmCard("1", "1,000", annaLink)
		w.warns()
		w.Exec(`UPDATE purchases SET link_digest = '' WHERE state = 'draft'`)
		w.tap("confirm_button_confirm") // drawn by the release before
		pass(10 * time.Second)
		w.wantAdds(2)
	})
}

// TestGuardsCostNoCall: a card that warns makes the calls of any other card, and so does
// Confirm; the catalogue is in the cache.
func TestGuardsCostNoCall(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		inWorld(t, lang, func(w *world) {
			w.withKey(annaKey)
			must(w.T, w.Market.Hold(market.InstagramFollowers, true))
			calls := func(act func()) (actions []string) {
				last := int64(len(w.Market.Calls()))
				act()
				for _, call := range w.Market.CallsAfter(last) {
					if call.Action != "status" { // of polls
						actions = append(actions, call.Action)
					}
				}
				slices.Sort(actions)
				return actions
			}
			draw := func(link string) []string {
				w.open("1")
				w.tapLabel(w.l.Number(1000))
				return calls(func() { w.types(link) })
			}
			draw(annaLink)
			plain := draw(annaLink)
			bought := calls(w.confirms)
			pass(20 * time.Second) // the stock is read anew by the product's screen
			warned := draw("https://www.instagram.com/p/CxYz1/")
			w.confirms()
			pass(20 * time.Second)
			twice := draw("https://www.instagram.com/p/CxYz1/")
			if !strings.Contains(w.chat.Last().Text, w.l.T("confirm_repeated")) || !strings.Contains(w.chat.Last().Text, w.l.T("confirm_link_post")) {
				w.T.Errorf("no warning:\n%s", w.chat.Last().Text)
			}
			want := []string{"balance", "inventory"}
			if !slices.Equal(plain, want) || !slices.Equal(warned, want) || !slices.Equal(twice, want) {
				w.T.Errorf("cards called %q, with warnings %q and %q, want %q", plain, warned, twice, want)
			}
			if want := []string{"add", "balance", "inventory"}; !slices.Equal(bought, want) {
				w.T.Errorf("Confirm called %q, want %q", bought, want)
			}
		})
	}
}

// TestNothingOfTheGuardsStays after /forget, and the export has no digest.
func TestNothingOfTheGuardsStays(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", "https://www.instagram.com/p/CxYz1/")
		w.confirms()
		pass(3 * time.Minute)
		var digests []string
		w.Select(&digests, `SELECT link_digest FROM purchases`)
		w.types("/forget")
		w.tapLike("📥")
		if file := w.file(); !strings.Contains(file, "instagram.com/p/CxYz1") || len(digests) != 1 || digests[0] == "" || strings.Contains(file, digests[0]) {
			w.T.Errorf("the digests are %q, the file is\n%s", digests, file)
		}
	})
}
