package storage

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

const basketLink = "https://t.me/anna"

// fillBasket adds n lines to the basket of user 1.
func fillBasket(t *testing.T, db *DB, n int) Basket {
	t.Helper()
	lines := make([]BasketLine, n)
	for i := range lines {
		lines[i] = BasketLine{Kind: KindSMM, Service: int64(i + 1), Name: "Likes", Quantity: 1000, Link: basketLink, RatePer: 1}
	}
	if err := db.AddToBasket(t.Context(), 1, newID(), lines, 50, time.Now()); err != nil {
		t.Fatal(err)
	}
	return basketOf(t, db, 0)
}

func basketOf(t *testing.T, db *DB, id int64) Basket {
	t.Helper()
	b, err := db.Basket(t.Context(), 1, id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pricedBasket prices three lines with the key of user 1, the last one with a fault.
func pricedBasket(t *testing.T, db *DB, key Key) Basket {
	t.Helper()
	b := fillBasket(t, db, 3)
	for i := range b.Lines {
		b.Lines[i].Rate, b.Lines[i].Currency = decimal.New(150, -2), "USD"
	}
	b.Lines[2].Fault = "gone"
	b, priced, err := db.PriceBasket(t.Context(), b, key.ID, time.Now())
	if err != nil || !priced {
		t.Fatalf("priced %v, %v", priced, err)
	}
	return b
}

func runningBasket(t *testing.T) (*DB, Key, Basket) {
	t.Helper()
	db := openWithUsers(t, 1, 2)
	key := saveKey(t, db, 1, "secret")
	b := pricedBasket(t, db, key)
	started, err := db.StartBasket(t.Context(), 1, b.ID, b.Revision, 7, 0, time.Now(), time.Now(), time.Now().Add(-time.Minute))
	if err != nil || !started {
		t.Fatalf("started %v, %v", started, err)
	}
	return db, key, basketOf(t, db, 0)
}

func claimLine(ctx context.Context, db *DB, key Key, line BasketLine) (Purchase, bool, error) {
	now := time.Now()
	p := Purchase{UserID: line.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: line.Kind, Name: line.Name, Link: line.Link, Rate: line.Rate, RatePer: line.RatePer}
	return db.ClaimLine(ctx, line, p, func(id int64) string { return "me/" + strconv.FormatInt(id, 10) }, now, now.Add(time.Minute))
}

func TestBasketHoldsLines(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	if _, err := db.Basket(t.Context(), 1, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("of an empty basket: %v", err)
	}
	fillBasket(t, db, 48)
	b := fillBasket(t, db, 2)
	if len(b.Lines) != 50 || b.Lines[49].Place != 50 || b.Lines[0].Link != basketLink || b.Revision != 1 {
		t.Errorf("%d lines, revision %d, the last is %+v", len(b.Lines), b.Revision, b.Lines[len(b.Lines)-1])
	}
	err := db.AddToBasket(t.Context(), 1, newID(), []BasketLine{{Kind: KindSMM}}, 50, time.Now())
	if !errors.Is(err, ErrFull) || len(basketOf(t, db, 0).Lines) != 50 {
		t.Errorf("a line too many: %v", err)
	}
	if _, err := db.Basket(t.Context(), 2, b.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another person: %v", err)
	}
	if removed, err := db.RemoveFromBasket(t.Context(), 2, b.ID, 0, time.Now()); removed || err != nil {
		t.Errorf("another person removed it: %v, %v", removed, err)
	}
	for _, line := range b.Lines {
		if removed, err := db.RemoveFromBasket(t.Context(), 1, b.ID, line.ID, time.Now()); !removed || err != nil {
			t.Fatalf("removed %v, %v", removed, err)
		}
	}
	if _, err := db.Basket(t.Context(), 1, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the last line was removed: %v", err)
	}
}

// TestUpdateAddsToBasketOnce: it may be handled again, also where another try would say that
// the basket is full.
func TestUpdateAddsToBasketOnce(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	add := func(user, update int64) error {
		return db.AddToBasket(t.Context(), user, update, []BasketLine{{Service: 1}, {Service: 1}}, 5, time.Now())
	}
	for range 2 {
		for _, update := range []int64{7, 8} {
			if err := errors.Join(add(1, update), add(2, update)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(basketOf(t, db, 0).Lines); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
	if err := add(1, 9); !errors.Is(err, ErrFull) {
		t.Errorf("another update: %v", err)
	}
}

// TestStartsBasketOnce: of several taps one starts it, and only in the revision that the
// card shows.
func TestStartsBasketOnce(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	b := pricedBasket(t, db, saveKey(t, db, 1, "secret"))
	start := func(ctx context.Context, user, revision int64, since time.Duration) (bool, error) {
		return db.StartBasket(ctx, user, b.ID, revision, 7, 0, time.Now(), time.Now(), time.Now().Add(since))
	}
	for name, do := range map[string]func() (bool, error){
		"another person":  func() (bool, error) { return start(t.Context(), 2, b.Revision, -time.Minute) },
		"older revision":  func() (bool, error) { return start(t.Context(), 1, b.Revision-1, -time.Minute) },
		"older than that": func() (bool, error) { return start(t.Context(), 1, b.Revision, time.Minute) },
	} {
		if started, err := do(); started || err != nil {
			t.Errorf("%s: %v, %v", name, started, err)
		}
	}
	once(t, "start", func(ctx context.Context) (bool, error) { return start(ctx, 1, b.Revision, -time.Minute) })
	if err := db.AddToBasket(t.Context(), 1, newID(), b.Lines, 50, time.Now()); !errors.Is(err, ErrBasketRunning) {
		t.Errorf("adding to a running basket: %v", err)
	}
	if _, priced, err := db.PriceBasket(t.Context(), b, 1, time.Now()); priced || err != nil {
		t.Errorf("pricing a running basket: %v, %v", priced, err)
	}
}

// TestBasketOfEarlierEpochIsNotStarted: it may have been bought.
func TestBasketOfEarlierEpochIsNotStarted(t *testing.T) {
	db := openWithUsers(t, 1)
	b := pricedBasket(t, db, saveKey(t, db, 1, "secret"))
	if _, err := db.writer.ExecContext(t.Context(), growEpoch, epochSetting); err != nil {
		t.Fatal(err)
	}
	started, err := db.StartBasket(t.Context(), 1, b.ID, b.Revision, 7, 0, time.Now(), time.Now(), time.Now().Add(-time.Minute))
	if started || err != nil || !basketOf(t, db, 0).Restored {
		t.Errorf("started %v, %v", started, err)
	}
}

func TestClaimsLineOnce(t *testing.T) {
	db, key, b := runningBasket(t)
	once(t, "claim", func(ctx context.Context) (bool, error) {
		_, claimed, err := claimLine(ctx, db, key, b.Lines[0])
		if errors.Is(err, ErrKeyBusy) {
			err = nil
		}
		return claimed, err
	})
	line := basketOf(t, db, 0).Lines[0]
	if line.PurchaseID == 0 || line.State != PurchaseClaimed || !line.Bought() || db.count(t, `SELECT COUNT(*) FROM purchases`) != 1 {
		t.Errorf("the line is %+v", line)
	}
	if _, claimed, err := claimLine(t.Context(), db, key, b.Lines[1]); claimed || !errors.Is(err, ErrKeyBusy) {
		t.Errorf("beside it another one was claimed: %v, %v", claimed, err)
	}
	if _, err := db.RejectPurchase(t.Context(), line.PurchaseID, "me/"+strconv.FormatInt(line.PurchaseID, 10), "price", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, claimed, err := claimLine(t.Context(), db, key, b.Lines[0]); claimed || err != nil { // the slot is free
		t.Errorf("a line was claimed again: %v, %v", claimed, err)
	}
	if next, more := basketOf(t, db, 0).Next(); !more || next.ID != b.Lines[1].ID {
		t.Errorf("the next line is %+v", next)
	}
}

// TestLineIsNotClaimed: nothing is bought where buying is closed, and no trace of it stays.
func TestLineIsNotClaimed(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, db *DB, key Key, b Basket) error{
		"maintenance": func(t *testing.T, db *DB, _ Key, _ Basket) error {
			return db.SetMaintenance(t.Context(), time.Now(), AuditEntry{})
		},
		"restored": func(t *testing.T, db *DB, _ Key, _ Basket) error {
			_, err := db.writer.ExecContext(t.Context(), growEpoch, epochSetting)
			return err
		},
		"refused key": func(t *testing.T, db *DB, key Key, _ Basket) error {
			_, err := db.RefuseKey(t.Context(), key.ID, Message{UserID: 1, CreatedAt: time.Now()})
			return err
		},
		"removed key": func(t *testing.T, db *DB, _ Key, _ Basket) error { return db.RemoveKey(t.Context(), 1) },
		"other key": func(t *testing.T, db *DB, _ Key, _ Basket) error {
			saveKey(t, db, 1, "another")
			return nil
		},
		"stopped": func(t *testing.T, db *DB, _ Key, b Basket) error {
			_, err := db.StopBasket(t.Context(), 1, b.ID, time.Now())
			return err
		},
		"ended": func(t *testing.T, db *DB, _ Key, b Basket) error {
			_, err := db.EndBasket(t.Context(), b, "stopped", time.Now())
			return err
		},
		"forgotten": func(t *testing.T, db *DB, _ Key, _ Basket) error { return db.Forget(t.Context(), 1, time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			db, key, b := runningBasket(t)
			if err := before(t, db, key, b); err != nil {
				t.Fatal(err)
			}
			if _, claimed, err := claimLine(t.Context(), db, key, b.Lines[0]); claimed || err != nil {
				t.Errorf("claimed %v, %v", claimed, err)
			}
			if n := db.count(t, `SELECT COUNT(*) FROM purchases`) + db.count(t, `SELECT COUNT(*) FROM basket_lines WHERE purchase_id <> 0`); n != 0 {
				t.Errorf("%d rows about it stay", n)
			}
		})
	}
}

// TestRestOfBasketIsOfferedAgain: what was not bought is the new basket, once.
func TestRestOfBasketIsOfferedAgain(t *testing.T) {
	db, key, b := runningBasket(t)
	p, _, err := claimLine(t.Context(), db, key, b.Lines[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.RejectPurchase(t.Context(), p.ID, "me/"+strconv.FormatInt(p.ID, 10), "price", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := claimLine(t.Context(), db, key, b.Lines[1]); err != nil {
		t.Fatal(err)
	}
	b = basketOf(t, db, 0)
	once(t, "end", func(ctx context.Context) (bool, error) {
		return db.EndBasket(ctx, b, "money", time.Now(), Message{UserID: 1, CreatedAt: time.Now()})
	})
	rest := basketOf(t, db, 0)
	if rest.State != BasketOpen || len(rest.Lines) != 2 || rest.Lines[0].Service != 1 || rest.Lines[1].Service != 3 || rest.Lines[0].Link != basketLink || rest.Lines[0].PurchaseID != 0 {
		t.Errorf("the rest is %+v", rest)
	}
	ended := basketOf(t, db, b.ID)
	if ended.State != BasketEnded || ended.Reason != "money" || len(ended.Lines) != 3 || ended.Lines[0].Reason != "price" {
		t.Errorf("the ended one is %+v", ended)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != 1 {
		t.Errorf("%d messages", n)
	}
	if err := db.Sweep(t.Context(), time.Now().Add(31*day)); err != nil || db.count(t, `SELECT COUNT(*) FROM basket_lines`) != 0 {
		t.Errorf("after a month lines stay, %v", err)
	}
}

// TestRestIsWhatWasNotBoughtAtTheEnd: another process may have begun a line since the basket
// was read.
func TestRestIsWhatWasNotBoughtAtTheEnd(t *testing.T) {
	db, key, b := runningBasket(t)
	if _, claimed, err := claimLine(t.Context(), db, key, b.Lines[0]); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	if ended, err := db.EndBasket(t.Context(), b, "stopped", time.Now()); !ended || err != nil {
		t.Fatal(ended, err)
	}
	if rest := basketOf(t, db, 0).Lines; len(rest) != 2 || rest[0].Service != 2 || rest[1].Service != 3 {
		t.Errorf("the rest is %+v", rest)
	}
}

func TestBasketSets(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	for _, update := range []int64{1, 2, 2} { // the last one is handled again
		if err := db.SaveBasketSet(t.Context(), update, BasketSet{UserID: 1, Name: "Boost", Lines: "1 1000"}, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SaveBasketSet(t.Context(), 3, BasketSet{UserID: 1, Name: "Boost"}, 2); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	sets, err := db.BasketSets(t.Context(), 1)
	if err != nil || len(sets) != 2 || sets[0].Name != "Boost" {
		t.Fatalf("sets %+v, %v", sets, err)
	}
	for _, user := range []int64{2, 1} {
		if err := db.RemoveBasketSet(t.Context(), user, sets[0].ID); err != nil {
			t.Fatal(err)
		}
		if left, err := db.BasketSets(t.Context(), 1); err != nil || len(left) != int(user) {
			t.Errorf("after user %d: %+v, %v", user, left, err)
		}
	}
}
