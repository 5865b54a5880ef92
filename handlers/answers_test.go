package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

// The flows of this file start with answers that marketplaces of this family give.

// answers lets an action of the marketplace answer this from now on.
func (w *world) answers(action, body string) {
	w.T.Helper()
	w.Market.ClearFault(func(f market.Fault) bool { return f.Action == action })
	w.Market.Fault(market.Fault{Action: action, Kind: market.Answer, Body: body, Times: market.Always})
}

func TestSeveralCodesOfOnePhone(t *testing.T) {
	inEnglish(t, "sms_several_codes", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		w.answers("sms_code", `{"status":"completed","code":["48210","99120"],"sms_content":["Your code is 48210","Your code is 99120"]}`)
		pass(time.Minute)
		w.fixPolls()
		w.list("orders_button_sms")
		w.tapLike("#23501")
		w.tap("phone_button_code")
	})
}

// TestPhoneEndsInUnknownWord: the word of the marketplace is shown.
func TestPhoneEndsInUnknownWord(t *testing.T) {
	inEnglish(t, "sms_ended", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		w.answers("sms_code", `{"status":"BANNED","code":null}`)
		w.answers("sms_status", `{"status":"BANNED","code":null,"charge":"0.00","currency":"USD"}`)
		pass(time.Minute)
		w.list("orders_button_sms")
		w.tapLike("#23501")
	})
}
