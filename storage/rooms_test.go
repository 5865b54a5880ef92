package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/pgtest"
)

const staffChat, newsChat = -1_000_000_000_055, -1_000_000_000_066

func bindRoom(t *testing.T, db *DB, kind RoomKind, chat int64) Room {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond)
	r, err := db.BindRoom(t.Context(), Room{Kind: kind, ChatID: chat, Title: "Team " + fmt.Sprint(chat), BoundBy: 1, BoundAt: now, DailyHour: NoDailyHour, SentUntil: now},
		AuditEntry{AdminID: 1, Action: "room", At: now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func roomNotice(admins ...int64) RoomNotice {
	return RoomNotice{Admins: admins, Message: Message{Kind: "room_lost", Body: []byte("why"), CreatedAt: time.Now()}}
}

// waitingFor returns the kinds and bodies of the messages to a person, the oldest first.
func waitingFor(t *testing.T, db *DB, user int64) (kinds []string) {
	t.Helper()
	messages, err := selectRows[Message](t.Context(), db, db.reader, `SELECT `+columnsOf[Message]()+` FROM outbox WHERE user_id = ? ORDER BY created_at, id`, user)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		kinds = append(kinds, m.Kind+" "+string(m.Body))
	}
	return kinds
}

func TestBindRoom(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	if _, err := db.Room(t.Context(), RoomStaff); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	room := bindRoom(t, db, RoomStaff, staffChat)
	got, err := db.Room(t.Context(), RoomStaff)
	if diff := cmp.Diff(room, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	_, err = db.BindRoom(t.Context(), Room{Kind: RoomChannel, ChatID: staffChat}, AuditEntry{AdminID: 1, Action: "channel", At: time.Now()})
	if !errors.Is(err, ErrRoomTaken) {
		t.Errorf("the same chat as a channel: %v", err)
	}
	bindRoom(t, db, RoomChannel, newsChat)
	if inChat, err := db.RoomInChat(t.Context(), newsChat); err != nil || inChat.Kind != RoomChannel {
		t.Errorf("%+v, %v", inChat, err)
	}
	if _, total, err := db.AuditLog(t.Context(), 1, 0); err != nil || total != 2 {
		t.Errorf("%d entries, %v", total, err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM rooms WHERE title_sealed LIKE '%Team%'`); n != 0 {
		t.Error("a title is not sealed")
	}
}

// A room that is lost, and what waited for it, is told to the admins who can be written to
// in one transaction, once.
func TestBreakRoom(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	ctx, now := t.Context(), time.Now()
	room := bindRoom(t, db, RoomStaff, staffChat)
	report := RoomNotice{Admins: []int64{1, 2, 3}, Message: Message{Kind: "alarm", Body: []byte("fire"), CreatedAt: now.Add(-time.Minute)}}
	changes := AlertChanges{Started: []Alert{{Name: "fire", Since: now}}, At: now}
	if err := db.ApplyAlertChanges(ctx, changes); err != nil {
		t.Fatal(err)
	}
	changes = AlertChanges{Notified: changes.Started, Report: report, At: now}
	if err := db.ApplyAlertChanges(ctx, changes); err != nil {
		t.Fatal(err)
	}
	waiting, err := db.RoomMessages(ctx, RoomMessage{}, 10)
	if err != nil || len(waiting) != 1 || string(waiting[0].Body) != "fire" || waitingFor(t, db, 1) != nil {
		t.Fatalf("%+v, %v, private %v", waiting, err, waitingFor(t, db, 1))
	}
	for i := range 2 {
		broken, err := db.BreakRoom(ctx, room, "kicked", roomNotice(1, 2, 3), AuditEntry{Action: "room_lost", At: now})
		if err != nil || broken != (i == 0) {
			t.Errorf("time %d: broken %v, %v", i, broken, err)
		}
	}
	for _, id := range []int64{1, 2} { // 3 is nobody the bot can write to
		if diff := cmp.Diff([]string{"alarm fire", "room_lost why"}, waitingFor(t, db, id)); diff != "" {
			t.Errorf("admin %d: %s", id, diff)
		}
	}
	if works, err := db.RoomWorks(ctx); err != nil || works || db.count(t, `SELECT COUNT(*) FROM room_messages`) != 0 {
		t.Errorf("works %v, %v", works, err)
	}
	changes = AlertChanges{Resumed: changes.Notified, Deleted: []Alert{{Name: "fire", Notified: true}}, Report: report, At: now}
	if err := db.ApplyAlertChanges(ctx, changes); err != nil || len(waitingFor(t, db, 1)) != 3 {
		t.Errorf("an alert afterwards: %v, %v", waitingFor(t, db, 1), err)
	}
	if mended, err := db.MendRoom(ctx, room, AuditEntry{Action: "room_back", At: now}); err != nil || !mended {
		t.Errorf("mended %v, %v", mended, err)
	}
	if works, err := db.RoomWorks(ctx); err != nil || !works {
		t.Errorf("works %v, %v", works, err)
	}
}

// The newest reason counts, and is told to nobody a second time.
func TestFaultChanges(t *testing.T) {
	db := openWithUsers(t, 1)
	ctx := t.Context()
	room := bindRoom(t, db, RoomStaff, staffChat)
	for i, fault := range []string{"gone", "rights", "rights"} {
		broken, err := db.BreakRoom(ctx, room, fault, roomNotice(1), AuditEntry{Action: "room_lost", Detail: fault, At: time.Now()})
		if err != nil || broken != (i == 0) {
			t.Errorf("%s: broken %v, %v", fault, broken, err)
		}
		if got, err := db.Room(ctx, RoomStaff); err != nil || got.Fault != fault || len(waitingFor(t, db, 1)) != 1 {
			t.Errorf("%s: %+v, %v, private %v", fault, got, err, waitingFor(t, db, 1))
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM audit_log WHERE action = 'room_lost'`); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// A loss that can be told to nobody waits until somebody can be written to.
func TestNoticeWithoutReaders(t *testing.T) {
	db := openWithUsers(t, 1)
	ctx := t.Context()
	room := bindRoom(t, db, RoomStaff, staffChat)
	if broken, err := db.BreakRoom(ctx, room, "gone", roomNotice(9), AuditEntry{Action: "room_lost", At: time.Now()}); err != nil || !broken {
		t.Errorf("broken %v, %v", broken, err)
	}
	if returned, err := db.ReturnRoomMessages(ctx, []int64{1, 9}); err != nil || !returned {
		t.Errorf("returned %v, %v", returned, err)
	}
	if diff := cmp.Diff([]string{"room_lost why"}, waitingFor(t, db, 1)); diff != "" {
		t.Error(diff)
	}
}

// One message of the room can be given to the admins, once, while the room works.
func TestReturnRoomMessage(t *testing.T) {
	db := openWithUsers(t, 1)
	ctx := t.Context()
	bindRoom(t, db, RoomStaff, staffChat)
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		return errors.Join(db.insertRoomMessage(ctx, tx, Message{Kind: "alarm", Body: []byte("fire")}), db.insertRoomMessage(ctx, tx, Message{Kind: "alarm", CreatedAt: time.Now()}))
	})
	waiting, readErr := db.RoomMessages(ctx, RoomMessage{ID: -1}, 10)
	if err = errors.Join(err, readErr); err != nil || len(waiting) != 2 {
		t.Fatalf("%+v, %v", waiting, err)
	}
	for _, try := range []struct {
		admin int64
		want  bool
	}{{9, false}, {1, true}, {1, false}} {
		if returned, err := db.ReturnRoomMessage(ctx, waiting[0], []int64{try.admin}); err != nil || returned != try.want {
			t.Errorf("to %d: returned %v, %v", try.admin, returned, err)
		}
	}
	if diff := cmp.Diff([]string{"alarm fire"}, waitingFor(t, db, 1)); diff != "" || db.count(t, `SELECT COUNT(*) FROM room_messages`) != 1 {
		t.Error(diff)
	}
}

// Messages are read page by page, also those of one moment.
func TestRoomMessagesAfter(t *testing.T) {
	db := openWithUsers(t, 1)
	now := time.Now()
	err := db.writeOnce(t.Context(), repeatable, func(tx *sqlx.Tx) error {
		for i, at := range []time.Time{now, now, now, now.Add(time.Second)} {
			if err := db.insertRoomMessage(t.Context(), tx, Message{Kind: fmt.Sprint(i), CreatedAt: at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var after RoomMessage
	seen := map[string]bool{}
	for range 4 {
		page, err := db.RoomMessages(t.Context(), after, 1)
		if err != nil || len(page) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		after = page[0]
		seen[after.Kind] = true
	}
	if rest, err := db.RoomMessages(t.Context(), after, 1); err != nil || len(rest) != 0 || len(seen) != 4 || after.Kind != "3" {
		t.Errorf("saw %v, the last is %s, then %v, %v", seen, after.Kind, rest, err)
	}
}

// An alert that nobody can get waits: neither the alert nor the report is marked.
func TestReportWithoutReaders(t *testing.T) {
	db := openWithUsers(t, 1)
	ctx, now := t.Context(), time.Now()
	err := db.ApplyAlertChanges(ctx, AlertChanges{Started: []Alert{{Name: "fire", Since: now}}, At: now})
	if err == nil {
		err = db.ApplyAlertChanges(ctx, AlertChanges{Notified: []Alert{{Name: "fire"}}, Report: RoomNotice{Admins: []int64{9}, Message: Message{Kind: "alarm", CreatedAt: now}}, At: now})
	}
	alerts, readErr := db.Alerts(ctx)
	if err = errors.Join(err, readErr); err != nil || len(alerts) != 1 || alerts[0].Notified {
		t.Errorf("%+v, %v", alerts, err)
	}
}

// What waits for a room goes to the admins when it is unbound, or as soon as one of them
// can be written to.
func TestUnbindRoomReturnsMessages(t *testing.T) {
	db := openWithUsers(t, 1)
	ctx, now := t.Context(), time.Now()
	room := bindRoom(t, db, RoomStaff, staffChat)
	for _, admin := range []int64{9, 1} { // nobody knows 9
		err := db.ApplyAlertChanges(ctx, AlertChanges{Started: []Alert{{Name: "fire", Since: now}}, At: now})
		if err == nil {
			err = db.ApplyAlertChanges(ctx, AlertChanges{Deleted: []Alert{{Name: "fire"}}, Report: RoomNotice{Message: Message{Kind: "alarm", Body: []byte("fire"), CreatedAt: now}}, At: now})
		}
		if err != nil {
			t.Fatal(err)
		}
		unbound, err := db.UnbindRoom(ctx, room, []int64{admin}, AuditEntry{AdminID: 1, Action: "room_off", At: now})
		if err != nil || !unbound {
			t.Fatalf("unbound %v, %v", unbound, err)
		}
		returned, err := db.ReturnRoomMessages(ctx, []int64{9})
		if err != nil || returned {
			t.Errorf("returned %v to nobody, %v", returned, err)
		}
		if admin == 9 {
			if returned, err := db.ReturnRoomMessages(ctx, []int64{1, 9}); err != nil || !returned {
				t.Errorf("returned %v, %v", returned, err)
			}
			room = bindRoom(t, db, RoomStaff, staffChat)
		}
	}
	if diff := cmp.Diff([]string{"alarm fire", "alarm fire"}, waitingFor(t, db, 1)); diff != "" {
		t.Error(diff)
	}
}

func TestMoveRoom(t *testing.T) {
	db := openWithUsers(t, 1)
	room := bindRoom(t, db, RoomStaff, -77)
	if broken, err := db.BreakRoom(t.Context(), room, "gone", roomNotice(1), AuditEntry{Action: "room_lost", At: time.Now()}); err != nil || !broken {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} { // Telegram says it twice
		moved, err := db.MoveRoom(t.Context(), -77, staffChat, AuditEntry{Action: "room_moved", At: time.Now()})
		if err != nil || moved != want {
			t.Errorf("time %d: moved %v, %v", i, moved, err)
		}
	}
	if got, err := db.RoomInChat(t.Context(), staffChat); err != nil || got.ID != room.ID || got.Title != room.Title || got.Fault != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSetRoomTopicOnce(t *testing.T) {
	db := openWithUsers(t, 1)
	room := bindRoom(t, db, RoomStaff, staffChat)
	for i, want := range []bool{true, false} {
		if set, err := db.SetRoomTopic(t.Context(), room, TopicOrders, int64(40+i), roomNotice(1)); err != nil || set != want {
			t.Errorf("time %d: set %v, %v", i, set, err)
		}
	}
	if got, err := db.Room(t.Context(), RoomStaff); err != nil || got.Topic(TopicOrders) != 40 || got.Topic(TopicAlerts) != 0 || len(waitingFor(t, db, 1)) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func roomPurchases(t *testing.T, db *DB, room Room) []RoomPurchase {
	t.Helper()
	lines, err := db.RoomPurchases(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Each purchase that was sent since the room was chosen gets one line, also where the
// clock steps, and a line that is finished is not read again.
func TestRoomLines(t *testing.T) {
	db := openWithUsers(t, 1, 2, 3)
	ctx := t.Context()
	add := func(room Room, now time.Time) {
		t.Helper()
		if more, err := db.AddRoomLines(ctx, room, now); err != nil || more {
			t.Fatalf("more %v, %v", more, err)
		}
	}
	rented(t, db, 1, saveKey(t, db, 1, "one"), 11)
	if found, err := db.transition(ctx, "send earlier", `UPDATE purchases SET sent_at = sent_at - 1000`); err != nil || !found {
		t.Fatal(err)
	}
	room := bindRoom(t, db, RoomStaff, staffChat)
	add(room, time.Now())
	if lines := roomPurchases(t, db, room); len(lines) != 0 {
		t.Errorf("a purchase from before the room has a line: %+v", lines)
	}
	rented(t, db, 2, saveKey(t, db, 2, "two"), 21, 22)
	add(room, time.Now())
	ahead := time.Now().Add(24 * time.Hour)
	add(room, ahead)
	room, err := db.Room(ctx, RoomStaff)
	if err != nil || room.SentUntil.Before(ahead.Add(-time.Second)) {
		t.Fatalf("sent until %v, %v", room.SentUntil, err)
	}
	p := sending(t, db, 3, saveKey(t, db, 3, "three"), 1)
	add(room, time.Now())
	add(room, time.Now())
	lines := roomPurchases(t, db, room)
	slices.SortFunc(lines, func(a, b RoomPurchase) int { return strings.Compare(string(a.State), string(b.State)) })
	if len(lines) != 2 || lines[0].State != PurchasePlaced || len(lines[0].Orders) != 2 || lines[0].Name != "Telegram" || !lines[0].Rate.Equal(decimal.New(9, -1)) ||
		lines[1].State != PurchaseSending || lines[1].PurchaseID != p.ID {
		t.Fatalf("lines %+v", lines)
	}
	lines[0].MessageID, lines[0].Shown, lines[0].FinishedAt = 5, "done", time.Now()
	lines[1].MessageID = 6
	if err := errors.Join(db.SaveRoomLine(ctx, room, lines[0].RoomLine), db.SaveRoomLine(ctx, room, lines[1].RoomLine)); err != nil {
		t.Fatal(err)
	}
	add(room, time.Now())
	if lines = roomPurchases(t, db, room); len(lines) != 1 || lines[0].MessageID != 6 {
		t.Errorf("lines %+v", lines)
	}
	if _, err := db.MoveRoom(ctx, room.ChatID, -1_000_000_000_099, AuditEntry{Action: "room_moved", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveRoomLine(ctx, room, lines[0].RoomLine); err != nil { // posted just before
		t.Fatal(err)
	}
	if lines = roomPurchases(t, db, room); len(lines) != 1 || lines[0].MessageID != 0 {
		t.Errorf("lines in the supergroup %+v", lines)
	}
	if room, err = db.Room(ctx, RoomStaff); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[RoomTopic]int64{TopicAlerts: 7, TopicOrders: 0} {
		lines[0].MessageID, lines[0].Shown = 7, "posted"
		if err := db.SaveRoomLine(ctx, room, lines[0].RoomLine); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SetRoomTopic(ctx, room, topic, 70, roomNotice(1)); err != nil {
			t.Fatal(err)
		}
		if lines := roomPurchases(t, db, room); len(lines) != 1 || lines[0].MessageID != want || (lines[0].Shown == "") != (want == 0) {
			t.Errorf("lines after %s was deleted %+v", topic, lines)
		}
	}
	if err := db.Forget(ctx, 3, time.Now()); !errors.Is(err, ErrPurchaseInFlight) {
		t.Fatal(err)
	}
	other := bindRoom(t, db, RoomStaff, newsChat)
	if n := db.count(t, `SELECT COUNT(*) FROM room_lines`); n != 0 || other.ID == room.ID {
		t.Errorf("%d lines of another room", n)
	}
}

// TestRoomLinesUseIndexes: with many orders the room's queries read what has no line yet
// or may change.
func TestRoomLinesUseIndexes(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openWithUsers(t, 1)
	for query, want := range map[string]string{
		`SELECT COUNT(*) FROM purchases WHERE sent_at > 0 AND sent_at >= 5 AND NOT EXISTS (SELECT 1 FROM room_lines WHERE room_lines.purchase_id = purchases.id)`: "purchases_sent",
		`SELECT * FROM room_lines l LEFT JOIN purchases p ON p.id = l.purchase_id WHERE l.finished_at = 0 AND l.room_id = 1`:                                      "room_lines_finished",
		`SELECT * FROM orders WHERE purchase_id IN (SELECT purchase_id FROM room_lines WHERE finished_at = 0 AND room_id = 1)`:                                    "orders_purchase",
	} {
		var plan []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := db.reader.SelectContext(t.Context(), &plan, "EXPLAIN QUERY PLAN "+query); err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(plan); !strings.Contains(text, want) || strings.Contains(text, "SCAN") {
			t.Errorf("%s: %s", query, text)
		}
	}
}
