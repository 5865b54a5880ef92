package orders_test

import (
	"errors"
	"fmt"
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
			sms, err := orders.SMSOf(message)
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
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				pass(30 * time.Second)
				w.wantTold(orders.MessageRedraw, orders.MessageNumber)
				if got := w.order(order.ID); got.State != storage.OrderOpen || got.ExpiresAt.Sub(got.CreatedAt).Round(time.Second) != 20*time.Minute {
					t.Errorf("the order is %s, until %s", got.State, got.ExpiresAt)
				}
				must(t, w.market.SendSMS(order.Number, "40312", text))
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
			must(t, w.market.SendSMS(rented[i].Number, code, "SMS "+code))
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
		must(t, w.market.SendSMS(order.Number, "1111", "first 1111"))
		pass(time.Minute)
		must(t, w.market.SendSMS(order.Number, "2222", "second 2222"))
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
				must(t, w.market.SendSMS(order.Number, "7777", "late 7777"))
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
				must(t, test.end(w, order.Number))
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
			must(t, w.market.SendSMS(order.Number, "1", "code 1"))
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
			must(t, w.market.SendSMS(order.Number, "1", "code 1"))
			pass(20 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("a word never heard of", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			must(t, w.market.SetSMSStatus(order.Number, "parked"))
			pass(time.Minute)
			if got := w.order(order.ID); got.State != storage.OrderOpen || got.Word != "parked" {
				t.Errorf("the order is %s, by its word %q", got.State, got.Word)
			}
			must(t, w.market.SendSMS(order.Number, "1", "code 1"))
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
			must(t, w.market.SendSMS(order.Number, "1", "code 1"))
			pass(10 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("sms_code refuses", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			must(t, w.market.SendSMS(order.Number, "1", "code 1"))
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

// TestCadenceOfNumbers: every 2 to 3.5 s while it is young, then 0.5·√age s up to
// 15 s; sms_status at first, and at the very end.
func TestCadenceOfNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(30 * time.Minute)
		var asked []time.Time
		for _, call := range w.market.Calls() {
			if call.Action == "sms_code" {
				asked = append(asked, call.At)
			}
		}
		got := w.order(order.ID)
		for i := 1; i < len(asked); i++ {
			age, gap := asked[i-1].Sub(got.CreatedAt), asked[i].Sub(asked[i-1])
			shortest, longest := 2*time.Second, 3500*time.Millisecond
			if age >= 2*time.Minute {
				longest = 16500 * time.Millisecond // 15 s and 10 %
			}
			// A turn of the loop may be 50 ms off, and the end of the time comes early.
			if gap > longest+100*time.Millisecond || gap < shortest && asked[i].Sub(got.ExpiresAt).Abs() > 20*time.Second && asked[i].Sub(got.ExpiresAt.Add(5*time.Minute)).Abs() > 20*time.Second {
				t.Errorf("asked %s after the last time, at the age of %s", gap, age)
			}
		}
		if n := len(asked); n < 150 || n > 230 {
			t.Errorf("asked %d times", n)
		}
		statuses := w.market.Count("sms_status")
		if statuses != 3 { // at first, at the end, and for the charge of the grace's end
			t.Errorf("sms_status was asked %d times, want 3", statuses)
		}
	})
}

// TestAnOutageOfTheMarketplace delays a code by no more than half a minute after it.
func TestAnOutageOfTheMarketplace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(10 * time.Second)
		w.market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		must(t, w.market.SendSMS(order.Number, "5", "code 5"))
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

// TestANumberAfterARestart: another process goes on where the first one ended.
func TestANumberAfterARestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		pass(10 * time.Second)
		must(t, w.service.Stop(t.Context()))
		must(t, w.market.SendSMS(order.Number, "6", "code 6"))
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
			var amount *orders.AmountError
			if !errors.As(err, &amount) || amount.Max != orders.MaxNumbers {
				t.Errorf("%d numbers: %v", quantity, err)
			}
		}
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: storage.Rental{Project: "gone", Country: "us"}, Quantity: 1})
		if !errors.Is(err, orders.ErrGone) {
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
		must(t, w.market.SendSMS(order.Number, "1", "code 1"))
		pass(10 * time.Second)
		outcome = w.confirm(w.draftNumbers(again, 1))
		if outcome.Result != orders.Placed || outcome.Orders[0].Rental.Phone != order.Rental.Phone || outcome.Orders[0].Number == order.Number {
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
			missing, err := w.service.Missing(t.Context(), anna, draft.ID)
			must(t, err)
			if want := int64(2 - i); missing != want {
				t.Errorf("%d missing, want %d", missing, want)
			}
			if _, err := w.service.Adopt(t.Context(), anna, draft.ID, number.Number); !errors.Is(err, storage.ErrNumberTaken) {
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

// TestNumbersAndOrdersAreCountedApart: the same number may be both.
func TestNumbersAndOrdersAreCountedApart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 1)
		for kind, want := range map[storage.Kind]bool{storage.KindProduct: true, storage.KindSMM: true, storage.KindSMS: false} {
			taken, err := w.db.NumberTaken(t.Context(), anna, kind, order.Number)
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
		must(t, w.market.SendSMS(rented[0].Number, "9", "code 9"))
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
