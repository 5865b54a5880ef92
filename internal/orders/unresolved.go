package orders

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// priceTolerance is how far a fall of the balance may be from the price and
// still suggest that it was this purchase.
var priceTolerance = decimal.New(2, -2)

// Evidence is what is known about a purchase of unknown outcome. Now is the
// newest balance, invalid while none could be read.
type Evidence struct {
	Purchase storage.Purchase
	Balance  decimal.NullDecimal
	Verdict  storage.Verdict
}

// ErrOutcomeKnown is returned where a purchase is not (or no longer) of unknown outcome.
var ErrOutcomeKnown = errors.New("the outcome of this purchase is known")

// ErrKeyRemoved is returned where the key that bought was removed since: only the
// same one, given again, can tell.
var ErrKeyRemoved = errors.New("the key of this purchase was removed")

// Evidence reads the balance now and says what it suggests. It does not count
// as one of the scheduled readings.
func (s *Service) Evidence(ctx context.Context, userID, purchaseID int64) (Evidence, error) {
	p, key, err := s.unresolved(ctx, userID, purchaseID)
	if err != nil {
		return Evidence{}, err
	}
	balance, err := s.market.Balance(ctx, key)
	if err != nil {
		return Evidence{}, err
	}
	verdict, err := s.judge(ctx, p, balance)
	if err != nil {
		return Evidence{}, err
	}
	if p.Verdict != storage.VerdictNone && verdict == storage.VerdictNone {
		verdict = p.Verdict
	}
	return Evidence{Purchase: p, Balance: decimal.NewNullDecimal(balance.Amount), Verdict: verdict}, nil
}

// Found is an order that a person says an unknown purchase became, as the
// marketplace describes it. It is not stored.
type Found struct {
	Purchase storage.Purchase
	Order    storage.Order
}

// LookUp asks the marketplace, with the key that bought, about an order number
// that a person typed. That it exists proves it is the key's, not that it is
// this purchase: the person decides. storage.ErrExternalIDTaken: it is another
// order here already.
func (s *Service) LookUp(ctx context.Context, userID, purchaseID, number int64) (Found, error) {
	p, key, err := s.unresolved(ctx, userID, purchaseID)
	if err != nil {
		return Found{}, err
	}
	taken, err := s.db.ExternalIDTaken(ctx, userID, p.Kind, number)
	if err != nil {
		return Found{}, err
	}
	if taken {
		return Found{}, storage.ErrExternalIDTaken
	}
	now := time.Now()
	order := storage.Order{
		Kind: p.Kind, ExternalID: number, State: storage.OrderOpen, Quantity: p.Quantity, Currency: p.Currency, Rental: p.Rental, CreatedAt: p.SentAt,
	}
	if p.Kind != storage.KindSMS {
		status, err := s.market.Status(ctx, key, number)
		return Found{Purchase: p, Order: afterStatus(order, status, now)}, err
	}
	answer, err := s.askRental(ctx, key, number, true, hstock.SMSUnknown)
	order.Rental.Phone = answer.phone
	return Found{Purchase: p, Order: afterRental(order, answer, now)}, err
}

// Adopt records that an unknown purchase is the order of this number. It asks
// the marketplace again: the number came back through a button.
func (s *Service) Adopt(ctx context.Context, userID, purchaseID, number int64) (storage.Order, error) {
	found, err := s.LookUp(ctx, userID, purchaseID, number)
	if err != nil {
		return storage.Order{}, err
	}
	now := time.Now()
	given := storage.Placement{ExternalID: number, Phone: found.Order.Rental.Phone, RawStatus: found.Order.RawStatus}
	order, adopted, err := s.db.AdoptOrder(ctx, found.Purchase, given, now, now, announceRental)
	if err != nil {
		return storage.Order{}, err
	}
	if !adopted {
		return storage.Order{}, ErrOutcomeKnown
	}
	s.checkpoint("adopted")
	s.wakeOutbox()
	s.watchLoop.Wake()
	return order, nil
}

// CountMissing returns how many of the numbers that a purchase was for nobody has
// named yet: 0 unless it is one of unknown outcome that was adopted in part.
func (s *Service) CountMissing(ctx context.Context, userID, purchaseID int64) (int64, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil || p.Kind != storage.KindSMS || p.State != storage.PurchasePlaced {
		return 0, err
	}
	orders, err := s.db.OrdersOfPurchase(ctx, userID, purchaseID)
	if err != nil || slices.ContainsFunc(orders, func(o storage.Order) bool { return !o.Adopted }) {
		return 0, err
	}
	return p.Quantity - int64(len(orders)), nil
}

// Dismiss records a person's word that an unknown purchase was not placed. An
// order number that turns up later still wins.
func (s *Service) Dismiss(ctx context.Context, userID, purchaseID int64) error {
	dismissed, err := s.db.DismissPurchase(ctx, userID, purchaseID, time.Now())
	if err != nil {
		return err
	}
	if !dismissed {
		return ErrOutcomeKnown
	}
	return nil
}

// unresolved reads a purchase that a person may still decide about, and a key of
// theirs to ask with.
func (s *Service) unresolved(ctx context.Context, userID, purchaseID int64) (storage.Purchase, redact.Secret, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return p, "", err
	}
	if p.State != storage.PurchaseOutcomeUnknown && p.State != storage.PurchaseDismissed {
		if missing, err := s.CountMissing(ctx, userID, purchaseID); err != nil || missing == 0 {
			return p, "", errors.Join(ErrOutcomeKnown, err)
		}
	}
	key, err := s.db.Key(ctx, p.KeyID)
	if err != nil {
		return p, "", err
	}
	if key.Secret == "" {
		return p, "", ErrKeyRemoved
	}
	return p, key.Secret, nil
}

// markOutcomeUnknown moves a purchase from sending to unknown and stores the message that
// tells of it.
func (s *Service) markOutcomeUnknown(ctx context.Context, p storage.Purchase, refusal string) (bool, error) {
	now := time.Now()
	moved, err := s.db.MarkOutcomeUnknown(ctx, p, refusal, p.SentAt.Add(balanceChecks[0]), storage.Message{
		UserID: p.UserID, PurchaseID: p.ID, Kind: MessageOutcomeUnknown, Priority: outbox.PriorityReply, CreatedAt: now.Add(cardDelay),
	})
	if err == nil && moved {
		s.wakeOutbox()
		s.settleLoop.Wake()
	}
	return moved, err
}

// settleOnce settles purchases whose process is gone and reads the balances
// that are due.
func (s *Service) settleOnce(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	failures := []error{s.recordUnrecorded(ctx)}
	// One purchase's trouble is no other's: failures are collected.
	overdue, err := s.db.OverdueLeases(ctx, now, purchasesAtOnce)
	failures = append(failures, err)
	for _, p := range overdue {
		failures = append(failures, loop.Recover(s.log, "settle a purchase", func() error { return s.settleOverdue(ctx, p) }))
	}
	due, err := s.db.DueChecks(ctx, now, purchasesAtOnce)
	failures = append(failures, err)
	var (
		checks  sync.WaitGroup
		slots   = make(chan struct{}, checksAtOnce)
		checked = make([]error, len(due))
	)
	for i, p := range due {
		slots <- struct{}{}
		checks.Go(func() {
			defer func() { <-slots }()
			checked[i] = loop.Recover(s.log, "read a balance", func() error { return s.checkBalance(ctx, p) })
		})
	}
	checks.Wait()
	next, err := s.db.NextPurchaseEvent(ctx)
	failures = append(append(failures, err), checked...)
	return pauseUntil(next, time.Now()), errors.Join(failures...)
}

// settleOverdue settles a purchase whose lease is over: claimed was surely not
// sent, sending may have been.
func (s *Service) settleOverdue(ctx context.Context, p storage.Purchase) error {
	defer s.slotFreed.notify()
	if p.State == storage.PurchaseSending {
		_, err := s.markOutcomeUnknown(ctx, p, "")
		return err
	}
	now := time.Now()
	rejected, err := s.db.RejectOverdue(ctx, p.ID, ReasonInterrupted, now, storage.Message{
		UserID: p.UserID, PurchaseID: p.ID, Kind: MessageOutcome, Priority: outbox.PriorityReply, CreatedAt: now,
	})
	if rejected {
		s.wakeOutbox()
	}
	return err
}

// checkBalance makes one scheduled reading of the balance. The person is told once,
// when the readings first suggest something or the last one is in.
func (s *Service) checkBalance(ctx context.Context, p storage.Purchase) error {
	key, err := s.db.Key(ctx, p.KeyID)
	if err != nil {
		return err
	}
	previous := p.Checks
	p.Checks++
	p.NextCheckAt = time.Time{}
	if p.Checks < len(balanceChecks) {
		p.NextCheckAt = p.SentAt.Add(balanceChecks[p.Checks])
	}
	last := p.NextCheckAt.IsZero()

	verdict := storage.VerdictNone
	if balance, read := s.readBalance(ctx, key.Secret); read {
		p.BalanceSeen = decimal.NewNullDecimal(balance.Amount)
		if verdict, err = s.judge(ctx, p, balance); err != nil {
			return err
		}
	} else if ctx.Err() != nil {
		return ctx.Err()
	} else {
		p.Verdict = storage.VerdictUnclear // a missing reading can't show that nothing was taken
	}
	switch {
	case verdict == storage.VerdictBought:
		p.Verdict, p.NextCheckAt, last = verdict, time.Time{}, true
	case verdict == storage.VerdictUnclear:
		p.Verdict = verdict
	case last && p.Verdict == storage.VerdictNone:
		p.Verdict = storage.VerdictNotBought
	}
	var message *storage.Message
	if last {
		message = &storage.Message{
			UserID: p.UserID, PurchaseID: p.ID, Kind: MessageVerdict, Priority: outbox.PriorityReply, CreatedAt: time.Now(),
		}
	}
	recorded, err := s.db.RecordCheck(ctx, p, previous, message)
	if recorded && last {
		s.wakeOutbox()
	}
	return err
}

// readBalance reports false where the marketplace, or the key, gives none.
func (s *Service) readBalance(ctx context.Context, key redact.Secret) (hstock.Balance, bool) {
	if key == "" { // removed since
		return hstock.Balance{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	balance, err := s.market.Balance(ctx, key)
	return balance, err == nil
}

// judge says what one reading of the balance suggests: bought, unclear, or
// nothing yet (it stands where it stood).
func (s *Service) judge(ctx context.Context, p storage.Purchase, balance hstock.Balance) (storage.Verdict, error) {
	if isEstimate(p) || balance.Currency != p.Currency {
		return storage.VerdictUnclear, nil // its price was an estimate: no fall can be told from another
	}
	disturbed, err := s.db.KeyDisturbed(ctx, p, p.SentAt)
	if err != nil {
		return storage.VerdictNone, err
	}
	fall := p.Balance.Sub(balance.Amount)
	switch {
	case disturbed, !wouldShow(balance.Amount, smallestCharge(p)):
		return storage.VerdictUnclear, nil
	case fall.IsZero():
		return storage.VerdictNone, nil
	case matchesPrice(p, fall):
		return storage.VerdictBought, nil
	default:
		return storage.VerdictUnclear, nil
	}
}

// matchesPrice reports whether a fall of the balance is about the price; of numbers, for
// as many as there may have been.
func matchesPrice(p storage.Purchase, fall decimal.Decimal) bool {
	least := p.Quantity
	if p.Kind == storage.KindSMS {
		least = 1
	}
	for n := least; n <= p.Quantity; n++ {
		price := storage.PriceOf(p.Rate, n, p.RatePer)
		if fall.Sub(price).Abs().LessThanOrEqual(price.Mul(priceTolerance)) {
			return true
		}
	}
	return false
}

// smallestCharge is the least that a purchase can have cost: that of one number.
func smallestCharge(p storage.Purchase) decimal.Decimal {
	if p.Kind == storage.KindSMS {
		return p.Rate
	}
	return p.Total()
}

// wouldShow reports whether a balance, in the decimals that it came in, would move
// by so small a sum.
func wouldShow(balance, sum decimal.Decimal) bool {
	return sum.GreaterThanOrEqual(decimal.New(1, balance.Exponent()))
}
