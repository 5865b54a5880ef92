package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

func TestAdminHome(t *testing.T) {
	inEnglish(t, "admin_home", func(w *world) {
		w.populate()
		since := time.Now().Add(-5 * time.Minute)
		w.marketDown.Store(&since)
		pass(time.Minute)
		w.becomeAdmin()
		w.types("/start")
		pass(time.Minute) // admins get alerts from their first message on
		w.marketDown.Store(nil)
		pass(2 * time.Minute) // the alert ends
		w.types("/admin")
		w.tap("nav_button_refresh")
	})
}

// TestMaintenanceStopsPurchases: no purchase can be started, also from an open card.
// Placed orders are still delivered.
func TestMaintenanceStopsPurchases(t *testing.T) {
	inEnglish(t, "maintenance", func(w *world) {
		person := w.chat.Person()
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("3", "1")
		pass(time.Second)
		open := w.Market.Orders()
		w.card("2", "1")

		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_maintenance")
		w.tap("maintenance_button_on")
		w.tap("maintenance_button_text")
		w.types(strings.Repeat("x", 301))
		w.types("Back at 6 <pm> & not before")

		w.become(person)
		w.tap("confirm_button_confirm")
		w.open("2")
		w.tapLabel("1")
		w.types("/sms")
		w.types("States")
		w.types("Telegram")
		w.tapLabel("2")
		w.types("/orders")
		if n := len(w.Market.Orders()); n != len(open) {
			w.T.Fatalf("%d orders were placed during maintenance", n-len(open))
		}
		must(w.T, w.Market.Deliver(open[0].Number, 1))
		pass(time.Minute) // the delivery arrives

		w.becomeAdmin()
		w.tap("maintenance_button_own")
		w.tap("maintenance_button_off")
		w.become(person)
		w.buy("2", "1")
		pass(5 * time.Second)
		if n := len(w.Market.Orders()); n != len(open)+1 {
			w.T.Errorf("after maintenance there are %d orders, want one more than %d", n, len(open))
		}
	})
}

// TestMaintenanceStopsClaimOfPurchase: maintenance may start between the tap and the
// claim.
func TestMaintenanceStopsClaimOfPurchase(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		drafts, err := w.app.DB.PersonalData(w.T.Context(), anna.ID)
		must(w.T, err)
		must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID, Action: "maintenance_on", At: time.Now()}))
		for _, p := range drafts.Purchases {
			claimed, err := w.app.DB.ClaimPurchase(w.T.Context(), anna.ID, p.ID, "test", time.Now(), time.Now().Add(time.Minute))
			if err != nil || claimed {
				w.T.Errorf("a purchase was claimed during maintenance (%v)", err)
			}
		}
		if len(drafts.Purchases) == 0 {
			w.T.Error("there was nothing to claim")
		}
	})
}

// TestBlockPerson: a blocked person gets no answers, but still gets their deliveries.
func TestBlockPerson(t *testing.T) {
	inEnglish(t, "admin_block", func(w *world) {
		person := w.chat.Person()
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("3", "1")
		pass(time.Second)

		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_person")
		w.types("nobody")
		w.types("99")
		w.types("@1001")
		w.tap("person_button_block")
		w.tap("person_button_keep")
		w.tap("person_button_block")
		w.tap("person_button_block")

		w.become(person)
		before := len(w.chat.Messages())
		w.types("/menu")
		must(w.T, w.chat.TapOn(w.chat.Messages()[0].ID, w.chat.Messages()[0].Keyboard[0][0].Text))
		pass(time.Second)
		if n := len(w.chat.Messages()); n != before+1 { // the person's own
			w.T.Errorf("a blocked person was answered:\n%s", w.chat.Transcript())
		}
		friends := w.Telegram.Group(-500, "Friends")
		for _, text := range []string{"/menu@shop_bot", "/key " + annaKey} {
			friends.Type(w.chat, text)
			pass(time.Second)
		}
		w.chat.Inline("gmail")
		pass(time.Second)
		if _, answered := w.chat.InlineAnswer(); answered || friends.Last().FromBot {
			w.T.Errorf("a blocked person was answered inline (%v) or in a group:\n%s", answered, friends.Transcript())
		}
		must(w.T, w.Market.Deliver(w.Market.Orders()[0].Number, 1))
		pass(time.Minute)
		if n := len(w.chat.Messages()); n != before+2 {
			w.T.Errorf("a blocked person did not get what they bought:\n%s", w.chat.Transcript())
		}

		w.becomeAdmin()
		w.tap("person_button_unblock")
		w.tap("nav_button_back")
		w.tap("admin_button_log")
		w.become(person)
		w.types("/menu")
		if !w.chat.Last().FromBot {
			w.T.Errorf("an unblocked person is not answered:\n%s", w.chat.Transcript())
		}
		w.becomeAdmin() // whose transcript is compared
	})
}

// TestAuditLogOfForgottenPerson: the log keeps the action, but not the person.
func TestAuditLogOfForgottenPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		for _, action := range []string{"block", "unblock"} {
			_, err := w.app.DB.SetBlocked(w.T.Context(), anna.ID, action == "block", storage.AuditEntry{AdminID: adminID, Action: action, Subject: anna.ID, At: time.Now()})
			must(w.T, err)
		}
		must(w.T, w.app.DB.Forget(w.T.Context(), anna.ID, time.Now()))
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_log")
		w.says("unblocked " + w.l.Label("adminorders_forgotten"))
	})
}

func TestAdminsCannotBeBlocked(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.forge(w.chat, w.chat.Last().ID, keyboards.PersonBlockSure.Data(keyboards.PersonArgs{Person: adminID}))
		w.says(w.l.Label("person_is_admin"))
		user, err := w.app.DB.User(w.T.Context(), adminID)
		if err != nil || user.Blocked {
			w.T.Errorf("an admin was blocked (%v)", err)
		}
	})
}

// TestAdminStatusIsCheckedOnEachTap: for a person removed from ADMIN_IDS, the buttons
// are outdated, and the answer to an open question is ordinary text.
func TestAdminStatusIsCheckedOnEachTap(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_maintenance")
		card := w.chat.Last().ID
		w.tap("maintenance_button_text")
		w.cfg.AdminIDs = nil
		w.restart()
		pass(5 * time.Second)
		for _, data := range []string{
			keyboards.MaintenanceSwitch.Data(keyboards.SwitchArgs{On: true}), keyboards.Admin.Data(struct{}{}),
			keyboards.PersonBlockSure.Data(keyboards.PersonArgs{Person: anna.ID}),
		} {
			if got := w.forge(w.chat, card, data); got != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered %q", data, got)
			}
		}
		w.types("not a maintenance text")
		w.types("/admin")
		w.says(w.l.Label("text_not_understood"))
		m, err := w.app.DB.Maintenance(w.T.Context())
		if err != nil || m.On() || m.Text != "" {
			w.T.Errorf("a former admin set %+v (%v)", m, err)
		}
		if _, total, err := w.app.DB.AuditLog(w.T.Context(), 8, 0); err != nil || total != 0 {
			w.T.Errorf("%d audit entries (%v), want none", total, err)
		}
	})
}

// TestAdminCommandIsListedForAdminsOnly: from an admin's first message on, in the
// admin's language, until the person is removed from ADMIN_IDS.
func TestAdminCommandIsListedForAdminsOnly(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		listed := func(c *telegram.Client) string {
			for _, command := range c.Commands() {
				if command.Command == "admin" {
					return command.Description
				}
			}
			return ""
		}
		must(w.T, w.app.Announcer.Announce(w.T.Context())) // nobody has started the bot
		person := w.chat.Person()
		w.types("/start")
		w.becomeAdmin()
		w.types("/start")
		if got, want := listed(w.chat), w.l.Label("command_admin"); got != want {
			w.T.Errorf("an admin sees %q, want %q", got, want)
		}
		if got := listed(w.Telegram.Join(person)); got != "" {
			w.T.Errorf("Anna sees %q", got)
		}
		w.types("/language")
		w.tapLabel("中文")
		if got, want := listed(w.chat), w.bundle.Localizer("zh").Label("command_admin"); got != want {
			w.T.Errorf("an admin who reads Chinese sees %q, want %q", got, want)
		}
		calls := len(w.Telegram.Calls())
		must(w.T, w.app.Announcer.Announce(w.T.Context()))
		if n := len(w.Telegram.Calls()); n != calls {
			w.T.Errorf("%d calls without a change", n-calls)
		}
		w.cfg.AdminIDs = nil
		w.restart()
		must(w.T, w.app.Announcer.Announce(w.T.Context()))
		if got := listed(w.chat); got != "" {
			w.T.Errorf("a former admin sees %q", got)
		}
	})
}

// TestAdminScreenDoesNotWaitForProfile: setting the profile in all languages takes long
// if Telegram is slow. With a shared lock this test does not end.
func TestAdminScreenDoesNotWaitForProfile(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Telegram.Fault(telegram.Fault{Method: "setMyDescription", Delay: 9 * time.Second, Times: telegram.Always})
		announced := make(chan error, 1)
		go func() { announced <- w.app.Announcer.Announce(w.T.Context()) }()
		synctest.Wait()
		w.becomeAdmin()
		w.types("/admin")
		w.says("🛠 *Admin*")
		must(w.T, <-announced)
	})
}

// TestLongAlertsFitOneMessage: Telegram refuses messages that are too long, and alerts
// name products.
func TestLongAlertsFitOneMessage(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.withKey(annaKey)
		for range 20 {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
			w.buyGmail("1")
		}
		pass(10 * time.Minute)
		w.Exec(`UPDATE purchases SET name = ? WHERE state = 'outcome_unknown'`, strings.Repeat("long ", 60))
		w.Exec(`DELETE FROM monitor_alerts`) // so that all alerts are new
		before := len(w.chat.Messages())
		pass(2 * time.Minute)
		if alerts := w.chat.Messages()[before:]; len(alerts) != 1 || !strings.Contains(alerts[0].Text, "🔴") {
			w.T.Errorf("the alerts are %+v", alerts)
		}
		w.types("/admin")
		w.says("🔴")
	})
}

// TestSourcesOfPeople: new people are counted by the link by which they came, once.
func TestSourcesOfPeople(t *testing.T) {
	inEnglish(t, "admin_sources", func(w *world) {
		comes := func(id int64, parameters ...string) {
			for _, parameter := range parameters {
				w.as(telegram.Person{ID: id, FirstName: "New", LanguageCode: "en"}, func() { w.types("/start " + parameter) })
			}
		}
		comes(501, "c_blog", "c_blog", "c_other") // is new once
		comes(502, "c_blog")
		comes(503, "c_ads-2026_Q4")
		comes(504, "c_")
		comes(505, "c_"+strings.Repeat("x", 33))
		comes(506, "c_<b>", "c_blog")
		w.types("/start c_blog") // Anna is new as well
		w.becomeAdmin()
		w.types("/admin")
		for i := range int64(12) {
			comes(600+i, "c_link"+strconv.FormatInt(i, 10))
		}
		w.types("/admin")
	})
}
