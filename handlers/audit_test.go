package handlers_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/news"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// deed is a change that admins can make, and what the audit log keeps of it.
type deed struct {
	way     string // what is typed, and tapped, in this order
	end     func() // the last step, where it is neither
	action  string
	subject int64
	detail  string
}

// TestChangesOfAdminsAreRecorded: everything that an admin can change is in the audit log,
// and does not change where the log can't be written.
func TestChangesOfAdminsAreRecorded(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.gives(anna, "20")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502, Commit: true})
		w.buy("2", "1")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buy("3", "1")
		w.crowd(60, "en") // takes a broadcast longer than an admin who stops it
		pass(news.FirstRound)
		pass(6 * time.Minute) // the unknown outcomes have their verdicts
		w.restored()
		buyer := w.chat
		w.becomeAdmin()
		team := group(w)
		channel := w.chat.CreateChannel(channelID, "Shop news")
		channel.Promote(w.chat, "can_post_messages")
		w.types("/admin")
		w.cfg.TelegramRate = 5
		w.restart()

		const person = "/admin › admin_button_person › 1001 › "
		deeds := []deed{
			{way: "/admin › admin_button_restored", action: "restored"},
			{way: "/admin › admin_button_maintenance › maintenance_button_on", action: "maintenance_on"},
			{way: "/admin › admin_button_maintenance › maintenance_button_off", action: "maintenance_off"},
			{way: "/admin › admin_button_maintenance › maintenance_button_text › Back soon", action: "maintenance_text", detail: "Back soon"},
			{way: "/admin › admin_button_maintenance › maintenance_button_own", action: "maintenance_text"},
			{way: person + "person_button_block › person_button_block", action: "block", subject: anna.ID},
			{way: person + "person_button_unblock", action: "unblock", subject: anna.ID},
			{way: person + "person_button_write › Hello › letter_button_send", action: "letter", subject: anna.ID, detail: "5"},
			{way: "/orders › ~❔ Gmail › unresolved_button_id › 23501 › unresolved_button_yes", action: "adopt", subject: anna.ID, detail: "23501"},
			{way: "/orders › ~❔ Outlook › unresolved_button_dismiss › unresolved_button_dismiss", action: "notplaced", subject: anna.ID},
			{way: "/orders › orders_button_export", action: "export", detail: "1"},
			{way: "/orders @1001 › orders_button_export", action: "export", subject: anna.ID, detail: "1"},
			{way: person + "adminallowance_button › adminallowance_button_change › 30 › adminallowance_button_sure", action: "allowance", subject: anna.ID, detail: "30.00 USD ↻ +10%"},
			{way: person + "adminallowance_button › adminallowance_button_remove › adminallowance_button_remove", action: "noallowance", subject: anna.ID},
			{way: "/admin › admin_button_person › adminallowance_button_links › adminallowance_button_link › 20 › adminallowance_button_sure", action: "invite", detail: "20.00 USD"},
			{way: "/admin › admin_button_person › adminallowance_button_links › ~✖ ", action: "uninvite"},
			{way: "/admin › ledger_button › orders_button_export", action: "ledger", detail: "1"},
			{way: "/balance › balance_button_warn › 12.50", action: "threshold", detail: "12.5"},
			{way: "/balance › balance_button_warn › balance_button_warn_off", action: "threshold"},
			{way: "/admin › admin_button_room › room_button_choose", end: func() { must(w.T, w.chat.ShareChat(1, groupID)) }, action: "room"},
			{way: "/admin › admin_button_room › room_button_hour › 7", action: "room_hour", detail: "07:00"},
			{way: "/admin › admin_button_room › room_button_hour › room_button_hour_off", action: "room_hour"},
			{way: "/admin › admin_button_room › room_button_unbind › room_button_unbind", action: "room_off"},
			{end: func() { team.Type(w.chat, "/here") }, action: "room"},
			{way: "/admin › channel_button › channel_button_choose", end: func() { must(w.T, w.chat.ShareChat(channelRequest, channelID)) }, action: "channel"},
			{way: "/admin › channel_button › channel_button_restocks_on", action: "channelrestocks"},
			{way: "/admin › channel_button › channel_button_restocks_off", action: "channelrestocks", detail: "on"},
			{way: "/admin › channel_button › ~Price drops › ~30%", action: "channeldrop", detail: "30"},
			{way: "/admin › channel_button › ~Price drops › 25", action: "channeldrop", detail: "25"},
			{way: "/admin › channel_button › ~New goods › ~Accounts-Email", action: "channelnew", detail: "− Accounts-Email"},
			{way: "/admin › channel_button › ~New goods › channel_button_none", action: "channelnew"},
			{way: "/admin › channel_button › ~New goods › channel_button_all", action: "channelall"},
			{way: "/admin › channel_button › channel_button_unbind › channel_button_unbind", action: "channel_off"},
			{way: "/admin › greeting_button › ~English › greeting_button_text › Welcome", action: "greeting", detail: "English"},
			{way: "/admin › greeting_button › ~English › greeting_button_text › broadcast_button_remove", action: "greetingoff", detail: "English"},
			{way: "/admin › greeting_button › ~English › greeting_button_links › Site | https://example.com", action: "links", detail: "English"},
			{way: "/admin › greeting_button › ~English › greeting_button_links › greeting_button_remove_links", action: "linksoff", detail: "English"},
			{way: "/admin › broadcast_button › broadcast_button_go_on › broadcast_button_preview › broadcast_button_send", action: "broadcast_send", detail: "62"},
			{way: "/admin › broadcast_button › ~📣 6 › broadcast_button_stop", action: "broadcast_stop"},
		}
		w.writeBroadcast()
		w.types("Hello")

		changes := map[string]bool{} // the routes and steps that the deeds end with
		for _, d := range deeds {
			what := d.way + " " + d.action
			var before string
			attempt := func() {
				last := w.follow(d.way)
				if d.end != nil {
					last = w.step()
					d.end()
					pass(time.Minute)
				}
				pass(time.Second)
				changes[last] = true
			}
			if d.action != "broadcast_stop" { // which would be over
				before = w.changeable(buyer)
				accept := w.Refuse("INSERT ON audit_log FOR EACH ROW")
				attempt()
				accept()
				if diff := cmp.Diff(before, w.changeable(buyer)); diff != "" {
					w.T.Errorf("%s: not recorded, yet changed (-before +after):\n%s", what, diff)
				}
			}
			_, known, err := w.app.DB.AuditLog(w.T.Context(), 1, 0)
			must(w.T, err)
			attempt()
			entries, total, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
			must(w.T, err)
			entries = entries[:min(len(entries), total-known)]
			if len(entries) != 1 {
				w.T.Errorf("%s: recorded %+v\n%s", what, entries, w.chat.Last().Text)
				continue
			}
			e := entries[0]
			if strings.HasPrefix(d.action, "broadcast") {
				d.subject = w.lastBroadcast().ID
			}
			if e.AdminID != adminID || e.Action != d.action || e.Subject != d.subject || e.Detail != d.detail || time.Since(e.At) > 2*time.Minute {
				w.T.Errorf("%s: recorded %+v, want subject %d, detail %q", what, e, d.subject, d.detail)
			}
			delete(changes, "") // a command
		}
		w.checkLog(deeds)
		checkChanges(t, changes)
	})
}

// follow taps the labels of a way, and types what is none. It returns the route of the last
// button or the step that the last text answers.
func (w *world) follow(way string) (last string) {
	w.T.Helper()
	for step := range strings.SplitSeq(way, " › ") {
		if step == "" {
			continue
		}
		part, like := strings.CutPrefix(step, "~")
		if !like && !w.l.Has(step) {
			last = w.step()
			w.types(step)
			continue
		}
		label := part
		if !like {
			label = w.l.Label(step)
		}
		w.tapWhere(step, w.chat.Messages(), func(b telegram.Button) bool {
			if b.Text != label && (!like || !strings.Contains(b.Text, part)) {
				return false
			}
			last, _ = route.Split(b.CallbackData)
			return true
		})
	}
	return last
}

// step is that of the open dialog of the chat's person, "" for none.
func (w *world) step() string {
	w.T.Helper()
	var steps []string
	w.Select(&steps, `SELECT step FROM dialogs WHERE user_id = ?`, w.chat.Person().ID)
	return strings.Join(steps, "")
}

// changeable is all that admins can change, and what people and admins have received.
func (w *world) changeable(buyer *telegram.Client) string {
	w.T.Helper()
	var all strings.Builder
	for _, table := range []string{"rooms", "allowances", "allowance_links", "broadcasts", "ledger"} {
		columns := w.Columns(table)
		for _, name := range slices.Sorted(maps.Keys(columns)) {
			if name != "beat" {
				fmt.Fprintf(&all, "%s.%s %q\n", table, name, columns[name])
			}
		}
	}
	for _, query := range []string{
		`SELECT name || ' ' || value FROM settings WHERE name NOT IN ('monitor_notified_at', 'news_round') ORDER BY name`,
		`SELECT id || ' ' || blocked FROM users WHERE blocked <> 0`,
		`SELECT state || ' ' || COUNT(*) FROM purchases GROUP BY state ORDER BY state`,
	} {
		var found []string
		w.Select(&found, query)
		all.WriteString(strings.Join(found, "\n") + "\n")
	}
	files := 0
	for _, m := range w.chat.Messages() {
		if m.Document != nil {
			files++
		}
	}
	fmt.Fprintln(&all, len(buyer.Messages()), files)
	return all.String()
}

// checkLog fails unless the log shows each deed in words, and all words are those of a deed
// or of what the bot and people do.
func (w *world) checkLog(deeds []deed) {
	w.T.Helper()
	for page := range keyboards.PageArg(len(deeds)/keyboards.PageSize + 1) {
		w.forge(w.chat, w.chat.Last().ID, keyboards.AdminLog.Data(keyboards.PageArgs{Page: page}))
	}
	if shown := w.chat.History(); strings.Contains(shown, "action_") {
		w.T.Errorf("the log shows %s", around(shown, "action_"))
	}
	others := []string{"broadcast_lost", "channel_moved", "channel_lost", "channel_back", "room_moved", "room_lost", "room_back", "invited"}
	for _, d := range deeds {
		others = append(others, d.action)
	}
	messages, err := os.ReadFile("../locales/en.toml")
	must(w.T, err)
	for _, match := range regexp.MustCompile(`(?m)^action_(\w+) =`).FindAllStringSubmatch(string(messages), -1) {
		if action := strings.TrimSuffix(strings.TrimSuffix(match[1], "_none"), "_of"); !slices.Contains(others, action) {
			w.T.Errorf("no deed is %q", action)
		}
	}
}

// changesNothing are the actions and steps of admins that change nothing of the shop: they
// show something, or write a draft.
var changesNothing = []string{
	"Abr", "Abx", "Abp", "broadcast", // the admin's own draft
	"letter",                   // likewise
	"Agp", "Aog", "Avc", "Avt", // a preview, a picture, a question, a test
	"person", "ordersperson", "ordersday",
	"allowance", "markup", "allowanceperson", "housenumber", // the terms, or the order, are shown
}

// checkChanges fails unless each action and step that is registered for admins ends a deed,
// or is known to change nothing.
func checkChanges(t *testing.T, changes map[string]bool) {
	t.Helper()
	actions, steps := registeredForAdmins(t)
	for _, name := range append(actions, steps...) {
		if changes[name] == slices.Contains(changesNothing, name) {
			t.Errorf("%q: a deed: %v, changes nothing: %v", name, changes[name], slices.Contains(changesNothing, name))
		}
	}
}

// registeredForAdmins reads from the source which routes and which steps of dialogs are
// registered for admins and support.
func registeredForAdmins(t *testing.T) (actions, steps []string) {
	t.Helper()
	read := func(pattern string) (all string) {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				source, err := os.ReadFile(file)
				must(t, err)
				all += string(source)
			}
		}
		return all
	}
	screens := read("*.go")
	names := map[string]string{} // by their identifiers
	for _, match := range regexp.MustCompile(`(?m)^(?:\t|const )(\w+) += (?:route\.New\[[\w{}]+\]\()?"(\w+)"`).FindAllStringSubmatch(read("../keyboards/*.go")+screens, -1) {
		names[match[1]] = match[2]
	}
	find := func(source, pattern string, least int) (found []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(source, -1) {
			found = append(found, names[match[1]])
		}
		if len(found) < least || slices.Contains(found, "") {
			t.Fatalf("%s: found %q", pattern, found)
		}
		return found
	}
	return find(screens, `(?m)^\t(?:admin|staff)Action\(s, b, keyboards\.(\w+),`, 30), find(read("admin.go"), `(?m)^\tb\.Step\((\w+), `, 15)
}
