package storage

import (
	"testing"
	"time"
)

// A reminder belongs to an open order of the person, and is deleted together with
// storing its message.
func TestReminders(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	orders := placed(t, db, 1, 101, 102)
	at := time.Now().Truncate(time.Millisecond).UTC()
	if set, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: 2, At: at}); err != nil || set {
		t.Errorf("another person's: %v, %v", set, err)
	}
	for _, moved := range []time.Time{at.Add(time.Hour), at} { // the second one moves it
		if set, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: 1, At: moved}); err != nil || !set {
			t.Errorf("set: %v, %v", set, err)
		}
	}
	if got, err := db.ReminderOf(ctx, 1, orders[0].ID); err != nil || !got.Equal(at) {
		t.Errorf("it is at %v, %v", got, err)
	}
	due, err := db.DueReminders(ctx, at, 10)
	if err != nil || len(due) != 1 || !due[0].At.Equal(at) {
		t.Fatalf("due are %+v, %v", due, err)
	}
	before := db.count(t, `SELECT COUNT(*) FROM outbox`)
	message := Message{UserID: 1, OrderID: orders[0].ID, Kind: "reminder", CreatedAt: at}
	for i, want := range []bool{true, false} {
		if notified, err := db.EndReminder(ctx, due[0], message); err != nil || notified != want {
			t.Errorf("ended %d times: notified %v, %v", i+1, notified, err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != before+1 {
		t.Errorf("%d messages more", n-before)
	}
	if next, err := db.NextReminder(ctx); err != nil || !next.IsZero() {
		t.Errorf("the next one is at %v, %v", next, err)
	}
	second := Reminder{OrderID: orders[1].ID, UserID: 1, At: at}
	if _, err := db.SetReminder(ctx, second); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StartCancels(ctx, 1, []int64{orders[1].ID}, at); err != nil {
		t.Fatal(err)
	}
	if notified, err := db.EndReminder(ctx, second, message); err != nil || notified {
		t.Errorf("of an order that is being cancelled: notified %v, %v", notified, err)
	}
}

// TestMovedReminder: a reminder that was moved is not ended by who read it before, and all
// can be made due.
func TestMovedReminder(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	order := placed(t, db, 1, 101)[0]
	now := time.Now().Truncate(time.Millisecond).UTC()
	read := Reminder{OrderID: order.ID, UserID: 1, At: now}
	if _, err := db.SetReminder(ctx, read); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now.Add(time.Hour), now.Add(2 * time.Hour)} { // the second one does nothing
		if err := db.MoveReminder(ctx, read, at); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := db.ReminderOf(ctx, 1, order.ID); err != nil || !at.Equal(now.Add(time.Hour)) {
		t.Errorf("it is due at %v, %v", at, err)
	}
	if notified, err := db.EndReminder(ctx, read, Message{UserID: 1, OrderID: order.ID, Kind: "reminder", CreatedAt: now}); err != nil || notified {
		t.Errorf("ended by an old reading: %v, %v", notified, err)
	}
	if due, err := db.DueReminders(ctx, now, 10); err != nil || len(due) != 0 {
		t.Errorf("due are %+v, %v", due, err)
	}
	if err := db.PullReminders(ctx, now); err != nil {
		t.Fatal(err)
	}
	if due, err := db.DueReminders(ctx, now, 10); err != nil || len(due) != 1 {
		t.Errorf("after a step of the clock due are %+v, %v", due, err)
	}
}
