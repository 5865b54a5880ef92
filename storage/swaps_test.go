package storage

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// offeredSwap stores an offered swap of a rented number of user 1, with its draft.
func offeredSwap(t *testing.T, db *DB, order Order) Swap {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond).UTC()
	p, err := db.InsertDraft(t.Context(), Purchase{
		UserID: order.UserID, KeyID: order.KeyID, KeyFingerprint: order.KeyFingerprint, Kind: KindSMS, Name: "Telegram", Quantity: 1, RatePer: 1,
		CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := Swap{
		PurchaseID: p.ID, OrderID: order.ID, UserID: order.UserID, Place: 1, Charge: decimal.New(90, -2), Refund: decimal.New(90, -2),
		State: SwapOffered, DueAt: now, CreatedAt: now,
	}
	if err := db.InsertSwap(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// rentedNumber is a number that user 1 has rented.
func rentedNumber(t *testing.T) (*DB, Order) {
	t.Helper()
	db := openWithUsers(t, 1, 2)
	return db, rented(t, db, 1, saveKey(t, db, 1, "secret"), 101)[0]
}

// stateOf reads a swap of user 1 again.
func stateOf(t *testing.T, db *DB, s Swap) Swap {
	t.Helper()
	s, err := db.Swap(t.Context(), 1, s.PurchaseID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// once calls do ten times at the same time and expects one true.
func once(t *testing.T, what string, do func(ctx context.Context) (bool, error)) {
	t.Helper()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		done  int
	)
	for range 10 {
		group.Go(func() {
			found, err := do(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if found {
				done++
			}
		})
	}
	group.Wait()
	if done != 1 {
		t.Errorf("%s: %d of 10 calls did it", what, done)
	}
}

// TestSwapSteps: each step is made once, however many taps and processes make it.
func TestSwapSteps(t *testing.T) {
	db, order := rentedNumber(t)
	s := offeredSwap(t, db, order)
	now := s.CreatedAt
	due, giveUp := now.Add(time.Minute), now.Add(10*time.Minute)
	if armed, err := db.ArmSwap(t.Context(), 2, s.PurchaseID, now, giveUp); err != nil || armed {
		t.Errorf("armed by another person: %v, %v", armed, err)
	}
	if _, err := db.Swap(t.Context(), 2, s.PurchaseID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another person reads it: %v", err)
	}
	once(t, "arm", func(ctx context.Context) (bool, error) { return db.ArmSwap(ctx, 1, s.PurchaseID, now, giveUp) })
	if armed, err := db.ArmSwap(t.Context(), 1, offeredSwap(t, db, order).PurchaseID, now, giveUp); err != nil || armed {
		t.Errorf("a second swap of the number: %v, %v", armed, err)
	}
	s = stateOf(t, db, s)
	s.At, s.DueAt = due, due
	if err := db.MoveSwap(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if next, err := db.NextSwap(t.Context()); err != nil || !next.Equal(due) {
		t.Errorf("the next step is due at %v, %v", next, err)
	}
	if err := db.PullSwaps(t.Context(), now, due.Sub(now)); err != nil {
		t.Fatal(err)
	}
	if all, err := db.DueSwaps(t.Context(), now, 10); err != nil || len(all) != 1 || !all[0].At.Equal(due) {
		t.Errorf("due are %+v, %v", all, err)
	}
	once(t, "cancel", func(ctx context.Context) (bool, error) { return db.StartSwapCancel(ctx, s, now, due, giveUp) })
	if started, err := db.StartCancels(t.Context(), 1, []int64{order.ID}, now); err != nil || len(started) != 0 {
		t.Errorf("another cancel: %v, %v", started, err)
	}
	if err := db.PullSwaps(t.Context(), now, due.Sub(now)); err != nil {
		t.Fatal(err)
	}
	if s = stateOf(t, db, s); !s.DueAt.Equal(due) {
		t.Errorf("a swap that sends a cancel was pulled to %v", s.DueAt)
	}
	message := Message{UserID: 1, OrderID: order.ID, PurchaseID: s.PurchaseID, Kind: "swap", CreatedAt: now}
	if claimed, err := db.ClaimSwap(t.Context(), s, "me", now, due, message); err != nil || claimed {
		t.Errorf("claimed before the end: %v, %v", claimed, err)
	}
	once(t, "end", func(ctx context.Context) (bool, error) { return db.EndSwapCancel(ctx, s, now) })
	s = stateOf(t, db, s)
	before := db.count(t, `SELECT COUNT(*) FROM outbox`)
	once(t, "claim", func(ctx context.Context) (bool, error) { return db.ClaimSwap(ctx, s, "me", now, due, message) })
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`) - before; n != 1 {
		t.Errorf("%d messages", n)
	}
	if stopped, err := db.StopSwap(t.Context(), s, "late", message); err != nil || stopped {
		t.Errorf("stopped after the claim: %v, %v", stopped, err)
	}
	if p, err := db.Purchase(t.Context(), 1, s.PurchaseID); err != nil || p.State != PurchaseClaimed {
		t.Errorf("the purchase is %s, %v", p.State, err)
	}
	if place, err := db.SwapPlace(t.Context(), s.PurchaseID); err != nil || place != 1 {
		t.Errorf("place %d, %v", place, err)
	}
	if last, err := db.SwapOf(t.Context(), order.ID); err != nil || last.PurchaseID != s.PurchaseID {
		t.Errorf("the swap of the number is %+v, %v", last, err)
	}
}

// TestCancelStopsArmedSwap: the person's own cancel comes first, and a swap never sends a
// second one.
func TestCancelStopsArmedSwap(t *testing.T) {
	db, order := rentedNumber(t)
	s := offeredSwap(t, db, order)
	now := s.CreatedAt
	if _, err := db.ArmSwap(t.Context(), 1, s.PurchaseID, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s = stateOf(t, db, s)
	if started, err := db.StartCancels(t.Context(), 1, []int64{order.ID}, now); err != nil || !slices.Equal(started, []int64{order.ID}) {
		t.Fatalf("started %v, %v", started, err)
	}
	if started, err := db.StartSwapCancel(t.Context(), s, now, now, now); err != nil || started {
		t.Errorf("the swap sends a second cancel: %v, %v", started, err)
	}
	if s = stateOf(t, db, s); s.State != SwapStopped || s.Reason != SwapCancelled {
		t.Errorf("the swap is %s, %q", s.State, s.Reason)
	}
	// A cancel of an older program, which does not stop swaps.
	older := offeredSwap(t, db, order)
	if _, err := db.writer.ExecContext(t.Context(), `UPDATE swaps SET state = 'armed' WHERE purchase_id = `+strconv.FormatInt(older.PurchaseID, 10)); err != nil {
		t.Fatal(err)
	}
	older = stateOf(t, db, older)
	if started, err := db.StartSwapCancel(t.Context(), older, now, now, now); err != nil || started {
		t.Errorf("the swap sends a second cancel after one of an older program: %v, %v", started, err)
	}
	if older = stateOf(t, db, older); older.State != SwapArmed {
		t.Errorf("the swap is %s", older.State)
	}
	if _, err := db.StopSwap(t.Context(), older, SwapCancelled); err != nil {
		t.Fatal(err)
	}
	// A cancel that was sent before the swap could be armed.
	if armed, err := db.ArmSwap(t.Context(), 1, offeredSwap(t, db, order).PurchaseID, now, now); err != nil || armed {
		t.Errorf("armed although a cancel was sent: %v, %v", armed, err)
	}
}

// TestClaimSwapWaits: what keeps a purchase from being claimed keeps a swap from renting,
// and leaves it as it is.
func TestClaimSwapWaits(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, db *DB, order Order)
		want   error
	}{
		"maintenance": {before: func(t *testing.T, db *DB, _ Order) {
			if err := db.SetMaintenance(t.Context(), time.Now(), AuditEntry{}); err != nil {
				t.Fatal(err)
			}
		}},
		"restored": {before: func(t *testing.T, db *DB, _ Order) {
			if _, err := db.writer.ExecContext(t.Context(), growEpoch, epochSetting); err != nil {
				t.Fatal(err)
			}
		}},
		"refused key": {before: func(t *testing.T, db *DB, order Order) {
			if _, err := db.RefuseKey(t.Context(), order.KeyID, Message{UserID: 1, CreatedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}},
		"removed key": {before: func(t *testing.T, db *DB, _ Order) {
			if err := db.RemoveKey(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}},
		"other key": {before: func(t *testing.T, db *DB, _ Order) { saveKey(t, db, 1, redact.Secret("another")) }},
		"busy key": {want: ErrKeyBusy, before: func(t *testing.T, db *DB, order Order) {
			sending(t, db, 1, Key{ID: order.KeyID, Fingerprint: order.KeyFingerprint}, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db, order := rentedNumber(t)
			s := offeredSwap(t, db, order)
			now := s.CreatedAt
			if _, err := db.ArmSwap(t.Context(), 1, s.PurchaseID, now, now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.StartSwapCancel(t.Context(), stateOf(t, db, s), now, now, now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.EndSwapCancel(t.Context(), stateOf(t, db, s), now); err != nil {
				t.Fatal(err)
			}
			test.before(t, db, order)
			s = stateOf(t, db, s)
			claimed, err := db.ClaimSwap(t.Context(), s, "me", now, now.Add(time.Minute), Message{UserID: 1, CreatedAt: now})
			if claimed || !errors.Is(err, test.want) {
				t.Errorf("claimed %v, %v", claimed, err)
			}
			if got := stateOf(t, db, s).State; got != SwapEnding {
				t.Errorf("the swap is %s", got)
			}
		})
	}
}
