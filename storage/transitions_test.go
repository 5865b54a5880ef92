package storage

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// attempt is how a transition is tried: by whom, when, and with what it was read before.
type attempt struct {
	user   int64
	owner  string
	at     time.Time
	sentAt time.Time
	checks int
}

// wrongly changes an attempt so that nothing may happen.
type wrongly map[string]func(*attempt)

var (
	byAnother    = func(a *attempt) { a.user = 8 }
	ofAnother    = func(a *attempt) { a.owner = "another process" }
	atItsEnd     = func(a *attempt) { a.at = a.at.Add(time.Minute) } // of the draft, or of the lease
	beforeItsEnd = func(a *attempt) { a.at = a.at.Add(-time.Millisecond) }
)

// transitions are those of the table in ARCHITECTURE.md.
var transitions = map[string]struct {
	from  []PurchaseState
	house bool
	tells bool     // the person
	needs []string // tables and columns, where the operator's key pays if it may
	do    func(w *commitWorld, p Purchase, a attempt) (bool, error)
	after func(p *Purchase, a attempt) // besides what it is that changes
	wrong wrongly
}{
	"replace a draft": {
		from:  []PurchaseState{PurchaseDraft},
		needs: []string{"purchases", "balance_watches", "turns", "settings", "purchases.epoch"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			next := w.purchase()
			next.UserID = a.user
			_, err := w.db.InsertDraft(w.Context(), next, p.ID)
			return true, err
		},
		after: func(p *Purchase, _ attempt) { p.State = PurchaseSuperseded },
		wrong: wrongly{"another person's": byAnother},
	},
	"discard": {
		from:  []PurchaseState{PurchaseDraft},
		needs: []string{"purchases", "balance_watches", "turns"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.DiscardDraft(w.Context(), a.user, p.ID)
		},
		after: func(p *Purchase, _ attempt) { p.State = PurchaseSuperseded },
		wrong: wrongly{"another person's": byAnother},
	},
	"claim": {
		from:  []PurchaseState{PurchaseDraft},
		needs: []string{"purchases", "settings", "users", "allowances", "ledger"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.ClaimPurchase(w.Context(), a.user, p.ID, a.owner, a.at, a.at.Add(2*time.Minute))
		},
		after: func(p *Purchase, a attempt) { p.State, p.LeaseUntil = PurchaseClaimed, a.at.Add(2*time.Minute) },
		wrong: wrongly{"another person's": byAnother, "expired": atItsEnd},
	},
	"replace a claimed one": {
		from:  []PurchaseState{PurchaseClaimed},
		needs: []string{"purchases", "settings", "purchases.epoch", "ledger"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			next, done, err := w.db.ReplaceClaimed(w.Context(), p.ID, a.owner, w.purchase())
			if done {
				if stored, err := w.db.Purchase(w.Context(), 7, next.ID); err != nil || stored.State != PurchaseDraft {
					w.Errorf("its successor is %q: %v", stored.State, err)
				}
			}
			return done, err
		},
		after: func(p *Purchase, _ attempt) { p.State = PurchaseSuperseded },
		wrong: wrongly{"of another owner": ofAnother},
	},
	"send": {
		from:  []PurchaseState{PurchaseClaimed},
		needs: []string{"purchases"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			terms := Terms{Rate: dec("3"), Balance: dec("4"), Currency: "EUR", Stock: 5}
			return w.db.StartSending(w.Context(), p.ID, a.owner, terms, a.at, a.at.Add(2*time.Minute))
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.SentAt, p.LeaseUntil = PurchaseSending, a.at, a.at.Add(2*time.Minute)
			p.Rate, p.Balance, p.Currency, p.Stock, p.Variants = dec("3"), dec("4"), "EUR", 5, false
		},
		wrong: wrongly{"of another owner": ofAnother, "the lease is over": atItsEnd},
	},
	"reject": {
		from:  []PurchaseState{PurchaseClaimed, PurchaseSending},
		needs: []string{"purchases", "ledger", "allowances"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.RejectPurchase(w.Context(), p.ID, a.owner, "refused", "words", a.at)
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.Reason, p.Refusal, p.SettledAt = PurchaseRejected, "refused", "words", a.at
		},
		wrong: wrongly{"of another owner": ofAnother},
	},
	"reject an overdue one": {
		from: []PurchaseState{PurchaseClaimed}, tells: true,
		needs: []string{"purchases", "settings", "outbox", "ledger"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.RejectOverdue(w.Context(), p.ID, "interrupted", a.at.Add(time.Minute), w.message())
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.Reason, p.SettledAt = PurchaseRejected, "interrupted", a.at.Add(time.Minute)
		},
		wrong: wrongly{"the lease is not over": beforeItsEnd},
	},
	"mark unknown": {
		from: []PurchaseState{PurchaseSending}, tells: true,
		needs: []string{"purchases", "settings", "outbox", "ledger", "orders"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			p.SentAt = a.sentAt
			return w.db.MarkOutcomeUnknown(w.Context(), p, "words", a.at, w.message())
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.Refusal, p.NextCheckAt = PurchaseOutcomeUnknown, "words", a.at
		},
		wrong: wrongly{"sent since it was read": func(a *attempt) { a.sentAt = a.sentAt.Add(-time.Second) }},
	},
	"record a reading": {
		from:  []PurchaseState{PurchaseOutcomeUnknown},
		needs: []string{"purchases"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			p.Checks, p.NextCheckAt, p.Verdict = 2, a.at, VerdictBought
			p.BalanceSeen = decimal.NewNullDecimal(dec("6"))
			return w.db.RecordCheck(w.Context(), p, a.checks, nil)
		},
		after: func(p *Purchase, a attempt) {
			p.Checks, p.NextCheckAt, p.Verdict = 2, a.at, VerdictBought
			p.BalanceSeen = decimal.NewNullDecimal(dec("6"))
		},
		wrong: wrongly{"another process was quicker": func(a *attempt) { a.checks = 0 }},
	},
	"record the last reading": {
		from: []PurchaseState{PurchaseOutcomeUnknown}, tells: true,
		needs: []string{"purchases", "outbox"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			message := w.message()
			p.Checks, p.NextCheckAt = 2, time.Time{}
			return w.db.RecordCheck(w.Context(), p, a.checks, &message)
		},
		after: func(p *Purchase, _ attempt) { p.Checks, p.NextCheckAt = 2, time.Time{} },
		wrong: wrongly{"another process was quicker": func(a *attempt) { a.checks = 0 }},
	},
	"dismiss": {
		from:  []PurchaseState{PurchaseOutcomeUnknown},
		needs: []string{"purchases"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.DismissPurchase(w.Context(), a.user, p.ID, a.at)
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.SettledAt, p.NextCheckAt = PurchaseDismissed, a.at, time.Time{}
		},
		wrong: wrongly{"another person's": byAnother},
	},
	"dismiss one of the operator's key": {
		from: []PurchaseState{PurchaseOutcomeUnknown}, house: true, tells: true,
		needs: []string{"purchases", "audit_log", "ledger"},
		do: func(w *commitWorld, p Purchase, a attempt) (bool, error) {
			return w.db.DismissHousePurchase(w.Context(), p.ID, a.at, w.entry(), w.message())
		},
		after: func(p *Purchase, a attempt) {
			p.State, p.SettledAt, p.NextCheckAt = PurchaseDismissed, a.at, time.Time{}
		},
	},
}

// missing returns what takes a table, or a column of one, away and back.
func missing(what string) (away, back string) {
	if table, column, ok := strings.Cut(what, "."); ok {
		alter := `ALTER TABLE ` + table + ` RENAME COLUMN `
		return alter + column + ` TO gone`, alter + `gone TO ` + column
	}
	return `ALTER TABLE ` + what + ` RENAME TO gone`, `ALTER TABLE gone RENAME TO ` + what
}

// TestTransitions: each one happens from its states only, to the purchase that is meant only,
// for who may do it only, and changes what it says only. Where the database can't do a part of
// it, nothing happens, and that is an error.
func TestTransitions(t *testing.T) {
	states := []PurchaseState{
		PurchaseDraft, PurchaseSuperseded, PurchaseClaimed, PurchaseSending, PurchasePlaced, PurchaseRejected, PurchaseOutcomeUnknown, PurchaseDismissed,
	}
	db := openWithUsers(t, 7, 8)
	keys := map[int64]Key{7: saveKey(t, db, 7, "first-secret"), 8: saveKey(t, db, 8, "another")}
	w := &commitWorld{T: t, db: db, key: keys[7], now: time.Now().Truncate(time.Millisecond)}
	setOperator(t, db, houseSecret)
	give(t, db, 7, "1000", "0", false, w.now)
	for _, since := range []time.Time{w.now, {}} { // maintenance that is over
		if err := db.SetMaintenance(t.Context(), since, w.entry()); err != nil {
			t.Fatal(err)
		}
	}
	change := func(query string, args ...any) {
		if _, err := db.transition(t.Context(), "prepare", query, args...); err != nil {
			t.Fatal(err)
		}
	}
	// stored stores a purchase of each person in a state.
	stored := func(state PurchaseState, house bool) map[int64]Purchase {
		change(`DELETE FROM purchases`)
		change(`DELETE FROM outbox`)
		change(`DELETE FROM ledger`)
		purchases := map[int64]Purchase{}
		for _, user := range []int64{8, 7} { // what looks at any purchase looks at the other one
			p := w.purchase()
			p.UserID, p.KeyID, p.KeyFingerprint = user, keys[user].ID, keys[user].Fingerprint
			p, err := db.InsertDraft(t.Context(), p, 0)
			if err != nil {
				t.Fatal(err)
			}
			change(`UPDATE purchases SET state = ?, house = ?, lease_owner = 'owner', lease_until = ?, sent_at = ?, variants = 1, checks = 1, next_check_at = 9 WHERE id = ?`,
				state, bit(house), toMillis(w.now.Add(time.Minute)), toMillis(w.now.Add(-time.Second)), p.ID)
			if purchases[user], err = db.Purchase(t.Context(), user, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		return purchases
	}
	for name, transition := range transitions {
		for _, state := range states {
			may := slices.Contains(transition.from, state)
			try := func(why string, spoil func(*attempt), without string) {
				a := attempt{user: 7, owner: "owner", at: w.now, sentAt: w.now.Add(-time.Second), checks: 1}
				want := stored(state, transition.house || without != "" && name != "dismiss")
				p, happens := want[7], may && spoil == nil && without == ""
				if spoil != nil {
					spoil(&a)
				}
				away, back := missing(without)
				if without != "" {
					change(away)
				}
				done, err := transition.do(w, p, a)
				if without != "" {
					change(back)
				}
				if (err != nil) != (without != "") || errors.Is(err, ErrNoAllowance) || done != happens && name != "replace a draft" {
					t.Errorf("%s, %s, %s: done is %v, want %v: %v", name, state, why, done, happens, err)
				}
				if happens {
					transition.after(&p, a)
					want[7] = p
				}
				if told := db.count(t, `SELECT COUNT(*) FROM outbox`) == 1; told != (happens && transition.tells) {
					t.Errorf("%s, %s, %s: the person is told: %v", name, state, why, told)
				}
				for user, want := range want {
					got, err := db.Purchase(t.Context(), user, want.ID)
					if diff := cmp.Diff(want, got); err != nil || diff != "" {
						t.Errorf("%s, %s, %s: person %d's is another: %v%s", name, state, why, user, err, diff)
					}
				}
			}
			try("as it should", nil, "")
			if !may {
				continue
			}
			for why, spoil := range transition.wrong {
				try(why, spoil, "")
			}
			for _, table := range transition.needs {
				try("without "+table, nil, table)
			}
		}
	}
	for name, house := range map[string]bool{"dismiss": true, "dismiss one of the operator's key": false} {
		p := stored(PurchaseOutcomeUnknown, house)[7]
		if done, err := transitions[name].do(w, p, attempt{user: 7, at: w.now}); err != nil || done {
			t.Errorf("%s although another key has paid: done is %v: %v", name, done, err)
		}
	}
	p := stored(PurchaseClaimed, false)[7]
	if sent, err := db.StartSending(t.Context(), p.ID, "owner", Terms{Variants: true}, w.now, w.now.Add(time.Minute)); err != nil || !sent {
		t.Fatal(sent, err)
	}
	if p, err := db.Purchase(t.Context(), 7, p.ID); err != nil || !p.Variants {
		t.Errorf("what has variants was sent as %+v: %v", p, err)
	}
	change(`DELETE FROM purchases`)
	away, back := missing("purchases.lease_owner") // which only the INSERT needs
	change(away)
	marked, err := db.MarkOutcomeUnknown(t.Context(), p, "", w.now, w.message())
	change(back)
	if err == nil || marked || db.count(t, `SELECT COUNT(*) FROM outbox`) != 0 {
		t.Errorf("one that is gone and can't be stored is marked %v: %v", marked, err)
	}
}

// TestTurnWhoseCardIsNewer: the messages about a turn name its card, so what ends the turn
// does nothing where the card is another one by now.
func TestTurnWhoseCardIsNewer(t *testing.T) {
	db := openHouse(t, 1)
	now := time.Now()
	give(t, db, 1, "10", "10", false, now)
	p := houseDraft(t, db, 1, KindProduct, "5.00", 1, now)
	if queued, err := db.QueuePurchase(t.Context(), 1, p.ID, now); err != nil || !queued {
		t.Fatal(queued, err)
	}
	turn := func() Turn {
		turn, err := db.Turn(t.Context(), 1, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return turn
	}
	early := turn()
	if waits, err := db.SetTurnMessage(t.Context(), 1, p.ID, 77); err != nil || !waits {
		t.Fatal(waits, err)
	}
	if done, err := db.ClaimTurn(t.Context(), early, "owner", now, now.Add(time.Minute)); err != nil || done {
		t.Errorf("claimed %v, %v", done, err)
	}
	if done, err := db.RejectTurn(t.Context(), early, "x", now); err != nil || done {
		t.Errorf("rejected %v, %v", done, err)
	}
	if err := db.EndTurn(t.Context(), early); err != nil {
		t.Error(err)
	}
	if done, err := db.ClaimTurn(t.Context(), turn(), "owner", now, now.Add(time.Minute)); err != nil || !done {
		t.Errorf("the present turn is claimed %v, %v", done, err)
	}
}
