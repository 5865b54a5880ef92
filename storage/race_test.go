package storage

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

const races = 60

// openPair opens one database twice, as two processes do.
func openPair(t *testing.T) (a, b *DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bot.db")
	return openAt(t, path, testKeys(t, 1)), openAt(t, path, testKeys(t, 1))
}

// race runs functions at the same time and waits for all of them.
func race(functions ...func()) {
	var running sync.WaitGroup
	start := make(chan struct{})
	for _, f := range functions {
		running.Go(func() { <-start; f() })
	}
	close(start)
	running.Wait()
}

func touch(t *testing.T, db *DB, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		if _, _, err := db.TouchUser(t.Context(), id, "Ann", "en", true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchRoundIsClaimedByOneProcess(t *testing.T) {
	a, b := openPair(t)
	now := time.Now()
	for i := range races {
		var mine [2]bool
		claim := func(db *DB, slot *bool) func() {
			return func() {
				var err error
				if *slot, _, err = db.ClaimWatchRound(t.Context(), now.Add(time.Duration(i)*time.Hour), time.Minute); err != nil {
					t.Error(err)
				}
			}
		}
		race(claim(a, &mine[0]), claim(b, &mine[1]))
		if mine[0] == mine[1] {
			t.Errorf("round %d: claimed %v", i, mine)
		}
	}
}

func TestBroadcastIsClaimedByOneProcess(t *testing.T) {
	a, b := openPair(t)
	crowd(t, a, 3)
	confirmed(t, a, 1)
	now := time.Now()
	for i := range races {
		at := now.Add(time.Duration(i) * time.Hour)
		var failures [2]error
		claim := func(db *DB, owner string, failure *error) func() {
			return func() { _, *failure = db.ClaimBroadcast(t.Context(), owner, at, at.Add(time.Minute)) }
		}
		race(claim(a, "a", &failures[0]), claim(b, "b", &failures[1]))
		if (failures[0] == nil) == (failures[1] == nil) {
			t.Errorf("round %d: %v", i, failures)
		}
	}
}

func TestMessagesOfPersonAreClaimedByOneProcess(t *testing.T) {
	a, b := openPair(t)
	touch(t, a, 7)
	for range races {
		if _, err := a.writer.ExecContext(t.Context(), `DELETE FROM outbox`); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		add := func(at time.Time) {
			if err := a.AddMessage(t.Context(), Message{UserID: 7, Kind: "x", CreatedAt: at}); err != nil {
				t.Error(err)
			}
		}
		add(now)
		var claimed [2][]Message
		claim := func(db *DB, owner string, messages *[]Message) func() {
			return func() {
				var err error
				if *messages, err = db.ClaimMessages(t.Context(), owner, now.Add(time.Second), now.Add(time.Minute), 1); err != nil {
					t.Error(err)
				}
			}
		}
		race(claim(a, "a", &claimed[0]), claim(b, "b", &claimed[1]), func() { add(now.Add(-time.Millisecond)) })
		if len(claimed[0]) > 0 && len(claimed[1]) > 0 {
			t.Errorf("both processes send: %v", claimed)
		}
	}
}

func TestPurchaseAdoptsNoMoreNumbersThanBought(t *testing.T) {
	a, b := openPair(t)
	touch(t, a, 7)
	key := saveKey(t, a, 7, "secret")
	now := time.Now()
	none := func(Order) []Message { return nil }
	for i := range races {
		p := markUnknown(t, a, sending(t, a, 7, key, 2))
		adopt := func(db *DB, number int) func() {
			return func() {
				if _, _, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: strconv.Itoa(number)}, now, now, none); err != nil {
					t.Error(err)
				}
			}
		}
		number := 1000 + 10*i
		adopt(a, number)()
		race(adopt(a, number+1), adopt(b, number+2))
		if n := a.count(t, `SELECT COUNT(*) FROM orders WHERE purchase_id = ?`, p.ID); n != 2 {
			t.Errorf("%d orders of 2 numbers", n)
		}
	}
}

func TestNothingIsLeftOfPersonForgottenDuringPoll(t *testing.T) {
	a, b := openPair(t)
	for i := range races {
		user := int64(100 + i)
		order := placed(t, a, user, 5000+user)[0]
		order.Polls++
		now := time.Now()
		race(
			func() {
				if err := a.Forget(t.Context(), user, now); err != nil {
					t.Error(err)
				}
			},
			func() {
				_, _, err := b.UpdateOrder(t.Context(), order, nil, []redact.Secret{"account"}, func(o Order, _ []redact.Secret) ([]Message, error) {
					return []Message{{UserID: user, OrderID: o.ID, Kind: "x", Body: []byte("x"), CreatedAt: now}}, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		left := a.count(t, `SELECT (SELECT COUNT(*) FROM outbox WHERE user_id = ?) + (SELECT COUNT(*) FROM deliveries WHERE order_id = ?)`, user, order.ID)
		if left > 0 {
			t.Errorf("%d rows are left", left)
		}
	}
}

func TestProcessesAgreeOnDigestKey(t *testing.T) {
	a, b := openPair(t)
	for range races {
		if _, err := a.writer.ExecContext(t.Context(), `DELETE FROM settings WHERE name = ?`, digestSetting); err != nil {
			t.Fatal(err)
		}
		var keys [2][]byte
		read := func(db *DB, key *[]byte) func() {
			return func() {
				var err error
				if *key, err = db.digestKey(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}
		}
		race(read(a, &keys[0]), read(b, &keys[1]))
		if !slices.Equal(keys[0], keys[1]) {
			t.Error("the keys differ")
		}
	}
}

func TestPersonHasOneActiveKey(t *testing.T) {
	a, b := openPair(t)
	touch(t, a, 7)
	for i := range races {
		save := func(db *DB, secret string) func() {
			return func() {
				if _, err := db.SaveKey(t.Context(), 7, redact.Secret(secret)); err != nil {
					t.Error(err)
				}
			}
		}
		race(save(a, fmt.Sprint("a", i)), save(b, fmt.Sprint("b", i)))
		if n := a.count(t, `SELECT COUNT(*) FROM api_keys WHERE user_id = 7 AND state = 'active'`); n != 1 {
			t.Errorf("%d active keys", n)
		}
	}
}

func TestIncrementsOfTwoProcessesAreCounted(t *testing.T) {
	a, b := openPair(t)
	increment := func(db *DB) func() {
		return func() {
			err := db.write(t.Context(), func(tx *sqlx.Tx) error {
				text, err := setting(t.Context(), tx, selectSetting, "count")
				if err != nil {
					return err
				}
				n, _ := strconv.Atoi(text)
				return setSetting(t.Context(), tx, upsertSetting, "count", strconv.Itoa(n+1))
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	for range races {
		race(increment(a), increment(b))
	}
	if got, err := a.Setting(t.Context(), "count"); err != nil || got != strconv.Itoa(2*races) {
		t.Errorf("counted %s: %v", got, err)
	}
}

// A purchase that is not claimed when SetMaintenance returns is not claimed later.
func TestMaintenanceEndsClaims(t *testing.T) {
	a, b := openPair(t)
	touch(t, a, 7)
	key := saveKey(t, a, 7, "secret")
	for range races {
		now := time.Now()
		p, err := a.InsertDraft(t.Context(), Purchase{
			UserID: 7, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: KindProduct, Quantity: 1, Rate: decimal.New(1, 0), RatePer: 1,
			Currency: "USD", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		}, 0)
		if err != nil {
			t.Fatal(err)
		}
		entry := AuditEntry{AdminID: 1, Action: "x", At: now}
		if err := b.SetMaintenance(t.Context(), time.Time{}, entry); err != nil {
			t.Fatal(err)
		}
		var before int
		claimed := false
		race(
			func() {
				if err := b.SetMaintenance(t.Context(), now, entry); err != nil {
					t.Error(err)
				}
				before = b.count(t, `SELECT COUNT(*) FROM purchases WHERE id = ? AND state = 'claimed'`, p.ID)
			},
			func() {
				var err error
				if claimed, err = a.ClaimPurchase(t.Context(), 7, p.ID, "owner", now, now.Add(time.Minute)); err != nil {
					t.Error(err)
				}
			})
		if claimed != (before == 1) {
			t.Errorf("claimed %v, and %d when the switch returned", claimed, before)
		}
		if _, err := a.writer.ExecContext(t.Context(), `UPDATE purchases SET state = 'rejected' WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// While one process finishes the last update of its chat, another one stores the next:
// one of them knows that it has to be handled.
func TestNextUpdateIsSomebodys(t *testing.T) {
	a, b := openPair(t)
	for i := range int64(races) {
		last, next := 10*i+1, 10*i+2
		if _, _, err := a.StoreUpdates(t.Context(), "a", []int64{last}, []int64{7}, [][]byte{[]byte("a")}); err != nil {
			t.Fatal(err)
		}
		var more bool
		var unfinished []int
		race(
			func() {
				var err error
				if more, err = a.Finish(t.Context(), "a", 7, last); err != nil {
					t.Error(err)
				}
			},
			func() {
				var err error
				if _, unfinished, err = b.StoreUpdates(t.Context(), "b", []int64{next}, []int64{7}, [][]byte{[]byte("b")}); err != nil {
					t.Error(err)
				}
			})
		owner := map[bool]string{true: "a", false: "b"}[more]
		if more == (unfinished[0] == 1) {
			t.Fatalf("more %t, and b has %d", more, unfinished[0])
		}
		if more, err := a.Finish(t.Context(), owner, 7, next); err != nil || more {
			t.Fatalf("%s can't finish the next update: more %t, %v", owner, more, err)
		}
	}
}
