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

// twoPeople order: Anna as the scene is set, and Bob goods on another day, and
// what he had ordered elsewhere.
func (w *world) twoPeople() {
	w.T.Helper()
	w.Market.AddKey(bobKey, "30.00", "EUR")
	w.as(telegram.Person{ID: 2002, FirstName: "Bob", LanguageCode: w.l.Lang()}, func() {
		w.withKey(bobKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		must(w.T, w.Market.Refund(market.FirstOrder))
		pass(time.Minute)
		must(w.T, w.Market.Hold(market.GmailUSA, false))
		_, err := w.Client().Add(w.T.Context(), bobKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 3})
		must(w.T, err)
		w.types("23502")
		w.tap("elsewhere_button_yes")
		w.buyGmail("1")
	})
	w.later(1)
	w.setTheScene()
}

// still gives all orders the same polls and times, which have chance in them, and
// lets no other poll happen.
func (w *world) still() {
	w.T.Helper()
	w.stop()
	for _, column := range []string{"updated_at", "last_poll_at", "delivered_at", "notified_at", "closed_at"} {
		w.changeDB(`UPDATE orders SET ` + column + ` = (created_at / 60000 + 1) * 60000 WHERE ` + column + ` > 0`)
	}
	w.changeDB(`UPDATE orders SET polls = 1 + external_id % 5, failures = CASE WHEN closed_at = 0 THEN external_id % 3 ELSE 0 END, next_poll_at = 1000000000000000
		WHERE last_poll_at > 0`)
	w.start()
}

func TestAllOrders(t *testing.T) {
	inBoth(t, "all_orders", func(w *world) {
		w.twoPeople()
		w.still()
		w.beAdmin()
		w.types("/admin")
		w.tap("allorders_button_open")
		w.tap("orders_button_problems")
		w.tap("orders_button_all")
		w.tap("allorders_button_category")
		w.tapLike("Email")
		w.tap("allorders_button_day")
		w.tapLike("2000-01-01")
		w.tap("allorders_button_person")
		w.types("who?")
		w.types("@1001")
		w.tap("allorders_button_person_off")
		w.tap("allorders_button_category_off")
		w.tap("allorders_button_day_off")
		w.tap("allorders_button_day")
		for _, day := range []string{"yesterday", "2000-02-30", "1970-01-01", "２０００-01-02"} {
			w.types(day)
		}
		w.tapLike("#23506")
		w.types("/orders @99") // who never wrote
		w.types("/orders @abc")
		w.types("/orders @2002")
		w.tap("menu_button_orders")
		w.tap("allorders_button_open")
	})
}

func TestAnyOrder(t *testing.T) {
	inBoth(t, "any_order", func(w *world) {
		w.twoPeople()
		w.still()
		w.beAdmin()
		for _, number := range []string{"23501", "23502", "#23503", "23505", "23506"} { // refunded, elsewhere, goods, open, a number
			w.types("/orders " + number)
		}
		w.tap("nav_button_refresh")
		w.tap("allorders_button_of_person")
		w.tapLike("#23505")
		w.tap("nav_button_back")
		w.types("/orders 99999")
	})
}

func TestAllUnknown(t *testing.T) {
	inBoth(t, "all_unknown", func(w *world) {
		w.setTheScene()
		anna := w.anna
		w.beAdmin()
		w.types("/orders")
		w.tapLike("❔")
		w.tap("nav_button_back")
		pass(10 * time.Minute)
		w.tapLike("❔ " + strings.SplitN(w.l.Label("allorders_button_unknown"), "{", 2)[0][4:6])
		w.tapLike("×2")
		boss := w.anna
		w.anna = anna
		w.tap("unknown_button_dismiss")
		w.anna = boss
		w.tap("nav_button_refresh") // it is known by now
		w.tap("nav_button_back")
		w.tap("nav_button_back")
	})
}

func TestAllTotals(t *testing.T) {
	inBoth(t, "all_totals", func(w *world) {
		w.twoPeople()
		w.still()
		w.beAdmin()
		w.types("/orders")
		w.tap("allorders_button_totals")
		w.tap("allorders_button_picture")
		w.tap("nav_button_back")
		w.types("/orders @2002")
		w.tap("allorders_button_totals")
		w.types("/orders @1")
		w.later(500)
		w.types("/orders @2002")
		w.tap("allorders_button_totals")
		w.tap("allorders_button_picture")
	})
}

func TestAllExport(t *testing.T) {
	inBoth(t, "all_export", func(w *world) {
		w.twoPeople()
		w.still()
		w.beAdmin()
		w.types("/orders @2002")
		w.tap("orders_button_export")
		deeds, _, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		must(w.T, err)
		if len(deeds) != 1 || deeds[0].AdminID != adminID || deeds[0].Subject != 2002 || deeds[0].Detail != "3" {
			w.T.Errorf("written down is %+v", deeds)
		}
		rows := w.table()
		if len(rows) != 4 || rows[1][len(rows[1])-2] != "2002" || rows[1][len(rows[1])-1] != "Accounts-Email" {
			w.T.Errorf("the table is %q", rows)
		}
	})
}

func TestOperatorsAccount(t *testing.T) {
	inBoth(t, "operators_account", func(w *world) {
		w.beAdmin()
		w.types("/balance")
		w.withKey(operatorKey) // an admin may
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buyGmail("1")
		w.types("/balance")
		w.tap("balance_button_warn")
		for _, bad := range []string{"soon", "0", "-5", "1.2.3"} {
			w.types(bad)
		}
		w.types("$12,50")
		w.wantThreshold("12.5")
		w.tap("balance_button_warn")
		w.tap("balance_button_warn_off")
		w.wantThreshold("")
		w.tap("nav_button_refresh")
		deeds, n, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		must(w.T, err)
		if n != 2 || deeds[1].Detail != "12.5" || deeds[0].Detail != "" || deeds[0].AdminID != adminID {
			w.T.Errorf("written down is %+v", deeds)
		}
	})
}

func (w *world) wantThreshold(want string) {
	w.T.Helper()
	got, err := w.app.DB.Setting(w.T.Context(), storage.OperatorThreshold)
	must(w.T, err)
	if got != want {
		w.T.Errorf("the threshold is %q, want %q", got, want)
	}
}

// TestAPersonWhoWasForgotten is nobody in everyone's orders.
func TestAPersonWhoWasForgotten(t *testing.T) {
	inBoth(t, "all_forgotten", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		w.types("/forget")
		w.tap("forget_button")
		w.tap("forget_button")
		w.beAdmin()
		w.types("/orders")
		w.tapLike("Gmail")
		w.types("/orders @1001")
		w.types("/orders 23501") // no number was kept
	})
}

// TestSeveralOrdersOfANumber are listed.
func TestSeveralOrdersOfANumber(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		w.as(telegram.Person{ID: 2002, FirstName: "Bob", LanguageCode: w.l.Lang()}, func() { // who shares the key
			w.withKey(annaKey)
			w.types("23501")
			w.tap("elsewhere_button_yes")
		})
		w.beAdmin()
		w.types("/orders 23501")
		w.golden("all_of_a_number")
	})
}

// TestAnAdminsOwnOrder is shown as to anybody.
func TestAnAdminsOwnOrder(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.withKey(annaKey)
		w.buyGmail("1")
		w.types("/orders 23501")
		if buttonData(w.anna.Last(), w.l.Label("order_button_accounts")) == "" {
			w.T.Errorf("it has not the buttons of one's own:\n%s", w.anna.Transcript())
		}
	})
}

// everyoneRoutes are buttons of everyone's orders and of the operator's account,
// with the ids of what there is.
func (w *world) everyoneRoutes() []string {
	w.T.Helper()
	ctx := w.T.Context()
	args := keyboards.AdminOrdersArgs{}
	routes := []string{
		keyboards.Admin.Data(struct{}{}), keyboards.AdminOrders.Data(args), keyboards.AdminOrdersPerson.Data(args), keyboards.AdminOrdersCategories.Data(args.Part(0)),
		keyboards.AdminOrdersDays.Data(args), keyboards.AdminOrdersTotals.Data(args.Part(0)), keyboards.AdminOrdersPicture.Data(args), keyboards.AdminOrdersExport.Data(args),
		keyboards.AdminUnresolvedList.Data(args.Part(0)), keyboards.BalanceWarn.Data(struct{}{}), keyboards.BalanceWarnOff.Data(struct{}{}),
		keyboards.AdminOrders.Data(keyboards.AdminOrdersArgs{Person: anna.ID}),
	}
	found, err := w.app.DB.AdminOrders(ctx, storage.AdminOrderFilter{}, 100, 0)
	must(w.T, err)
	for _, o := range found {
		routes = append(routes, keyboards.AdminOrder.Data(args.Order(o.ID)))
	}
	unknown, _, err := w.app.DB.AdminUnresolvedPurchases(ctx, storage.AdminOrderFilter{}, 100, 0)
	must(w.T, err)
	for _, u := range unknown {
		routes = append(routes, keyboards.AdminUnresolved.Data(args.Part(0).Unresolved(u.ID)))
	}
	if len(found) < 3 || len(unknown) == 0 {
		w.T.Fatalf("only %d orders and %d doubts", len(found), len(unknown))
	}
	return routes
}

// TestEveryonesOrdersAreForAdmins: to anybody else, their buttons, commands and
// steps are what unknown ones are.
func TestEveryonesOrdersAreForAdmins(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/key " + poorKey)
		pass(time.Second)
		for _, data := range w.everyoneRoutes() {
			before := len(mallory.Messages())
			mallory.TapData(1, data)
			pass(time.Second)
			answers := mallory.Answers()
			if got := answers[len(answers)-1].Text; got != w.l.Label("error_outdated") {
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

// TestWhoIsNoAdminAnyMore: rights are looked up at each tap and each answer, and
// not when a button was drawn.
func TestWhoIsNoAdminAnyMore(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		w.beAdmin()
		for _, asked := range []string{
			keyboards.BalanceWarn.Data(struct{}{}), keyboards.AdminOrdersPerson.Data(keyboards.AdminOrdersArgs{}), keyboards.AdminOrdersDays.Data(keyboards.AdminOrdersArgs{}),
		} {
			w.cfg.AdminIDs = []int64{adminID}
			w.restart()
			w.types("/orders")
			w.anna.TapData(w.anna.Last().ID, asked)
			pass(time.Second)
			w.cfg.AdminIDs = nil
			w.restart()
			before := w.anna.Last().ID
			w.types("1001")
			for _, m := range w.anna.Messages() {
				if m.ID > before && strings.Contains(m.Text, "Everyone") {
					w.T.Errorf("after %s: %q", asked, m.Text)
				}
			}
			w.wantThreshold("")
			w.types("/orders")
			if text := w.anna.Last().Text; text != w.l.T("orders_empty") {
				w.T.Errorf("/orders shows %q", text)
			}
		}
		for _, data := range w.everyoneRoutes() {
			w.anna.TapData(1, data)
			pass(time.Second)
			answers := w.anna.Answers()
			if got := answers[len(answers)-1].Text; got != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered %q", data, got)
			}
		}
	})
}

// TestOddFilters: what no button has is out of date, and a page that is gone is
// the last one.
func TestOddFilters(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		w.beAdmin()
		w.types("/orders")
		for _, args := range []keyboards.AdminOrdersArgs{{Filter: 99}, {Person: -1}, {Category: route.HashOf("No such category")}} {
			for _, data := range []string{
				keyboards.AdminOrders.Data(args), keyboards.AdminOrdersDays.Data(args), keyboards.AdminOrdersTotals.Data(args.Part(0)),
				keyboards.AdminOrdersPicture.Data(args), keyboards.AdminOrdersExport.Data(args), keyboards.AdminUnresolvedList.Data(args.Part(0)),
			} {
				w.anna.TapData(w.anna.Last().ID, data)
				pass(time.Second)
				answers := w.anna.Answers()
				if got := answers[len(answers)-1].Text; got != w.l.Label("error_outdated") {
					w.T.Errorf("%s is answered %q", data, got)
				}
			}
		}
		last := keyboards.AdminOrdersArgs{Page: 65535, Person: 1<<63 - 1, Day: 65535}
		for _, data := range []string{
			keyboards.AdminOrders.Data(last), keyboards.AdminOrdersTotals.Data(last.Part(65535)), keyboards.AdminUnresolvedList.Data(last.Part(65535)),
			keyboards.AdminOrdersCategories.Data(last.Part(65535)), keyboards.AdminOrdersDays.Data(last), keyboards.AdminOrdersExport.Data(last), keyboards.AdminOrdersPicture.Data(last),
			keyboards.AdminUnresolvedList.Data(keyboards.AdminOrdersArgs{}.Part(65535)),
		} {
			w.anna.TapData(w.anna.Last().ID, data)
			pass(time.Second)
			if text := w.anna.Last().Text; strings.Contains(text, w.l.T("error_internal")) {
				w.T.Errorf("%s: %q", data, text)
			}
		}
	})
}

// TestPagesOfEveryonesOrders: eight a page, with the way back to the very page.
func TestPagesOfEveryonesOrders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		given := make([]storage.Placement, 20)
		for i := range given {
			given[i].ExternalID = int64(700_000 + i)
		}
		w.place(given)
		w.beAdmin()
		w.types("/orders")
		w.tapLabel("›")
		w.tapLike("#700007")
		w.tap("nav_button_back")
		if buttonData(w.anna.Last(), "2/3") == "" || len(w.anna.Last().Keyboard) != 16 {
			w.T.Errorf("Back leads to %s", w.anna.Transcript())
		}
		w.changeDB(`UPDATE orders SET charge = '1.10', created_at = created_at - (external_id % 20) * 86400000`)
		w.tap("allorders_button_totals")
		w.tapLabel("›")
		w.says("$22.00") // of all days
		if buttonData(w.anna.Last(), "2/3") == "" || strings.Count(w.anna.Last().Text, "$1.10") != keyboards.PageSize {
			w.T.Errorf("the totals are %s", w.anna.Transcript())
		}
		w.tap("nav_button_back")
		w.tapLabel("›")
		if buttonData(w.anna.Last(), "3/3") == "" || len(w.anna.Last().Keyboard) != 12 {
			w.T.Errorf("the last page is %s", w.anna.Transcript())
		}
	})
}

// TestAllExportOfFiftyThousand: every order is in the file once, the newest first;
// where one file can't hold them, it says so.
func TestAllExportOfFiftyThousand(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		many := 50_000
		if raceDetector { // which is ten times slower, and looks at no rows
			many = 5_000
		}
		w.withKey(annaKey)
		given := make([]storage.Placement, many)
		for i := range given {
			given[i].ExternalID = int64(700_000 + i)
		}
		w.place(given)
		w.beAdmin()
		w.types("/orders")
		w.tap("orders_button_export")
		pass(30 * time.Second)
		rows := w.table()
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
			return // the file would not be full
		}

		w.changeDB(`UPDATE orders SET name = ?`, strings.Repeat("😀", 300))
		w.tap("orders_button_export")
		pass(30 * time.Second)
		file, n := w.anna.Last().Document, len(w.table())-1
		if n >= many || len(file.Data) < 44<<20 || len(file.Data) > 46<<20 {
			w.T.Errorf("%d rows in %d bytes", n, len(file.Data))
		}
		w.says("these are the newest " + w.l.Number(int64(n)) + " of " + w.l.Number(int64(many)) + " orders")
	})
}

// TestACategoryThatCantBeRead: it is kept in English, whatever the person's
// language, and nothing that is bought waits for it.
func TestACategoryThatCantBeRead(t *testing.T) {
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

// TestMarkupInThePeoplesNames is shown as it is, and a long name leaves the label its
// price.
func TestMarkupInThePeoplesNames(t *testing.T) {
	inWorld(t, "en", func(w *world) {
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
		w.still()
		w.beAdmin()
		for _, command := range []string{"/orders @3001", "/orders 23501", "/orders 23502", "/orders 23503", "/orders"} {
			w.types(command)
		}
		w.tapLike("❔ Unknown")
		w.tapLike("❔ Gmail")
		w.golden("all_names")
	})
}
