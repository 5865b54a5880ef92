package storage

import (
	"testing"
	"time"

	"hstockbot/internal/redact"
)

// deliver stores a poll that has shown these accounts, and asks for feedback at due.
func deliver(t *testing.T, db *DB, o Order, due time.Time, accounts ...redact.Secret) Order {
	t.Helper()
	o, err := db.Order(t.Context(), o.UserID, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	o.Polls, o.UpdatedAt, o.FeedbackDue, o.Present = o.Polls+1, o.UpdatedAt.Add(time.Second), due, int64(len(accounts))
	if _, stored, err := db.UpdateOrder(t.Context(), o, nil, accounts, func(Order, []redact.Secret) ([]Message, error) { return nil, nil }); err != nil || !stored {
		t.Fatal(stored, err)
	}
	o, err = db.Order(t.Context(), o.UserID, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestFeedbackIsDueOnce: with the first accounts, later with more of them, and never again
// after the person was asked or has answered.
func TestFeedbackIsDueOnce(t *testing.T) {
	db := openTest(t)
	o := placed(t, db, 7, 101)[0]
	first, second, third := time.UnixMilli(1_800_000_000_000).UTC(), time.UnixMilli(1_900_000_000_000).UTC(), time.UnixMilli(2_000_000_000_000).UTC()
	if o = deliver(t, db, o, first); !o.FeedbackDue.IsZero() {
		t.Errorf("without accounts it is due at %v", o.FeedbackDue)
	}
	if o = deliver(t, db, o, first, "a"); !o.FeedbackDue.Equal(first) {
		t.Errorf("it is due at %v", o.FeedbackDue)
	}
	if o = deliver(t, db, o, second, "a"); !o.FeedbackDue.Equal(first) {
		t.Errorf("without a fresh account it is due at %v", o.FeedbackDue)
	}
	if o = deliver(t, db, o, second, "a", "b"); !o.FeedbackDue.Equal(second) {
		t.Errorf("with a second account it is due at %v", o.FeedbackDue)
	}
	if set, err := db.SetFeedback(t.Context(), 8, o.ID, FeedbackWorks, 2, first); err != nil || set {
		t.Errorf("another person's answer: %v, %v", set, err)
	}
	if set, err := db.SetFeedback(t.Context(), 7, o.ID, FeedbackWorks, 2, first); err != nil || !set {
		t.Errorf("the answer: %v, %v", set, err)
	}
	o = deliver(t, db, o, third, "a", "b", "c")
	if !o.FeedbackDue.IsZero() || o.Feedback != FeedbackWorks || o.FeedbackOf != 2 || !o.FeedbackAt.Equal(first) {
		t.Errorf("after an answer and a third account: %+v", o)
	}
	if err := db.Forget(t.Context(), 7, first); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows with feedback of a person who is forgotten", 0, db.count(t, `SELECT COUNT(*) FROM orders WHERE feedback <> '' OR feedback_of + feedback_at + feedback_due > 0`))
}

// TestEndFeedback: the question is stored once, and only where it makes sense.
func TestEndFeedback(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	for name, test := range map[string]struct {
		change string
		want   bool
	}{
		"due":                {`SELECT 1`, true},
		"goods on their way": {`UPDATE orders SET notified_at = 0`, false},
		"paid back":          {`UPDATE orders SET state = 'refunded'`, false},
		"blocked the bot":    {`UPDATE users SET unreachable = 1`, false},
		"never asked":        {`UPDATE users SET skips_feedback = 1`, false},
		"blocked":            {`UPDATE users SET blocked = 1`, false},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t)
			o := placed(t, db, 7, 101)[0]
			if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
				t.Fatal(err)
			}
			deliver(t, db, o, at, "a")
			for _, query := range []string{`UPDATE orders SET notified_at = delivered_at`, test.change} {
				if _, err := db.writer.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			if next, err := db.NextFeedback(t.Context()); err != nil || !next.Equal(at) {
				t.Errorf("the next is due at %v, %v", next, err)
			}
			due, err := db.DueFeedback(t.Context(), at, 9)
			if err != nil || len(due) != 1 || due[0].OrderID != o.ID || due[0].UserID != 7 || due[0].PurchaseID != o.PurchaseID {
				t.Fatalf("%+v, %v", due, err)
			}
			for i := range 2 { // another process has read it, too
				asked, err := db.EndFeedback(t.Context(), due[0], Message{UserID: 7, OrderID: o.ID, Kind: "feedback", CreatedAt: at})
				if err != nil || asked != (test.want && i == 0) {
					t.Errorf("asked: %v, %v", asked, err)
				}
			}
			if due, err = db.DueFeedback(t.Context(), farFuture, 9); err != nil || len(due) != 0 {
				t.Errorf("it is still due: %+v, %v", due, err)
			}
		})
	}
}

// TestPullFeedback: after the clock was set back, people are asked within the usual time.
func TestPullFeedback(t *testing.T) {
	db := openTest(t)
	now := time.UnixMilli(1_700_000_000_000)
	o := deliver(t, db, placed(t, db, 7, 101)[0], now.Add(24*time.Hour), "a")
	near := deliver(t, db, placed(t, db, 8, 102)[0], now.Add(time.Minute), "a")
	if err := db.PullFeedback(t.Context(), now, time.Hour); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]time.Duration{o.ID: time.Hour, near.ID: time.Minute} {
		equal(t, "due", 1, db.count(t, `SELECT COUNT(*) FROM orders WHERE id = ? AND feedback_due = ?`, id, now.Add(want).UnixMilli()))
	}
}
