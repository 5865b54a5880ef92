package handlers_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// TestAdminHome: how everything is, with things that wait and things that went wrong.
func TestAdminHome(t *testing.T) {
	inBoth(t, "admin", func(w *world) {
		w.setTheScene()
		since := time.Now().Add(-5 * time.Minute)
		w.marketDown.Store(&since)
		pass(time.Minute)
		w.beAdmin()
		w.types("/start")
		pass(time.Minute) // what is wrong is told as soon as there is somebody to tell it to
		w.marketDown.Store(nil)
		pass(2 * time.Minute) // and its end
		w.types("/admin")
		w.tap("nav_button_refresh")
	})
}

// TestMaintenance: nobody begins to buy, wherever they stand; what is under way goes
// on, and what was bought arrives.
func TestMaintenance(t *testing.T) {
	inBoth(t, "maintenance", func(w *world) {
		person := w.anna.Person()
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		buy := func() {
			w.open("3")
			w.tapLabel("1")
			w.tap("order_button_skip")
			w.tap("confirm_button_confirm")
			pass(time.Second)
		}
		buy()
		open := w.Market.Orders()
		w.open("2") // a card that stands
		w.tapLabel("1")
		w.tap("order_button_skip")

		w.beAdmin()
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
		pass(time.Minute) // it arrives all the same

		w.beAdmin()
		w.tap("maintenance_button_own")
		w.tap("maintenance_button_off")
		w.become(person)
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(5 * time.Second)
		if n := len(w.Market.Orders()); n != len(open)+1 {
			w.T.Errorf("after maintenance there are %d orders, want one more than %d", n, len(open))
		}
	})
}

// TestMaintenanceBetweenLookAndClaim: the switch holds for a tap that was under way.
func TestMaintenanceBetweenLookAndClaim(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
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

// TestBlockAPerson: they get no answer any more, but what they bought.
func TestBlockAPerson(t *testing.T) {
	inBoth(t, "person", func(w *world) {
		person := w.anna.Person()
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.open("3")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(time.Second)

		w.beAdmin()
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
		before := len(w.anna.Messages())
		w.types("/menu")
		must(w.T, w.anna.TapOn(w.anna.Messages()[0].ID, w.anna.Messages()[0].Keyboard[0][0].Text))
		pass(time.Second)
		if n := len(w.anna.Messages()); n != before+1 { // their own
			w.T.Errorf("a blocked person was answered:\n%s", w.anna.Transcript())
		}
		must(w.T, w.Market.Deliver(w.Market.Orders()[0].Number, 1))
		pass(time.Minute)
		if n := len(w.anna.Messages()); n != before+2 {
			w.T.Errorf("a blocked person did not get what they bought:\n%s", w.anna.Transcript())
		}

		w.beAdmin()
		w.tap("person_button_unblock")
		w.tap("nav_button_back")
		w.tap("admin_button_log")
		w.become(person)
		w.types("/menu")
		if w.anna.Last().FromBot {
			w.beAdmin()
			return
		}
		w.T.Errorf("an unblocked person is not answered:\n%s", w.anna.Transcript())
	})
}

// TestLogOfAForgottenPerson: that somebody was blocked stays, who it was does not, and
// nobody has the id 0.
func TestLogOfAForgottenPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		for _, what := range []string{"block", "unblock"} {
			_, err := w.app.DB.SetBlocked(w.T.Context(), anna.ID, what == "block", storage.AuditEntry{AdminID: adminID, Action: what, Subject: anna.ID, At: time.Now()})
			must(w.T, err)
		}
		must(w.T, w.app.DB.Forget(w.T.Context(), anna.ID, time.Now()))
		w.beAdmin()
		w.types("/admin")
		w.tap("admin_button_log")
		w.says("unblocked " + w.l.Label("allorders_forgotten"))
	})
}

// TestAdminsAreNotBlocked: not by each other, not by themselves.
func TestAdminsAreNotBlocked(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.types("/admin")
		w.anna.TapData(w.anna.Last().ID, keyboards.PersonBlockSure.Data(keyboards.PersonArgs{Person: adminID}))
		pass(time.Second)
		w.says(w.l.Label("person_is_admin"))
		user, err := w.app.DB.User(w.T.Context(), adminID)
		if err != nil || user.Blocked {
			w.T.Errorf("an admin was blocked (%v)", err)
		}
	})
}

// TestAdminIsLookedUpAtEachTap: who is taken off ADMIN_IDS finds nothing behind the
// buttons that they still have, nor behind a question that was asked before.
func TestAdminIsLookedUpAtEachTap(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.types("/admin")
		w.tap("admin_button_maintenance")
		card := w.anna.Last().ID
		w.tap("maintenance_button_text")
		w.cfg.AdminIDs = nil
		w.restart()
		pass(5 * time.Second)
		for _, data := range []string{
			keyboards.MaintenanceSwitch.Data(keyboards.SwitchArgs{On: true}), keyboards.Admin.Data(struct{}{}),
			keyboards.PersonBlockSure.Data(keyboards.PersonArgs{Person: anna.ID}),
		} {
			w.anna.TapData(card, data)
			pass(5 * time.Second)
			if answers := w.anna.Answers(); answers[len(answers)-1].Text != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered %q", data, answers[len(answers)-1].Text)
			}
		}
		w.types("not the sentence any more")
		w.types("/admin")
		w.says(w.l.Label("text_not_understood"))
		m, err := w.app.DB.Maintenance(w.T.Context())
		if err != nil || m.On() || m.Text != "" {
			w.T.Errorf("somebody who is no admin set %+v (%v)", m, err)
		}
		if _, total, err := w.app.DB.AuditLog(w.T.Context(), 8, 0); err != nil || total != 0 {
			w.T.Errorf("%d deeds are written down (%v)", total, err)
		}
	})
}

// TestAdminCommand: it is listed for admins, in their language, from their first
// word on, and for nobody else; and no longer when they are none.
func TestAdminCommand(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		listed := func(c *telegram.Client) string {
			for _, command := range c.Commands() {
				if command.Command == "admin" {
					return command.Description
				}
			}
			return ""
		}
		must(w.T, w.app.Announcer.Announce(w.T.Context())) // nobody has written yet
		person := w.anna.Person()
		w.types("/start")
		w.beAdmin()
		w.types("/start")
		if got, want := listed(w.anna), w.l.Label("command_admin"); got != want {
			w.T.Errorf("an admin sees %q, want %q", got, want)
		}
		if got := listed(w.Telegram.Join(person)); got != "" {
			w.T.Errorf("Anna sees %q", got)
		}
		w.types("/language")
		w.tapLabel("中文")
		if got, want := listed(w.anna), w.bundle.Localizer("zh").Label("command_admin"); got != want {
			w.T.Errorf("an admin who reads Chinese sees %q, want %q", got, want)
		}
		calls := len(w.Telegram.Calls())
		must(w.T, w.app.Announcer.Announce(w.T.Context()))
		if n := len(w.Telegram.Calls()); n != calls {
			w.T.Errorf("%d calls to say what was said", n-calls)
		}
		w.cfg.AdminIDs = nil
		w.restart()
		must(w.T, w.app.Announcer.Announce(w.T.Context()))
		if got := listed(w.anna); got != "" {
			w.T.Errorf("who is no admin any more sees %q", got)
		}
	})
}

// TestAdminDoesNotWaitForTheProfile, which is told in many languages, to a Telegram
// that is slow. With a lock in common this test does not end.
func TestAdminDoesNotWaitForTheProfile(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Telegram.Fault(telegram.Fault{Method: "setMyDescription", Delay: 9 * time.Second, Times: telegram.Always})
		told := make(chan error, 1)
		go func() { told <- w.app.Announcer.Announce(w.T.Context()) }()
		synctest.Wait()
		w.beAdmin()
		w.types("/admin")
		w.says("🛠 *Admin*")
		must(w.T, <-told)
	})
}

// TestManyAlarms: what goes wrong with many goods of long names at once is told, and
// seen, all the same: Telegram refuses what is too long.
func TestManyAlarms(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.withKey(annaKey)
		for range 20 {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
			w.buyGmail("1")
		}
		pass(10 * time.Minute)
		w.changeDB(`UPDATE purchases SET name = ? WHERE state = 'outcome_unknown'`, strings.Repeat("long ", 60))
		w.changeDB(`DELETE FROM monitor_alerts`) // so that all of it is new
		before := len(w.anna.Messages())
		pass(2 * time.Minute)
		if told := w.anna.Messages()[before:]; len(told) != 1 || !strings.Contains(told[0].Text, "🔴") {
			w.T.Errorf("admins were told %+v", told)
		}
		w.types("/admin")
		w.says("🔴")
	})
}
