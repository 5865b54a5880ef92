package handlers_test

import (
	"strings"
	"testing"
	"time"
)

// TestEveryActionIsUsed checks that the screens call each of the marketplace's 16
// actions.
func TestEveryActionIsUsed(t *testing.T) {
	actions := strings.Fields(`
		categories subcategory_info shops products services inventory add status
		cancel allowcancel balance sms_projects sms_countries add_sms sms_code sms_status`)
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.types("/catalog")
		w.openGmail()
		w.types("/menu")
		w.tap("menu_button_recommended")
		w.types("/menu")
		w.tap("menu_button_sellers")
		w.list("orders_button_sms")
		w.tapLike("⏳")
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
		pass(time.Minute)
		for _, action := range actions {
			if w.Market.Count(action) == 0 {
				w.T.Errorf("%s was not called", action)
			}
		}
	})
}
