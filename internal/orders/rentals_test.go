package orders_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

var telegramUS = storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}

// draftNumbers stores a draft of Anna's for so many numbers.
func (w *world) draftNumbers(rental storage.Rental, quantity int64) storage.Purchase {
	w.t.Helper()
	quote, err := w.service.Draft(w.t.Context(), orders.Intent{UserID: anna, Rental: rental, Quantity: quantity})
	must(w.t, err)
	return quote.Purchase
}

// rent rents numbers for Telegram in the United States.
func (w *world) rent(quantity int64) []storage.Order {
	w.t.Helper()
	outcome := w.confirm(w.draftNumbers(telegramUS, quantity))
	if outcome.Result != orders.Placed {
		w.t.Fatalf("renting came to %v, reason %q", outcome.Result, outcome.Purchase.Reason)
	}
	return outcome.Orders
}

// codes returns the texts of every SMS that has arrived, in order.
func (w *world) codes() []string {
	w.t.Helper()
	w.told() // all of it has happened
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, message := range w.sent {
		if message.Kind == orders.MessageCode {
			sms, err := orders.DecodeSMS(message)
			must(w.t, err)
			all = append(all, sms.Code.Reveal()+"|"+sms.Text.Reveal())
		}
	}
	return all
}

// count returns how many messages of a kind have arrived.
func (w *world) count(kind string) int {
	n := 0
	for _, told := range w.told() {
		if told == kind {
			n++
		}
	}
	return n
}

// TestACodeArrives within the interval of the polls, once, byte for byte.
func TestACodeArrives(t *testing.T) {
	for name, text := range map[string]string{
		"plain":         "Your code is 40312",
		"markup":        "<b>40312</b> &amp; \"quoted\"",
		"right to left": "رمز التحقق 40312",
		"long":          strings.Repeat("0123456789", 100),
		"no code in it": "Call us back",
		"odd":           " \x00\t\u202e{\"error\":\"Order not found\"}\\u0041\ufffd\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				pass(30 * time.Second)
				w.wantTold(orders.MessageRedraw, orders.MessageNumber)
				if got := w.order(order.ID); got.State != storage.OrderOpen || got.ExpiresAt.Sub(got.CreatedAt).Round(time.Second) != 20*time.Minute {
					t.Errorf("the order is %s, until %s", got.State, got.ExpiresAt)
				}
				must(t, w.market.SendSMS(order.ExternalID, "40312", text))
				pass(3600 * time.Millisecond)
				if got, want := w.codes(), []string{"40312|" + text}; !slices.Equal(got, want) {
					t.Fatalf("arrived %q, want %q", got, want)
				}
				pass(30 * time.Minute)
				if got := w.order(order.ID); got.State != storage.OrderDelivered || got.Open() || got.Delivered != 1 {
					t.Errorf("in the end the order is %+v", got)
				}
				w.wantTold(orders.MessageRedraw, orders.MessageNumber, orders.MessageCode, orders.MessageRedraw)
			})
		})
	}
}

// TestTheMessageOfANumberIsRemembered, so that it can be drawn again.
func TestTheMessageOfANumberIsRemembered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(10 * time.Second)
		if got := w.order(order.ID).MessageID; got != 2 {
			t.Errorf("message %d shows the number, want the second that was sent", got)
		}
	})
}

func TestSeveralNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		rented := w.rent(3)
		pass(20 * time.Second)
		if got := w.count(orders.MessageNumber); got != 3 {
			t.Errorf("%d messages for three numbers", got)
		}
		var want []string
		for _, i := range []int{2, 0, 1} {
			code := fmt.Sprint(1000 + i)
			must(t, w.market.SendSMS(rented[i].ExternalID, code, "SMS "+code))
			pass(10 * time.Second)
			want = append(want, code+"|SMS "+code)
		}
		if got := w.codes(); !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

func TestFewerNumbersThanAsked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.SetNumbers(market.ProjectTelegram, market.CountryUS, 2))
		if rented := w.rent(5); len(rented) != 2 {
			t.Errorf("%d numbers, want 2", len(rented))
		}
		if got := w.market.Balance(annaKey.Reveal()).String(); got != "98.2" {
			t.Errorf("the balance is %s, want 98.2", got)
		}
	})
}

// TestASecondCode is another SMS, and the first one is not sent again.
func TestASecondCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		must(t, w.market.SendSMS(order.ExternalID, "1111", "first 1111"))
		pass(time.Minute)
		must(t, w.market.SendSMS(order.ExternalID, "2222", "second 2222"))
		pass(2 * time.Minute)
		if got, want := w.codes(), []string{"1111|first 1111", "2222|second 2222"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// TestALateCode is pushed during the grace by itself, after it when a person asks.
func TestALateCode(t *testing.T) {
	for _, late := range []time.Duration{4 * time.Minute, 10 * time.Minute} {
		t.Run(late.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				pass(20*time.Minute + late)
				if got := w.count(orders.MessageEnded); got != 1 {
					t.Errorf("the end was told %d times", got)
				}
				if got := w.order(order.ID); got.State != storage.OrderExpired || got.Charge.Decimal.Sign() != 0 {
					t.Errorf("the order is %s, charged %s", got.State, got.Charge.Decimal)
				}
				must(t, w.market.SendSMS(order.ExternalID, "7777", "late 7777"))
				pass(time.Minute)
				if late > 5*time.Minute {
					if got := w.codes(); len(got) > 0 {
						t.Errorf("somebody still asks: %q", got)
					}
					_, err := w.service.Refresh(t.Context(), anna, order.ID)
					must(t, err)
				}
				if got, want := w.codes(), []string{"7777|late 7777"}; !slices.Equal(got, want) {
					t.Errorf("arrived %q, want %q", got, want)
				}
			})
		})
	}
}

// TestNumbersEnd: once told, with what the marketplace says of the charge.
func TestNumbersEnd(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(w *world, number int64) error
		want storage.OrderState
	}{
		"expired":   {func(w *world, n int64) error { return w.market.ExpireSMS(n) }, storage.OrderExpired},
		"cancelled": {func(w *world, n int64) error { return w.market.CancelSMS(n) }, storage.OrderCancelled},
		"refunded":  {func(w *world, n int64) error { return w.market.RefundSMS(n) }, storage.OrderRefunded},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				pass(10 * time.Second)
				must(t, test.end(w, order.ExternalID))
				pass(10 * time.Second)
				if got := w.order(order.ID); got.State != test.want || !got.Charge.Valid || got.Charge.Decimal.Sign() != 0 {
					t.Errorf("the order is %s, charged %v", got.State, got.Charge)
				}
				pass(time.Hour)
				if got := w.count(orders.MessageEnded); got != 1 {
					t.Errorf("the end was told %d times", got)
				}
				if got := w.order(order.ID); got.Open() {
					t.Error("it is still watched")
				}
			})
		})
	}
}

// TestOddAnswers: what the marketplace leaves out, or says that nobody knows.
func TestOddAnswers(t *testing.T) {
	t.Run("no expiry", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.market.SetClock(0, true)
			order := w.rent(1)[0]
			pass(15 * time.Minute)
			if got := w.order(order.ID); got.State != storage.OrderOpen || !got.ExpiresAt.IsZero() {
				t.Errorf("the order is %s, until %s", got.State, got.ExpiresAt)
			}
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(20 * time.Second)
			if got := w.order(order.ID); len(w.codes()) != 1 || got.Open() {
				t.Errorf("codes %q, open %v", w.codes(), got.Open())
			}
		})
	})
	t.Run("expiry in the past", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.market.SetClock(-time.Hour, false)
			order := w.rent(1)[0]
			pass(4 * time.Minute)
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(20 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("a word never heard of", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			must(t, w.market.SetSMSStatus(order.ExternalID, "parked"))
			pass(time.Minute)
			if got := w.order(order.ID); got.State != storage.OrderOpen || got.RawStatus != "parked" {
				t.Errorf("the order is %s, by its word %q", got.State, got.RawStatus)
			}
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(10 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("sms_status refuses", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.market.Fault(market.Fault{Action: "sms_status", Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			order := w.rent(1)[0]
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(10 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("sms_status is silent", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
			order := w.rent(1)[0]
			pass(time.Minute)
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(10 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("the text comes later", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			pass(5 * time.Second)
			must(t, w.market.SendSMS(order.ExternalID, "1234", ""))
			pass(5 * time.Second)
			must(t, w.market.SendSMS(order.ExternalID, "1234", "code 1234"))
			pass(5 * time.Minute)
			if got := w.codes(); len(got) != 1 {
				t.Errorf("the code was pushed %d times: %q", len(got), got)
			}
		})
	})
	t.Run("an end in 2099", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.market.SetClock(70*365*24*time.Hour, false)
			order := w.rent(1)[0]
			pass(5 * time.Second)
			must(t, w.market.SetExpiry(order.ExternalID, time.Time{})) // it goes on
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			pass(25 * time.Hour)
			if got := w.order(order.ID); got.Open() {
				t.Error("it is watched for ever")
			}
		})
	})
	t.Run("forgotten after its time", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			pass(10 * time.Second)
			for _, action := range []string{"sms_status", "sms_code"} {
				w.market.Fault(market.Fault{Action: action, Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			}
			pass(30 * time.Minute)
			if got := w.order(order.ID); got.Open() || got.State != storage.OrderExpired {
				t.Errorf("the order is %s, open %v", got.State, got.Open())
			}
			if n := w.count(orders.MessageEnded); n != 1 {
				t.Errorf("its end was told %d times", n)
			}
		})
	})
	t.Run("refunded in the grace", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			pass(10 * time.Second)
			must(t, w.market.SetSMSStatus(order.ExternalID, "expired"))
			pass(10 * time.Second)
			must(t, w.market.SetSMSStatus(order.ExternalID, "")) // expired without money back, then
			must(t, w.market.RefundSMS(order.ExternalID))
			pass(30 * time.Second)
			if got := w.order(order.ID); got.State != storage.OrderRefunded || got.Charge.Decimal.Sign() != 0 {
				t.Errorf("the order is %s, charged %s", got.State, got.Charge.Decimal)
			}
		})
	})
	t.Run("sms_code refuses", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
			w.market.Fault(market.Fault{Action: "sms_code", Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			_, err := w.service.Refresh(t.Context(), anna, order.ID)
			must(t, err)
			if got, want := w.codes(), []string{"1|"}; !slices.Equal(got, want) {
				t.Errorf("arrived %q, want %q: the code counts without its text", got, want)
			}
		})
	})
}

// TestItsMessageIsDrawnAgainAtUsefulMoments, and at no others.
func TestItsMessageIsDrawnAgainAtUsefulMoments(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(1)
		pass(5 * time.Second)
		want := w.count(orders.MessageRedraw)
		for _, step := range []struct {
			pass  time.Duration
			drawn int
		}{
			{9*time.Minute + 40*time.Second, 0}, {35 * time.Second, 1}, // half of it
			{7*time.Minute + 20*time.Second, 0}, {40 * time.Second, 1}, // two minutes left
			{90 * time.Second, 0}, {50 * time.Second, 1}, // over
			{10 * time.Minute, 0},
		} {
			pass(step.pass)
			want += step.drawn
			if got := w.count(orders.MessageRedraw); got != want {
				t.Fatalf("drawn again %d times after %s more, want %d", got, step.pass, want)
			}
		}
	})
}

// TestYoungCodesArriveInTime: within the longest interval, and two turns of the
// loop for taking the poll and sending what it heard.
func TestYoungCodesArriveInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arrived := map[int64]time.Time{} // by order; send holds mu
		w.sending = func(message storage.Message) error {
			if message.Kind == orders.MessageCode {
				arrived[message.OrderID] = time.Now()
			}
			return nil
		}
		rented := w.rent(4) // so many as a key may ask for without stretching
		for i, at := range []time.Duration{500 * time.Millisecond, 20 * time.Second, 70 * time.Second, 115 * time.Second} {
			pass(time.Until(rented[0].CreatedAt.Add(at)))
			came := time.Now()
			must(t, w.market.SendSMS(rented[i].ExternalID, "1", "code 1"))
			pass(10 * time.Second)
			w.mu.Lock()
			late := arrived[rented[i].ID].Sub(came)
			w.mu.Unlock()
			if late < 0 || late > 3600*time.Millisecond {
				t.Errorf("at the age of %s: %s after it came", at, late)
			}
		}
	})
}

// TestCadenceOfNumbers: every 2 to 3.5 s while it is young, then 0.5·√age s up to
// 15 s; sms_status at first, at the very end, and at the end of the grace.
func TestCadenceOfNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(30 * time.Minute)
		got := w.order(order.ID)
		const turn = 100 * time.Millisecond // of the loop, twice
		grace := got.ExpiresAt.Add(5 * time.Minute)
		var asked, statuses []time.Time
		for _, call := range w.market.Calls() {
			switch call.Action {
			case "sms_code":
				asked = append(asked, call.At)
			case "sms_status":
				statuses = append(statuses, call.At)
			}
		}
		for i := 1; i < len(asked); i++ {
			age, gap := asked[i-1].Sub(got.CreatedAt), asked[i].Sub(asked[i-1])
			shortest, longest := 2*time.Second, 3500*time.Millisecond
			if age >= 2*time.Minute {
				pause := min(0.5*math.Sqrt(age.Seconds()), 15)
				shortest, longest = time.Duration(0.9*pause*1e9), time.Duration(1.1*pause*1e9)
			}
			for _, end := range []time.Time{got.ExpiresAt, grace} {
				if asked[i-1].Before(end) && !asked[i].Before(end) {
					shortest = 0 // that moment is not passed over
				}
			}
			if gap < shortest || gap > longest+turn {
				t.Errorf("asked %s after the last time, at the age of %s; want %s to %s", gap, age, shortest, longest)
			}
		}
		// 120 s / 2.75 s, then 4·(√900 − √120), then a call in 15 s until 25 minutes.
		if n := len(asked); n < 150 || n > 175 {
			t.Errorf("asked %d times, want about 160", n)
		}
		want := []time.Time{got.CreatedAt, got.ExpiresAt, grace}
		if !slices.EqualFunc(statuses, want, func(a, b time.Time) bool { return !a.Before(b) && a.Sub(b) <= turn }) {
			t.Errorf("sms_status was asked at %s, want %s", statuses, want)
		}
		if last := asked[len(asked)-1]; last.Sub(grace) > turn {
			t.Errorf("still asked %s after the grace", last.Sub(grace))
		}
	})
}

// TestAnOutageOfTheMarketplace delays a code by no more than half a minute after it.
func TestAnOutageOfTheMarketplace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(10 * time.Second)
		w.market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		must(t, w.market.SendSMS(order.ExternalID, "5", "code 5"))
		pass(3 * time.Minute)
		w.market.ClearFaults()
		pass(40 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestTooManyRequests leaves the key alone, longer each time.
func TestTooManyRequests(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(5)
		pass(10 * time.Second)
		w.market.Fault(market.Fault{Kind: market.TooMany, Times: market.Always})
		before := w.market.Count("")
		pass(5 * time.Minute)
		if calls := w.market.Count("") - before; calls > 40 { // five numbers would be asked for 500 times
			t.Errorf("%d calls although there were too many", calls)
		}
		w.market.ClearFaults()
		before = w.market.Count("")
		pass(2 * time.Minute)
		if calls := w.market.Count("") - before; calls < 20 {
			t.Errorf("only %d calls after it was over", calls)
		}
	})
}

// TestARefusedKeyPausesItsNumbers: told once, no more calls, and the code comes
// when the marketplace takes the key again.
func TestARefusedKeyPausesItsNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(3)[0]
		pass(10 * time.Second)
		w.market.RemoveKey(annaKey.Reveal())
		pass(10 * time.Second)
		before := w.market.Count("sms_code")
		pass(5 * time.Minute)
		if calls := w.market.Count("sms_code") - before; calls > 0 {
			t.Errorf("%d calls with a refused key", calls)
		}
		if n := w.count(orders.MessageInvalidKey); n != 1 {
			t.Errorf("told %d times that the key is refused", n)
		}
		w.market.AddKey(annaKey.Reveal(), "50.00", "USD")
		must(t, w.market.SendSMS(order.ExternalID, "4", "code 4"))
		pass(time.Hour) // the sweep tries it
		if got, want := w.codes(), []string{"4|code 4"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// TestANumberAfterARestart: another process goes on where the first one ended.
func TestANumberAfterARestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(10 * time.Second)
		must(t, w.service.Stop(t.Context()))
		must(t, w.market.SendSMS(order.ExternalID, "6", "code 6"))
		pass(time.Minute)
		w.service = w.newService()
		w.service.Start()
		pass(5 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestRentingIsRefused: whatever stands in the way, nothing is rented and it is said.
func TestRentingIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		between func(w *world)
		reason  string
		words   string
	}{
		"none left": {
			func(w *world) { must(w.t, w.market.SetNumbers(market.ProjectTelegram, market.CountryUS, 0)) },
			orders.ReasonRefused, "No numbers available",
		},
		"project gone": {
			func(w *world) { must(w.t, w.market.RemoveProject(market.ProjectTelegram)) }, orders.ReasonGone, "",
		},
		"balance gone": {
			func(w *world) { must(w.t, w.market.SetBalance(annaKey.Reveal(), "0.50")) }, orders.ReasonBalance, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				draft := w.draftNumbers(telegramUS, 1)
				test.between(w)
				outcome := w.confirm(draft)
				if outcome.Result != orders.Rejected || outcome.Purchase.Reason != test.reason || outcome.Purchase.Refusal != test.words {
					t.Errorf("came to %v, %q, %q", outcome.Result, outcome.Purchase.Reason, outcome.Purchase.Refusal)
				}
				if len(w.market.Numbers()) > 0 {
					t.Error("a number was rented")
				}
			})
		})
	}
}

func TestNumbersThatCantBeDrafted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, quantity := range []int64{0, -1, 11} {
			_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: telegramUS, Quantity: quantity})
			var amount *orders.LimitError
			if !errors.As(err, &amount) || amount.Max != orders.MaxRentals {
				t.Errorf("%d numbers: %v", quantity, err)
			}
		}
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: storage.Rental{Project: "gone", Country: "us"}, Quantity: 1})
		if !errors.Is(err, orders.ErrDelisted) {
			t.Errorf("a project that is gone: %v, want ErrGone", err)
		}
	})
}

func TestADearerNumberIsAskedForAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		draft := w.draftNumbers(telegramUS, 2)
		must(t, w.market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.20"))
		outcome := w.confirm(draft)
		if outcome.Result != orders.Redrawn || outcome.Quote.Purchase.Total().String() != "2.4" {
			t.Errorf("came to %v at %s", outcome.Result, outcome.Quote.Purchase.Total())
		}
		if n := w.market.Count("add_sms"); n != 0 {
			t.Errorf("%d requests to rent", n)
		}
	})
}

// TestTheSameNumberAgain is rented through a card like any other, and refused
// while it is still rented.
func TestTheSameNumberAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		again := order.Rental
		pass(time.Second)
		outcome := w.confirm(w.draftNumbers(again, 1))
		if outcome.Result != orders.Rejected || outcome.Purchase.Refusal != "This phone number can not be reused" {
			t.Errorf("while it waits: %v, %q", outcome.Result, outcome.Purchase.Refusal)
		}
		must(t, w.market.SendSMS(order.ExternalID, "1", "code 1"))
		pass(10 * time.Second)
		outcome = w.confirm(w.draftNumbers(again, 1))
		if outcome.Result != orders.Placed || outcome.Orders[0].Rental.Phone != order.Rental.Phone || outcome.Orders[0].ExternalID == order.ExternalID {
			t.Errorf("after its code: %v, %+v", outcome.Result, outcome.Orders)
		}
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: again, Quantity: 1})
		must(t, err)
		if !quote.Estimate || quote.Blocked() {
			t.Errorf("its price is an estimate that blocks nothing: %+v", quote)
		}
	})
}

// TestUnknownNumbers: what the balance tells, also when fewer were given, and
// one number after the other is adopted.
func TestUnknownNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.SetNumbers(market.ProjectTelegram, market.CountryUS, 2))
		draft := w.draftNumbers(telegramUS, 3)
		w.market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		if outcome := w.confirm(draft); outcome.Result != orders.Unknown {
			t.Fatalf("came to %v", outcome.Result)
		}
		pass(time.Minute)
		evidence, err := w.service.Evidence(t.Context(), anna, draft.ID)
		must(t, err)
		if evidence.Verdict != storage.VerdictBought {
			t.Errorf("two of three were charged, and the verdict is %q", evidence.Verdict)
		}
		for i, number := range w.market.Numbers() {
			found, err := w.service.LookUp(t.Context(), anna, draft.ID, number.Number)
			must(t, err)
			if found.Order.Rental.Phone != number.Phone {
				t.Errorf("found %q, want %q", found.Order.Rental.Phone, number.Phone)
			}
			_, err = w.service.Adopt(t.Context(), anna, draft.ID, number.Number)
			must(t, err)
			missing, err := w.service.CountMissing(t.Context(), anna, draft.ID)
			must(t, err)
			if want := int64(2 - i); missing != want {
				t.Errorf("%d missing, want %d", missing, want)
			}
			if _, err := w.service.Adopt(t.Context(), anna, draft.ID, number.Number); !errors.Is(err, storage.ErrExternalIDTaken) {
				t.Errorf("adopted twice: %v", err)
			}
		}
		must(t, w.market.SendSMS(w.market.Numbers()[1].Number, "8", "code 8"))
		pass(10 * time.Second)
		if len(w.codes()) != 1 || w.count(orders.MessageNumber) != 2 {
			t.Errorf("codes %q, told %q", w.codes(), w.told())
		}
		if n := w.market.Count("add_sms"); n != 1 {
			t.Errorf("%d requests to rent", n)
		}
	})
}

// TestNumbersAreAdoptedUntilNoneIsMissing: then nothing is unknown any more.
func TestNumbersAreAdoptedUntilNoneIsMissing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		draft := w.draftNumbers(telegramUS, 2)
		w.market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		if outcome := w.confirm(draft); outcome.Result != orders.Unknown {
			t.Fatalf("came to %v", outcome.Result)
		}
		for _, number := range w.market.Numbers() {
			_, err := w.service.Adopt(t.Context(), anna, draft.ID, number.Number)
			must(t, err)
		}
		missing, err := w.service.CountMissing(t.Context(), anna, draft.ID)
		must(t, err)
		if missing != 0 {
			t.Errorf("%d missing, want none", missing)
		}
		other := w.rent(1)[0].ExternalID // an order of the same key that is a third one
		for what, do := range map[string]func() error{
			"looking up": func() error { _, err := w.service.LookUp(t.Context(), anna, draft.ID, other); return err },
			"adopting":   func() error { _, err := w.service.Adopt(t.Context(), anna, draft.ID, other); return err },
			"dismissing": func() error { return w.service.Dismiss(t.Context(), anna, draft.ID) },
		} {
			if err := do(); !errors.Is(err, orders.ErrOutcomeKnown) {
				t.Errorf("%s: %v, want ErrNotUnknown", what, err)
			}
		}
		outcome := w.confirm(draft)
		if outcome.Result != orders.Placed || len(outcome.Orders) != 2 {
			t.Errorf("the tap comes to %v with %d orders", outcome.Result, len(outcome.Orders))
		}
	})
}

// TestANumberWithoutAnEndIsGivenUp a day after it was rented, and that is told.
func TestANumberWithoutAnEndIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		must(t, w.market.SetExpiry(order.ExternalID, time.Time{}))
		pass(5 * time.Second)
		must(t, w.service.Stop(t.Context())) // a day of polls would take a while
		pass(24 * time.Hour)
		w.service = w.newService()
		w.service.Start()
		pass(time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderStale || got.Open() {
			t.Errorf("the order is %s, open: %v", got.State, got.Open())
		}
		if n := w.count(orders.MessageEnded); n != 1 {
			t.Errorf("told %d times", n)
		}
		must(t, w.market.SendSMS(order.ExternalID, "2", "code 2"))
		_, err := w.service.Refresh(t.Context(), anna, order.ID)
		must(t, err)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q after a person has asked", w.codes())
		}
	})
}

// TestNumbersAndOrdersAreCountedApart: the same number may be both.
func TestNumbersAndOrdersAreCountedApart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 1)
		for kind, want := range map[storage.Kind]bool{storage.KindProduct: true, storage.KindSMM: true, storage.KindSMS: false} {
			taken, err := w.db.ExternalIDTaken(t.Context(), anna, kind, order.ExternalID)
			must(t, err)
			if taken != want {
				t.Errorf("as %s: taken is %v, want %v", kind, taken, want)
			}
		}
	})
}

// TestACodeOvertakesNumbers: it does not wait until ten messages have gone out.
func TestACodeOvertakesNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sending = func(message storage.Message) error {
			if message.Kind == orders.MessageNumber {
				w.mu.Unlock()
				time.Sleep(5 * time.Second) // as Telegram's pace has it
				w.mu.Lock()
			}
			return nil
		}
		rented := w.rent(10)
		pass(3 * time.Second)
		must(t, w.market.SendSMS(rented[0].ExternalID, "9", "code 9"))
		pass(2 * time.Minute)
		told := w.told()
		told = slices.DeleteFunc(told, func(kind string) bool { return kind == orders.MessageRedraw })
		if at := slices.Index(told, orders.MessageCode); at < 0 || at > 3 {
			t.Errorf("the code is number %d: %q", at, told)
		}
		if n := w.count(orders.MessageNumber); n != 10 {
			t.Errorf("%d numbers arrived", n)
		}
	})
}
