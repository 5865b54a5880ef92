package storage

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hstockbot/internal/redact"
)

// Everything that the holder of a lease had leased can be taken at once by the next
// holder, also if the clock has been set back since.
func TestLeasesEndWithTheirHolder(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	purchase := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 1)
	order := rented(t, db, 8, saveKey(t, db, 8, "second-secret"), 501)[0]
	now := time.Now()
	until, past := now.Add(time.Minute), now.Add(-time.Hour)
	must(db.InsertSwap(ctx, Swap{PurchaseID: order.PurchaseID, OrderID: order.ID, UserID: 8, State: SwapCancelling, DueAt: until, CreatedAt: now}))
	for _, id := range []string{"dead", "next"} {
		must(db.AddReplica(ctx, Replica{ID: id, StartedAt: now, Until: until}))
	}
	if beat, err := db.Beat(ctx, "dead", "lease", now, until); err != nil || !beat.Held || !beat.Ended {
		t.Fatalf("the lease was not taken: %+v, %v", beat, err)
	}
	if taken, err := db.TakePolls(ctx, nil, duePolls(t, db, "dead", now), "dead", now, until); err != nil || len(taken) != 1 {
		t.Fatalf("took %v, %v", taken, err)
	}
	must(db.AddMessage(ctx, Message{UserID: 7, Kind: "x", CreatedAt: past}))
	if claimed, err := db.ClaimMessages(ctx, "dead", now, until, 9); err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	broadcast := confirmed(t, db, 7)
	_, err := db.ClaimBroadcast(ctx, "dead", now, until)
	must(err)

	later := until.Add(time.Minute)
	if beat, err := db.Beat(ctx, "next", "lease", now, later); err != nil || beat.Held || len(beat.Others) != 1 || beat.Others[0].ID != "dead" {
		t.Fatalf("beside a living holder: %+v, %v", beat, err)
	}
	if beat, err := db.Beat(ctx, "next", "lease", until, later); err != nil || !beat.Held || !beat.Ended || len(beat.Others) != 0 {
		t.Fatalf("after the time of the holder: %+v, %v", beat, err)
	}
	if beat, err := db.Beat(ctx, "next", "lease", until, later); err != nil || !beat.Held || beat.Ended {
		t.Fatalf("the holder again: %+v, %v", beat, err)
	}
	if beat, err := db.Beat(ctx, "dead", "lease", now, until); err != nil || !beat.Removed || beat.Held {
		t.Fatalf("the dead one again: %+v, %v", beat, err)
	}

	overdue, err := db.OverdueLeases(ctx, past, 9)
	if err != nil || len(overdue) != 1 || overdue[0].ID != purchase.ID {
		t.Errorf("overdue: %v, %v", overdue, err)
	}
	if event, err := db.NextPurchaseEvent(ctx); err != nil || event.IsZero() || event.After(past) {
		t.Errorf("the next purchase event is at %v, %v", event, err)
	}
	if taken, err := db.TakePolls(ctx, nil, duePolls(t, db, "next", now), "next", now, until); err != nil || len(taken) != 1 || taken[0].ID != order.ID {
		t.Errorf("polls: %v, %v", taken, err)
	}
	if claimed, err := db.ClaimMessages(ctx, "next", past.Add(time.Second), until, 9); err != nil || len(claimed) != 1 {
		t.Errorf("messages: %v, %v", claimed, err)
	}
	if claimed, err := db.ClaimBroadcast(ctx, "next", past, until); err != nil || claimed.ID != broadcast.ID {
		t.Errorf("broadcast: %v, %v", claimed, err)
	}
	if due, err := db.DueSwaps(ctx, past, 9); err != nil || len(due) != 1 {
		t.Errorf("swaps: %v, %v", due, err)
	}
}

// A replica that stops frees its lease, and one that uses the database alone ends those
// of all others.
func TestRemovedReplicasHaveNoLease(t *testing.T) {
	db := openWithUsers(t)
	ctx, now := t.Context(), time.Now()
	beat := func(id string) Beat {
		t.Helper()
		if err := db.AddReplica(ctx, Replica{ID: id, StartedAt: now, Until: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Beat(ctx, id, "lease", now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if !beat("a").Held || beat("b").Held {
		t.Fatal("a has not the lease, or b has it")
	}
	if err := db.RemoveReplica(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if got := beat("b"); !got.Held || len(got.Others) != 0 {
		t.Errorf("after a stopped: %+v", got)
	}
	if err := db.RemoveReplicas(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := db.Replicas(ctx, now); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if !beat("c").Held {
		t.Error("c does not get the lease")
	}
}

// Of replicas that ask at the same time, one gets the lease.
func TestLeaseHasOneHolder(t *testing.T) {
	a, b := openPair(t)
	now := time.Now()
	for i := range races {
		var held [2]bool
		claim := func(db *DB, slot int) func() {
			return func() {
				id := fmt.Sprint("replica-", i, "-", slot)
				err := db.AddReplica(t.Context(), Replica{ID: id, StartedAt: now, Until: now.Add(time.Minute)})
				if err != nil {
					t.Error(err)
				}
				beat, err := db.Beat(t.Context(), id, fmt.Sprint("lease-", i), now, now.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				held[slot] = beat.Held
			}
		}
		race(claim(a, 0), claim(b, 1))
		if held[0] == held[1] {
			t.Fatalf("lease %d is held by both or none: %v", i, held)
		}
	}
}

// The purchases of a dead replica end, and those of the others go on.
func TestPurchasesOfADeadReplicaEnd(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	now := time.Now()
	until := now.Add(time.Minute)
	for id, alive := range map[string]time.Time{"leads": until, "lives": until, "dies": now.Add(time.Second)} {
		if err := db.AddReplica(t.Context(), Replica{ID: id, StartedAt: now, Until: alive}); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(user int64, owner string) Purchase {
		t.Helper()
		p := sending(t, db, user, saveKey(t, db, user, redact.Secret(fmt.Sprint("secret-", user))), 1)
		if _, err := db.transition(t.Context(), "claim by "+owner, `UPDATE purchases SET lease_owner = ? WHERE id = ?`, fmt.Sprint(owner, "/", p.ID), p.ID); err != nil {
			t.Fatal(err)
		}
		return p
	}
	claim(7, "lives")
	dead := claim(8, "dies")
	for _, step := range []struct {
		at   time.Time
		want []int64
	}{{now, nil}, {now.Add(2 * time.Second), []int64{dead.ID}}} {
		if _, err := db.Beat(t.Context(), "leads", "lease", step.at, until); err != nil {
			t.Fatal(err)
		}
		overdue, err := db.OverdueLeases(t.Context(), step.at, 9)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for _, p := range overdue {
			ids = append(ids, p.ID)
		}
		if !slices.Equal(ids, step.want) {
			t.Errorf("overdue at %s are %v, want %v", step.at.Sub(now), ids, step.want)
		}
	}
}
