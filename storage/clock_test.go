package storage

import (
	"testing"
	"time"
)

// TestMoveDrafts: drafts only, and PullPurchases ends those that expire too far ahead.
func TestMoveDrafts(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	const life = 10 * time.Minute
	now := time.Now().Truncate(time.Millisecond)
	insert := func(expires time.Time) int64 {
		t.Helper()
		p, err := db.InsertDraft(ctx, Purchase{UserID: 1, Kind: KindProduct, CreatedAt: now, ExpiresAt: expires}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	want := func(id int64, at time.Time) {
		t.Helper()
		if p, err := db.Purchase(ctx, 1, id); err != nil || !p.ExpiresAt.Equal(at) {
			t.Errorf("it expires at %v, want %v (%v)", p.ExpiresAt, at, err)
		}
	}
	draft, ended, ahead := insert(now.Add(life)), insert(now.Add(life)), insert(now.Add(life+time.Millisecond))
	if _, err := db.DiscardDraft(ctx, 1, ended); err != nil {
		t.Fatal(err)
	}
	if err := db.PullPurchases(ctx, now, life, time.Minute, nil, false); err != nil {
		t.Fatal(err)
	}
	want(draft, now.Add(life))
	want(ahead, now)
	if err := db.MoveDrafts(ctx, map[int64]time.Time{draft: now.Add(time.Minute), ended: now, ahead: now.Add(time.Hour), 99: now}); err != nil {
		t.Fatal(err)
	}
	want(draft, now.Add(time.Minute))
	want(ended, now.Add(life))
	want(ahead, now.Add(time.Hour))
	if err := db.MoveDrafts(ctx, nil); err != nil {
		t.Error(err)
	}
}
