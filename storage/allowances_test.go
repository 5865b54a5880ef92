package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

const (
	houseSecret = redact.Secret("operators-secret")
	houseAdmin  = 9
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// openHouse opens a database of an operator with a key, and of these people.
func openHouse(t *testing.T, ids ...int64) *DB {
	t.Helper()
	db := openWithUsers(t, append(ids, houseAdmin)...)
	setOperator(t, db, houseSecret)
	return db
}

func setOperator(t *testing.T, db *DB, secret redact.Secret) {
	t.Helper()
	if err := db.SetOperatorKey(t.Context(), secret, []int64{houseAdmin}); err != nil {
		t.Fatal(err)
	}
}

func byAdmin(action string, at time.Time) AuditEntry {
	return AuditEntry{AdminID: houseAdmin, Action: action, At: at}
}

func give(t *testing.T, db *DB, user int64, amount, markup string, monthly bool, now time.Time) Allowance {
	t.Helper()
	a, err := db.GiveAllowance(t.Context(), user, AllowanceTerms{Amount: dec(amount), Currency: "USD", Monthly: monthly, Markup: dec(markup)}, byAdmin("allowance", now))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func available(t *testing.T, db *DB, user int64, now time.Time) string {
	t.Helper()
	a, err := db.Allowance(t.Context(), user, now)
	if err != nil {
		t.Fatal(err)
	}
	return a.Available().String()
}

// houseDraft stores a draft of quantity pieces that the person's active key pays.
func houseDraft(t *testing.T, db *DB, user int64, kind Kind, rate string, quantity int64, now time.Time) Purchase {
	t.Helper()
	key, err := db.ActiveKey(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	p := Purchase{
		UserID: user, KeyID: key.ID, KeyFingerprint: key.Fingerprint, House: key.House, Kind: kind, Name: "Goods", Quantity: quantity, Rate: dec(rate), RatePer: 1,
		Currency: "USD", Balance: dec("1000"), CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	if key.House {
		a, err := db.Allowance(t.Context(), user, now)
		if err != nil {
			t.Fatal(err)
		}
		p.Markup = a.Markup
	}
	if p, err = db.InsertDraft(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

func claimHouse(t *testing.T, db *DB, p Purchase, now time.Time) error {
	t.Helper()
	claimed, err := db.ClaimPurchase(t.Context(), p.UserID, p.ID, "owner", now, now.Add(time.Minute))
	if claimed != (err == nil) {
		t.Fatalf("claimed %v: %v", claimed, err)
	}
	return err
}

// sendHouse claims a draft and starts sending it.
func sendHouse(t *testing.T, db *DB, p Purchase, now time.Time) Purchase {
	t.Helper()
	if err := claimHouse(t, db, p, now); err != nil {
		t.Fatal(err)
	}
	sent, err := db.StartSending(t.Context(), p.ID, "owner", Terms{Rate: p.Rate, Balance: p.Balance, Currency: p.Currency}, now, now.Add(time.Minute))
	if err != nil || !sent {
		t.Fatalf("sending %v: %v", sent, err)
	}
	p.SentAt = now
	return p
}

func placeHouse(t *testing.T, db *DB, p Purchase, now time.Time, ids ...string) []Order {
	t.Helper()
	given := make([]Placement, 0, len(ids))
	for _, id := range ids {
		given = append(given, Placement{ExternalID: id})
	}
	orders, placed, err := db.PlacePurchase(t.Context(), p, given, now, now, func(Order) []Message { return nil })
	if err != nil || !placed {
		t.Fatalf("placed %v: %v", placed, err)
	}
	return orders
}

// reportHouse stores a poll with a state and a charge ("" for none), and closes the order
// unless it is open.
func reportHouse(t *testing.T, db *DB, o Order, state OrderState, charge string, now time.Time) Order {
	t.Helper()
	o, err := db.Order(t.Context(), o.UserID, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	o.Polls++
	o.State, o.UpdatedAt, o.ClosedAt, o.Charge = state, now, now, decimal.NullDecimal{}
	if state == OrderOpen {
		o.ClosedAt = time.Time{}
	}
	if charge != "" {
		o.Charge = decimal.NewNullDecimal(dec(charge))
	}
	storePoll(t, db, o)
	return o
}

func entryOf(t *testing.T, db *DB, p Purchase) LedgerEntry {
	t.Helper()
	line, err := db.LedgerEntry(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return line.LedgerEntry
}

func TestShownPriceIsRoundedUp(t *testing.T) {
	for _, test := range []struct {
		rate     string
		quantity int64
		per      int64
		markup   string
		want     string
	}{
		{"2.60", 1, 1, "0", "2.6"},
		{"2.60", 1, 1, "10", "2.86"},
		{"2.61", 1, 1, "10", "2.88"},       // 2.871
		{"2.6", 1, 1, "0.01", "2.61"},      // at least two decimals
		{"3", 1, 1, "33.33", "4"},          // 3.9999
		{"0.0012", 1, 1, "3", "0.0013"},    // 0.001236: the digits of the price
		{"0.12", 10, 1000, "3", "0.00124"}, // 0.001236
		{"0.12", 1000, 1000, "5", "0.126"},
		{"25.0000", 3, 1, "0.01", "75.01"}, // zeros at the end are no digits
		{"10", 1, 1, "100", "20"},
	} {
		p := Purchase{Rate: dec(test.rate), Quantity: test.quantity, RatePer: test.per, Markup: dec(test.markup)}
		if got := p.Shown(); !got.Equal(dec(test.want)) {
			t.Errorf("%s for %d, %d pieces with %s %% are %s, want %s", test.rate, test.per, test.quantity, test.markup, got, test.want)
		}
	}
}

func TestAllowanceLetsHouseKeyPay(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	if _, err := db.ActiveKey(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	pays := func(what string, want redact.Secret) {
		t.Helper()
		key, err := db.ActiveKey(ctx, 1)
		if want == "" && errors.Is(err, ErrNotFound) {
			return
		}
		if err != nil || key.Secret != want || key.House != (want == houseSecret) {
			t.Errorf("%s: %q pays (house %v), %v; want %q", what, key.Secret.Reveal(), key.House, err, want.Reveal())
		}
	}
	own := func(what string, want redact.Secret) {
		t.Helper()
		key, err := db.OwnKey(ctx, 1)
		if want == "" && errors.Is(err, ErrNotFound) {
			return
		}
		if err != nil || key.Secret != want || key.House {
			t.Errorf("%s: the own key is %q, %v", what, key.Secret.Reveal(), err)
		}
	}
	switchTo := func(house, want bool) {
		t.Helper()
		if done, err := db.PayWith(ctx, 1, house); err != nil || done != want {
			t.Errorf("pay with the house %v: %v, %v", house, done, err)
		}
	}
	switchTo(true, false)
	give(t, db, 1, "20", "10", true, now)
	pays("given", houseSecret)
	own("given", "")
	switchTo(false, false)
	if _, err := db.SaveKey(ctx, 1, houseSecret); !errors.Is(err, ErrHouseKey) {
		t.Errorf("the operator's key is accepted as an own one: %v", err)
	}
	pays("refused", houseSecret)
	saveKey(t, db, 1, "own")
	pays("own key given", "own")
	switchTo(true, true)
	pays("switched", houseSecret)
	own("switched", "own")
	give(t, db, 1, "30", "0", false, now)
	pays("changed", houseSecret)
	switchTo(false, true)
	pays("switched back", "own")
	give(t, db, 1, "40", "0", false, now)
	pays("changed while the own key pays", "own")
	if err := db.RemoveKey(ctx, 1); err != nil {
		t.Fatal(err)
	}
	pays("own key removed", houseSecret)
	if err := db.RemoveKey(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("the operator's key is removed by the person: %v", err)
	}
	pays("still", houseSecret)
	saveKey(t, db, 1, "own-2")
	switchTo(true, true)
	if removed, err := db.RemoveAllowance(ctx, 1, byAdmin("remove", now)); err != nil || !removed {
		t.Fatalf("removed %v, %v", removed, err)
	}
	pays("allowance removed", "own-2")
	switchTo(true, false)
	equal(t, "secrets of the house that are kept without need", 0, db.count(t, `SELECT COUNT(*) FROM api_keys WHERE house = 1 AND secret_sealed <> ''`))
	if removed, err := db.RemoveAllowance(ctx, 1, byAdmin("remove", now)); err != nil || removed {
		t.Errorf("removed again %v, %v", removed, err)
	}
	equal(t, "audit entries", 4, db.count(t, `SELECT COUNT(*) FROM audit_log`))
	if err := db.RemoveKey(ctx, 1); err != nil {
		t.Fatal(err)
	}
	pays("nothing is left", "")
	give(t, db, 1, "5", "0", false, now)
	pays("given again", houseSecret)
	equal(t, "keys of the house", 1, db.count(t, `SELECT COUNT(*) FROM api_keys WHERE house = 1`))
	data, err := db.PersonalData(ctx, 1)
	if err != nil || len(data.Allowances) != 1 {
		t.Fatalf("%+v, %v", data.Allowances, err)
	}
	for _, key := range data.Keys {
		if key.House {
			t.Error("the operator's key is exported")
		}
	}
	if summary, err := db.DataSummary(ctx, 1); err != nil || summary.Keys != 0 {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestAllowanceTermsAreChecked(t *testing.T) {
	db := openHouse(t, 1)
	for _, terms := range []AllowanceTerms{
		{Amount: dec("0"), Currency: "USD"},
		{Amount: dec("-1"), Currency: "USD"},
		{Amount: dec("1")},
		{Amount: dec("1"), Currency: "USD", Markup: dec("-1")},
		{Amount: dec("1"), Currency: "USD", Markup: dec("100.01")},
		{Amount: dec("1"), Currency: "USD", Markup: dec("1.001")},
	} {
		if _, err := db.GiveAllowance(t.Context(), 1, terms, byAdmin("x", time.Now())); !errors.Is(err, ErrBadTerms) {
			t.Errorf("%+v: %v", terms, err)
		}
		if _, err := db.AddAllowanceLink(t.Context(), terms, byAdmin("x", time.Now())); !errors.Is(err, ErrBadTerms) {
			t.Errorf("a link: %+v: %v", terms, err)
		}
	}
	fine := AllowanceTerms{Amount: dec("1"), Currency: "USD", Markup: dec("100")}
	if _, err := db.GiveAllowance(t.Context(), 77, fine, byAdmin("x", time.Now())); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown person: %v", err)
	}
	saveKey(t, db, 1, houseSecret) // as an admin may
	if _, err := db.GiveAllowance(t.Context(), 1, fine, byAdmin("x", time.Now())); !errors.Is(err, ErrHouseKey) {
		t.Errorf("a person with the operator's key: %v", err)
	}
	setOperator(t, db, "")
	if _, err := db.GiveAllowance(t.Context(), 1, fine, byAdmin("x", time.Now())); !errors.Is(err, ErrNoOperatorKey) {
		t.Errorf("without a key: %v", err)
	}
	equal(t, "allowances and audit entries", 0, db.count(t, `SELECT (SELECT COUNT(*) FROM allowances) + (SELECT COUNT(*) FROM audit_log)`))
}

func TestHoldIsTakenByTheClaim(t *testing.T) {
	db := openHouse(t, 1, 2)
	now := time.Now()
	give(t, db, 1, "10", "10", false, now)
	give(t, db, 2, "10", "10", false, now)
	p := houseDraft(t, db, 1, KindProduct, "5.00", 1, now)
	equal(t, "a draft takes", "10", available(t, db, 1, now))
	p = sendHouse(t, db, p, now)
	equal(t, "in flight", "4.5", available(t, db, 1, now))
	if err := claimHouse(t, db, houseDraft(t, db, 2, KindProduct, "5.00", 1, now), now); !errors.Is(err, ErrKeyBusy) {
		t.Errorf("another person buys at the same time: %v", err)
	}
	equal(t, "the other one", "10", available(t, db, 2, now))
	block := func(user int64, blocked bool) {
		if _, err := db.SetBlocked(t.Context(), user, blocked, byAdmin("block", now)); err != nil {
			t.Fatal(err)
		}
	}
	block(2, true) // it stops nobody else
	order := placeHouse(t, db, p, now, "1")[0]
	equal(t, "placed", "4.5", available(t, db, 1, now))
	if err := claimHouse(t, db, houseDraft(t, db, 1, KindProduct, "4.10", 1, now), now); !errors.Is(err, ErrAllowanceLow) {
		t.Errorf("4.51 of 4.5: %v", err)
	}
	reportHouse(t, db, order, OrderOpen, "4.00", now)
	equal(t, "a lower charge, still open", "4.5", available(t, db, 1, now))
	reportHouse(t, db, order, OrderDelivered, "4.00", now)
	equal(t, "delivered", "5.6", available(t, db, 1, now))
	if claimed, err := db.ClaimPurchase(t.Context(), 1, p.ID, "owner", now, now.Add(time.Minute)); err != nil || claimed {
		t.Error(claimed, err)
	}
	equal(t, "a tap on a placed one", "5.6", available(t, db, 1, now))
	rejected := houseDraft(t, db, 1, KindProduct, "5.09", 1, now) // 5.599
	if err := claimHouse(t, db, rejected, now); err != nil {
		t.Fatal(err)
	}
	equal(t, "the last of it", "0", available(t, db, 1, now))
	if done, err := db.RejectPurchase(t.Context(), rejected.ID, "owner", "x", "", now); err != nil || !done {
		t.Fatal(done, err)
	}
	equal(t, "rejected", "5.6", available(t, db, 1, now))
	if claimed, err := db.ClaimPurchase(t.Context(), 1, rejected.ID, "owner", now, now.Add(time.Minute)); err != nil || claimed {
		t.Error(claimed, err)
	}
	equal(t, "a tap on a rejected one", "5.6", available(t, db, 1, now))
	equal(t, "rejected", LedgerReleased, entryOf(t, db, rejected).State)
	reportHouse(t, db, order, OrderRefunded, "4.00", now)
	equal(t, "refunded", "10", available(t, db, 1, now))
	e := entryOf(t, db, p)
	equal(t, "the entry", []string{"5.50", "4.4", "4.4", "0", "settled"}, []string{e.Hold.StringFixed(2), e.Charged.Truncate(1).String(), e.Refunded.Truncate(1).String(), e.Cost.String(), string(e.State)})
	equal(t, "told of a charge above its hold", 0, db.count(t, `SELECT COUNT(*) FROM outbox`))
	for _, price := range []struct{ confirmed, left string }{{"", "7.8"}, {"1", "9.9978"}} { // of 1000 for 0.002: each, then together
		if err := db.SetSetting(t.Context(), SMMRateConfirmedSetting(1000), price.confirmed); err != nil {
			t.Fatal(err)
		}
		smm := houseDraft(t, db, 1, KindSMM, "0.002", 1000, now)
		if _, err := db.transition(t.Context(), "price", `UPDATE purchases SET rate_per = 1000 WHERE id = ?`, smm.ID); err != nil {
			t.Fatal(err)
		}
		if err := claimHouse(t, db, smm, now); err != nil {
			t.Fatal(err)
		}
		equal(t, "the larger price is held until one is confirmed", price.left, available(t, db, 1, now))
		if done, err := db.RejectPurchase(t.Context(), smm.ID, "owner", "x", "", now); err != nil || !done {
			t.Fatal(done, err)
		}
	}
	// Another currency, a blocked person, no allowance, no key of the operator, and what can't be read.
	foreign := houseDraft(t, db, 1, KindProduct, "1", 1, now)
	foreign.Currency = "EUR"
	foreign, err := db.InsertDraft(t.Context(), foreign, foreign.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := claimHouse(t, db, foreign, now); !errors.Is(err, ErrNoAllowance) {
		t.Errorf("in another currency: %v", err)
	}
	late := houseDraft(t, db, 1, KindProduct, "1", 1, now)
	block(1, true)
	if err := claimHouse(t, db, late, now); !errors.Is(err, ErrNoAllowance) {
		t.Errorf("blocked: %v", err)
	}
	block(1, false)
	setOperator(t, db, "")
	if err := claimHouse(t, db, late, now); !errors.Is(err, ErrNoOperatorKey) {
		t.Errorf("without the operator's key: %v", err)
	}
	setOperator(t, db, houseSecret)
	if _, err := db.RemoveAllowance(t.Context(), 1, byAdmin("x", now)); err != nil {
		t.Fatal(err)
	}
	if err := claimHouse(t, db, late, now); !errors.Is(err, ErrNoAllowance) {
		t.Errorf("without an allowance: %v", err)
	}
	if _, err := db.transition(t.Context(), "damage", `UPDATE purchases SET rate = 'x' WHERE id = ?`, late.ID); err != nil {
		t.Fatal(err)
	}
	if err := claimHouse(t, db, late, now); err == nil || errors.Is(err, ErrNoAllowance) {
		t.Errorf("without a price: %v", err)
	}
}

func TestOwnKeyTakesNothing(t *testing.T) {
	db := openHouse(t, 1)
	now := time.Now()
	give(t, db, 1, "10", "10", false, now)
	saveKey(t, db, 1, "own")
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "500", 1, now), now)
	reportHouse(t, db, placeHouse(t, db, p, now, "1")[0], OrderDelivered, "500", now)
	equal(t, "bought with the own key", "10", available(t, db, 1, now))
	equal(t, "entries", 0, db.count(t, `SELECT COUNT(*) FROM ledger`))
}

// Allowances that are lowered, removed, given again or forgotten never touch what is on its
// way.
func TestAllowanceChangesWhileOnItsWay(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	first := give(t, db, 1, "10", "10", false, now)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "5.00", 1, now), now)
	if changed := give(t, db, 1, "2", "50", false, now); changed.GrantID != first.GrantID {
		t.Error("a change begins another grant")
	}
	equal(t, "lowered", "-3.5", available(t, db, 1, now))
	order := placeHouse(t, db, p, now, "1")[0]
	reportHouse(t, db, order, OrderDelivered, "5.00", now)
	equal(t, "settled with the markup of the card", "-3.5", available(t, db, 1, now))
	if err := claimHouse(t, db, houseDraft(t, db, 1, KindProduct, "0.01", 1, now), now); !errors.Is(err, ErrAllowanceLow) {
		t.Errorf("below zero: %v", err)
	}
	give(t, db, 1, "10", "10", false, now)
	unknown := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1.00", 1, now), now))
	if _, err := db.RemoveAllowance(ctx, 1, byAdmin("x", now)); err != nil {
		t.Fatal(err)
	}
	if key, err := db.Key(ctx, unknown.KeyID); err != nil || key.Secret != houseSecret {
		t.Errorf("an unknown outcome has lost its key: %v", err)
	}
	again := give(t, db, 1, "10", "10", false, now)
	if again.GrantID == first.GrantID {
		t.Error("given again it is the same grant")
	}
	equal(t, "a new grant", "10", available(t, db, 1, now))
	if done, err := db.DismissPurchase(ctx, 1, unknown.ID, now); err != nil || done {
		t.Errorf("the person dismisses: %v, %v", done, err)
	}
	if _, adopted, err := db.AdoptOrder(ctx, unknown, Placement{ExternalID: "2"}, now, now, func(Order) []Message { return nil }, byAdmin("adopt", now)); err != nil || !adopted {
		t.Fatal(adopted, err)
	}
	equal(t, "adopted", "10", available(t, db, 1, now))
	equal(t, "the order of the grant before", "1.1", entryOf(t, db, unknown).Taken().Truncate(1).String())
	// Another currency is another grant.
	if euro, err := db.GiveAllowance(ctx, 1, AllowanceTerms{Amount: dec("7"), Currency: "EUR"}, byAdmin("x", now)); err != nil || euro.GrantID == again.GrantID || !euro.Available().Equal(dec("7")) {
		t.Errorf("%+v, %v", euro, err)
	}
}

func TestOperatorKeyIsChanged(t *testing.T) {
	db := openHouse(t, 1, 2)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "0", false, now)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1", 1, now), now)
	placeHouse(t, db, p, now, "1")
	draft := houseDraft(t, db, 1, KindProduct, "1", 1, now)
	if refused, err := db.RefuseKey(ctx, p.KeyID, Message{UserID: 1, Kind: "invalid_key", CreatedAt: now}); err != nil || refused {
		t.Errorf("refused %v, %v", refused, err)
	}
	equal(t, "messages about the operator's key", 0, db.count(t, `SELECT COUNT(*) FROM outbox`))
	give(t, db, 2, "100", "0", false, now)
	saveKey(t, db, 2, "new-secret")
	setOperator(t, db, "") // the setting is empty for a while
	if key, err := db.Key(ctx, p.KeyID); err != nil || key.Secret != houseSecret || !key.Invalid {
		t.Errorf("without a key orders go on with that before: %+v, %v", key, err)
	}
	setOperator(t, db, "new-secret")
	key, err := db.Key(ctx, p.KeyID)
	if err != nil || key.Secret != "new-secret" || key.Invalid || !key.Pays {
		t.Errorf("%+v, %v", key, err)
	}
	if p, err := db.Purchase(ctx, 1, draft.ID); err != nil || p.KeyFingerprint != key.Fingerprint {
		t.Errorf("the draft: %+v, %v", p, err)
	}
	if _, err := db.Allowance(ctx, 2, now); !errors.Is(err, ErrNotFound) {
		t.Errorf("who has given the new key has an allowance: %v", err)
	}
	if key, err := db.ActiveKey(ctx, 2); err != nil || key.House || key.Secret != "new-secret" {
		t.Errorf("%+v, %v", key, err)
	}
	if err := claimHouse(t, db, draft, now); err != nil {
		t.Error(err)
	}
}

func TestAllowanceLinkIsUsedOnce(t *testing.T) {
	db := openHouse(t, 1, 2, 3)
	ctx, now := t.Context(), time.Now()
	terms := AllowanceTerms{Amount: dec("20"), Currency: "USD", Monthly: true, Markup: dec("12.5")}
	add := func() string {
		code, err := db.AddAllowanceLink(ctx, terms, byAdmin("link", now))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	use := func(what string, user int64, code string, at time.Time, want error) {
		t.Helper()
		a, err := db.UseAllowanceLink(ctx, user, code, AuditEntry{Action: "link_used", At: at})
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if err == nil && (a.UserID != user || a.GivenBy != houseAdmin || !a.Amount.Equal(terms.Amount) || !a.Markup.Equal(terms.Markup) || !a.Monthly || !a.Pays) {
			t.Errorf("%s: %+v", what, a)
		}
	}
	code := add()
	equal(t, "digests that hold the code", 0, db.count(t, `SELECT COUNT(*) FROM allowance_links WHERE digest LIKE ?`, "%"+code+"%"))
	use("wrong", 1, strings.ToLower(code), now, ErrLinkGone)
	use("expired", 1, code, now.Add(AllowanceLinkAge), ErrLinkGone)
	var won int
	results := make(chan error, 2)
	race(func() {
		_, err := db.UseAllowanceLink(ctx, 1, code, AuditEntry{Action: "link_used", At: now})
		results <- err
	}, func() {
		_, err := db.UseAllowanceLink(ctx, 2, code, AuditEntry{Action: "link_used", At: now})
		results <- err
	})
	for range 2 {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, ErrLinkGone) {
			t.Error(err)
		}
	}
	equal(t, "of two people", 1, won)
	equal(t, "audit entries", 1, db.count(t, `SELECT COUNT(*) FROM audit_log WHERE action = 'link_used' AND admin_id = ? AND subject IN (1, 2)`, houseAdmin))
	winner, loser := int64(1), int64(2)
	if _, err := db.Allowance(ctx, 1, now); err != nil {
		winner, loser = 2, 1
	}
	use("again", winner, code, now, nil)
	other := add()
	use("with an allowance", winner, other, now, ErrHasAllowance)
	use("the other one", loser, other, now, nil)
	if _, err := db.RemoveAllowance(ctx, loser, byAdmin("x", now)); err != nil {
		t.Fatal(err)
	}
	use("after it was removed", loser, other, now, ErrLinkGone)
	last := add()
	links, err := db.AllowanceLinks(ctx, now)
	if err != nil || len(links) != 1 {
		t.Fatalf("%+v, %v", links, err)
	}
	for _, want := range []bool{true, false} {
		if revoked, err := db.RevokeAllowanceLink(ctx, links[0].ID, byAdmin("revoke", now)); err != nil || revoked != want {
			t.Errorf("revoked %v, %v", revoked, err)
		}
	}
	use("revoked", 3, last, now, ErrLinkGone)
}
