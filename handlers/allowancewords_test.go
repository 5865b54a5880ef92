package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

// The flows of this file reach sentences about an account on HStockPlus, which somebody who
// buys with an allowance does not have.

// TestSharedNumberOfAnAllowance: where the number of an order could mean another person's,
// support cancels it.
func TestSharedNumberOfAnAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.gives(bob, "20")
		w.as(bob, func() { w.rent("1") })
		w.gives(anna, "20")
		w.buy("2", "1")
		w.Exec(`UPDATE orders SET external_id = '23501'`)
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		if text := w.chat.Last().Text; text != w.l.T("cancel_shared_allowance") {
			w.T.Errorf("it says:\n%s", text)
		}
	})
}

// TestEndsOfBasketOfAnAllowance: it says that the shop can't pay only where that is so.
func TestEndsOfBasketOfAnAllowance(t *testing.T) {
	for id, happens := range map[string]func(w *world){
		"swap_why_paused": func(w *world) {
			must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID}))
		},
		"rejected_operator": func(w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		},
	} {
		t.Run(id, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				must(w.T, w.Market.Hold(market.GmailUSA, true))
				w.gives(anna, "20")
				w.types("2 | | 1\n2 | | 2")
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 10 * time.Second})
				w.tapConfirm()
				happens(w)
				pass(time.Minute)
				w.says(w.l.T(id))
			})
		})
	}
}

// TestInlineOfAnAllowance: while the operator's key is refused, no key is asked for.
func TestInlineOfAnAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.Market.Fault(market.Fault{Kind: market.Refuse, Message: "Invalid API key", Times: market.Always})
		w.inline("gmail")
		if seen, answered := w.chat.InlineAnswer(); !answered || seen.Button != "" || len(seen.Results) != 0 {
			w.T.Errorf("Anna sees %+v (answered: %v)", seen, answered)
		}
	})
}

// TestIncompleteOrderOfAnAllowance: whom to write to.
func TestIncompleteOrderOfAnAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.answers("status", `{"status":"Completed","charge":"1.25","remains":0,"currency":"USD","accounts":[]}`)
		w.buyGmail("1")
		pass(15 * time.Minute)
		w.says("or write to support with the order number.")
	})
}

// TestOrdersFromElsewhere can only be followed with a key of one's own.
func TestOrdersFromElsewhere(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.types("/help")
		if text := w.chat.Last().Text; strings.Contains(text, "Ordered outside this bot?") {
			w.T.Errorf("the help offers it:\n%s", text)
		}
		w.types("#99999")
		if text := w.chat.Last().Text; strings.Contains(text, "HStockPlus") {
			w.T.Errorf("an order was looked for on HStockPlus:\n%s", text)
		}
	})
}

// TestSwapAboveTheAllowance: nobody tops an allowance up.
func TestSwapAboveTheAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "1")
		w.rent("1") // for 0.99
		pass(2*time.Minute + 10*time.Second)
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		w.tap("swap_button")
		if text := w.chat.Last().Text; strings.Contains(text, "Top up") || !strings.Contains(text, "Your allowance doesn’t cover this: $0.01 is left, $0.32 is missing.") {
			w.T.Errorf("it does not say what the allowance lacks:\n%s", text)
		}
	})
}

// removesAllowance removes Anna's allowance, as an admin.
func (w *world) removesAllowance() {
	w.T.Helper()
	w.opensAllowance(anna)
	w.tap("adminallowance_button_remove")
	w.tap("adminallowance_button_remove")
}

// TestSwapEndsWithTheAllowance, and its end does not speak of a key.
func TestSwapEndsWithTheAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		w.gives(anna, "20")
		w.rent("1")
		pass(2*time.Minute + 10*time.Second)
		w.tap("swap_button")
		w.tapLike("⏰ Swap at")
		w.as(boss, w.removesAllowance)
		pass(5 * time.Minute)
		if n := count(w.chat, w.l.T("swap_why_key")); n != 0 {
			w.T.Errorf("%d messages speak of a key:\n%s", n, w.chat.Transcript())
		}
		w.says("The shop can’t pay for it right now.")
	})
}

// TestBasketEndsWithTheAllowance, after one of its lines was bought.
func TestBasketEndsWithTheAllowance(t *testing.T) {
	for name, ends := range map[string]func(w *world){
		"the operator's balance is too low": func(w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		},
		"it is removed": func(w *world) { w.as(boss, w.removesAllowance) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.gives(anna, "20")
				w.types("2 | | 1\n3 | | 1")
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
				w.tapConfirm()
				ends(w)
				pass(time.Minute)
				w.says("✅ 1 · ")
				w.says("The shop can’t pay for it right now.")
				if text := w.chat.Transcript(); strings.Contains(text, "Nothing was bought") || strings.Contains(text, w.l.T("swap_why_key")) {
					w.T.Errorf("it speaks of a key, or says that nothing was bought:\n%s", text)
				}
			})
		})
	}
}
