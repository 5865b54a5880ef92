package orders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Result is the result of a tap on Confirm.
type Result int

const (
	// Placed: the marketplace gave an order id, at this tap or an earlier one.
	Placed Result = iota + 1
	// Rejected: nothing was bought; Purchase.Reason and Purchase.Refusal say why.
	Rejected
	// OutcomeUnknown: it may have been bought. A message about it is stored.
	OutcomeUnknown
	// Redrawn: nothing was bought, because the terms have changed since the card was
	// drawn; Quote is the new draft, Changes are the differences.
	Redrawn
	// InProgress: the request of another tap is in flight.
	InProgress
	// Busy: another purchase of the same key is in flight; the draft in Quote stays.
	Busy
	// Gone: the draft was discarded or superseded; of Quote only Restored is set.
	Gone
	// Drafted: the purchase is not confirmed; the draft in Quote stays.
	Drafted
	// Waiting: the purchase is confirmed, and waits for its turn to use the operator's key.
	// Quote is the draft until then. It goes on by itself, also after a restart: the card is
	// redrawn (SetTurnCard), or the person is notified. Discard takes it out of the queue.
	Waiting
)

// Change is a reason why a confirm card is drawn again.
type Change int

const (
	// ChangeExpired: the draft had expired.
	ChangeExpired Change = iota + 1
	// ChangePrice: the price rose.
	ChangePrice
	// ChangeKey: the person has another API key now.
	ChangeKey
	// ChangeCurrency: the currency of the account is another one.
	ChangeCurrency
	// ChangeAllowance: less of the allowance is available than the purchase takes.
	ChangeAllowance
)

// Why a purchase was rejected, as stored with it. Where the operator's key pays,
// ReasonOperator stands for ReasonInvalidKey, ReasonBalance, and ReasonRefused with words that
// may tell about the operator's account.
const (
	ReasonRefused     = "refused"     // by the marketplace; Refusal is its sentence
	ReasonNotSent     = "not_sent"    // the request was not sent
	ReasonUnreachable = "unreachable" // price or balance could not be read
	ReasonInvalidKey  = "invalid_key" // the marketplace does not accept the key
	ReasonStock       = "stock"       // the quantity is outside the limits
	ReasonBalance     = "balance"     // the balance is too low
	ReasonGone        = "gone"        // no longer offered
	ReasonInterrupted = "interrupted" // the process ended before the request
	ReasonPrice       = "price"       // dearer, or in another currency, than the person has agreed to (a swap)
	ReasonAllowance   = "allowance"   // it is too low by now, was removed, or does not pay any longer
	ReasonOperator    = "operator"    // the operator's account can't buy it now
	ReasonTurn        = "turn"        // its turn to use the operator's key did not come in time
)

// The outcomes that Options.CountPurchase gets.
const (
	placedOutcome   = "placed"
	rejectedOutcome = "rejected"
	unknownOutcome  = "outcome_unknown"
)

// Outcome is the outcome of a confirmed purchase, without what is the operator's. Orders are set if it is Placed (one
// order, or one for each rented phone), Quote if there is a draft (Drafted, Busy,
// Redrawn, Waiting), Changes if it is Redrawn.
type Outcome struct {
	Result   Result
	Purchase storage.Purchase
	Orders   []storage.Order
	Quote    Quote
	Changes  []Change
	// Usual is how long the first account or code of a placed order usually takes, 0 if
	// that is not known.
	Usual time.Duration
}

// Confirm buys what a draft says. However often it is called, also by several
// processes, at most one request is sent. An error (such as ErrMaintenance) means
// that nothing was sent; the draft stays, or the claim until its lease is over.
func (s *Service) Confirm(ctx context.Context, userID, purchaseID int64, lang string) (Outcome, error) {
	outcome, err := s.confirm(ctx, userID, purchaseID, lang)
	outcome.Purchase = outcome.Purchase.WithoutAccount()
	return outcome, err
}

func (s *Service) confirm(ctx context.Context, userID, purchaseID int64, lang string) (Outcome, error) {
	outcome, err := s.confirmOnce(ctx, userID, purchaseID, lang)
	if err == nil && outcome.Result == Drafted {
		// It could be claimed until a moment ago: it has expired, or the database was restored.
		outcome, err = s.confirmOnce(ctx, userID, purchaseID, lang)
	}
	if outcome.Result == Drafted {
		outcome.Result = Busy
	}
	return outcome, err
}

// confirmOnce is Confirm. Drafted means that the purchase could not be claimed.
func (s *Service) confirmOnce(ctx context.Context, userID, purchaseID int64, lang string) (Outcome, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return Outcome{}, err
	}
	if p.State != storage.PurchaseDraft {
		return s.outcomeOf(ctx, p)
	}
	if waits, err := s.waits(ctx, p); err != nil || waits {
		return s.outcomeOr(ctx, p, err)
	}
	if err := s.CanBuy(ctx); err != nil {
		return Outcome{}, err
	}
	key, _, err := s.payer(ctx, userID)
	if err != nil {
		return Outcome{}, err
	}
	var changes []Change
	left := s.draftLeft(p)
	if left <= 0 {
		changes = append(changes, ChangeExpired)
	}
	if key.ID != p.KeyID {
		changes = append(changes, ChangeKey)
	}
	restored, err := s.db.DrawnBeforeRestoration(ctx, p.ID)
	if err != nil {
		return Outcome{}, err
	}
	if len(changes) > 0 || restored {
		return s.redrawDraft(ctx, p, changes, lang)
	}
	if now := time.Now(); !now.Before(p.ExpiresAt) { // the clock was set forward a moment ago
		if err := s.db.MoveDrafts(ctx, map[int64]time.Time{p.ID: now.Add(left)}); err != nil {
			return Outcome{}, err
		}
	}
	claim, err := s.claim(ctx, p)
	switch {
	case errors.Is(err, storage.ErrAllowanceLow):
		return s.redrawDraft(ctx, p, []Change{ChangeAllowance}, lang)
	case errors.Is(err, storage.ErrNoAllowance):
		return s.redrawDraft(ctx, p, []Change{ChangeKey}, lang)
	case errors.Is(err, storage.ErrNoOperatorKey):
		return Outcome{}, ErrOperator
	case errors.Is(err, storage.ErrKeyBusy) && p.House:
		return s.queueForTurn(ctx, p)
	case errors.Is(err, storage.ErrKeyBusy):
		quote, err := s.quote(ctx, p)
		return Outcome{Result: Busy, Purchase: p, Quote: quote}, err
	case err != nil:
		return Outcome{}, err
	}
	if claim == nil {
		return s.Outcome(ctx, userID, purchaseID)
	}
	return claim.run(ctx, key, lang)
}

// Outcome returns the present outcome of a purchase and changes nothing.
func (s *Service) Outcome(ctx context.Context, userID, purchaseID int64) (Outcome, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return Outcome{}, err
	}
	return s.outcomeOf(ctx, p)
}

func (s *Service) outcomeOf(ctx context.Context, p storage.Purchase) (Outcome, error) {
	outcome := Outcome{Purchase: p}
	switch p.State {
	case storage.PurchasePlaced:
		orders, err := s.db.OrdersOfPurchase(ctx, p.UserID, p.ID)
		if err != nil {
			return Outcome{}, err
		}
		outcome.Result, outcome.Orders, outcome.Usual = Placed, orders, s.Usual(ctx, orders[0])
	case storage.PurchaseRejected:
		outcome.Result = Rejected
	case storage.PurchaseOutcomeUnknown, storage.PurchaseDismissed:
		outcome.Result = OutcomeUnknown
	case storage.PurchaseClaimed, storage.PurchaseSending:
		outcome.Result = InProgress
	case storage.PurchaseDraft:
		quote, err := s.quote(ctx, p)
		if err != nil {
			return Outcome{}, err
		}
		outcome.Result, outcome.Quote = Drafted, quote
		if waits, err := s.waits(ctx, p); err != nil {
			return Outcome{}, err
		} else if waits {
			outcome.Result = Waiting
		}
	default:
		restored, err := s.db.DrawnBeforeRestoration(ctx, p.ID)
		if err != nil {
			return Outcome{}, err
		}
		outcome.Result, outcome.Quote.Restored = Gone, restored
	}
	return outcome, nil
}

// redrawDraft replaces an unclaimed draft by one on the present terms.
func (s *Service) redrawDraft(ctx context.Context, p storage.Purchase, changes []Change, lang string) (Outcome, error) {
	quote, err := s.DraftAgain(ctx, p, lang)
	if err != nil {
		return Outcome{}, err
	}
	if quote.Purchase.Shown().GreaterThan(p.Shown()) {
		changes = append(changes, ChangePrice)
	}
	return Outcome{Result: Redrawn, Purchase: p, Quote: quote, Changes: changes}, nil
}

// claim claims the purchase and its key's slot, and waits a few seconds for the slot, then the
// error is storage.ErrKeyBusy. It returns nil if the purchase can't be claimed. For the slot of
// the operator's key it does not wait, nor does it pass those who do.
func (s *Service) claim(ctx context.Context, p storage.Purchase) (*purchaseClaim, error) {
	c := &purchaseClaim{s: s, p: p, owner: s.leaseOwner(p.ID)}
	if p.House {
		if queue, err := s.db.Turns(ctx, 1); err != nil || len(queue) > 0 {
			return nil, cmp.Or(err, storage.ErrKeyBusy)
		}
	}
	timeout := time.NewTimer(slotTimeout)
	defer timeout.Stop()
	for {
		freed := s.slotFreed.wait()
		now := time.Now()
		claimed, err := s.db.ClaimPurchase(ctx, p.UserID, p.ID, c.owner, now, now.Add(purchaseLease))
		if err == nil {
			if !claimed {
				return nil, nil
			}
			return c, nil
		}
		if !errors.Is(err, storage.ErrKeyBusy) || p.House {
			return nil, err
		}
		pause := time.NewTimer(slotRetry) // another process may hold the slot
		select {
		case <-freed:
		case <-pause.C:
		case <-timeout.C:
			pause.Stop()
			return nil, storage.ErrKeyBusy
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
		pause.Stop()
	}
}

func (s *Service) leaseOwner(purchaseID int64) string { return s.owner + "/" + fmt.Sprint(purchaseID) }

// purchaseClaim is a purchase that only this call may send.
type purchaseClaim struct {
	s      *Service
	p      storage.Purchase
	owner  string
	agreed bool // the person is not asked again: on worse terms it is rejected
}

// run executes the claim and frees the key's slot.
func (c *purchaseClaim) run(ctx context.Context, key storage.Key, lang string) (Outcome, error) {
	defer c.s.freeSlot(c.p)
	ended := false
	defer func() {
		if !ended {
			c.settlePanicked(ctx)
		}
	}()
	outcome, err := c.execute(ctx, key, lang)
	ended = true
	return outcome, err
}

// settlePanicked settles a purchase whose handling has panicked, because the settle loop
// does so only when the lease is over.
func (c *purchaseClaim) settlePanicked(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if c.p.SentAt.IsZero() {
		_, err = c.reject(ctx, ReasonInterrupted, "")
	} else {
		_, err = c.markOutcomeUnknown(ctx, "")
	}
	if err != nil {
		c.s.log.Error("purchase not settled after a panic", "purchase", c.p.ID, "error", err)
	}
}

// execute reads the terms once more, sends the one request, and records the outcome.
func (c *purchaseClaim) execute(ctx context.Context, key storage.Key, lang string) (Outcome, error) {
	c.s.checkpoint("claimed")
	terms, err := c.s.readTerms(ctx, key, intentOf(c.p, lang))
	if err != nil {
		return c.reject(ctx, reasonOf(err), refusalOf(err))
	}
	if terms.limitErr != nil {
		c.p.Stock = terms.stock
		return c.reject(ctx, ReasonStock, "")
	}
	next := terms.apply(c.p)
	if c.agreed && (next.Currency != c.p.Currency || next.Total().GreaterThan(c.p.Total())) {
		return c.reject(ctx, ReasonPrice, "")
	}
	if next.Currency != c.p.Currency {
		return c.redraw(ctx, next, ChangeCurrency)
	}
	if next.Total().GreaterThan(c.p.Total()) {
		return c.redraw(ctx, next, ChangePrice)
	}
	c.p = next
	if requiresBalance(next) && next.Total().GreaterThan(next.Balance) {
		return c.reject(ctx, ReasonBalance, "")
	}

	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < hstock.PurchaseTimeout {
		return c.reject(ctx, ReasonUnreachable, "") // no time left to wait for an answer
	}
	now := time.Now()
	sending, err := c.s.db.StartSending(ctx, c.p.ID, c.owner,
		storage.Terms{Rate: next.Rate, Balance: next.Balance, Currency: next.Currency, Stock: next.Stock, Variants: next.Variants}, now, now.Add(purchaseLease))
	if errors.Is(err, storage.ErrAmbiguous) {
		return c.reject(ctx, ReasonNotSent, "") // from either state; nothing is sent
	}
	if err != nil {
		return Outcome{}, err // still claimed: rejected when the lease is over
	}
	if !sending {
		return c.s.Outcome(ctx, c.p.UserID, c.p.ID)
	}
	c.p.SentAt = now
	c.s.checkpoint("sending")
	if c.agreed { // of the background work, which a stop ends at once
		ctx = hstock.WithGrace(ctx, stopGrace)
	}
	placements, err := c.send(ctx, key.Secret, latestSend(now))
	c.s.checkpoint("answered")
	return c.record(ctx, key, placements, err)
}

// latestSend is until when a request may leave that was recorded at the given time, so that
// it does not outlive its lease.
func latestSend(recorded time.Time) time.Time {
	return recorded.Add(purchaseLease - hstock.PurchaseTimeout)
}

// send makes the one request, unless it is later than before.
func (c *purchaseClaim) send(ctx context.Context, key redact.Secret, before time.Time) ([]storage.Placement, error) {
	if c.p.Kind != storage.KindSMS {
		id, err := c.s.market.Add(ctx, key, hstock.AddRequest{Service: c.p.Service, Quantity: c.p.Quantity, Link: c.p.Link, SendBefore: before})
		return []storage.Placement{{ExternalID: id}}, err
	}
	phones, err := c.s.market.AddSMS(ctx, key, hstock.AddSMSRequest{
		ProjectID: c.p.Rental.Project, Quantity: int(c.p.Quantity), Country: c.p.Rental.Country, Phone: c.p.Rental.Phone, SendBefore: before,
	})
	placements := make([]storage.Placement, 0, len(phones))
	for _, p := range phones {
		placements = append(placements, storage.Placement{ExternalID: p.Order, Phone: p.Phone, Country: p.Country, RawStatus: p.RawStatus})
	}
	return placements, err
}

// record stores the answer to the one request. It ignores the cancelling of ctx: an
// order id that is not stored is lost.
func (c *purchaseClaim) record(ctx context.Context, key storage.Key, placements []storage.Placement, err error) (Outcome, error) {
	tap := ctx
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return c.place(ctx, placements)
	}
	kind, _ := hstock.KindOf(err)
	switch kind {
	case hstock.NotSent:
		return c.reject(ctx, ReasonNotSent, "")
	case hstock.InvalidKey:
		c.s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
		return c.reject(ctx, ReasonInvalidKey, "")
	case hstock.Refused:
		return c.reject(ctx, ReasonRefused, refusalOf(err))
	case hstock.RefusedOther:
		if c.balanceUnchanged(tap, key.Secret) {
			return c.reject(ctx, ReasonRefused, refusalOf(err))
		}
	}
	c.s.log.Warn("purchase outcome unknown", "purchase", c.p.ID, "error", err)
	return c.markOutcomeUnknown(ctx, refusalOf(err))
}

// balanceUnchanged reports whether two readings prove that nothing was charged, the
// second one when the marketplace has had time to charge. Then an undocumented refusal
// means that nothing was bought.
func (c *purchaseClaim) balanceUnchanged(ctx context.Context, key redact.Secret) bool {
	if !c.readsUnchanged(ctx, key) {
		return false
	}
	pause := time.NewTimer(checkIntervals[0])
	defer pause.Stop()
	select {
	case <-pause.C:
		return c.readsUnchanged(ctx, key)
	case <-ctx.Done():
		return false
	}
}

// readsUnchanged makes one reading of balanceUnchanged. A higher balance proves nothing: a
// top-up may hide the charge.
func (c *purchaseClaim) readsUnchanged(ctx context.Context, key redact.Secret) bool {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	balance, err := c.s.market.Balance(ctx, key)
	if err != nil || balance.Currency != c.p.Currency || !balance.Amount.Equal(c.p.Balance) || !wouldShow(balance.Amount, smallestCharge(c.p)) {
		return false
	}
	disturbed, err := c.s.db.BalanceMayHaveChanged(ctx, c.p, c.p.SentAt) // a refund may hide the charge
	return err == nil && !disturbed
}

func (c *purchaseClaim) place(ctx context.Context, placements []storage.Placement) (Outcome, error) {
	var orders []storage.Order
	placed, logged := false, false
	err := c.retryWrite(ctx, func(ctx context.Context) error {
		now := time.Now()
		var err error
		orders, placed, err = c.s.db.PlacePurchase(ctx, c.p, placements, now, now.Add(c.s.firstPoll(c.p)), announceRental)
		if err != nil && !logged {
			// This process keeps trying to store them. If it ends before that, the outcome
			// becomes unknown, and an operator finds the order ids in the log.
			for _, placement := range placements {
				c.s.log.Error("order placed but not recorded yet", "purchase", c.p.ID, "order", placement.ExternalID, "error", err)
			}
			logged = true
		}
		return err
	})
	if err != nil {
		c.s.keepUnrecorded(c.p, placements)
		return Outcome{Result: InProgress, Purchase: c.p}, nil //nolint:nilerr // it is logged, and stored later
	}
	if !placed { // adopted or placed meanwhile
		if err := c.s.importLate(ctx, c.p, placements); err != nil {
			c.s.log.Error("late order not imported yet", "purchase", c.p.ID, "error", err)
			c.s.keepUnrecorded(c.p, placements)
		}
		return c.s.Outcome(ctx, c.p.UserID, c.p.ID)
	}
	c.s.count(placedOutcome, "")
	c.s.checkpoint("placed")
	c.s.wakeOutbox()
	c.s.wakePolls()
	c.p.State = storage.PurchasePlaced
	return Outcome{Result: Placed, Purchase: c.p, Orders: orders, Usual: c.s.Usual(ctx, orders[0])}, nil
}

func (c *purchaseClaim) reject(ctx context.Context, reason, refusal string) (Outcome, error) {
	if c.p.House {
		reason, refusal = hideAccount(reason, refusal)
	}
	rejected := false
	err := c.retryWrite(ctx, func(ctx context.Context) error {
		var err error
		rejected, err = c.s.db.RejectPurchase(ctx, c.p.ID, c.owner, reason, refusal, time.Now())
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !rejected {
		return c.s.Outcome(ctx, c.p.UserID, c.p.ID)
	}
	c.s.count(rejectedOutcome, reason)
	c.s.checkpoint("rejected")
	c.p.State, c.p.Reason, c.p.Refusal = storage.PurchaseRejected, reason, refusal
	return Outcome{Result: Rejected, Purchase: c.p}, nil
}

func (c *purchaseClaim) markOutcomeUnknown(ctx context.Context, refusal string) (Outcome, error) {
	if c.p.House {
		_, refusal = hideAccount("", refusal)
	}
	err := c.retryWrite(ctx, func(ctx context.Context) error {
		return c.s.markOutcomeUnknown(ctx, c.p, refusal)
	})
	if err != nil {
		return Outcome{}, err
	}
	c.s.checkpoint("outcome unknown")
	return c.s.Outcome(ctx, c.p.UserID, c.p.ID)
}

func (c *purchaseClaim) redraw(ctx context.Context, next storage.Purchase, change Change) (Outcome, error) {
	now, age := time.Now(), loop.StartStopwatch()
	next.CreatedAt, next.ExpiresAt = now, now.Add(draftLifetime)
	next, redrawn, err := c.s.db.ReplaceClaimed(ctx, c.p.ID, c.owner, next)
	if err != nil {
		return Outcome{}, err
	}
	if !redrawn {
		return c.s.Outcome(ctx, c.p.UserID, c.p.ID)
	}
	c.s.keepDraftAge(next.ID, age)
	quote, err := c.s.quote(ctx, next)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Result: Redrawn, Purchase: c.p, Quote: quote, Changes: []Change{change}}, nil
}

// retryWrite repeats a write that must not be lost until it succeeds or recordTimeout
// is over. It ignores the cancelling of ctx.
func (c *purchaseClaim) retryWrite(ctx context.Context, write func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	for failures := int64(1); ; failures++ {
		err := write(ctx)
		if err == nil {
			return nil
		}
		pause := time.NewTimer(loop.Jitter(loop.Backoff(writeRetryFirst, writeRetryMax, int(failures))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// reasonOf returns the reason for a rejection because the terms could not be read.
func reasonOf(err error) string {
	switch kind, _ := hstock.KindOf(err); {
	case kind == hstock.InvalidKey:
		return ReasonInvalidKey
	case errors.Is(err, ErrOperator):
		return ReasonOperator
	case errors.Is(err, hstock.ErrServiceNotFound), errors.Is(err, ErrDelisted):
		return ReasonGone
	case kind == hstock.Refused, kind == hstock.RefusedOther:
		return ReasonRefused
	default:
		return ReasonUnreachable
	}
}

// refusalOf returns the marketplace's sentence, "" if it gave none.
func refusalOf(err error) string {
	var failure *hstock.Error
	if errors.As(err, &failure) {
		return failure.Refusal
	}
	return ""
}
