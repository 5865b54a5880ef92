package handlers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/monitor"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// supportMay lists the admin routes, steps and commands that exist for support, too. The
// others, and for everyone else all, do not exist.
var supportMay = []string{
	"A", "Ap", "Apf", "Aps", "Apw",
	"Aoc", "Aod", "Aol", "Aoo", "Aop", "Aou", "Aow",
	"person", "letter", "ordersperson", "ordersday",
	"/admin", "/orders @1001",
}

// TestLevelsOfAdmins compares what support and other people may do with supportMay, route
// by route, step by step and command by command.
func TestLevelsOfAdmins(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.cfg.TelegramRate = 0 // they get hundreds of answers
		w.restart()
		ids := append(w.annaIDs(), anna.ID)
		support, other := w.becomeSupport(), w.mallory("/start")
		w.types("/start")
		draft, err := w.app.DB.AddMessageDraft(w.T.Context(), storage.Message{
			UserID: anna.ID, Kind: "letter", Body: []byte(`{"author":4500,"text":"canary"}`), CreatedAt: time.Now(),
		})
		must(w.T, err)
		ids = append(ids, draft)
		opened := map[*telegram.Client][]string{}
		for _, f := range forgers {
			if !strings.HasPrefix(f.name, "A") {
				continue
			}
			for _, chat := range []*telegram.Client{support, other} {
				exists := func(data string) bool { return w.forge(chat, chat.Last().ID, data) != w.l.Label("error_outdated") }
				if slices.ContainsFunc(append(f.forge(ids), f.plain), exists) {
					opened[chat] = append(opened[chat], f.name)
				}
			}
		}
		types := func(chat *telegram.Client, what, text string, exists func(answer string) bool) {
			chat.Type(text)
			pass(time.Second)
			if exists(chat.Last().Text) {
				opened[chat] = append(opened[chat], what)
			}
		}
		understood := func(answer string) bool { return answer != w.l.T("text_not_understood") }
		_, steps := registeredForAdmins(w.T)
		for id, chat := range map[int64]*telegram.Client{supportID: support, malloryID: other} {
			for _, step := range steps {
				w.Exec(`INSERT INTO dialogs (user_id, step, data_sealed, expires_at) VALUES (?, ?, '', ?)
					ON CONFLICT (user_id) DO UPDATE SET step = excluded.step, data_sealed = '', expires_at = excluded.expires_at`,
					id, step, time.Now().Add(time.Hour).UnixMilli())
				types(chat, step, "?", understood)
			}
			types(chat, "/admin", "/admin", understood)
			types(chat, "/orders @1001", "/orders @1001", func(answer string) bool { return strings.Contains(answer, "Anna") })
		}
		want := slices.Sorted(slices.Values(supportMay))
		if got := slices.Sorted(slices.Values(opened[support])); !slices.Equal(got, want) {
			w.T.Errorf("support may\n%v, want\n%v", got, want)
		}
		if len(opened[other]) > 0 {
			w.T.Errorf("somebody else may %v", opened[other])
		}
		if entries, total, err := w.app.DB.AuditLog(w.T.Context(), 8, 0); err != nil || total != 1 || entries[0].Action != "letter" || entries[0].AdminID != supportID {
			w.T.Errorf("the audit log is %+v (%v), want the letter only", entries, err)
		}
	})
}

// TestSupport shows what support sees: no sums, no broadcast, no maintenance, no log, and
// of the balances only their own.
func TestSupport(t *testing.T) {
	inEnglish(t, "support", func(w *world) {
		w.populate()
		since := time.Now().Add(-5 * time.Minute)
		w.marketDown.Store(&since) // an alert for admins only
		w.becomeSupport()
		w.types("/start")
		pass(time.Minute) // the alert about the unknown outcome
		w.types("/admin")
		w.tap("adminorders_button_open")
		w.fixPolls()
		w.tapLike("❔ Gmail")
		w.tap("adminorders_button_of_person")
		w.tapLike("Outlook")
		w.types("/admin")
		w.tap("admin_button_person")
		w.types("1001")
		w.types("/balance")
	})
}

// TestWalkSupport taps every button that support can reach from their home, in every
// language: each works, each leads to a screen of theirs, and none shows a secret or a
// balance.
func TestWalkSupport(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				must(w.T, w.Market.SetBalance(annaKey, "424242.00"))
				w.populate()
				w.types("/balance")
				w.says("42423") // so the walk can find a balance
				w.becomeSupport()
				w.types("/admin")
				w.tap("admin_button_person")
				w.types("1001")
				w.tap("person_button_write")
				w.types("We have asked HStockPlus")
				for _, command := range []string{"/admin", "/orders"} {
					w.types(command)
				}
				tapped := w.walk(func(name string) bool { return strings.HasPrefix(name, "A") && !adminSkipped[name] })
				for name := range tapped {
					if strings.HasPrefix(name, "A") && !slices.Contains(supportMay, name) {
						w.T.Errorf("support has a button of route %q", name)
					}
				}
				for _, name := range supportMay {
					if isRoute := strings.HasPrefix(name, "A"); isRoute && tapped[name] == 0 {
						w.T.Errorf("the walk did not reach route %q", name)
					}
				}
				seen := w.seen()
				for _, secret := range append(w.secrets(), annaKey[len(annaKey)-4:], "42423", "313131", "instagram.com/anna") {
					if strings.Contains(seen, secret) {
						w.T.Errorf("support has seen %q: %s", secret, around(seen, secret))
					}
				}
			})
		})
	}
}

// TestReportsOfFormerStaff: a message about alerts that waits in the outbox is sent only
// to who may still read it.
func TestReportsOfFormerStaff(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeSupport()
		w.types("/start")
		w.mallory("/start")
		sent := func(id int64, kinds ...string) bool {
			var report monitor.Report
			for _, kind := range kinds {
				report.Alerts = append(report.Alerts, monitor.Alert{Kind: kind, Since: time.Now(), Figures: monitor.Figures{Count: 3}})
			}
			body, err := json.Marshal(report)
			must(w.T, err)
			before := w.Telegram.Count("sendMessage")
			_, err = w.app.Notifier.Send(w.T.Context(), storage.Message{UserID: id, Kind: monitor.MessageReport, Body: body, CreatedAt: time.Now()})
			must(w.T, err)
			pass(time.Second)
			return w.Telegram.Count("sendMessage") > before
		}
		if !sent(supportID, monitor.OutboxStuck) {
			w.T.Error("support did not get an alert about purchases")
		}
		if sent(supportID, monitor.OutboxStuck, monitor.MarketDown) {
			w.T.Error("support got an alert of admins")
		}
		if sent(malloryID, monitor.OutboxStuck) {
			w.T.Error("somebody else got an alert")
		}
		_, err := w.app.DB.SetBlocked(w.T.Context(), supportID, true, storage.AuditEntry{AdminID: adminID, Action: "block", Subject: supportID, At: time.Now()})
		must(w.T, err)
		if sent(supportID, monitor.OutboxStuck) {
			w.T.Error("blocked support got an alert")
		}
		if w.types("/admin"); w.chat.Last().FromBot {
			w.T.Error("blocked support is answered")
		}
	})
}

// TestCommandOfSupportIsListed: with words of its own, and for who is an admin as well,
// with those of admins.
func TestCommandOfSupportIsListed(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		listed := func() string {
			for _, command := range w.chat.Commands() {
				if command.Command == "admin" {
					return command.Description
				}
			}
			return ""
		}
		w.becomeSupport()
		w.types("/start")
		if got, want := listed(), w.l.Label("command_admin_support"); got != want {
			w.T.Errorf("support sees %q, want %q", got, want)
		}
		for _, test := range []struct {
			admins, support []int64
			want            string
		}{
			{[]int64{supportID}, []int64{supportID}, w.l.Label("command_admin")},
			{nil, []int64{supportID}, w.l.Label("command_admin_support")},
			{[]int64{adminID}, nil, ""},
		} {
			w.cfg.AdminIDs, w.cfg.SupportIDs = test.admins, test.support
			w.restart()
			must(w.T, w.app.Announcer.Announce(w.T.Context()))
			if got := listed(); got != test.want {
				w.T.Errorf("with the admins %v and the support %v, %q is listed, want %q", test.admins, test.support, got, test.want)
			}
		}
	})
}

// TestSupportIsServed also where ALLOWED_IDS does not name them.
func TestSupportIsServed(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.cfg.AllowedIDs = []int64{anna.ID}
		w.restart()
		w.becomeSupport()
		w.types("/admin")
		w.says("🎧 *Support*")
		if w.mallory("/start").Last().FromBot {
			w.T.Error("somebody else is served")
		}
	})
}

// TestFormerAdminAsSupport: rights are read at each tap and each answer.
func TestFormerAdminAsSupport(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_maintenance")
		w.tap("maintenance_button_text")
		w.cfg.AdminIDs, w.cfg.SupportIDs = nil, []int64{adminID}
		w.restart()
		w.types("not a maintenance text")
		if m, err := w.app.DB.Maintenance(w.T.Context()); err != nil || m.Text != "" {
			w.T.Errorf("support set %+v (%v)", m, err)
		}
		data := keyboards.Maintenance.Data(struct{}{})
		if got := w.forge(w.chat, w.chat.Last().ID, data); got != w.l.Label("error_outdated") {
			name, _ := route.Split(data)
			w.T.Errorf("%s is answered %q", name, got)
		}
		w.types("/admin")
		w.says("🎧 *Support*")
	})
}
