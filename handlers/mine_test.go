package handlers_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// The transcripts of one's orders as a whole and of one's own data.

// buys one thing with nothing else to say.
func (w *world) buy(service, quantity string) {
	w.T.Helper()
	w.open(service)
	w.tapLabel(quantity)
	w.tap("order_button_skip")
	w.tap("confirm_button_confirm")
}

// list opens the list of orders at a filter.
func (w *world) list(filter string) {
	w.T.Helper()
	w.types("/orders")
	w.tap(filter)
}

func (w *world) wantCancels(n int) {
	w.T.Helper()
	if got := w.Market.Count("cancel"); got != n {
		w.T.Errorf("%d requests to cancel reached the marketplace, want %d", got, n)
	}
}

func TestCancelAndRefund(t *testing.T) {
	inBoth(t, "cancel_refund", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(170 * time.Second)
		w.buy("2", "5")
		pass(time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(70 * time.Second)
		w.tapLike(w.l.Label("nav_button_refresh")) // from here on the watcher asks once a minute
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund") // too early
		w.tap("cancel_button_remind")
		w.restart() // the reminder outlives it
		pass(35 * time.Second)
		w.tap("cancel_button_refund")
		w.tap("cancel_button_keep")
		w.tap("cancel_button_refund")
		must(w.T, w.Market.Deliver(market.FirstOrder, 2)) // between question and tap
		w.tap("cancel_button_sure")
		pass(time.Minute)
		w.wantCancels(1)
	})
}

// TestEligibleAfterAsItCame: a time that is over, or can't be read, is shown as the
// marketplace says it, and nobody is reminded of it.
func TestEligibleAfterAsItCame(t *testing.T) {
	for _, word := range []string{"1999-12-31T23:59:59.000Z", "when it is done", "2030"} {
		inWorld(t, "en", func(w *world) {
			w.withKey(annaKey)
			must(w.T, w.Market.Hold(market.GmailUSA, true))
			w.Market.SetCancelAfter(10 * time.Minute)
			w.buy("2", "1")
			w.list("orders_button_open")
			w.tapLike("#23501")
			w.tap("cancel_button_refund")
			screen := w.anna.Last()
			w.Market.SetEligibleWord(word)
			w.tap("cancel_button_refund")
			w.says("You can cancel it after " + word + ".")
			if data := buttonData(w.anna.Last(), w.l.Label("cancel_button_remind")); data != "" {
				w.T.Errorf("%q: a reminder is offered:\n%s", word, w.anna.Transcript())
			}
			w.anna.TapData(screen.ID, buttonData(screen, w.l.Label("cancel_button_remind")))
			pass(time.Second)
			if at, err := w.app.DB.ReminderOf(w.T.Context(), anna.ID, w.orderID(market.FirstOrder)); err != nil || !at.IsZero() {
				w.T.Errorf("%q: reminded at %v, %v", word, at, err)
			}
		})
	}
}

func (w *world) orderID(number int64) int64 {
	w.T.Helper()
	order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, number)
	must(w.T, err)
	return order.ID
}

// TestARemindersOrderHasEnded: then there is nothing to be reminded of.
func TestARemindersOrderHasEnded(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(10 * time.Minute)
		w.buy("2", "1")
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.tap("cancel_button_remind")
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Hour)
		if text := w.anna.Transcript(); strings.Contains(text, "can be cancelled now") {
			w.T.Errorf("reminded of an order that was delivered:\n%s", text)
		}
	})
}

// TestAReminderBehindACode, as one that was held for somebody who could not be
// reached: it says what came of the number.
func TestAReminderBehindACode(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "40312"))
		pass(5 * time.Second)
		must(w.T, w.app.DB.AddMessage(w.T.Context(), storage.Message{
			UserID: anna.ID, OrderID: w.orderID(market.FirstOrder), Kind: "reminder", CreatedAt: time.Now(),
		}))
		pass(time.Minute)
		if text := w.anna.Transcript(); strings.Contains(text, "can be cancelled now") {
			w.T.Errorf("reminded of a number whose code has come:\n%s", text)
		}
	})
}

func TestCancelAllThatCanBe(t *testing.T) {
	inBoth(t, "cancel_all", func(w *world) {
		w.Market.AddKey(poorKey, "50.00", "EUR")
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("2", "2")
		w.buy("3", "1")
		w.rent("1")
		w.withKey(poorKey)
		w.buy("2", "1")
		pass(10 * time.Second)
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.tap("cancel_all_button_keep")
		w.tap("orders_button_cancel_all")
		must(w.T, w.Market.Finish(market.FirstOrder+1)) // what can be cancelled has changed
		w.tap("cancel_all_button_sure")
		w.wantCancels(0)
		w.Market.Fault(market.Fault{Action: "cancel", Key: poorKey, Kind: market.Refuse, Message: "Please ask support"})
		w.tap("cancel_all_button_sure")
		pass(time.Minute)
		w.wantCancels(2) // one for each key
	})
}

// TestCancelAllLosesItsAnswer: the orders' states tell, and nothing is sent twice.
func TestCancelAllLosesItsAnswer(t *testing.T) {
	inBoth(t, "cancel_all_lost", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "2")
		w.buy("2", "1")
		pass(10 * time.Second)
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		w.tap("cancel_all_button_sure")
		pass(30 * time.Second)
		w.tap("nav_button_back")
		w.tap("orders_button_cancel_all")
		w.wantCancels(1)
	})
}

// TestCancelAllOfMany: 130 orders are two requests, and a file tells of each.
func TestCancelAllOfMany(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Market.AddKey(annaKey, "1000.00", "USD")
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		must(w.T, w.Market.SetStock(market.GmailUSA, 1000))
		w.buy("2", "1")
		given := []storage.Placement{}
		client := w.Client()
		for range 129 {
			number, err := client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
			must(w.T, err)
			given = append(given, storage.Placement{ExternalID: number})
		}
		w.place(given)
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.says("Cancel 130 open orders?")
		w.says("$162.50") // of 1.25 each
		w.tap("cancel_all_button_sure")
		pass(time.Minute)
		w.wantCancels(2)
		file := w.anna.Last().Document
		if file == nil {
			w.T.Fatalf("no file arrived:\n%s", w.anna.Transcript())
		}
		if n := bytes.Count(file.Data, []byte("cancelled · charged $0.00\n")); n != 130 {
			w.T.Errorf("the file tells of %d cancelled orders:\n%s", n, file.Data)
		}
		w.says("Cancelled 130 of 130")
	})
}

// place stores orders of Anna's key as if she had bought them through the bot.
func (w *world) place(given []storage.Placement) {
	w.T.Helper()
	ctx := w.T.Context()
	key, err := w.app.DB.ActiveKey(ctx, anna.ID)
	must(w.T, err)
	now := time.Now()
	p, err := w.app.DB.InsertDraft(ctx, storage.Purchase{
		UserID: anna.ID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: storage.KindProduct, Service: market.GmailUSA, Name: "Gmail, \"USA\"", Quantity: 1,
		RatePer: 1, Currency: "USD", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}, 0)
	must(w.T, err)
	claimed, err := w.app.DB.ClaimPurchase(ctx, anna.ID, p.ID, "test", now, now.Add(time.Minute))
	must(w.T, err)
	sending, err := w.app.DB.StartSending(ctx, p.ID, "test", storage.Terms{Currency: "USD"}, now, now.Add(time.Minute))
	must(w.T, err)
	_, placed, err := w.app.DB.PlacePurchase(ctx, p, given, now, now.Add(time.Hour), func(storage.Order) []storage.Message { return nil })
	must(w.T, err)
	if !claimed || !sending || !placed {
		w.T.Fatal("the orders were not placed")
	}
}

func TestTakingIn(t *testing.T) {
	inBoth(t, "elsewhere", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		client := w.Client()
		_, err := client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 3})
		must(w.T, err)
		_, err = client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: 1, Quantity: 1000, Link: "https://instagram.com/anna"})
		must(w.T, err)
		_, err = client.AddSMS(w.T.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		must(w.T, err)
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		w.types("/orders 999999")
		w.types("/orders 23501")
		w.tap("elsewhere_button_no")
		w.types("#23501")
		w.tap("elsewhere_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Minute)
		w.types("23502")
		w.tap("elsewhere_button_yes")
		w.types("23503")
		w.tap("elsewhere_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+2, "424242"))
		pass(10 * time.Second)
		w.types("23503") // it is here by now
		w.types("/orders")
		w.types("/balance") // nothing of it was spent through the bot
	})
}

// TestTakingInWhatIsSomebodyElses gets the same answer as what does not exist, and
// a button for it takes nothing in.
func TestTakingInWhatIsSomebodyElses(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buy("2", "1")
		pass(10 * time.Second)
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		for _, text := range []string{"/orders 23501", "/orders 99999"} { // without a key
			mallory.Type(text)
			pass(time.Second)
			if answer := mallory.Last().Text; !strings.HasPrefix(answer, "🔑") {
				w.T.Errorf("%q without a key: %q", text, answer)
			}
		}
		mallory.Type("/key " + poorKey)
		pass(time.Second)
		for _, text := range []string{"/orders 23501", "/orders 99999", "#23501", "#99999"} {
			mallory.Type(text)
			pass(time.Second)
			if answer := mallory.Last().Text; answer != w.l.T("elsewhere_none") {
				w.T.Errorf("%q: %q", text, answer)
			}
		}
		for _, number := range []int64{23501, 99999, -1, 0} {
			mallory.TapData(1, keyboards.ExternalImport.Data(keyboards.ExternalArgs{ExternalID: number}))
			pass(time.Second)
			if answer := mallory.Last().Text; answer != w.l.T("elsewhere_none") {
				w.T.Errorf("taking in %d: %q", number, answer)
			}
		}
		if n, err := w.app.DB.CountOrders(w.T.Context(), 6666, storage.FilterAll); err != nil || n != 0 {
			w.T.Errorf("Mallory has %d orders, %v", n, err)
		}
	})
}

// TestTakingInTwice: two taps, one order; and what nobody knows can't be repeated.
func TestTakingInTwice(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		client := w.Client()
		_, err := client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 2})
		must(w.T, err)
		w.types("23501")
		must(w.T, w.anna.TapOn(w.anna.Last().ID, w.l.Label("elsewhere_button_yes")))
		must(w.T, w.anna.RepeatTap())
		pass(10 * time.Second)
		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, market.FirstOrder)
		must(w.T, err)
		if n, err := w.app.DB.CountOrders(w.T.Context(), anna.ID, storage.FilterAll); err != nil || n != 1 {
			w.T.Errorf("%d orders, %v", n, err)
		}
		arrived := 0
		for _, m := range w.anna.Messages() {
			if strings.Contains(m.Text, w.Market.Orders()[0].Accounts[0]) {
				arrived++
			}
		}
		if arrived != 1 {
			w.T.Errorf("the goods arrived %d times", arrived)
		}
		if strings.Contains(w.anna.Transcript(), w.l.Label("order_button_again")) {
			w.T.Errorf("it is offered to order it again:\n%s", w.anna.Transcript())
		}
		for _, data := range []string{
			keyboards.OrderIt.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}), keyboards.Again.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
			keyboards.PhoneAgain.Data(keyboards.OrderRef{Order: order.ID}), keyboards.PhoneAnother.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.Confirm.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
		} {
			w.anna.TapData(1, data)
			pass(5 * time.Second)
		}
		w.wantAdds(1) // the one elsewhere
	})
}

func TestExport(t *testing.T) {
	inBoth(t, "export", func(w *world) {
		w.withKey(annaKey)
		w.types("/orders")
		w.buy("2", "1")
		pass(10 * time.Second)
		w.types("23501")
		w.tap("nav_button_refresh")
		w.types("/orders")
		w.tap("orders_button_export")
	})
}

// TestExportTellsNoSecrets: no goods, no links, no addresses, no phone numbers.
func TestExportTellsNoSecrets(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		w.types("anna@example.com")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.rent("1")
		w.types("/orders")
		w.tap("orders_button_export")
		rows := w.table()
		if len(rows) != 3 || rows[1][0] != "23502" || rows[1][3] != "United States" || rows[2][0] != "23501" || rows[2][7] != "1.25" {
			w.T.Errorf("the table is %q", rows)
		}
		for _, secret := range []string{w.first().Phone[1:], w.Market.Orders()[0].Accounts[0], "anna@"} {
			if bytes.Contains(w.anna.Last().Document.Data, []byte(secret)) {
				w.T.Errorf("the table holds %q", secret)
			}
		}
	})
}

// table reads the file that arrived last.
func (w *world) table() [][]string {
	w.T.Helper()
	file := w.anna.Last().Document
	if file == nil {
		w.T.Fatalf("no file arrived:\n%s", w.anna.Transcript())
	}
	text, marked := strings.CutPrefix(string(file.Data), "\ufeff")
	if !marked {
		w.T.Errorf("the file begins with %q", text[:min(len(text), 10)])
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(w.T, err)
	return rows
}

// TestExportOfTenThousand: every order is in the file once, newest first.
func TestExportOfTenThousand(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		given := make([]storage.Placement, 10_000)
		for i := range given {
			given[i].ExternalID = int64(700_000 + i)
		}
		w.place(given)
		w.types("/orders")
		w.tap("orders_button_export")
		pass(10 * time.Second)
		rows := w.table()
		if len(rows) != 10_001 {
			w.T.Fatalf("%d rows", len(rows))
		}
		for i, row := range rows[1:] {
			if row[0] != strconv.Itoa(700_000+9_999-i) || row[2] != "Gmail, \"USA\"" {
				w.T.Fatalf("row %d is %q", i, row)
			}
		}
		w.says("10,000 orders")
	})
}

func TestForget(t *testing.T) {
	inBoth(t, "forget", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "1")
		w.types("/sms")
		w.types("an") // a search
		w.types("/help")
		w.tap("forget_button_open")
		w.tap("mydata_button")
		w.types("/forget")
		w.tap("forget_button")
		w.tap("nav_button_back")
		w.tap("forget_button")
		w.tap("forget_button")
		must(w.T, w.Market.Finish(market.FirstOrder)) // nobody hears of it
		pass(time.Hour)
		w.types("hello?")
		w.types("/orders")
		w.types("/key")
		w.wantNothingOf(anna.ID, "Anna", annaKey)
	})
}

// wantNothingOf looks for a person, who has written again since, in every column
// of every table.
func (w *world) wantNothingOf(id int64, name, key string) {
	w.T.Helper()
	w.readDB(func(db *sqlx.DB) {
		var tables []string
		must(w.T, db.Select(&tables, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('goose_db_version', 'sqlite_sequence')`))
		for _, table := range tables {
			if table == "users" || table == "inbox" || table == "dialogs" { // of those who write
				continue
			}
			var columns []string
			must(w.T, db.Select(&columns, `SELECT name FROM pragma_table_info(?)`, table))
			for _, column := range columns {
				var values []string
				must(w.T, db.Select(&values, `SELECT `+column+` FROM `+table+` WHERE `+column+` IS NOT NULL AND `+column+` <> ''`))
				for _, value := range values {
					switch {
					case value == strconv.FormatInt(id, 10), strings.Contains(value, name), strings.Contains(value, key):
						w.T.Errorf("%s.%s still holds %q", table, column, value)
					case strings.HasSuffix(column, "_sealed"):
						w.T.Errorf("%s.%s still holds something sealed", table, column)
					case column == "key_fingerprint" || column == "fingerprint":
						w.T.Errorf("%s.%s still tells the key", table, column)
					}
				}
			}
		}
		var kept []string
		must(w.T, db.Select(&kept, `SELECT name || ' ' || quantity || ' ' || state FROM orders`))
		if len(kept) != 1 || !strings.HasPrefix(kept[0], "Gmail") || !strings.HasSuffix(kept[0], " 1 stale") {
			w.T.Errorf("the figures of the shop are %q", kept)
		}
	})
}

// TestForgetWaitsForAPurchase that is on its way: nothing is deleted.
func TestForgetWaitsForAPurchase(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		p := w.draftOf(w.anna.Last())
		now := time.Now()
		claimed, err := w.app.DB.ClaimPurchase(w.T.Context(), anna.ID, p, "another process", now, now.Add(time.Minute))
		must(w.T, err)
		if !claimed {
			w.T.Fatal("not claimed")
		}
		w.types("/forget")
		w.tap("forget_button")
		w.anna.TapData(w.anna.Last().ID, keyboards.ForgetSure.Data(keyboards.ForgetArgs{}))
		pass(time.Second)
		if n := strings.Count(w.anna.Transcript(), w.l.T("forget_on_its_way")); n != 2 {
			w.T.Errorf("it is said %d times that an order is on its way:\n%s", n, w.anna.Transcript())
		}
		if _, err := w.app.DB.ActiveKey(w.T.Context(), anna.ID); err != nil {
			w.T.Errorf("the key is gone: %v", err)
		}
		pass(2 * time.Minute) // the claim is over
		w.types("/forget")
		w.tap("forget_button")
		w.tap("forget_button")
		w.says(w.l.T("forget_done"))
	})
}

// draftOf is the purchase of a confirm card.
func (w *world) draftOf(card telegram.Message) int64 {
	w.T.Helper()
	_, id, _ := strings.Cut(buttonData(card, w.l.Label("confirm_button_confirm")), ":")
	n, err := strconv.ParseInt(id, 36, 64)
	must(w.T, err)
	return n
}

// TestForgetWarns of what is unknown, and of what has not arrived.
func TestForgetWarns(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.types("/forget")
		w.tap("forget_button")
		w.says(w.l.N("forget_unknown", 1))
	})
}

// TestForgetAsksAgain where an old question did not name what would be lost by now.
func TestForgetAsksAgain(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.types("/forget")
		w.tap("forget_button")
		old := w.anna.Last()
		w.buy("2", "1")
		pass(time.Minute)
		w.anna.TapData(old.ID, buttonData(old, w.l.Label("forget_button")))
		pass(time.Second)
		if _, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, market.FirstOrder); err != nil {
			w.T.Fatalf("the order was deleted by a question that did not name it: %v\n%s", err, w.anna.Transcript())
		}
		w.types("/forget")
		w.tap("forget_button")
		w.says("#23501")
		w.tap("forget_button")
		w.says(w.l.T("forget_done"))
	})
}

// TestForgetTakesNobodyElsesThings, also where two people share a key.
func TestForgetTakesNobodyElsesThings(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		boris := w.Telegram.Join(telegram.Person{ID: 7777, FirstName: "Boris", LanguageCode: "en"})
		boris.Type("/key " + annaKey)
		pass(time.Second)
		before := w.kept()
		boris.TapData(1, keyboards.ForgetAsk.Data(struct{}{}))
		pass(time.Second)
		must(w.T, boris.Tap(w.l.Label("forget_button")))
		pass(time.Second)
		if after := w.kept(); after != before {
			w.T.Errorf("Anna's things are now\n%s\nwere\n%s", after, before)
		}
		if _, err := w.app.DB.ActiveKey(w.T.Context(), 7777); err == nil {
			w.T.Error("Boris's key is still there")
		}
	})
}

// TestMyData holds what is kept, and no secret beyond what the person may see.
func TestMyData(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		w.types("anna@example.com")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.types("/sms")
		w.types("an")
		w.types("/help")
		w.tap("mydata_button")
		file := w.anna.Last().Document
		if file == nil {
			w.T.Fatal("no file arrived")
		}
		var data struct {
			Profile struct {
				TelegramID int64  `json:"telegram_id"`
				FirstName  string `json:"first_name"`
			} `json:"profile"`
			Keys []struct {
				Key string `json:"key"`
			} `json:"api_keys"`
			Orders []struct {
				Number    int64  `json:"number"`
				Link      string `json:"link_or_email"`
				Charge    string `json:"charge"`
				Category  string `json:"category"`
				Delivered string `json:"last_delivered"`
				Told      string `json:"last_told"`
			} `json:"orders"`
			Searches []struct {
				Words string `json:"words"`
			} `json:"searches"`
		}
		must(w.T, json.Unmarshal(file.Data, &data))
		if data.Profile.TelegramID != anna.ID || data.Profile.FirstName != "Anna" || len(data.Keys) != 1 || !strings.HasSuffix(data.Keys[0].Key, "6789") ||
			len(data.Orders) != 1 || data.Orders[0].Number != 23501 || data.Orders[0].Link != "anna@example.com" || data.Orders[0].Charge != "1.25" ||
			data.Orders[0].Category != "Accounts-Email" || data.Orders[0].Delivered == "" || data.Orders[0].Told == "" ||
			len(data.Searches) != 1 || data.Searches[0].Words != "an" {
			w.T.Errorf("the file holds %s", file.Data)
		}
		for _, secret := range append(w.Market.Orders()[0].Accounts, annaKey) {
			if bytes.Contains(file.Data, []byte(secret)) {
				w.T.Errorf("the file holds %q", secret)
			}
		}
	})
}
