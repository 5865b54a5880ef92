package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
)

// The transcripts: what a person sees, from the first tap to the last message.
// testdata/<scenario>.<language>.txt is the whole chat, made to be read.

func TestFirstStart(t *testing.T) {
	inBoth(t, "first_start", func(w *world) {
		w.types("/start")
		w.tap("menu_button_help")
		w.tap("nav_button_menu")
		w.tap("menu_button_language")
		w.tap("nav_button_menu")
		w.types("hello?")
	})
}

func TestKey(t *testing.T) {
	inBoth(t, "key", func(w *world) {
		w.types("/start")
		w.tap("menu_button_key")
		w.types("this is no key")
		w.types("canary-key-that-nobody-has")
		w.types(annaKey)
		w.tap("menu_button_key")
		w.tap("key_button_replace")
		w.types("/cancel")
		w.tap("menu_button_key")
		w.tap("key_button_remove")
		w.tap("key_button_remove")
	})
}

func TestBrowse(t *testing.T) {
	inBoth(t, "browse", func(w *world) {
		w.types("/catalog")
		w.tapLabel("›")
		w.tapLabel("‹")
		w.openGmail()
		w.tap("nav_button_refresh")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tap("nav_button_menu")
	})
}

// openGmail walks from the catalogue to the first fixed product.
func (w *world) openGmail() {
	w.T.Helper()
	// By what their buttons carry, which is the same in every language.
	w.tapTo(keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf("Email Accounts")}))
	w.tapTo(keyboards.Shelf.Data(keyboards.ShelfArgs{Place: keyboards.CategoryPathHash("Email Accounts", "Gmail")}))
	w.tapLike("$1.25")
}

func TestBuyOne(t *testing.T) {
	inAll(t, "buy_one", func(w *world) {
		w.withKey(annaKey)
		w.tap("menu_button_catalog")
		w.openGmail()
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.tap("nav_button_refresh")
		w.tap("menu_button_orders")
		w.tapLike("#23501")
		w.tap("nav_button_refresh")
		w.tap("order_button_accounts")
		w.tap("order_button_wrong")
		w.types("/balance")
	})
}

func TestBuyTypedAmountAndEmail(t *testing.T) {
	inBoth(t, "buy_typed", func(w *world) {
		w.withKey(annaKey)
		w.open("11")
		w.tap("product_button_amount")
		for _, wrong := range []string{"many", "1.5", "0", "-3", "99999999999999999999", "41"} {
			w.types(wrong)
		}
		w.anna.Sticker()
		pass(time.Second)
		w.types("３") // full-width
		w.types("not an address")
		w.types("anna@example.com")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

func TestSMM(t *testing.T) {
	inBoth(t, "smm", func(w *world) {
		w.withKey(annaKey)
		w.open("1")
		w.tapLabel(w.l.Number(1000))
		w.types("my page")
		w.types("https://instagram.com/anna")
		w.tap("confirm_button_confirm")
		pass(2 * time.Minute)
		w.open("1")
		w.tapLabel(w.l.Number(100))
		w.types("instagram.com/anna")
		w.tap("confirm_button_cancel")
	})
}

func TestSoldOut(t *testing.T) {
	inBoth(t, "sold_out", func(w *world) {
		w.withKey(annaKey)
		w.open("5")
		w.open("14")
		w.tapLabel("1")
		must(w.T, w.Market.SetStock(market.OneLeft, 0))
		w.tap("order_button_skip")
		must(w.T, w.Market.SetStock(market.OneLeft, 1))
		w.open("14")
		w.tapLabel("1")
		w.tap("order_button_skip")
		must(w.T, w.Market.SetStock(market.OneLeft, 0))
		w.tap("confirm_button_confirm")
	})
}

func TestTooPoor(t *testing.T) {
	inBoth(t, "too_poor", func(w *world) {
		w.withKey(poorKey)
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		must(w.T, w.Market.SetBalance(poorKey, "5.00"))
		w.tap("nav_button_refresh")
		must(w.T, w.Market.SetBalance(poorKey, "0.50"))
		w.tap("confirm_button_confirm")
	})
}

func TestPriceChanged(t *testing.T) {
	inBoth(t, "price_changed", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("2")
		w.tap("order_button_skip")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.40"))
		w.tap("confirm_button_confirm")
		pass(11 * time.Minute)
		w.tap("confirm_button_confirm")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

func TestPartial(t *testing.T) {
	inBoth(t, "partial", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.open("2")
		w.tapLabel("5")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 3))
		pass(2 * time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 2))
		pass(2 * time.Minute)
	})
}

func TestRefundedAfterAPart(t *testing.T) {
	inBoth(t, "refunded", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.open("2")
		w.tapLabel("2")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(time.Minute)
		must(w.T, w.Market.Refund(market.FirstOrder))
		pass(2 * time.Minute)
	})
}

func TestAFileOfTwenty(t *testing.T) {
	inBoth(t, "file", func(w *world) {
		w.withKey(annaKey)
		w.open("8")
		w.tap("product_button_amount")
		w.types("20")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		last := w.anna.Last()
		if last.Document == nil {
			w.T.Fatal("no file arrived")
		}
		want := strings.Join(w.Market.Orders()[0].Accounts, "\n") + "\n"
		if got := string(last.Document.Data); got != want {
			w.T.Errorf("the file holds %q, delivered were %q", got, want)
		}
	})
}

func TestUnknownOutcomeAndAdopting(t *testing.T) {
	inAll(t, "unknown", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("2")
		w.tap("order_button_skip")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.types("/orders")
		w.tapLike("❔")
		w.tap("unknown_button_balance")
		w.tap("unknown_button_number")
		w.types("what number?")
		w.types("999999")
		w.types("23501")
		w.tap("unknown_button_yes")
		pass(10 * time.Second)
	})
}

func TestUnknownOutcomeDismissed(t *testing.T) {
	inBoth(t, "unknown_dismissed", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.tap("unknown_button_dismiss")
		w.tap("rejected_button_again")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

func TestRestartInTheMiddle(t *testing.T) {
	inBoth(t, "restart", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tap("product_button_amount")
		w.restart() // the question stands
		w.types("2")
		w.restart() // and so does the next one
		w.tap("order_button_skip")
		w.restart()
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.tap("confirm_button_confirm")
		w.stop()
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.start()
		pass(time.Minute)
	})
}

func TestTheMarketplaceIsDown(t *testing.T) {
	inBoth(t, "down", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.types("/catalog")
		pass(10 * time.Minute) // the answers are old by now
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.types("/catalog")
		pass(10 * time.Second) // a refresh is waited for
		w.open("2")
		pass(10 * time.Second)
		w.tapLabel("1")
		w.tap("order_button_skip")
		pass(20 * time.Second)
		w.Market.ClearFaults()
		pass(2 * time.Minute)
		w.tap("nav_button_retry")
	})
}

func TestALanguageChosenByHand(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		w.tap("menu_button_language")
		w.tapLabel("中文")
		w.l = w.bundle.Localizer("zh")
		w.tap("menu_button_catalog")
		w.tap("nav_button_menu")
		w.golden("language")
		w.types("/menu")
		w.says(w.l.Label("menu_button_catalog"))
	})
}

func TestMarkupInNamesIsShownAsItIs(t *testing.T) {
	inBoth(t, "markup", func(w *world) {
		w.withKey(annaKey)
		w.open("7")
		w.open("6")
		w.open("10")
		w.open("4")
	})
}
