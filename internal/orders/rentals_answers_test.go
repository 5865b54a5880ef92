package orders_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// answers lets an action answer this from now on.
func (w *world) answers(action, body string) {
	w.t.Helper()
	w.Market.ClearFault(func(f market.Fault) bool { return f.Action == action })
	w.Market.Fault(market.Fault{Action: action, Kind: market.Answer, Body: body, Times: market.Always})
}

// TestSeveralCodesInOneAnswer: each arrives once, in their order.
func TestSeveralCodesInOneAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		w.answers("sms_code", `{"status":"completed","code":["48210","99120","48210"],"sms_content":["code 48210","code 99120","code 48210"]}`)
		testworld.Pass(time.Minute)
		w.answers("sms_code", `{"status":"completed","code":["48210","99120","777"],"sms_content":["code 48210","code 99120","code 777"]}`)
		testworld.Pass(2 * time.Minute)
		want := []string{"48210|code 48210", "99120|code 99120", "777|code 777"}
		if got := w.codes(); !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
		_, again, err := w.service.Codes(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if len(again) != 3 || again[0].Code != "48210" || again[2].Code != "777" {
			t.Errorf("read again: %d codes", len(again))
		}
	})
}

// TestSecondCodeWithoutExpiry: a phone is polled for its usual time, or until the
// marketplace says that it has ended.
func TestSecondCodeWithoutExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		end  string // the state before the second code
		want []string
	}{
		"alive": {"", []string{"1111|first 1111", "2222|second 2222"}},
		"ended": {"expired", []string{"1111|first 1111"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.Market.SetClock(0, true)
				order := w.rent(1)[0]
				testworld.Must(t, w.Market.SendSMS(number(order), "1111", "first 1111"))
				testworld.Pass(3 * time.Minute)
				testworld.Must(t, w.Market.SetSMSStatus(number(order), test.end))
				testworld.Pass(time.Minute)
				testworld.Must(t, w.Market.SendSMS(number(order), "2222", "second 2222"))
				testworld.Pass(2 * time.Minute)
				if got := w.codes(); !slices.Equal(got, test.want) {
					t.Errorf("arrived %q, want %q", got, test.want)
				}
				testworld.Pass(20 * time.Minute)
				if got := w.order(order.ID); got.Open() || got.State != storage.OrderDelivered {
					t.Errorf("in the end it is %s, open: %v", got.State, got.Open())
				}
			})
		})
	}
}

// TestEndOfPhoneInUnknownWords: the end is reported once, and the charge is read once.
func TestEndOfPhoneInUnknownWords(t *testing.T) {
	for _, word := range []string{"BANNED", "FINISHED", "TIME_OUT", "STATUS_CANCEL", "REFUND"} {
		t.Run(word, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				w.answers("sms_code", `{"status":"`+word+`","code":null}`)
				statuses := w.Market.Count("sms_status")
				testworld.Pass(2 * time.Minute)
				if n := w.count(orders.MessageEnded); n != 1 {
					t.Errorf("%d messages about the end", n)
				}
				if got := w.order(order.ID); got.State == storage.OrderOpen || got.RawStatus == "" {
					t.Errorf("the order is %s, status %q", got.State, got.RawStatus)
				}
				if n := w.Market.Count("sms_status") - statuses; n > 2 {
					t.Errorf("sms_status was called %d times", n)
				}
			})
		})
	}
}

// TestCodesThatCanNotBeRead: another person's, without a key, and while the marketplace refuses.
func TestCodesThatCanNotBeRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		order := w.rent(1)[0]
		testworld.Must(t, w.Market.SendSMS(number(order), "48210", "code 48210"))
		testworld.Pass(10 * time.Second)
		calls := w.Market.Count("sms_code")
		if _, codes, err := w.service.Codes(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) || len(codes) > 0 {
			t.Errorf("another person's: %d codes, %v", len(codes), err)
		}
		w.wantCalls("sms_code", calls)
		w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.Refuse, Message: "Order not found"})
		if _, codes, err := w.service.Codes(t.Context(), anna, order.ID); !errors.Is(err, hstock.ErrOrderNotFound) || len(codes) > 0 {
			t.Errorf("refused: %d codes, %v", len(codes), err)
		}
		testworld.Must(t, w.db.RemoveKey(t.Context(), anna))
		calls = w.Market.Count("sms_code")
		if got, codes, err := w.service.Codes(t.Context(), anna, order.ID); !errors.Is(err, orders.ErrNoKey) || got.ID != order.ID || len(codes) > 0 {
			t.Errorf("without a key: %d codes of order %d, %v", len(codes), got.ID, err)
		}
		w.wantCalls("sms_code", calls)
	})
}
