package handlers_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// TestMyDataContainsNoSecrets: the file contains what is stored of the person, without
// keys and goods.
func TestMyDataContainsNoSecrets(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyWithEmail("anna@example.com")
		w.types("/sms")
		w.types("an")
		w.saveNumber()
		w.types("/help")
		w.tap("mydata_button")
		file := w.file()
		var data struct {
			Profile struct {
				TelegramID int64  `json:"telegram_id"`
				FirstName  string `json:"first_name"`
			} `json:"profile"`
			Keys []struct {
				Key string `json:"key"`
			} `json:"api_keys"`
			Orders []struct {
				Number    string `json:"number"`
				Link      string `json:"link_or_email"`
				Charge    string `json:"charge"`
				Category  string `json:"category"`
				Delivered string `json:"last_delivered"`
				Told      string `json:"last_told"`
			} `json:"orders"`
			Searches []struct {
				Words string `json:"words"`
			} `json:"searches"`
			Numbers []struct {
				Project string `json:"project"`
				Country string `json:"country"`
				Name    string `json:"name"`
			} `json:"saved_numbers"`
		}
		must(w.T, json.Unmarshal([]byte(file), &data))
		if data.Profile.TelegramID != anna.ID || data.Profile.FirstName != "Anna" || len(data.Keys) != 1 || !strings.HasSuffix(data.Keys[0].Key, "6789") ||
			len(data.Orders) != 1 || data.Orders[0].Number != "23501" || data.Orders[0].Link != "anna@example.com" || data.Orders[0].Charge != "1.25" ||
			data.Orders[0].Category != "Accounts-Email" || data.Orders[0].Delivered == "" || data.Orders[0].Told == "" ||
			len(data.Searches) != 1 || data.Searches[0].Words != "an" ||
			len(data.Numbers) != 1 || data.Numbers[0].Project != market.ProjectTelegram || data.Numbers[0].Country != indonesia || data.Numbers[0].Name != "Telegram" {
			w.T.Errorf("the file is %s", file)
		}
		for _, secret := range append(w.Market.Orders()[0].Accounts, annaKey) {
			if strings.Contains(file, secret) {
				w.T.Errorf("the file contains %q", secret)
			}
		}
	})
}

// forget deletes the person's data.
func (w *world) forget() {
	w.T.Helper()
	w.types("/forget")
	w.tap("forget_button")
	w.tap("forget_button")
}

// TestMyDataOfAllowance: the file has the allowance and the shown prices, and nothing of the
// operator's account.
func TestMyDataOfAllowance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		ctx := w.T.Context()
		terms := storage.AllowanceTerms{Amount: decimal.NewFromInt(20), Currency: "USD", Monthly: true, Markup: decimal.NewFromInt(10)}
		_, err := w.app.DB.GiveAllowance(ctx, anna.ID, terms, storage.AuditEntry{AdminID: adminID, At: time.Now()})
		must(w.T, err)
		quote, err := w.app.Orders.Draft(ctx, orders.Intent{UserID: anna.ID, Item: hstock.Item{Service: market.GmailUSA, EntityType: hstock.EntityProduct}, Quantity: 2})
		must(w.T, err)
		_, err = w.app.Orders.Confirm(ctx, anna.ID, quote.Purchase.ID, "en")
		must(w.T, err)
		pass(10 * time.Second)
		w.types("/help")
		w.says("1. " + w.l.T("allowance_key_none"))
		w.tap("mydata_button")
		file := w.file()
		for _, want := range []string{`"amount": "20.00"`, `"available": "17.25`, `"price_shown": "2.75`, `"charged": "2.75`, `"api_keys": []`} {
			if !strings.Contains(file, want) {
				w.T.Errorf("the file lacks %s", want)
			}
		}
		for _, secret := range []string{"canary", "1.25", "2.50", `"2.5"`, `"10"`, `"100`, "97.5"} {
			if strings.Contains(file, secret) {
				w.T.Errorf("the file has %s", secret)
			}
		}
		if w.T.Failed() {
			w.T.Log(file)
		}
		w.types("3 | | 1")
		w.types("/forget")
		for range 2 { // the list, and the question
			w.says("• Allowance: $17.25")
			w.says(w.l.N("forget_basket", 1))
			w.tap("forget_button")
		}
	})
}

// TestForgetSaysWhatBecomesOfOpenOrders: only a person's own account on HStockPlus has
// what is still to come.
func TestForgetSaysWhatBecomesOfOpenOrders(t *testing.T) {
	for _, c := range []struct {
		name           string
		own, allowance bool
	}{{"own", true, false}, {"allowance", false, true}, {"both", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				must(w.T, w.Market.Hold(market.GmailUSA, true))
				if c.allowance {
					w.gives(anna, "20")
					w.buy("2", "1")
				}
				if c.own {
					w.withKey(annaKey)
					w.buy("2", "2")
				}
				w.types("/forget")
				w.tap("forget_button")
				question := w.chat.Last().Text
				for id, want := range map[string]bool{"forget_open_own": c.own, "forget_open_allowance": c.allowance} {
					if strings.Contains(question, w.l.T(id)) != want {
						w.T.Errorf("it says %q: %v, want %v:\n%s", w.l.T(id), !want, want, question)
					}
				}
			})
		})
	}
}

func TestForgetDeletesEverything(t *testing.T) {
	inEnglish(t, "forget", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "1")
		w.types("/sms")
		w.types("an") // a search
		w.saveNumber()
		w.types("/help")
		w.tap("forget_button_open")
		w.tap("mydata_button")
		w.types("/forget")
		w.tap("forget_button")
		w.tap("nav_button_back")
		w.tap("forget_button")
		w.tap("forget_button")
		must(w.T, w.Market.Finish(market.FirstOrder)) // without a message to anyone
		pass(time.Hour)
		w.types("hello?")
		w.types("/orders")
		w.types("/key")
		w.wantNothingOf(anna.ID, "Anna", annaKey)
	})
}

// wantNothingOf fails if a column of any table still contains the person's id, name,
// key or sealed data. The person may have written again since.
func (w *world) wantNothingOf(id int64, name, key string) {
	w.T.Helper()
	for _, table := range w.Tables() {
		if table == "users" || table == "inbox" || table == "dialogs" { // these have the new message
			continue
		}
		for column, values := range w.Columns(table) {
			for _, value := range values {
				switch {
				case value == "":
				case value == strconv.FormatInt(id, 10), strings.Contains(value, name), strings.Contains(value, key):
					w.T.Errorf("%s.%s still contains %q", table, column, value)
				case strings.HasSuffix(column, "_sealed"):
					w.T.Errorf("%s.%s still contains sealed data", table, column)
				case column == "key_fingerprint" || column == "fingerprint":
					w.T.Errorf("%s.%s still identifies the key", table, column)
				}
			}
		}
	}
	var kept []string
	w.Select(&kept, `SELECT name || ' ' || quantity || ' ' || state FROM orders`)
	if len(kept) != 1 || !strings.HasPrefix(kept[0], "Gmail") || !strings.HasSuffix(kept[0], " 1 stale") {
		w.T.Errorf("the remaining orders are %q", kept)
	}
}

// TestForgetIsRefusedDuringPurchase: nothing is deleted while a purchase is in flight.
func TestForgetIsRefusedDuringPurchase(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		p := w.draftOf(w.chat.Last())
		now := time.Now()
		claimed, err := w.app.DB.ClaimPurchase(w.T.Context(), anna.ID, p, "another process", now, now.Add(time.Minute))
		must(w.T, err)
		if !claimed {
			w.T.Fatal("not claimed")
		}
		w.types("/forget")
		w.tap("forget_button")
		w.forge(w.chat, w.chat.Last().ID, keyboards.ForgetSure.Data(keyboards.ForgetArgs{}))
		if n := strings.Count(w.chat.Transcript(), w.l.T("forget_on_its_way")); n != 2 {
			w.T.Errorf("the refusal was shown %d times, want 2:\n%s", n, w.chat.Transcript())
		}
		if _, err := w.app.DB.ActiveKey(w.T.Context(), anna.ID); err != nil {
			w.T.Errorf("the key is gone: %v", err)
		}
		pass(2 * time.Minute) // the claim is over
		w.forget()
		w.says(w.l.T("forget_done"))
	})
}

// draftOf is the id of a confirm card's purchase.
func (w *world) draftOf(card telegram.Message) int64 {
	w.T.Helper()
	_, id, _ := strings.Cut(buttonData(card, w.l.Label("confirm_button_confirm")), ":")
	n, err := strconv.ParseInt(id, 36, 64)
	must(w.T, err)
	return n
}

func TestForgetWarnsOfUnknownOutcome(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.types("/forget")
		w.tap("forget_button")
		w.says(w.l.N("forget_unresolved", 1))
	})
}

// TestForgetAsksAgainAboutNewOrders: the answer to an old question, which did not name
// the newer orders, deletes nothing.
func TestForgetAsksAgainAboutNewOrders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.types("/forget")
		w.tap("forget_button")
		old := w.chat.Last()
		w.buy("2", "1")
		pass(time.Minute)
		w.forge(w.chat, old.ID, buttonData(old, w.l.Label("forget_button")))
		if _, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, idOf(market.FirstOrder)); err != nil {
			w.T.Fatalf("the order was deleted by a question that did not name it: %v\n%s", err, w.chat.Transcript())
		}
		w.types("/forget")
		w.tap("forget_button")
		w.says("#23501")
		w.tap("forget_button")
		w.says(w.l.T("forget_done"))
	})
}

// TestForgetKeepsDataOfOthers: also if two people share a key.
func TestForgetKeepsDataOfOthers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		var before string
		w.as(bob, func() {
			w.withKey(annaKey)
			before = w.snapshot()
			w.forget()
			w.says(w.l.T("forget_done"))
		})
		if after := w.snapshot(); after != before {
			w.T.Errorf("Anna's data is now\n%s\nwas\n%s", after, before)
		}
		if _, err := w.app.DB.ActiveKey(w.T.Context(), bob.ID); err == nil {
			w.T.Error("Bob's key is still stored")
		}
	})
}
