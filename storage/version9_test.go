package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
)

// version9Time is when everything in testdata/version9.sqlite happened.
var version9Time = time.UnixMilli(1_700_000_000_000).UTC()

const version9Ann = 1 // who owns most of it

// openVersion9 opens a copy of a database that the program of schema version 9 made
// (testdata/version9.go.txt).
func openVersion9(t *testing.T) *DB {
	t.Helper()
	pgtest.SQLiteOnly(t)
	file, err := os.ReadFile(filepath.Join("testdata", "version9.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bot.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return openAt(t, path, testKeys(t, 1))
}

func TestOpensDatabaseOfVersion9(t *testing.T) {
	db := openVersion9(t)
	equal(t, "integrity_check", []string{"ok"}, selectStrings(t, db, `PRAGMA integrity_check`))
	equal(t, "foreign_key_check", 0, len(selectStrings(t, db, `SELECT "table" FROM pragma_foreign_key_check`)))
	for _, table := range selectStrings(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('replicas', 'leases', 'pace', 'delivery_times', 'balance_watches', 'swaps', 'saved_numbers', 'baskets', 'basket_lines', 'basket_sets', 'rooms', 'room_lines', 'room_messages', 'catalogue', 'news', 'allowances', 'allowance_links', 'ledger', 'turns')`) {
		if db.count(t, `SELECT COUNT(*) FROM `+table) == 0 {
			t.Errorf("%s is empty: the test misses it", table)
		}
	}
	for query, want := range map[string][]string{
		`SELECT name || ' ' || value FROM settings WHERE name <> 'digest_key' ORDER BY name`: {
			"maintenance 1700000000000", "maintenance_text Back soon", "monitor_notified_at 1700000000000", "schema_min 18", "watch_round 1700000060000",
		},
		`SELECT update_id || ' ' || state FROM inbox ORDER BY update_id`:              {"101 received", "102 done", "103 dead_lettered"},
		`SELECT DISTINCT state FROM purchases ORDER BY 1`:                             {"claimed", "dismissed", "draft", "outcome_unknown", "placed", "rejected", "sending", "superseded"},
		`SELECT DISTINCT state FROM outbox ORDER BY 1`:                                {"held", "pending", "rejected", "sent"},
		`SELECT state || ' ' || tries FROM broadcast_recipients ORDER BY 1`:           {"pending 1", "sending 0"},
		`SELECT action FROM audit_log WHERE admin_id = 9 ORDER BY at, action`:         {"block", "maintenance_text", "maintenance_on"},
		`SELECT name || notified || (ended_at > 0) FROM monitor_alerts ORDER BY name`: {"balance11", "stuck00", "unknown10"},
	} {
		equal(t, query, want, selectStrings(t, db, query))
	}
}

func TestReadsPeopleOfVersion9(t *testing.T) {
	db := openVersion9(t)
	ctx := t.Context()
	base := User{TelegramLang: "en", Private: true, CreatedAt: version9Time, SeenAt: version9Time.Add(time.Second)}
	for id, change := range map[int64]func(*User){
		1: func(u *User) { u.Name = "Ann" },
		3: func(u *User) { u.Name, u.Unreachable = "Cy", true },
		4: func(u *User) { u.Name, u.Blocked = "Di", true },
		5: func(u *User) { u.Name, u.TelegramLang, u.Lang, u.Private = "Ed", "de", "zh", false },
	} {
		want := base
		want.ID = id
		change(&want)
		got, err := db.User(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, want.Name, want, got)
	}
	key, err := db.ActiveKey(ctx, version9Ann)
	if err != nil || key.Secret != "ann-new" || key.Fingerprint != db.Digest(keyDomain, []byte("ann-new")) || key.Invalid {
		t.Errorf("Ann's key is %+v, %v", key, err)
	}
	if key, err := db.ActiveKey(ctx, 3); err != nil || key.Secret != "cy-key" || !key.Invalid {
		t.Errorf("Cy's key is %+v, %v", key, err)
	}
	equal(t, "key states", []string{"active", "active", "removed", "replaced"}, selectStrings(t, db, `SELECT state FROM api_keys ORDER BY 1`))

	step, text, err := db.Dialog(ctx, version9Ann)
	if err != nil || step != "link" || text != "dialog data" {
		t.Errorf("the dialog is %q, %q, %v", step, text, err)
	}
	if chats, _, err := db.OrphanedChats(ctx); err != nil || !slices.Equal(chats, []int64{version9Ann}) {
		t.Errorf("chats with unfinished updates are %v, %v", chats, err)
	}
	err = db.ChatBacklog(ctx, "", version9Ann, 9, func(id int64, _ time.Time, payload []byte) {
		if id != 101 || string(payload) != "received" {
			t.Errorf("update %d is %q", id, payload)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if attempts, err := db.StartAttempt(ctx, 101); err != nil || attempts != 3 {
		t.Errorf("attempt %d, %v", attempts, err)
	}
	if n, first, err := db.DeadLettersSince(ctx, version9Time); err != nil || n != 1 || !first.Equal(version9Time.Add(2*time.Second)) {
		t.Errorf("%d dead letters since %v, %v", n, first, err)
	}

	data, err := db.PersonalData(ctx, version9Ann)
	if err != nil {
		t.Fatal(err)
	}
	if len(data.Searches) != 1 || data.Searches[0].Query != "gmail accounts" || !data.Searches[0].At.Equal(version9Time) {
		t.Errorf("searches are %+v", data.Searches)
	}
	equal(t, "saved_items", []SavedItem{{Service: 2, SMM: true, Name: "Followers"}}, data.Saved)
	equal(t, "reminders", 1, len(data.Reminders))
	equal(t, "purchases, orders, messages", []int{17, 10, 8}, []int{len(data.Purchases), len(data.Orders), len(data.Messages)})
	watches := map[WatchKind]Watch{}
	for _, w := range data.Watches {
		w.ID = 0
		watches[w.Kind] = w
	}
	equal(t, "watches", map[WatchKind]Watch{
		WatchRestock: {UserID: version9Ann, Service: 1, Name: "Gmail", Kind: WatchRestock, ChangedAt: version9Time},
		WatchPrice: {
			UserID: version9Ann, Service: 2, SMM: true, Name: "Followers", Kind: WatchPrice, Price: decimal.RequireFromString("1.250"), Currency: "USD", Armed: true, ChangedAt: version9Time,
		},
	}, watches)
}

func TestReadsPurchasesOfVersion9(t *testing.T) {
	db := openVersion9(t)
	data, err := db.PersonalData(t.Context(), version9Ann)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]PurchaseState{}
	for _, p := range data.Purchases {
		if p.Name == "" { // of the imported order
			continue
		}
		if p.Kind == KindSMS {
			equal(t, p.Name, Rental{Project: "tg", Country: "de", CountryName: "Germany", Phone: "+49 of " + p.Name}, p.Rental)
		} else {
			equal(t, p.Name, "link of "+p.Name, p.Link)
		}
		if p.KeyFingerprint != p.Name || p.Rate.String() != "1.25" || p.Balance.String() != "10" || !p.Variants || !p.CreatedAt.Equal(version9Time) {
			t.Errorf("got %+v", p)
		}
		if p.State != PurchasePlaced {
			states[p.Name] = p.State
		}
		switch p.State {
		case PurchaseRejected:
			equal(t, "rejected", []string{"refused", "The link is wrong"}, []string{p.Reason, p.Refusal})
		case PurchaseOutcomeUnknown:
			if p.Refusal != "no answer" || p.Checks != 1 || p.BalanceSeen.Decimal.String() != "7.5" || p.Verdict != VerdictBought || !p.NextCheckAt.Equal(version9Time.Add(2*time.Minute)) {
				t.Errorf("got %+v", p)
			}
		default:
		}
	}
	equal(t, "states", map[string]PurchaseState{
		"draft": PurchaseDraft, "retired": PurchaseSuperseded, "claimed": PurchaseClaimed, "sending": PurchaseSending,
		"rejected": PurchaseRejected, "unknown": PurchaseOutcomeUnknown, "dismissed": PurchaseDismissed,
	}, states)
	due, err := db.DueChecks(t.Context(), farFuture, 9)
	if err != nil || len(due) != 1 || due[0].Name != "unknown" {
		t.Errorf("due checks are %+v, %v", due, err)
	}
}

func TestReadsOrdersOfVersion9(t *testing.T) {
	db := openVersion9(t)
	ctx := t.Context()
	for i, state := range []OrderState{OrderOpen, OrderPartial, OrderDelivered, OrderCancelled, OrderRefunded, OrderExpired, OrderFailed, OrderStale} {
		o, err := db.OrderByExternalID(ctx, version9Ann, idOf(int64(1001+i)))
		if err != nil {
			t.Fatal(err)
		}
		if o.Name != "order "+string(state) || o.State != state || o.RawStatus != "Word of "+string(state) || o.KeyFingerprint != o.Name ||
			o.Charge.Decimal.String() != "2.5" || *o.Remains != 1 || *o.StartCount != 100 || o.Failures != 2 || o.Adopted || o.External {
			t.Errorf("got %+v", o)
		}
		switch state {
		case OrderPartial:
			equal(t, "cancel sent", version9Time.Add(time.Minute), o.CancelSentAt)
			known, err := db.Delivered(ctx, o.ID, []redact.Secret{"login:password"})
			if err != nil || !known {
				t.Errorf("delivered: %v, %v", known, err)
			}
		case OrderDelivered:
			equal(t, "delivered", int64(2), o.Delivered)
			equal(t, "notified at", version9Time.Add(time.Minute), o.NotifiedAt)
			equal(t, "message", int64(55), o.MessageID)
			known, err := db.Delivered(ctx, o.ID, []redact.Secret{"same:twice", "same:twice"})
			more, moreErr := db.Delivered(ctx, o.ID, []redact.Secret{"same:twice", "same:twice", "same:twice"})
			if err != nil || moreErr != nil || !known || more {
				t.Errorf("delivered: %v, %v, one more: %v, %v", known, err, more, moreErr)
			}
		case OrderExpired:
			equal(t, "phone", "+49 of "+o.Name, o.Rental.Phone)
			equal(t, "expires", version9Time.Add(time.Hour), o.ExpiresAt)
		default:
		}
		if state != OrderExpired {
			equal(t, "link", "link of "+o.Name, o.Link)
		}
	}
	if o, err := db.OrderByExternalID(ctx, version9Ann, "2001"); err != nil || !o.Adopted || o.Rental.Phone != "+49 adopted" {
		t.Errorf("the adopted order is %+v, %v", o, err)
	}
	imported, err := db.OrderByExternalID(ctx, version9Ann, "3001")
	if err != nil || !imported.External || imported.Link != "link of elsewhere" || imported.RawStatus != "In progress" {
		t.Errorf("the imported order is %+v, %v", imported, err)
	}
	if polls, err := db.DuePolls(ctx, "owner", time.Time{}, farFuture, 9); err != nil || len(polls) != 4 {
		t.Errorf("due polls are %+v, %v", polls, err)
	}
	if n, err := db.CountAdminOrders(ctx, AdminOrderFilter{}); err != nil || n != 10 {
		t.Errorf("admins count %d orders, %v", n, err)
	}
}

func TestReadsMessagesOfVersion9(t *testing.T) {
	db := openVersion9(t)
	bodies := map[string]int{}
	for range 20 {
		found, err := db.ClaimMessages(t.Context(), "owner", farFuture, farFuture.Add(time.Minute), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found {
			bodies[fmt.Sprint(m.Priority, " ", m.Kind, ": ", string(m.Body))]++
			if err := db.MarkSent(t.Context(), m, 0, farFuture); err != nil {
				t.Fatal(err)
			}
		}
	}
	equal(t, "pending messages", map[string]int{
		"0 restock: ": 1, "0 unknown: ": 3, "0 waits: body of waits": 1, "1 goods: goods of order delivered": 1, "1 goods: goods of order partial": 1,
	}, bodies)
	_, released, err := db.TouchUser(t.Context(), 3, "Cy", "en", true)
	if err != nil || !released {
		t.Errorf("the held message: released %v, %v", released, err)
	}
}

func TestReadsBroadcastsOfVersion9(t *testing.T) {
	db := openVersion9(t)
	ctx := t.Context()
	all, err := db.Broadcasts(ctx, 9)
	draft, draftErr := db.BroadcastDraft(ctx, 104)
	if err != nil || draftErr != nil {
		t.Fatal(err, draftErr)
	}
	counts := map[BroadcastState][]int64{}
	for _, b := range append(all, draft) {
		counts[b.State] = []int64{b.Sent, b.Unreachable, b.Failed, b.Uncertain}
		texts, err := db.BroadcastTexts(ctx, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "texts", map[string]string{"": "Text of " + string(b.State), "zh": "zh of " + string(b.State)}, texts)
	}
	equal(t, "counts", map[BroadcastState][]int64{
		BroadcastDone: {1, 0, 1, 1}, BroadcastStopped: {2, 1, 0, 0}, BroadcastSending: {1, 0, 0, 0}, BroadcastWaiting: {0, 0, 0, 0}, BroadcastDraft: {0, 0, 0, 0},
	}, counts)
	// Bo was being sent to when the program ended.
	b, err := db.ClaimBroadcast(ctx, "another", farFuture, farFuture.Add(time.Minute))
	if err != nil || b.State != BroadcastSending || b.Uncertain != 1 {
		t.Errorf("claimed %+v, %v", b, err)
	}
	if due, _, err := db.PendingRecipients(ctx, b.ID, farFuture, 9); err != nil || len(due) != 1 || due[0] != (Recipient{UserID: 9, Tries: 1}) {
		t.Errorf("pending recipients are %+v, %v", due, err)
	}
}

func TestReadsAdminDataOfVersion9(t *testing.T) {
	db := openVersion9(t)
	ctx := t.Context()
	entries, total, err := db.AuditLog(ctx, 99, 0)
	if err != nil || total != len(entries) {
		t.Fatal(total, err)
	}
	actions := map[string]int{}
	for _, entry := range entries {
		actions[entry.Action]++
	}
	equal(t, "actions", map[string]int{"block": 1, "maintenance_text": 1, "maintenance_on": 1, "send": 4, "stop": 1}, actions)
	alerts, err := db.Alerts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "alerts", []Alert{
		{Name: "stuck", Detail: "3", Since: version9Time},
		{Name: "unknown", Subject: 12, Detail: "Gmail", Since: version9Time.Add(time.Second), Notified: true},
		{Name: "balance", Detail: "5", Since: version9Time.Add(2 * time.Second), Notified: true, EndedAt: version9Time.Add(3 * time.Second)},
	}, alerts)
	closed, err := db.Maintenance(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "maintenance", Maintenance{Since: version9Time, Text: "Back soon"}, closed)
	mine, due, err := db.ClaimWatchRound(ctx, version9Time.Add(time.Second), time.Minute)
	if err != nil || mine || !due.Equal(version9Time.Add(time.Minute)) {
		t.Errorf("the next watch round: mine %v, due %v, %v", mine, due, err)
	}
	stats, err := db.Stats(ctx, farFuture, version9Time, 0)
	if err != nil || stats.People != 6 || stats.OutcomeUnknown != 1 || stats.DeadLettered != 1 || stats.Held != 1 || stats.Pending != 7 {
		t.Errorf("counted %+v, %v", stats, err)
	}
}

// TestMigrationRenamesOnlyNames compares each value of version 9 with the one that
// stands in its place after the migration: those that are not renamed are the same.
func TestMigrationRenamesOnlyNames(t *testing.T) {
	pgtest.SQLiteOnly(t)
	before, err := open(filepath.Join("testdata", "version9.sqlite"), []pragma{{"query_only", "1", "1"}}, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	after := openVersion9(t)
	tables := map[string]string{"favourites": "saved_items", "alerts": "watches", "alarms": "monitor_alerts", "admin_log": "audit_log"}
	columns := map[string]string{
		"orders.number": "external_id", "orders.word": "raw_status", "orders.elsewhere": "external", "orders.told_at": "notified_at", "orders.asked_at": "last_poll_at",
		"orders.key_print": "key_fingerprint", "purchases.key_print": "key_fingerprint", "api_keys.print": "fingerprint", "outbox.class": "priority",
		"admin_log.deed": "action", "alarms.told": "notified", "alarms.over_at": "ended_at", "broadcasts.unsure": "uncertain",
	}
	states := map[string]string{
		"inbox.parked": "dead_lettered", "purchases.retired": "superseded", "purchases.unknown": "outcome_unknown", "outbox.waiting": "pending", "outbox.unsendable": "rejected",
		"broadcast_recipients.waiting": "pending",
	}
	var names []string
	if err := before.SelectContext(t.Context(), &names, `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT IN ('settings', 'goose_db_version', 'sqlite_sequence')`); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "api_keys.secret_sealed" { // sealed anew; TestReadsPeopleOfVersion9 opens it
			continue
		}
		table, column, _ := strings.Cut(name, ".")
		newTable, newColumn := table, column
		if renamed, ok := tables[table]; ok {
			newTable = renamed
		}
		if renamed, ok := columns[name]; ok {
			newColumn = renamed
		}
		var want, got []string
		const query = `SELECT COALESCE(%s, 'NULL') FROM %s ORDER BY 1`
		if err := before.SelectContext(t.Context(), &want, fmt.Sprintf(query, column, table)); err != nil {
			t.Fatal(err)
		}
		if err := after.reader.SelectContext(t.Context(), &got, fmt.Sprintf(query, newColumn, newTable)); err != nil {
			t.Fatal(err)
		}
		for i, value := range want {
			if renamed, ok := states[table+"."+value]; ok && column == "state" {
				want[i] = renamed
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		equal(t, name, want, got)
	}
	if len(names) < 100 {
		t.Errorf("only %d columns were compared", len(names))
	}
}
