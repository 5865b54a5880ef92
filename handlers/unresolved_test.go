package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

func TestUnknownOutcomeDismissed(t *testing.T) {
	inEnglish(t, "unresolved_dismissed", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.tap("unresolved_button_dismiss")
		w.tap("rejected_button_again")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

// TestLateChargeRemovesTryAgain: a charge after the verdict means that the order was
// probably placed after all.
func TestLateChargeRemovesTryAgain(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.says(w.l.T("unresolved_verdict_not_bought"))
		must(w.T, w.Market.SetBalance(annaKey, "98.75"))
		w.tap("rejected_button_again")
		w.says(w.l.T("unresolved_verdict_bought"))
		if data := buttonData(w.chat.Last(), w.l.Label("rejected_button_again")); data != "" {
			w.T.Errorf("Try again is still offered:\n%s", w.chat.Transcript())
		}
		w.wantAdds(1)
	})
}

// TestUnknownOutcomeOfRemovedKey: the screen says which key is needed, and continues
// once the key is added again.
func TestUnknownOutcomeOfRemovedKey(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		w.withKey(poorKey)
		w.types("/orders")
		w.tapLike("❔")
		w.says(w.l.T("unresolved_key_gone"))
		w.withKey(annaKey)
		w.types("/orders")
		w.tapLike("❔")
		w.says(w.l.T("unresolved_verdict_bought"))
	})
}
