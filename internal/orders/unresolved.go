package orders

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// priceTolerance is the share of the price by which a fall of the balance may differ
// from the price and still suggest that it was this purchase.
var priceTolerance = decimal.New(2, -2)

// Evidence is what is known about a purchase of unknown outcome.
type Evidence struct {
	Purchase storage.Purchase
	Balance  decimal.NullDecimal // read now
	Verdict  storage.Verdict
}

// ErrOutcomeKnown is returned for a purchase whose outcome is known.
var ErrOutcomeKnown = errors.New("the outcome of this purchase is known")

// ErrKeyRemoved is returned when the key that bought was removed. The outcome can be
// looked up only after the same key is given again.
var ErrKeyRemoved = errors.New("the key of this purchase was removed")

// Evidence reads the balance now and returns the verdict on it. The reading is not one
// of the scheduled ones, and nothing is stored.
func (s *Service) Evidence(ctx context.Context, userID, purchaseID int64) (Evidence, error) {
	p, err := s.ownPurchase(ctx, userID, purchaseID)
	if err != nil {
		return Evidence{}, err
	}
	return s.evidence(ctx, p)
}

func (s *Service) evidence(ctx context.Context, p storage.Purchase) (Evidence, error) {
	key, err := s.unresolved(ctx, p)
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
	if verdict == storage.VerdictNone { // this reading says nothing new
		verdict = p.Verdict
	}
	return Evidence{Purchase: p, Balance: decimal.NewNullDecimal(balance.Amount), Verdict: verdict}, nil
}

// Found is the order that an unresolved purchase may have become, as the marketplace
// describes it. It is not stored.
type Found struct {
	Purchase storage.Purchase
	Order    storage.Order
}

// LookUp reads the order with the given id from the marketplace, with the key that
// bought. That it exists proves that it is the key's, not that it is this purchase:
// the person decides. storage.ErrExternalIDTaken: it is stored here already.
func (s *Service) LookUp(ctx context.Context, userID, purchaseID int64, externalID string) (Found, error) {
	p, err := s.ownPurchase(ctx, userID, purchaseID)
	if err != nil {
		return Found{}, err
	}
	return s.lookUp(ctx, p, externalID)
}

func (s *Service) lookUp(ctx context.Context, p storage.Purchase, externalID string) (Found, error) {
	key, err := s.unresolved(ctx, p)
	if err != nil {
		return Found{}, err
	}
	now := time.Now()
	order := storage.Order{
		Kind: p.Kind, ExternalID: externalID, State: storage.OrderOpen, Quantity: p.Quantity, Currency: p.Currency, Rental: p.Rental, CreatedAt: p.SentAt,
	}
	if p.Kind == storage.KindSMS {
		var answer rentalAnswer
		answer, err = s.readRental(ctx, storage.DueOrder{Order: order, Key: key}, true)
		order.Rental.Phone = answer.phone
		order = afterRental(order, answer, now)
	} else {
		var status hstock.Status
		status, err = s.market.Status(ctx, key, externalID)
		order = afterStatus(order, status, nil, now)
	}
	if err != nil {
		return Found{}, err
	}
	// Only now: another order's id must not show that somebody bought it here.
	taken, err := s.db.ExternalIDTaken(ctx, p.UserID, p.Kind, externalID)
	if taken {
		err = storage.ErrExternalIDTaken
	}
	return Found{Purchase: p, Order: order}, err
}

// Adopt records that an unresolved purchase is the order with the given id. It looks
// the order up again, because the id comes from a button's data.
func (s *Service) Adopt(ctx context.Context, userID, purchaseID int64, externalID string) (storage.Order, error) {
	found, err := s.LookUp(ctx, userID, purchaseID, externalID)
	if err != nil {
		return storage.Order{}, err
	}
	return s.adopt(ctx, found, externalID, announceRental)
}

func (s *Service) adopt(ctx context.Context, found Found, externalID string, notify func(storage.Order) []storage.Message, entries ...storage.AuditEntry) (storage.Order, error) {
	now := time.Now()
	firstPoll := now
	if found.Purchase.Kind != storage.KindSMS { // the message that shows a phone waits for its poll
		firstPoll = now.Add(cardDelay)
	}
	placement := storage.Placement{ExternalID: externalID, Phone: found.Order.Rental.Phone, RawStatus: found.Order.RawStatus}
	order, adopted, err := s.db.AdoptOrder(ctx, found.Purchase, placement, now, firstPoll, notify, entries...)
	if err != nil {
		return storage.Order{}, err
	}
	if !adopted {
		return storage.Order{}, ErrOutcomeKnown
	}
	s.count(placedOutcome, "")
	s.checkpoint("adopted")
	s.wakeOutbox()
	s.wakePolls()
	return order, nil
}

// CountMissing returns how many phones of a purchase can still be adopted: 0 unless the
// outcome was unknown and some of its phones were adopted.
func (s *Service) CountMissing(ctx context.Context, userID, purchaseID int64) (int64, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil || p.House { // only admins adopt
		return 0, err
	}
	return s.countMissing(ctx, p)
}

func (s *Service) countMissing(ctx context.Context, p storage.Purchase) (int64, error) {
	if p.Kind != storage.KindSMS || p.State != storage.PurchasePlaced {
		return 0, nil
	}
	orders, err := s.db.OrdersOfPurchase(ctx, p.UserID, p.ID)
	if err != nil || slices.ContainsFunc(orders, func(o storage.Order) bool { return !o.Adopted }) {
		return 0, err
	}
	return p.Quantity - int64(len(orders)), nil
}

// Dismiss records that a person says an unresolved purchase was not placed. It can
// still be adopted later. The error is ErrAdminsDecide where the operator's key has paid.
func (s *Service) Dismiss(ctx context.Context, userID, purchaseID int64) error {
	dismissed, err := s.db.DismissPurchase(ctx, userID, purchaseID, time.Now())
	if err != nil {
		return err
	}
	if !dismissed {
		_, err = s.ownPurchase(ctx, userID, purchaseID)
		if err == nil || errors.Is(err, storage.ErrNotFound) {
			err = ErrOutcomeKnown
		}
	}
	return err
}

// ownPurchase returns a purchase that the person's own key has paid, or ErrAdminsDecide.
func (s *Service) ownPurchase(ctx context.Context, userID, purchaseID int64) (storage.Purchase, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err == nil && p.House {
		err = ErrAdminsDecide
	}
	return p, err
}

// unresolved returns the key that bought, of a purchase whose outcome may still be decided.
func (s *Service) unresolved(ctx context.Context, p storage.Purchase) (redact.Secret, error) {
	if p.State != storage.PurchaseOutcomeUnknown && p.State != storage.PurchaseDismissed {
		missing, err := s.countMissing(ctx, p)
		if err != nil {
			return "", err
		}
		if missing == 0 {
			return "", ErrOutcomeKnown
		}
	}
	key, err := s.db.Key(ctx, p.KeyID)
	if err != nil {
		return "", err
	}
	if key.Secret == "" {
		return "", ErrKeyRemoved
	}
	return key.Secret, nil
}

// markOutcomeUnknown records that the outcome of a purchase that was being sent is
// unknown, and notifies the person.
func (s *Service) markOutcomeUnknown(ctx context.Context, p storage.Purchase, refusal string) error {
	now := time.Now()
	message := aboutPurchase(p.UserID, p.ID, MessageOutcomeUnknown, now.Add(cardDelay))
	marked, err := s.db.MarkOutcomeUnknown(ctx, p, refusal, now.Add(checkIntervals[0]), message)
	if err == nil && marked {
		s.count(unknownOutcome, "")
		s.wakeOutbox()
		s.settleLoop.Wake()
	}
	return err
}

// settleOnce settles purchases whose lease is over and makes the due balance checks. A
// failure of one purchase does not delay the others.
func (s *Service) settleOnce(ctx context.Context) (time.Duration, error) {
	err := s.settleClock.AfterStep(func(again bool) error {
		now := time.Now()
		return errors.Join(s.db.PullPurchases(ctx, now, draftLifetime, purchaseLease, checkIntervals[:], again), s.db.MoveDrafts(ctx, s.draftExpiries(now)))
	})
	if err != nil {
		return 0, err
	}
	s.dropDraftAges()
	now := time.Now()
	overdue, err := s.db.OverdueLeases(ctx, now, purchasesAtOnce)
	failures := []error{err}
	for _, p := range overdue {
		failures = append(failures, loop.Recover(s.log, "settle a purchase", func() error { return s.settleOverdue(ctx, p) }))
	}
	due, err := s.db.DueChecks(ctx, now, purchasesAtOnce)
	failures = append(failures, err)
	checked := loop.Parallel(s.log, len(due), checksAtOnce, "check a balance", func(i int) error { return s.checkBalance(ctx, due[i]) })
	next, err := s.db.NextPurchaseEvent(ctx)
	failures = append(append(failures, err), checked...)
	return pauseUntil(next, time.Now()), errors.Join(failures...)
}

// settleOverdue settles a purchase whose lease is over: a claimed one was not sent unless
// the database was restored since, a sending one may have been.
func (s *Service) settleOverdue(ctx context.Context, p storage.Purchase) error {
	defer s.freeSlot(p)
	if p.State == storage.PurchaseSending {
		return s.markOutcomeUnknown(ctx, p, "")
	}
	now := time.Now()
	rejected, err := s.db.RejectOverdue(ctx, p.ID, ReasonInterrupted, now, aboutPurchase(p.UserID, p.ID, MessageOutcome, now))
	if rejected {
		s.count(rejectedOutcome, ReasonInterrupted)
		s.wakeOutbox()
	}
	if err == nil && !rejected {
		err = s.markOutcomeUnknown(ctx, p, "")
	}
	return err
}

// checkBalance makes one scheduled reading of the balance. The person is notified once:
// when a reading suggests that it was bought, or after the last one.
func (s *Service) checkBalance(ctx context.Context, p storage.Purchase) error {
	key, err := s.db.Key(ctx, p.KeyID)
	if err != nil {
		return err
	}
	balance, err := s.readBalance(ctx, key.Secret)
	previous := p.Checks
	held := errors.Is(err, hstock.ErrHeld) && time.Since(p.SentAt) < checkPatience
	if held || errors.Is(err, callrate.ErrBanned) { // the reading is made when calls may be made again
		p.NextCheckAt = time.Now().Add(checkIntervals[0])
		_, err := s.db.RecordCheck(ctx, p, previous, nil)
		return err
	}
	p.Checks++
	p.NextCheckAt = time.Time{}
	if p.Checks < len(checkIntervals) {
		p.NextCheckAt = time.Now().Add(checkIntervals[p.Checks])
	}
	last := p.NextCheckAt.IsZero()

	verdict := storage.VerdictNone
	if err == nil {
		p.BalanceSeen = decimal.NewNullDecimal(balance.Amount)
		if verdict, err = s.judge(ctx, p, balance); err != nil {
			return err
		}
	} else if ctx.Err() != nil {
		return ctx.Err()
	} else {
		p.Verdict = storage.VerdictUnclear // a missing reading can't prove that nothing was charged
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
		verdictMessage := aboutPurchase(p.UserID, p.ID, MessageVerdict, time.Now())
		message = &verdictMessage
	}
	recorded, err := s.db.RecordCheck(ctx, p, previous, message)
	if recorded && last {
		s.wakeOutbox()
	}
	return err
}

// readBalance reads a balance that nobody waits for.
func (s *Service) readBalance(ctx context.Context, key redact.Secret) (hstock.Balance, error) {
	if key == "" {
		return hstock.Balance{}, ErrKeyRemoved
	}
	ctx, cancel := context.WithTimeout(hstock.Background(ctx), termsTimeout)
	defer cancel()
	return s.market.Balance(ctx, key)
}

// judge returns the verdict on one reading of the balance: bought, unclear, or none if
// the balance is the same as before.
func (s *Service) judge(ctx context.Context, p storage.Purchase, balance hstock.Balance) (storage.Verdict, error) {
	if p.Damaged != nil || isEstimate(p) || balance.Currency != p.Currency {
		return storage.VerdictUnclear, nil //nolint:nilerr // the charge is not known, so no fall can prove it
	}
	if p.SentAt.After(time.Now()) { // the clock was set back: what happened since then is not known
		return storage.VerdictUnclear, nil
	}
	disturbed, err := s.db.BalanceMayHaveChanged(ctx, p, p.SentAt)
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

// matchesPrice reports whether a fall of the balance is about the price. The marketplace
// may have rented fewer phones than were asked for.
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

// smallestCharge is the least that a purchase can have cost; for phones, one of them.
func smallestCharge(p storage.Purchase) decimal.Decimal {
	if p.Kind == storage.KindSMS {
		return p.Rate
	}
	return p.Total()
}

// wouldShow reports whether a charge is large enough to change a balance, given the
// decimals of that balance.
func wouldShow(balance, sum decimal.Decimal) bool {
	return sum.GreaterThanOrEqual(decimal.New(1, balance.Exponent()))
}
