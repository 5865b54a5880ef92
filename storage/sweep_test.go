package storage

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/redact"
)

func TestSweepUpdatesAndDialogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		var many []int64
		for id := range int64(sweepRows + 3) { // more than one batch of the sweep
			many = append(many, 1000+id)
		}
		put(t, db, append(many, 1, 2, 3)...)
		for _, id := range many {
			finish(t, db, id)
		}
		if _, err := db.FinishWithDialog(t.Context(), me, 1, 1, 77, "amount", "3", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		deadLetter(t, db, 2)
		count := func(table string) (n int) {
			if err := db.reader.GetContext(t.Context(), &n, "SELECT COUNT(*) FROM "+table); err != nil {
				t.Fatal(err)
			}
			return n
		}
		start := time.Now()
		for _, step := range []struct {
			at             time.Duration
			inbox, dialogs int
		}{
			{time.Hour - time.Millisecond, len(many) + 3, 1},
			{time.Hour, len(many) + 3, 0},
			{48 * time.Hour, len(many) + 3, 0},
			{48*time.Hour + time.Millisecond, 2, 0},
			{30 * 24 * time.Hour, 2, 0},
			{30*24*time.Hour + time.Millisecond, 1, 0}, // the unfinished one stays
		} {
			time.Sleep(step.at - time.Since(start))
			if err := db.Sweep(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if inbox, dialogs := count("inbox"), count("dialogs"); inbox != step.inbox || dialogs != step.dialogs {
				t.Errorf("after %v: %d updates and %d dialogs, want %d and %d", step.at, inbox, dialogs, step.inbox, step.dialogs)
			}
		}
		checkUnfinished(t, db, 3)
	})
}

// TestSweepRules checks for each rule that a row stays until its age, and is deleted
// a millisecond later.
func TestSweepRules(t *testing.T) {
	at := version9Time
	for _, test := range []struct {
		what, table string
		insert      string // of a row that is due age after at
		age         time.Duration
	}{
		{"search", "searches", `INSERT INTO searches (id, user_id, query_sealed, created_at) VALUES (1, 7, '', ?)`, 30 * day},
		{"audit entry", "audit_log", `INSERT INTO audit_log (id, admin_id, action, subject, detail, at) VALUES (1, 9, 'a', 0, '', ?)`, 365 * day},
		{"sent message", "outbox", insertOutbox + `('sent', CAST(? AS BIGINT))) AS row`, 48 * time.Hour},
		{"draft of a message", "outbox", insertOutbox + `('draft', CAST(? AS BIGINT))) AS row`, day},
		{"held message", "outbox", insertOutbox + `('held', CAST(? AS BIGINT))) AS row`, 30 * day},
		{"rejected message", "outbox", insertOutbox + `('rejected', CAST(? AS BIGINT))) AS row`, 30 * day},
		{"finished broadcast", "broadcasts", insertBroadcast + `('done', CAST(? AS BIGINT))) AS row`, 90 * day},
		{"stopped broadcast", "broadcasts", insertBroadcast + `('stopped', CAST(? AS BIGINT))) AS row`, 90 * day},
	} {
		t.Run(test.what, func(t *testing.T) {
			db := openTest(t)
			if _, err := db.writer.ExecContext(t.Context(), test.insert, toMillis(at)); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				now  time.Time
				want int
			}{{at.Add(test.age), 1}, {at.Add(test.age + time.Millisecond), 0}} {
				if err := db.Sweep(t.Context(), step.now); err != nil {
					t.Fatal(err)
				}
				if n := db.count(t, `SELECT COUNT(*) FROM `+test.table); n != step.want {
					t.Errorf("after %v: %d rows, want %d", step.now.Sub(at), n, step.want)
				}
			}
		})
	}
}

const (
	insertOutbox = `INSERT INTO outbox (id, user_id, purchase_id, order_id, kind, priority, body_sealed, next_try_at, tries, lease_owner, lease_until, sent_at, state, created_at)
		SELECT 1, 7, 0, 0, 'x', 0, '', 0, 0, '', 0, 0, * FROM (VALUES `
	insertBroadcast = `INSERT INTO broadcasts (id, author_id, revision, total, sent, unreachable, failed, uncertain, cursor_id, chat_id, message_id, stopped_by, reported, lease_owner,
		lease_until, created_at, confirmed_at, started_at, state, ended_at) SELECT 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, '', 0, 0, 0, 0, * FROM (VALUES `
)

func TestSweepDeletesTextsWithBroadcast(t *testing.T) {
	db := openVersion9(t)
	if err := db.Sweep(t.Context(), farFuture); err != nil {
		t.Fatal(err)
	}
	equal(t, "broadcasts", []string{"draft", "sending", "waiting"}, selectStrings(t, db, `SELECT state FROM broadcasts ORDER BY state`))
	equal(t, "texts", 6, db.count(t, `SELECT COUNT(*) FROM broadcast_texts`))
	equal(t, "pending messages", 7, db.count(t, `SELECT COUNT(*) FROM outbox`))
	equal(t, "orders", 10, db.count(t, `SELECT COUNT(*) FROM orders`))
}

// TestSweptDigestsDeliverNothingTwice: the digests of an order that may still deliver are
// kept; those of one that was completely delivered a year ago are deleted, and the number
// of accounts that were sent prevents a second delivery.
func TestSweptDigestsDeliverNothingTwice(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	o := placed(t, db, 1, 101)[0]
	poll := func(closed time.Time, accounts ...redact.Secret) (fresh []redact.Secret) {
		t.Helper()
		o, err := db.Order(ctx, 1, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		o.Polls++
		o.ClosedAt, o.Present = closed, int64(len(accounts))
		_, stored, err := db.UpdateOrder(ctx, o, nil, accounts, func(_ Order, found []redact.Secret) ([]Message, error) {
			fresh = found
			return nil, nil
		})
		if err != nil || !stored {
			t.Fatalf("stored %v, %v", stored, err)
		}
		return fresh
	}
	sweep := func(now time.Time, want int) {
		t.Helper()
		if err := db.Sweep(ctx, now); err != nil {
			t.Fatal(err)
		}
		if n := db.count(t, `SELECT COUNT(*) FROM deliveries`); n != want {
			t.Errorf("%d digests are left, want %d", n, want)
		}
	}
	set := func(state OrderState, quantity int) {
		t.Helper()
		if _, err := db.writer.ExecContext(ctx, `UPDATE orders SET state = ?, quantity = ?`, state, quantity); err != nil {
			t.Fatal(err)
		}
	}
	closed := version9Time
	equal(t, "open", []redact.Secret{"a", "b", "b"}, poll(time.Time{}, "a", "b", "b"))
	sweep(farFuture, 2)
	equal(t, "closing", 0, len(poll(closed, "a", "b", "b")))
	for state, quantity := range map[OrderState]int{OrderStale: 3, OrderPartial: 3, OrderDelivered: 4} {
		set(state, quantity)
		sweep(farFuture, 2)
	}
	set(OrderDelivered, 3)
	sweep(closed.Add(365*day), 2)
	sweep(closed.Add(365*day+time.Millisecond), 0)

	known, err := db.Delivered(ctx, o.ID, []redact.Secret{"a", "b", "b"})
	more, moreErr := db.Delivered(ctx, o.ID, []redact.Secret{"a", "b", "b", "c"})
	if errors.Join(err, moreErr) != nil || !known || more {
		t.Errorf("delivered %v, with another account %v, %v", known, more, errors.Join(err, moreErr))
	}
	equal(t, "fewer accounts", 0, len(poll(closed, "a")))
	equal(t, "all accounts", 0, len(poll(closed, "a", "b", "b")))
	sweep(farFuture, 0)
	equal(t, "a late account", []redact.Secret{"c"}, poll(closed, "a", "b", "b", "c"))
	equal(t, "again", 0, len(poll(closed, "a", "b", "b", "c")))
	sweep(farFuture, 0)
	equal(t, "swept again", 0, len(poll(closed, "a", "b", "b", "c")))
	if got, err := db.Order(ctx, 1, o.ID); err != nil || got.Delivered != 4 {
		t.Errorf("%d accounts are delivered, want 4 (%v)", got.Delivered, err)
	}
}
