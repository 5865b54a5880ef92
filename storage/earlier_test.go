package storage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEarlierPurchases: what a purchase of 100 of service 2 on the link "a" collides with.
func TestEarlierPurchases(t *testing.T) {
	now := time.Now()
	db := openWithUsers(t, 7, 8)
	keys := map[int64]Key{7: saveKey(t, db, 7, "first-secret"), 8: saveKey(t, db, 8, "another")}
	ctx := t.Context()
	add := func(p Purchase, state PurchaseState, sentAgo time.Duration, order OrderState, closed time.Time) Earlier {
		t.Helper()
		p.KeyID, p.KeyFingerprint, p.Kind, p.RatePer = keys[p.UserID].ID, keys[p.UserID].Fingerprint, KindSMM, 1000
		p.CreatedAt, p.ExpiresAt = now, farFuture
		p, err := db.InsertDraft(ctx, p, 0)
		if err != nil {
			t.Fatal(err)
		}
		sentAt := now.Add(-sentAgo)
		if _, err := db.transition(ctx, "test", `UPDATE purchases SET state = ?, sent_at = ? WHERE id = ?`, state, toMillis(sentAt), p.ID); err != nil {
			t.Fatal(err)
		}
		earlier := Earlier{Purchase: p.ID, Quantity: p.Quantity}
		if order == "" {
			return earlier
		}
		p.State, p.SentAt = PurchaseSending, sentAt
		if _, err := db.transition(ctx, "test", `UPDATE purchases SET state = 'sending' WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
		earlier.ExternalID = idOf(p.ID)
		orders, placed, err := db.PlacePurchase(ctx, p, []Placement{{ExternalID: earlier.ExternalID}}, now, now, func(Order) []Message { return nil })
		if err != nil || !placed {
			t.Fatalf("placed %v: %v", placed, err)
		}
		remains := int64(38)
		earlier.Remains = &remains
		if _, err := db.transition(ctx, "test", `UPDATE orders SET state = ?, closed_at = ?, remains = 38 WHERE id = ?`, order, toMillis(closed), orders[0].ID); err != nil {
			t.Fatal(err)
		}
		return earlier
	}
	p := Purchase{UserID: 7, Service: 2, Quantity: 100, Link: "https://a.example", LinkDigest: "a"}
	with := func(change func(*Purchase)) Purchase {
		other := p
		change(&other)
		return other
	}
	check := func(what string, of Purchase, running, repeated Earlier) {
		t.Helper()
		got, err := db.RunningOnLink(ctx, of)
		again, errAgain := db.RepeatedSince(ctx, of, now.Add(-2*time.Minute))
		if diff := cmp.Diff([]Earlier{running, repeated}, []Earlier{got, again}); err != nil || errAgain != nil || diff != "" {
			t.Errorf("%s: %v %v %s", what, err, errAgain, diff)
		}
	}
	none := Earlier{}
	add(p, PurchaseDraft, 0, "", time.Time{})
	add(p, PurchaseSuperseded, 0, "", time.Time{})
	add(p, PurchaseRejected, 0, "", time.Time{})
	add(p, PurchaseDismissed, 0, "", time.Time{})
	add(with(func(p *Purchase) { p.UserID = 8 }), PurchasePlaced, 0, OrderOpen, time.Time{})
	add(with(func(p *Purchase) { p.LinkDigest = "" }), PurchasePlaced, 0, OrderOpen, time.Time{}) // of the release before
	check("another's, an older one, and unsent ones", p, none, none)
	for _, ended := range []OrderState{OrderCancelled, OrderRefunded, OrderFailed} {
		add(p, PurchasePlaced, time.Minute, ended, now)
	}
	check("orders that came to nothing", p, none, none)
	add(p, PurchasePlaced, time.Hour, OrderDelivered, now)
	add(p, PurchasePlaced, time.Hour, OrderPartial, now)
	add(p, PurchasePlaced, time.Hour, OrderStale, now)
	check("ended orders", p, none, none)

	delivered := add(p, PurchasePlaced, 110*time.Second, OrderDelivered, now)
	check("a complete order of less than two minutes ago", p, none, delivered)
	old := add(p, PurchasePlaced, 30*time.Minute, OrderOpen, time.Time{})
	check("a running order of longer ago", p, old, delivered)
	other := add(with(func(p *Purchase) { p.Quantity = 200 }), PurchasePlaced, time.Minute, OrderOpen, time.Time{})
	check("a running order of another quantity", p, other, delivered)
	unknown := add(p, PurchaseOutcomeUnknown, 10*time.Second, "", time.Time{})
	check("an unknown outcome", p, unknown, unknown)
	check("the purchase itself", with(func(p *Purchase) { p.ID = unknown.Purchase }), other, delivered)

	noLink := with(func(p *Purchase) { p.Link, p.LinkDigest = "", "" })
	check("none without a link", noLink, none, none)
	check("the same without a link", noLink, none, add(noLink, PurchasePlaced, time.Second, OrderOpen, time.Time{}))
	check("the link of an older purchase", with(func(p *Purchase) { p.LinkDigest = "" }), none, none)
	if got, err := db.RepeatedSince(ctx, p, now); err != nil || got != none {
		t.Errorf("since now: %+v, %v", got, err)
	}
}
