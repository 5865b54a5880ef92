package storage

import (
	"errors"
	"testing"
	"time"

	"hstockbot/internal/redact"
)

// commitWorld is a database in which a person has a key, and can do one thing of each kind.
type commitWorld struct {
	*testing.T
	db  *DB
	key Key
	now time.Time
}

// commitCases are the methods that must be right after a commit that was not answered.
// Each prepares its world and returns the call, which returns what its caller learns.
var commitCases = []struct {
	name    string
	prepare func(w *commitWorld) func() (any, error)
}{
	{"InsertDraft", func(w *commitWorld) func() (any, error) {
		before := w.draft()
		return func() (any, error) {
			p, err := w.db.InsertDraft(w.Context(), w.purchase(), before.ID)
			return p.State, err
		}
	}},
	{"DiscardDraft", func(w *commitWorld) func() (any, error) {
		p := w.draft()
		w.another(`state = 'superseded'`)
		return func() (any, error) { return w.db.DiscardDraft(w.Context(), 7, p.ID) }
	}},
	{"MoveToBasket", func(w *commitWorld) func() (any, error) {
		p := w.draft()
		return func() (any, error) {
			return nil, w.db.MoveToBasket(w.Context(), 7, p.ID, BasketLine{Kind: p.Kind, Service: p.Service}, 1, w.now)
		}
	}},
	{"ClaimPurchase", func(w *commitWorld) func() (any, error) {
		p := w.draft()
		w.another(`state = 'claimed', lease_owner = 'owner', lease_until = ?`, w.now.Add(time.Minute))
		return func() (any, error) {
			return w.db.ClaimPurchase(w.Context(), 7, p.ID, "owner", w.now, w.now.Add(time.Minute))
		}
	}},
	{"ReplaceClaimed", func(w *commitWorld) func() (any, error) {
		p := w.claimed()
		return func() (any, error) {
			_, replaced, err := w.db.ReplaceClaimed(w.Context(), p.ID, "owner", p)
			return replaced, err
		}
	}},
	{"StartSending", func(w *commitWorld) func() (any, error) {
		p := w.claimed()
		w.another(`state = 'sending', lease_owner = 'owner', sent_at = ?, lease_until = ?`, w.now, w.now.Add(time.Minute))
		return func() (any, error) {
			return w.db.StartSending(w.Context(), p.ID, "owner", Terms{Rate: p.Rate, Currency: "USD"}, w.now, w.now.Add(time.Minute))
		}
	}},
	{"RejectPurchase", func(w *commitWorld) func() (any, error) {
		p := w.claimed()
		w.another(`state = 'rejected', lease_owner = 'owner', reason = 'stock'`)
		return func() (any, error) {
			return w.db.RejectPurchase(w.Context(), p.ID, "owner", "stock", "", w.now)
		}
	}},
	{"RejectOverdue", func(w *commitWorld) func() (any, error) {
		p := w.claimed()
		return func() (any, error) {
			return w.db.RejectOverdue(w.Context(), p.ID, "interrupted", w.now.Add(time.Hour), w.message())
		}
	}},
	{"PlacePurchase", func(w *commitWorld) func() (any, error) {
		p := sending(w.T, w.db, 7, w.key, 2)
		return func() (any, error) {
			orders, placed, err := w.db.PlacePurchase(w.Context(), p, []Placement{{ExternalID: "1"}, {ExternalID: "2"}}, w.now, w.now, w.announce)
			return []any{len(orders), placed}, err
		}
	}},
	{"PlacePurchase of an imported order", func(w *commitWorld) func() (any, error) {
		p := sending(w.T, w.db, 7, w.key, 2)
		imported := importedOrder(7, 1)
		imported.Kind = KindSMS
		if _, err := w.db.ImportOrder(w.Context(), imported, nil, noMessages); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			orders, placed, err := w.db.PlacePurchase(w.Context(), p, []Placement{{ExternalID: "1"}}, w.now, w.now, w.announce)
			return []any{len(orders), placed}, err
		}
	}},
	{"MarkOutcomeUnknown", func(w *commitWorld) func() (any, error) {
		p := sending(w.T, w.db, 7, w.key, 2)
		return func() (any, error) { return w.db.MarkOutcomeUnknown(w.Context(), p, "", w.now, w.message()) }
	}},
	{"RecordCheck", func(w *commitWorld) func() (any, error) {
		p := markUnknown(w.T, w.db, sending(w.T, w.db, 7, w.key, 2))
		p.Checks, p.NextCheckAt = 1, w.now.Add(time.Minute)
		w.another(`state = 'outcome_unknown', checks = 1, next_check_at = ?`, p.NextCheckAt)
		return func() (any, error) { return w.db.RecordCheck(w.Context(), p, 0, nil) }
	}},
	{"RecordCheck with a message", func(w *commitWorld) func() (any, error) {
		p := markUnknown(w.T, w.db, sending(w.T, w.db, 7, w.key, 2))
		p.Checks, p.Verdict = 1, VerdictBought
		return func() (any, error) {
			message := w.message()
			return w.db.RecordCheck(w.Context(), p, 0, &message)
		}
	}},
	{"AdoptOrder", func(w *commitWorld) func() (any, error) {
		p := markUnknown(w.T, w.db, sending(w.T, w.db, 7, w.key, 2))
		return func() (any, error) {
			order, adopted, err := w.db.AdoptOrder(w.Context(), p, Placement{ExternalID: "1"}, w.now, w.now, w.announce)
			return []any{order.ExternalID, adopted}, err
		}
	}},
	{"DismissPurchase", func(w *commitWorld) func() (any, error) {
		p := markUnknown(w.T, w.db, sending(w.T, w.db, 7, w.key, 2))
		w.another(`state = 'dismissed', settled_at = ?`, w.now)
		return func() (any, error) { return w.db.DismissPurchase(w.Context(), 7, p.ID, w.now) }
	}},
	{"GiveAllowance", func(w *commitWorld) func() (any, error) {
		setOperator(w.T, w.db, houseSecret)
		return func() (any, error) {
			a, err := w.db.GiveAllowance(w.Context(), 7, AllowanceTerms{Amount: dec("5"), Currency: "USD"}, byAdmin("give", w.now))
			return a.Available().String(), err
		}
	}},
	{"RemoveAllowance", func(w *commitWorld) func() (any, error) {
		setOperator(w.T, w.db, houseSecret)
		give(w.T, w.db, 7, "5", "0", false, w.now)
		return func() (any, error) { return w.db.RemoveAllowance(w.Context(), 7, byAdmin("remove", w.now)) }
	}},
	{"UseAllowanceLink", func(w *commitWorld) func() (any, error) {
		setOperator(w.T, w.db, houseSecret)
		code, err := w.db.AddAllowanceLink(w.Context(), AllowanceTerms{Amount: dec("5"), Currency: "USD"}, byAdmin("link", w.now))
		return func() (any, error) {
			a, useErr := w.db.UseAllowanceLink(w.Context(), 7, code, byAdmin("used", w.now))
			return a.Available().String(), errors.Join(err, useErr)
		}
	}},
	{"ClaimPurchase with an allowance", func(w *commitWorld) func() (any, error) {
		p := w.houseDraft()
		return func() (any, error) {
			return w.db.ClaimPurchase(w.Context(), 7, p.ID, "owner", w.now, w.now.Add(time.Minute))
		}
	}},
	{"QueuePurchase", func(w *commitWorld) func() (any, error) {
		p := w.houseDraft()
		return func() (any, error) { return w.db.QueuePurchase(w.Context(), 7, p.ID, w.now) }
	}},
	{"ClaimTurn", func(w *commitWorld) func() (any, error) {
		turn := w.turn()
		return func() (any, error) {
			return w.db.ClaimTurn(w.Context(), turn, "owner", w.now, w.now.Add(time.Minute), w.message())
		}
	}},
	{"RejectTurn", func(w *commitWorld) func() (any, error) {
		turn := w.turn()
		return func() (any, error) { return w.db.RejectTurn(w.Context(), turn, "x", w.now, w.message()) }
	}},
	{"DismissHousePurchase", func(w *commitWorld) func() (any, error) {
		p := markUnknown(w.T, w.db, sendHouse(w.T, w.db, w.houseDraft(), w.now))
		return func() (any, error) {
			return w.db.DismissHousePurchase(w.Context(), p.ID, w.now, byAdmin("dismiss", w.now), w.message())
		}
	}},
	{"ImportOrder", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			order, err := w.db.ImportOrder(w.Context(), importedOrder(7, 9), []redact.Secret{"goods"}, w.compose)
			return []any{order.ExternalID, order.Delivered}, err
		}
	}},
	{"UpdateOrder", func(w *commitWorld) func() (any, error) {
		o := rented(w.T, w.db, 7, w.key, 1)[0]
		o.Polls, o.UpdatedAt = o.Polls+1, w.now
		return func() (any, error) {
			order, stored, err := w.db.UpdateOrder(w.Context(), o, &DeliveryTime{Took: time.Minute, Arrived: true}, []redact.Secret{"code"}, w.compose)
			return []any{order.Delivered, stored}, err
		}
	}},
	{"TakePolls", func(w *commitWorld) func() (any, error) {
		rented(w.T, w.db, 7, w.key, 1, 2)
		at := time.Now()
		due := duePolls(w.T, w.db, "owner", at)
		return func() (any, error) {
			orders, err := w.db.TakePolls(w.Context(), nil, due, "owner", at, at.Add(time.Minute))
			return len(orders), err
		}
	}},
	{"StartCancels", func(w *commitWorld) func() (any, error) {
		ids := w.orderIDs()
		return func() (any, error) {
			started, err := w.db.StartCancels(w.Context(), 7, ids, w.now)
			return len(started), err
		}
	}},
	{"EndCancels", func(w *commitWorld) func() (any, error) {
		ids := w.orderIDs()
		if _, err := w.db.StartCancels(w.Context(), 7, ids, w.now); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) { return nil, w.db.EndCancels(w.Context(), ids, w.now) }
	}},
	{"SetReminder", func(w *commitWorld) func() (any, error) {
		ids := w.orderIDs()
		return func() (any, error) {
			return w.db.SetReminder(w.Context(), Reminder{OrderID: ids[0], UserID: 7, At: w.now})
		}
	}},
	{"EndReminder", func(w *commitWorld) func() (any, error) {
		reminder := Reminder{OrderID: w.orderIDs()[0], UserID: 7, At: time.UnixMilli(w.now.UnixMilli())}
		if _, err := w.db.SetReminder(w.Context(), reminder); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) { return w.db.EndReminder(w.Context(), reminder, w.message()) }
	}},
	{"AddMessage", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.AddMessage(w.Context(), w.message()) }
	}},
	{"ClaimMessages", func(w *commitWorld) func() (any, error) {
		w.addMessage()
		return func() (any, error) {
			messages, err := w.db.ClaimMessages(w.Context(), "owner", w.now.Add(time.Second), w.now.Add(time.Minute), 9)
			return len(messages), err
		}
	}},
	{"RenewMessageLease", func(w *commitWorld) func() (any, error) {
		m := w.claimedMessage()
		return func() (any, error) {
			return w.db.RenewMessageLease(w.Context(), m.ID, "owner", w.now.Add(time.Hour))
		}
	}},
	{"MarkSent", func(w *commitWorld) func() (any, error) {
		m := w.claimedMessage()
		return func() (any, error) { return nil, w.db.MarkSent(w.Context(), m, 5, w.now) }
	}},
	{"MarkRejected", func(w *commitWorld) func() (any, error) {
		m := w.claimedMessage()
		return func() (any, error) { return nil, w.db.MarkRejected(w.Context(), m.ID) }
	}},
	{"RetryMessage", func(w *commitWorld) func() (any, error) {
		m := w.claimedMessage()
		return func() (any, error) { return nil, w.db.RetryMessage(w.Context(), m.ID, w.now) }
	}},
	{"RecordAudit", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.RecordAudit(w.Context(), w.entry()) }
	}},
	{"SetSettingAudited", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.SetSettingAudited(w.Context(), "a", "b", w.entry()) }
	}},
	{"SetMaintenance", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.SetMaintenance(w.Context(), w.now, w.entry()) }
	}},
	{"SetBlocked", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return w.db.SetBlocked(w.Context(), 7, true, w.entry()) }
	}},
	{"ApplyAlertChanges", func(w *commitWorld) func() (any, error) {
		started := []Alert{{Name: "a", Since: w.now}}
		if err := w.db.ApplyAlertChanges(w.Context(), AlertChanges{Started: started}); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			return nil, w.db.ApplyAlertChanges(w.Context(), AlertChanges{Notified: started, Messages: []Message{w.message()}, Setting: "b", At: w.now})
		}
	}},
	{"RefuseKey", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return w.db.RefuseKey(w.Context(), w.key.ID, w.message()) }
	}},
	{"AcceptKey", func(w *commitWorld) func() (any, error) {
		if _, err := w.db.RefuseKey(w.Context(), w.key.ID, w.message()); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) { return nil, w.db.AcceptKey(w.Context(), w.key.ID, w.now) }
	}},
	{"SaveKey", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			key, err := w.db.SaveKey(w.Context(), 7, "second-secret")
			return key.State, err
		}
	}},
	{"RemoveKey", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.RemoveKey(w.Context(), 7) }
	}},
	{"TouchUser", func(w *commitWorld) func() (any, error) {
		w.addMessage()
		if err := w.db.SetUnreachable(w.Context(), 7); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			user, released, err := w.db.TouchUser(w.Context(), 7, "Bob", "de", true)
			return []any{user.Name, released}, err
		}
	}},
	{"Forget", func(w *commitWorld) func() (any, error) {
		w.orderIDs()
		return func() (any, error) { return nil, w.db.Forget(w.Context(), 7, w.now) }
	}},
	{"AddSearch", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			_, err := w.db.AddSearch(w.Context(), 7, "words")
			return nil, err
		}
	}},
	{"SetWatch", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.SetWatch(w.Context(), w.watch(), 9) }
	}},
	{"ApplyWatchChanges", func(w *commitWorld) func() (any, error) {
		if err := w.db.SetWatch(w.Context(), w.watch(), 9); err != nil {
			w.Fatal(err)
		}
		watches, err := w.db.Watches(w.Context(), 7, 2)
		if err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			return w.db.ApplyWatchChanges(w.Context(), []WatchChange{{Watch: watches[0], Message: w.message()}}, w.now)
		}
	}},
	{"ClaimWatchRound", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			mine, _, err := w.db.ClaimWatchRound(w.Context(), w.now, time.Minute)
			return mine, err
		}
	}},
	{"StoreUpdates", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			// Whether they are fresh is not certain: then they are read from the inbox.
			_, unfinished, err := w.db.StoreUpdates(w.Context(), me, []int64{1, 2}, []int64{7, 7}, [][]byte{{'a'}, {'b'}})
			return unfinished, err
		}
	}},
	{"StartAttempt", func(w *commitWorld) func() (any, error) {
		w.storeUpdate()
		return func() (any, error) { return w.db.StartAttempt(w.Context(), 1) }
	}},
	{"FinishWithDialog", func(w *commitWorld) func() (any, error) {
		w.storeUpdate()
		return func() (any, error) {
			_, err := w.db.FinishWithDialog(w.Context(), me, 7, 1, 7, "step", "data", w.now.Add(time.Hour))
			return nil, err // more is only a hint
		}
	}},
	{"DeadLetter", func(w *commitWorld) func() (any, error) {
		w.storeUpdate()
		return func() (any, error) {
			_, err := w.db.DeadLetter(w.Context(), me, 7, 1)
			return nil, err
		}
	}},
	{"SetBroadcastText", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.SetBroadcastText(w.Context(), 1, "", "Hello") }
	}},
	{"ConfirmBroadcast", func(w *commitWorld) func() (any, error) {
		if err := w.db.SetBroadcastText(w.Context(), 1, "", "Hello"); err != nil {
			w.Fatal(err)
		}
		b, err := w.db.BroadcastDraft(w.Context(), 1)
		if err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			return w.db.ConfirmBroadcast(w.Context(), 1, b.ID, b.Revision, 3, 1, 7, w.entry())
		}
	}},
	{"StopBroadcast", func(w *commitWorld) func() (any, error) {
		b := confirmed(w.T, w.db, 1)
		return func() (any, error) { return w.db.StopBroadcast(w.Context(), b.ID, 1, w.entry()) }
	}},
	{"ClaimBroadcast", func(w *commitWorld) func() (any, error) {
		confirmed(w.T, w.db, 1)
		return func() (any, error) {
			b, err := w.db.ClaimBroadcast(w.Context(), "owner", w.now, w.now.Add(time.Minute))
			return b.State, err
		}
	}},
	{"TakeRecipients", func(w *commitWorld) func() (any, error) {
		b := w.claimedBroadcast()
		return func() (any, error) {
			taken, held, err := w.db.TakeRecipients(w.Context(), Take{ID: b.ID, Owner: "owner", Until: w.now.Add(time.Minute), Cursor: 7, People: []Recipient{{UserID: 7}}})
			return []any{len(taken), held}, err
		}
	}},
	{"SettleRecipient", func(w *commitWorld) func() (any, error) {
		b := w.claimedBroadcast()
		w.takeRecipient(b)
		return func() (any, error) { return nil, w.db.SettleRecipient(w.Context(), b.ID, 7, OutcomeSent) }
	}},
	{"ReturnRecipient", func(w *commitWorld) func() (any, error) {
		b := w.claimedBroadcast()
		w.takeRecipient(b)
		return func() (any, error) {
			return nil, w.db.ReturnRecipient(w.Context(), b.ID, Recipient{UserID: 7, Tries: 1}, w.now)
		}
	}},
	{"FinishBroadcast", func(w *commitWorld) func() (any, error) {
		b := w.claimedBroadcast()
		return func() (any, error) { return w.db.FinishBroadcast(w.Context(), b.ID, "owner", w.now) }
	}},
	{"SetSetting", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			if err := w.db.SetSetting(w.Context(), "a", "b"); err != nil {
				return nil, err
			}
			return w.db.Setting(w.Context(), "a")
		}
	}},
	{"EndRestoration", func(w *commitWorld) func() (any, error) {
		if err := w.db.SetSetting(w.Context(), restoredSetting, Restoration{From: w.now, At: w.now}.setting()); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			if err := w.db.EndRestoration(w.Context(), w.now, w.entry()); err != nil {
				return nil, err
			}
			return w.db.Restoration(w.Context())
		}
	}},
	{"SetLang", func(w *commitWorld) func() (any, error) {
		return func() (any, error) { return nil, w.db.SetLang(w.Context(), 7, "de") }
	}},
	{"SaveItem", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			return nil, w.db.SaveItem(w.Context(), 7, SavedItem{Service: 2, Name: "Goods"}, 1)
		}
	}},
	{"MoveReminder", func(w *commitWorld) func() (any, error) {
		reminder := Reminder{OrderID: w.orderIDs()[0], UserID: 7, At: time.UnixMilli(w.now.UnixMilli())}
		if _, err := w.db.SetReminder(w.Context(), reminder); err != nil {
			w.Fatal(err)
		}
		later := reminder.At.Add(time.Minute)
		return func() (any, error) {
			if err := w.db.MoveReminder(w.Context(), reminder, later); err != nil {
				return nil, err
			}
			at, err := w.db.ReminderOf(w.Context(), 7, reminder.OrderID)
			return at.Equal(later), err
		}
	}},
	{"Sweep", func(w *commitWorld) func() (any, error) {
		w.storeUpdate()
		if _, err := w.db.FinishWithDialog(w.Context(), me, 7, 1, 7, "step", "data", w.now); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) { return nil, w.db.Sweep(w.Context(), w.now.Add(72*time.Hour)) }
	}},
	{"AddReplica", func(w *commitWorld) func() (any, error) {
		return func() (any, error) {
			return nil, w.db.AddReplica(w.Context(), Replica{ID: "a", StartedAt: time.UnixMilli(1), Until: time.UnixMilli(4_000_000_000_000)})
		}
	}},
	{"Beat", func(w *commitWorld) func() (any, error) {
		w.claimed() // its lease ends
		until := time.UnixMilli(4_000_000_000_000)
		if err := w.db.AddReplica(w.Context(), Replica{ID: "a", StartedAt: w.now, Until: until}); err != nil {
			w.Fatal(err)
		}
		return func() (any, error) {
			beat, err := w.db.Beat(w.Context(), "a", "lease", w.now, until)
			if err != nil {
				return nil, err
			}
			overdue, err := w.db.OverdueLeases(w.Context(), w.now, 9)
			return []any{beat.Held, len(beat.Others), len(overdue)}, err
		}
	}},
}

// houseDraft stores a draft that the operator's key pays.
func (w *commitWorld) houseDraft() Purchase {
	w.Helper()
	setOperator(w.T, w.db, houseSecret)
	give(w.T, w.db, 7, "5", "10", false, w.now)
	if done, err := w.db.PayWith(w.Context(), 7, true); err != nil || !done {
		w.Fatal(done, err)
	}
	return houseDraft(w.T, w.db, 7, KindProduct, "1.00", 1, w.now)
}

// turn makes a purchase wait for its turn.
func (w *commitWorld) turn() Turn {
	w.Helper()
	p := w.houseDraft()
	if queued, err := w.db.QueuePurchase(w.Context(), 7, p.ID, w.now); err != nil || !queued {
		w.Fatal(queued, err)
	}
	turn, err := w.db.Turn(w.Context(), 7, p.ID)
	if err != nil {
		w.Fatal(err)
	}
	return turn
}
