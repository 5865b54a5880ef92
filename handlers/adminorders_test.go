package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

const bobKey = "canary-key-bob-01234567890"

// populateTwoPeople is populate with orders of Bob from the day before: a refunded one,
// an imported one and a delivered one. The test continues in the chat of an admin.
func (w *world) populateTwoPeople() {
	w.T.Helper()
	w.Market.AddKey(bobKey, "30.00", "EUR")
	w.as(bob, func() {
		w.withKey(bobKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		must(w.T, w.Market.Refund(market.FirstOrder))
		pass(time.Minute)
		must(w.T, w.Market.Hold(market.GmailUSA, false))
		_, err := w.Client().Add(w.T.Context(), bobKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 3})
		must(w.T, err)
		w.types("23502")
		w.tap("external_button_yes")
		w.buyGmail("1")
	})
	w.skipDays(1)
	w.populate()
	w.fixPolls()
	w.becomeAdmin()
}

func TestAdminOrders(t *testing.T) {
	inEnglish(t, "admin_orders", func(w *world) {
		w.populateTwoPeople()
		w.types("/admin")
		w.tap("adminorders_button_open")
		w.tap("orders_button_problems")
		w.tap("orders_button_all")
		w.tap("adminorders_button_category")
		w.tapLike("Email")
		w.tap("adminorders_button_day")
		w.tapLike("2000-01-01")
		w.tap("adminorders_button_person")
		w.types("who?")
		w.types("@1001")
		w.tap("adminorders_button_person_off")
		w.tap("adminorders_button_category_off")
		w.tap("adminorders_button_day_off")
		w.tap("adminorders_button_day")
		for _, day := range []string{"yesterday", "2000-02-30", "1970-01-01", "２０００-01-02"} {
			w.types(day)
		}
		w.tapLike("#23506")
		w.types("/orders @99") // without a message to the bot
		w.types("/orders @abc")
		w.types("/orders @2002")
		w.tap("menu_button_orders")
		w.tap("adminorders_button_open")
	})
}

func TestAdminOrder(t *testing.T) {
	inEnglish(t, "admin_order", func(w *world) {
		w.populateTwoPeople()
		for _, id := range []string{"23501", "23502", "#23503", "23505", "23506"} { // refunded, imported, delivered, open, a phone
			w.types("/orders " + id)
		}
		w.tap("nav_button_refresh")
		w.tap("adminorders_button_of_person")
		w.tapLike("#23505")
		w.tap("nav_button_back")
		w.types("/orders 99999")
	})
}

func TestAdminUnresolved(t *testing.T) {
	inEnglish(t, "admin_unresolved", func(w *world) {
		w.populate()
		buyer := w.chat
		w.becomeAdmin()
		w.types("/orders")
		w.tapLike("❔")
		w.tap("nav_button_back")
		pass(10 * time.Minute)
		w.tapLike("❔ Unknown")
		w.tapLike("×2")
		admin := w.chat
		w.chat = buyer
		w.tap("unresolved_button_dismiss")
		w.chat = admin
		w.tap("nav_button_refresh") // the outcome is known
		w.tap("nav_button_back")
		w.tap("nav_button_back")
	})
}

func TestAdminTotals(t *testing.T) {
	inEnglish(t, "admin_totals", func(w *world) {
		w.populateTwoPeople()
		w.types("/orders")
		w.tap("adminorders_button_totals")
		w.tap("adminorders_button_picture")
		w.tap("nav_button_back")
		w.types("/orders @2002")
		w.tap("adminorders_button_totals")
		w.types("/orders @1")
		w.skipDays(500)
		pass(time.Minute) // the alert arrives first
		w.types("/orders @2002")
		w.tap("adminorders_button_totals")
		w.tap("adminorders_button_picture")
	})
}

func TestAdminExport(t *testing.T) {
	inEnglish(t, "admin_export", func(w *world) {
		w.populateTwoPeople()
		w.types("/orders @2002")
		w.tap("orders_button_export")
		entries, _, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		must(w.T, err)
		if len(entries) != 1 || entries[0].AdminID != adminID || entries[0].Subject != bob.ID || entries[0].Detail != "3" {
			w.T.Errorf("the audit log is %+v", entries)
		}
		rows := w.exportedTable()
		if len(rows) != 4 || rows[1][len(rows[1])-2] != "2002" || rows[1][len(rows[1])-1] != "Accounts-Email" {
			w.T.Errorf("the table is %q", rows)
		}
	})
}

func TestOperatorBalance(t *testing.T) {
	inEnglish(t, "operator_balance", func(w *world) {
		w.becomeAdmin()
		w.types("/balance")
		w.withKey(operatorKey) // an admin may use it
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buyGmail("1")
		w.types("/balance")
		w.tap("balance_button_warn")
		for _, invalid := range []string{"soon", "0", "-5", "1.2.3"} {
			w.types(invalid)
		}
		w.types("$12,50")
		w.wantThreshold("12.5")
		w.tap("balance_button_warn")
		w.tap("balance_button_warn_off")
		w.wantThreshold("")
		w.tap("nav_button_refresh")
		entries, n, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		must(w.T, err)
		if n != 2 || entries[1].Detail != "12.5" || entries[0].Detail != "" || entries[0].AdminID != adminID {
			w.T.Errorf("the audit log is %+v", entries)
		}
	})
}

// wantThreshold fails unless this warning threshold of the balance is stored.
func (w *world) wantThreshold(want string) {
	w.T.Helper()
	got, err := w.app.DB.Setting(w.T.Context(), storage.OperatorThreshold)
	must(w.T, err)
	if got != want {
		w.T.Errorf("the threshold is %q, want %q", got, want)
	}
}

func TestAdminOrdersOfForgottenPerson(t *testing.T) {
	inEnglish(t, "admin_forgotten", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		w.forget()
		w.becomeAdmin()
		w.types("/orders")
		w.tapLike("Gmail")
		w.types("/orders @1001")
		w.types("/orders 23501") // the number was deleted
	})
}

// TestAdminOrdersWithSameNumber: people who share a key can import the same order.
func TestAdminOrdersWithSameNumber(t *testing.T) {
	inEnglish(t, "admin_same_number", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		w.as(bob, func() {
			w.withKey(annaKey)
			w.types("23501")
			w.tap("external_button_yes")
		})
		w.becomeAdmin()
		w.types("/orders 23501")
	})
}

func TestAdminSeesOwnOrderAsBuyer(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.withKey(annaKey)
		w.buyGmail("1")
		w.types("/orders 23501")
		if buttonData(w.chat.Last(), w.l.Label("order_button_accounts")) == "" {
			w.T.Errorf("the buyer's buttons are missing:\n%s", w.chat.Transcript())
		}
	})
}

// adminOrderButtons is the data of the admins' buttons for everyone's orders and the
// operator's balance, with the ids of all orders.
func (w *world) adminOrderButtons() []string {
	w.T.Helper()
	ctx := w.T.Context()
	args := keyboards.AdminOrdersArgs{}
	routes := []string{
		keyboards.Admin.Data(struct{}{}), keyboards.AdminOrders.Data(args), keyboards.AdminOrdersPerson.Data(args), keyboards.AdminOrdersCategories.Data(args.Sublist(0)),
		keyboards.AdminOrdersDays.Data(args), keyboards.AdminOrdersTotals.Data(args.Sublist(0)), keyboards.AdminOrdersPicture.Data(args), keyboards.AdminOrdersExport.Data(args),
		keyboards.AdminUnresolvedList.Data(args.Sublist(0)), keyboards.BalanceThreshold.Data(struct{}{}), keyboards.BalanceThresholdRemove.Data(struct{}{}),
		keyboards.AdminOrders.Data(keyboards.AdminOrdersArgs{Person: anna.ID}),
	}
	found, err := w.app.DB.AdminOrders(ctx, storage.AdminOrderFilter{}, 100, 0)
	must(w.T, err)
	for _, o := range found {
		routes = append(routes, keyboards.AdminOrder.Data(keyboards.AdminOrderArgs{Order: o.ID, AdminOrdersArgs: args}))
	}
	unknown, _, err := w.app.DB.AdminUnresolvedPurchases(ctx, storage.AdminOrderFilter{}, 100, 0)
	must(w.T, err)
	for _, u := range unknown {
		routes = append(routes, keyboards.AdminUnresolved.Data(keyboards.AdminUnresolvedArgs{Purchase: u.ID, AdminOrdersArgs: args, ListPage: 1}))
	}
	if len(found) < 3 || len(unknown) == 0 {
		w.T.Fatalf("only %d orders and %d unresolved purchases", len(found), len(unknown))
	}
	return routes
}

// TestAdminOrdersAreForAdminsOnly: for other people, the buttons are outdated and the
// commands are those of their own orders.
func TestAdminOrdersAreForAdminsOnly(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		mallory := w.mallory("/key " + poorKey)
		for _, data := range w.adminOrderButtons() {
			before := len(mallory.Messages())
			if got := w.forge(mallory, 1, data); got != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered %q", data, got)
			}
			for _, m := range mallory.Messages()[before:] {
				if m.Document != nil || !strings.Contains(m.Text, w.l.T("menu_text")) {
					w.T.Errorf("%s shows %q", data, m.Text)
				}
			}
		}
		for _, typed := range []string{"/admin", "/orders", "/orders @1001", "/orders 23501", "#23501"} {
			mallory.Type(typed)
			pass(2 * time.Second)
		}
		seen := mallory.History()
		for _, secret := range []string{"Anna", "1001)", "Everyone", "Gmail", "23502"} {
			if strings.Contains(strings.ReplaceAll(seen, "/orders @1001", ""), secret) {
				w.T.Errorf("Mallory sees %q:\n%s", secret, seen)
			}
		}
		w.wantThreshold("")
	})
}

// TestFormerAdminSeesNoOrders: admin status is checked on each tap and each answer.
func TestFormerAdminSeesNoOrders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.becomeAdmin()
		for _, question := range []string{
			keyboards.BalanceThreshold.Data(struct{}{}), keyboards.AdminOrdersPerson.Data(keyboards.AdminOrdersArgs{}), keyboards.AdminOrdersDays.Data(keyboards.AdminOrdersArgs{}),
		} {
			w.cfg.AdminIDs = []int64{adminID}
			w.restart()
			w.types("/orders")
			w.forge(w.chat, w.chat.Last().ID, question)
			w.cfg.AdminIDs = nil
			w.restart()
			before := w.chat.Last().ID
			w.types("1001")
			for _, m := range w.chat.Messages() {
				if m.ID > before && strings.Contains(m.Text, "Everyone") {
					w.T.Errorf("after %s: %q", question, m.Text)
				}
			}
			w.wantThreshold("")
			w.types("/orders")
			if text := w.chat.Last().Text; text != w.l.T("orders_empty") {
				w.T.Errorf("/orders shows %q", text)
			}
		}
		for _, data := range w.adminOrderButtons() {
			if got := w.forge(w.chat, 1, data); got != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered %q", data, got)
			}
		}
	})
}

// TestInvalidFilters: data that no button has is outdated, and a page after the last
// one is the last one.
func TestInvalidFilters(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.becomeAdmin()
		w.types("/orders")
		for _, args := range []keyboards.AdminOrdersArgs{{Filter: 99}, {Person: -1}, {Category: route.HashOf("No such category")}} {
			for _, data := range []string{
				keyboards.AdminOrders.Data(args), keyboards.AdminOrdersDays.Data(args), keyboards.AdminOrdersTotals.Data(args.Sublist(0)),
				keyboards.AdminOrdersPicture.Data(args), keyboards.AdminOrdersExport.Data(args), keyboards.AdminUnresolvedList.Data(args.Sublist(0)),
			} {
				if got := w.forge(w.chat, w.chat.Last().ID, data); got != w.l.Label("error_outdated") {
					w.T.Errorf("%s is answered %q", data, got)
				}
			}
		}
		last := keyboards.AdminOrdersArgs{Page: 65535, Person: 1<<63 - 1, Day: 65535}
		for _, data := range []string{
			keyboards.AdminOrders.Data(last), keyboards.AdminOrdersTotals.Data(last.Sublist(65535)), keyboards.AdminUnresolvedList.Data(last.Sublist(65535)),
			keyboards.AdminOrdersCategories.Data(last.Sublist(65535)), keyboards.AdminOrdersDays.Data(last), keyboards.AdminOrdersExport.Data(last), keyboards.AdminOrdersPicture.Data(last),
			keyboards.AdminUnresolvedList.Data(keyboards.AdminOrdersArgs{}.Sublist(65535)),
		} {
			w.forge(w.chat, w.chat.Last().ID, data)
			if text := w.chat.Last().Text; strings.Contains(text, w.l.T("error_internal")) {
				w.T.Errorf("%s: %q", data, text)
			}
		}
	})
}

// TestPagesOfAdminOrders: Back returns to the page that the order was opened from.
func TestPagesOfAdminOrders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.place(placements(20))
		w.becomeAdmin()
		w.types("/orders")
		w.tapLabel("›")
		w.tapLike("#700007")
		w.tap("nav_button_back")
		if buttonData(w.chat.Last(), "2/3") == "" || len(w.chat.Last().Keyboard) != 16 {
			w.T.Errorf("Back leads to %s", w.chat.Transcript())
		}
		w.Exec(`UPDATE orders SET charge = '1.10', created_at = created_at - (CAST(external_id AS BIGINT) % 20) * 86400000`)
		w.tap("adminorders_button_totals")
		w.tapLabel("›")
		w.says("$22.00") // of all days
		if buttonData(w.chat.Last(), "2/3") == "" || strings.Count(w.chat.Last().Text, "$1.10") != keyboards.PageSize {
			w.T.Errorf("the totals are %s", w.chat.Transcript())
		}
		w.tap("nav_button_back")
		w.tapLabel("›")
		if buttonData(w.chat.Last(), "3/3") == "" || len(w.chat.Last().Keyboard) != 12 {
			w.T.Errorf("the last page is %s", w.chat.Transcript())
		}
	})
}

// TestAdminExportOf50000Orders: the file contains every order once, the newest first.
// If they are too large for a file, the message says how many are left out.
func TestAdminExportOf50000Orders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		many := 50_000
		if raceDetector { // it is ten times slower
			many = 5_000
		}
		w.withKey(annaKey)
		w.place(placements(many))
		w.becomeAdmin()
		w.list("orders_button_export")
		pass(30 * time.Second)
		rows := w.exportedTable()
		if len(rows) != many+1 {
			w.T.Fatalf("%d rows", len(rows))
		}
		for i, row := range rows[1:] {
			if row[0] != strconv.Itoa(700_000+many-1-i) || row[len(row)-2] != "1001" {
				w.T.Fatalf("row %d is %q", i, row)
			}
		}
		w.says(w.l.Number(int64(many)) + " orders")
		if raceDetector {
			return // 5,000 orders do not fill a file
		}

		w.Exec(`UPDATE orders SET name = ?`, strings.Repeat("😀", 300))
		w.tap("orders_button_export")
		pass(30 * time.Second)
		file, n := w.file(), len(w.exportedTable())-1
		if n >= many || len(file) < 44<<20 || len(file) > 46<<20 {
			w.T.Errorf("%d rows in %d bytes", n, len(file))
		}
		w.says("these are the newest " + w.l.Number(int64(n)) + " of " + w.l.Number(int64(many)) + " orders")
	})
}

// TestPurchaseWithUnreadableCategory: the category is stored in English. If it can't be
// read, the purchase goes on without it.
func TestPurchaseWithUnreadableCategory(t *testing.T) {
	inWorld(t, "zh", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		for _, action := range []string{"products", "services"} {
			w.Market.Fault(market.Fault{Action: action, Kind: market.HTML502, Times: market.Always})
		}
		w.tap("order_button_skip")
		pass(10 * time.Second)
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		w.Market.ClearFaults()
		w.buyGmail("1")
		found, err := w.app.DB.AdminOrders(w.T.Context(), storage.AdminOrderFilter{}, 9, 0)
		must(w.T, err)
		if len(found) != 2 || found[0].Category != "Accounts-Email" || found[1].Category != "" {
			w.T.Errorf("the orders are %+v", found)
		}
	})
}

// TestMarkupInPeoplesNames: markup is shown as text, and a long name leaves room for the
// price in the label.
func TestMarkupInPeoplesNames(t *testing.T) {
	inEnglish(t, "admin_names", func(w *world) {
		for i, name := range []string{"<b>Eve</b> & \"Co\"", "مريم", strings.Repeat("W", 64)} {
			w.as(telegram.Person{ID: int64(3001 + i), FirstName: name, LanguageCode: "en"}, func() {
				w.withKey(annaKey)
				w.buyGmail("1")
			})
		}
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.as(telegram.Person{ID: 3004, FirstName: "<i>Mal</i>", LanguageCode: "en"}, func() {
			w.withKey(annaKey)
			w.buyGmail("1")
		})
		w.fixPolls()
		w.becomeAdmin()
		for _, command := range []string{"/orders @3001", "/orders 23501", "/orders 23502", "/orders 23503", "/orders"} {
			w.types(command)
		}
		w.tapLike("❔ Unknown")
		w.tapLike("❔ Gmail")
	})
}
