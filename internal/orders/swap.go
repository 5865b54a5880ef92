package orders

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// MaxSwaps is how many numbers may follow one another.
const MaxSwaps = 3

// Why a swap has stopped, as stored with it.
const (
	SwapCancelled   = storage.SwapCancelled // the person has ended it, or has cancelled the number
	SwapCode        = "code"                // the code came first
	SwapEnded       = "ended"               // the number ended before it was cancelled
	SwapUncertain   = "uncertain"           // the answer to the cancel was lost
	SwapRefused     = "refused"             // the marketplace does not take the number back
	SwapLess        = "less"                // the refund is smaller than the person was shown
	SwapUnconfirmed = "unconfirmed"         // the refund was not seen
	SwapPaused      = "paused"              // nothing can be bought now
	SwapKey         = "key"                 // the API key was refused, removed or replaced
	SwapRestored    = "restored"            // the database was restored
	SwapUnreachable = "unreachable"         // the marketplace can't be reached
	SwapInterrupted = "interrupted"         // the purchase could not be claimed, the allowance does not pay for it, or another order has the number's id
)

// ErrOtherKey is returned if a number was rented with another key than the present one: its
// refund would go to another account.
var ErrOtherKey = errors.New("the number was rented with another key")

// ErrTooManySwaps is returned after MaxSwaps swaps in a row.
var ErrTooManySwaps = errors.New("too many swaps in a row")

// Phone is a rented phone with what its message says in addition.
type Phone struct {
	storage.Order
	Usual     time.Duration // as Service.Usual
	CanSwap   bool          // it has waited so long that a swap is offered
	SwapLimit bool          // it has waited as long, after MaxSwaps swaps
	Swap      storage.Swap  // the last one that was confirmed; zero: none
	// New is the purchase of the new number while Swap is active: at first its draft, with the
	// price. NewPhone is the number, once it is rented.
	New      storage.Purchase
	NewPhone string
}

// CameBack returns what was refunded for the number of a swap. It is not valid while that
// is not known.
func (p Phone) CameBack() decimal.NullDecimal {
	if !endConfirmed(p.Order) {
		return decimal.NullDecimal{}
	}
	return decimal.NewNullDecimal(p.Swap.Charge.Sub(p.Charge.Decimal))
}

// Phone returns what the message of a rented phone says. It makes no request.
func (s *Service) Phone(ctx context.Context, o storage.Order) (Phone, error) {
	p := Phone{Order: o, Usual: s.Usual(ctx, o)}
	var err error
	if p.Swap, err = s.db.SwapOf(ctx, o.ID); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return p, err
	}
	if reason := overReason(o); p.Swap.State == storage.SwapArmed && reason != "" {
		p.Swap.State, p.Swap.Reason = storage.SwapStopped, reason // as the next step will record
	}
	if p.Swap.Active() {
		if p.New, err = s.db.Purchase(ctx, o.UserID, p.Swap.PurchaseID); err != nil {
			return p, err
		}
		if p.New.State != storage.PurchasePlaced {
			return p, nil
		}
		rented, err := s.db.OrdersOfPurchase(ctx, o.UserID, p.New.ID)
		if err == nil {
			p.NewPhone = rented[0].Rental.Phone
		}
		return p, err
	}
	if !swappable(o) || time.Since(o.CreatedAt) < swapWait(p.Usual) {
		return p, nil
	}
	place, err := s.db.SwapPlace(ctx, o.PurchaseID)
	p.CanSwap, p.SwapLimit = place < MaxSwaps, place >= MaxSwaps
	return p, err
}

// swappable reports whether a swap of an order may be offered at any time.
func swappable(o storage.Order) bool {
	return o.Kind == storage.KindSMS && o.State == storage.OrderOpen && o.Open() && o.Delivered == 0 && o.CancelSentAt.IsZero() &&
		!o.External && o.Rental.Project != "" && !EndsBefore(o, time.Now())
}

// swapWait returns how long a phone waits for its code until a swap is offered.
func swapWait(usual time.Duration) time.Duration {
	if usual > 0 {
		return 2 * usual
	}
	return swapAfter
}

// endConfirmed reports whether the marketplace says that a number was cancelled, and what
// it has charged since.
func endConfirmed(o storage.Order) bool {
	state := hstock.ParseSMSState(o.RawStatus)
	return (o.State == storage.OrderCancelled || o.State == storage.OrderRefunded) && o.Charge.Valid &&
		(state == hstock.SMSCanceled || state == hstock.SMSRefunded)
}

// SwapOffer is the question whether to swap a number. If the marketplace does not take the
// number back, Allowance says why, and Swap is zero.
type SwapOffer struct {
	Order     storage.Order
	Allowance hstock.CancelAllowance
	Swap      storage.Swap
	Quote     Quote // the new number
	// Short is how much the balance lacks when the refund is there; zero or less if it suffices.
	Short decimal.Decimal
}

// OfferSwap reads what the marketplace pays back for a phone and what a new one costs, and
// stores both as an offer. It sends no request that changes anything, and fails as
// CancelAllowance and Draft do, and with ErrOtherKey.
func (s *Service) OfferSwap(ctx context.Context, userID, orderID, thread int64, lang string) (SwapOffer, error) {
	order, allowance, err := s.CancelAllowance(ctx, userID, orderID)
	offer := SwapOffer{Order: order, Allowance: allowance}
	if err != nil {
		return offer, err
	}
	now := time.Now()
	swap := storage.Swap{OrderID: orderID, UserID: userID, State: storage.SwapOffered, DueAt: now, CreatedAt: now}
	if !allowance.Allowed {
		var later bool
		if swap.At, later = EligibleAfter(allowance, now); !later || EndsBefore(order, swap.At) || swap.At.Sub(now) > maxSwapDelay {
			return offer, nil
		}
		swap.DueAt = nextAsk(allowance, now)
	}
	place, err := s.db.SwapPlace(ctx, order.PurchaseID)
	if err != nil {
		return offer, err
	}
	if place >= MaxSwaps {
		return offer, ErrTooManySwaps
	}
	swap.Place = place + 1
	key, _, err := s.payer(ctx, userID)
	if err == nil && key.ID != order.KeyID {
		err = ErrOtherKey
	}
	if err != nil {
		return offer, err
	}
	rental := order.Rental
	rental.Phone = ""
	if offer.Quote, err = s.Draft(ctx, Intent{UserID: userID, Rental: rental, Quantity: 1, Origin: order.Origin, Thread: thread, Lang: lang}); err != nil {
		return offer, err
	}
	draft := offer.Quote.Purchase
	swap.PurchaseID = draft.ID
	if swap.Charge, err = s.chargeOf(ctx, order, draft.Currency); err != nil {
		return offer, err
	}
	swap.Refund = swap.Charge
	if allowance.Refund.Valid && allowance.Refund.Decimal.LessThan(swap.Charge) {
		swap.Refund = allowance.Refund.Decimal
	}
	if offer.Short, err = s.swapShort(ctx, offer.Quote, order, swap); err != nil {
		return offer, err
	}
	if err := s.db.InsertSwap(ctx, swap); err != nil {
		return offer, err
	}
	offer.Swap = swap
	return offer, nil
}

// swapShort returns how much the balance or the allowance lacks for a new number when the
// refund of the old one is there.
func (s *Service) swapShort(ctx context.Context, q Quote, order storage.Order, swap storage.Swap) (decimal.Decimal, error) {
	if q.Purchase.House {
		counts, err := s.db.RefundCounts(ctx, q.Allowance, order.PurchaseID, time.Now())
		if err != nil || !counts {
			return q.Short, err
		}
	}
	return q.Short.Sub(order.ShownRefund(swap.Charge, swap.Refund)), nil
}

// allowancePays reports whether the allowance still pays for the new number of a swap when
// the refund is there. It is true of a purchase with the person's own key.
func (s *Service) allowancePays(ctx context.Context, p storage.Purchase, swap storage.Swap) (bool, error) {
	if !p.House {
		return true, nil
	}
	order, err := s.db.Order(ctx, swap.UserID, swap.OrderID)
	if err != nil {
		return false, err
	}
	quote, err := s.quote(ctx, p)
	if err != nil {
		return false, err
	}
	short, err := s.swapShort(ctx, quote, order, swap)
	return err == nil && !short.IsPositive(), err
}

// chargeOf returns what a phone has cost: what the marketplace says, or the price at which it
// was rented.
func (s *Service) chargeOf(ctx context.Context, o storage.Order, currency string) (decimal.Decimal, error) {
	if o.Currency != "" && o.Currency != currency {
		return decimal.Zero, errOtherCurrency
	}
	if o.Charge.Valid {
		return o.Charge.Decimal, nil
	}
	p, err := s.db.Purchase(ctx, o.UserID, o.PurchaseID)
	return p.Rate, err
}

// StartSwap confirms an offered swap. However often it is called, one cancel and one
// request to rent are sent at most. False means that the offer is too old and has to be
// drawn again; nothing was started.
func (s *Service) StartSwap(ctx context.Context, userID, purchaseID int64) (storage.Swap, bool, error) {
	swap, err := s.db.Swap(ctx, userID, purchaseID)
	if err != nil || swap.State != storage.SwapOffered {
		return swap, true, err
	}
	if err := s.CanBuy(ctx); err != nil {
		return swap, false, err
	}
	p, _, reason, err := s.swapTerms(ctx, swap)
	switch {
	case err != nil:
		return swap, false, err
	case reason == SwapKey:
		return swap, false, ErrOtherKey
	case reason != "" || s.draftLeft(p) <= 0:
		return swap, false, nil
	}
	if pays, err := s.allowancePays(ctx, p, swap); err != nil || !pays {
		return swap, false, err
	}
	now := time.Now()
	due, giveUp := now.Add(cardDelay), now
	if swap.DueAt.After(due) {
		due = swap.DueAt
	}
	if swap.At.After(now) {
		giveUp = swap.At
	}
	armed, err := s.db.ArmSwap(ctx, userID, purchaseID, due, giveUp.Add(swapPatience))
	if err != nil {
		return swap, false, err
	}
	if armed {
		s.checkpoint("swap armed")
		s.wakeSwaps()
	}
	return swap, true, nil
}

// EndSwap stops a swap that has sent nothing yet. It reports whether there was one.
func (s *Service) EndSwap(ctx context.Context, userID, purchaseID int64) (storage.Swap, bool, error) {
	swap, err := s.db.Swap(ctx, userID, purchaseID)
	if err != nil || swap.State != storage.SwapArmed {
		return swap, false, err
	}
	stopped, err := s.db.StopSwap(ctx, swap, SwapCancelled) // the tapped card shows it
	return swap, stopped, err
}

func aboutSwap(swap storage.Swap) storage.Message {
	return storage.Message{
		UserID: swap.UserID, PurchaseID: swap.PurchaseID, OrderID: swap.OrderID, Kind: MessageSwap, Priority: outbox.PriorityStatus, CreatedAt: time.Now().Add(cardDelay),
	}
}

// swapOnce starts the due steps of swaps, all in parallel: a slow answer delays no other
// swap.
func (s *Service) swapOnce(ctx context.Context) (time.Duration, error) {
	if err := s.swapClock.AfterStep(func(bool) error { return s.db.PullSwaps(ctx, time.Now(), swapCancelLease) }); err != nil {
		return 0, err
	}
	due, err := s.db.DueSwaps(ctx, time.Now(), swapsAtOnce)
	for _, swap := range due {
		if _, running := s.swapping.LoadOrStore(swap.PurchaseID, true); running {
			continue
		}
		s.polls.Go(func() {
			defer s.swapLoop.Wake()
			defer s.swapping.Delete(swap.PurchaseID)
			if err := loop.Recover(s.log, "swap a number", func() error { return s.advanceSwap(ctx, swap) }); err != nil && ctx.Err() == nil {
				s.log.Warn("swap delayed", "purchase", swap.PurchaseID, "error", err)
				if err := s.delaySwap(ctx, swap, SwapUnreachable); err != nil {
					s.log.Error("swap not delayed", "purchase", swap.PurchaseID, "error", err)
					sleep(ctx, loop.Jitter(swapRetry)) // it is still due, and each try asks the marketplace
				}
			}
		})
	}
	next, nextErr := s.db.NextSwap(ctx)
	return pauseUntil(next, time.Now()), errors.Join(err, nextErr)
}

// advanceSwap makes the due step of a swap. After an error the step is made again.
func (s *Service) advanceSwap(ctx context.Context, swap storage.Swap) error {
	switch swap.State {
	case storage.SwapArmed:
		return s.giveBack(ctx, swap)
	case storage.SwapEnding:
		return s.takeNew(ctx, swap)
	default: // the process that has sent the cancel is gone
		return s.stopSwap(ctx, swap, SwapUncertain)
	}
}

// stopSwap stops a swap that is still in the state that was read. It ignores the cancelling
// of ctx.
func (s *Service) stopSwap(ctx context.Context, swap storage.Swap, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := s.db.StopSwap(ctx, swap, reason, aboutSwap(swap))
	s.checkpoint("swap stopped")
	s.wakeOutbox()
	return err
}

// delaySwap makes the step again a little later, or stops the swap if it has waited for too
// long.
func (s *Service) delaySwap(ctx context.Context, swap storage.Swap, reason string) error {
	now := time.Now()
	if swap.State != storage.SwapCancelling && now.After(swap.GiveUpAt) {
		return s.stopSwap(ctx, swap, reason)
	}
	swap.DueAt = now.Add(loop.Jitter(swapRetry))
	return s.db.MoveSwap(ctx, swap)
}

// swapTerms reads the purchase of a swap and the key that pays. reason says why nothing may
// be rented on the terms that the person has seen, "" if it may.
func (s *Service) swapTerms(ctx context.Context, swap storage.Swap) (p storage.Purchase, key storage.Key, reason string, err error) {
	if p, err = s.db.Purchase(ctx, swap.UserID, swap.PurchaseID); err != nil {
		return p, key, "", err
	}
	restored, err := s.db.DrawnBeforeRestoration(ctx, p.ID)
	switch {
	case err != nil:
		return p, key, "", err
	case restored:
		return p, key, SwapRestored, nil
	case p.State != storage.PurchaseDraft:
		return p, key, SwapInterrupted, nil
	}
	key, err = s.db.ActiveKey(ctx, swap.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (key.ID != p.KeyID || key.Invalid) {
		return p, key, SwapKey, nil
	}
	if err != nil {
		return p, key, "", err
	}
	switch err := s.CanBuy(ctx); {
	case errors.Is(err, ErrMaintenance), errors.Is(err, storage.ErrNotDurable), errors.Is(err, storage.ErrRestored):
		return p, key, SwapPaused, nil
	default:
		return p, key, "", err
	}
}

// overReason returns why a number has ended by itself, "" if it still waits for its code.
func overReason(o storage.Order) string {
	switch {
	case o.State == storage.OrderDelivered || o.Delivered > 0:
		return SwapCode
	case o.State == storage.OrderOpen && o.Open():
		return ""
	case o.State == storage.OrderCancelled, o.State == storage.OrderRefunded:
		return SwapCancelled
	default:
		return SwapEnded
	}
}

// giveBack cancels the number of an armed swap as soon as the marketplace allows it.
func (s *Service) giveBack(ctx context.Context, swap storage.Swap) error {
	order, err := s.db.Order(ctx, swap.UserID, swap.OrderID)
	if err != nil {
		return err
	}
	reason := overReason(order)
	if reason == "" && !order.CancelSentAt.IsZero() {
		reason = SwapCancelled
	}
	var p storage.Purchase
	var key storage.Key
	if reason == "" {
		if p, key, reason, err = s.swapTerms(ctx, swap); err != nil {
			return err
		}
	}
	if reason == "" {
		pays, err := s.allowancePays(ctx, p, swap)
		if err != nil {
			return err
		}
		shared, err := s.db.ExternalIDShared(ctx, order)
		if err != nil {
			return err
		}
		if !pays || shared { // the marketplace could cancel either of two orders of one id
			reason = SwapInterrupted
		}
	}
	if reason != "" {
		return s.stopSwap(ctx, swap, reason)
	}
	askCtx, cancel := context.WithTimeout(hstock.Background(hstock.SingleAttempt(ctx)), allowTimeout)
	defer cancel()
	allowances, err := s.market.AllowCancel(askCtx, key.Secret, []string{order.ExternalID})
	if err != nil {
		return s.afterFailedCancel(ctx, swap, order, key, err)
	}
	allowance := allowances[0]
	if !allowance.Allowed {
		now := time.Now()
		if at, _, ok := eligibility(allowance, now); ok && at.Before(swap.GiveUpAt) && now.Before(swap.GiveUpAt) {
			if swap.DueAt = nextAsk(allowance, now); swap.DueAt.After(swap.GiveUpAt) {
				swap.DueAt = swap.GiveUpAt
			}
			if at.After(now) {
				swap.At = at
			}
			return s.db.MoveSwap(ctx, swap)
		}
		return s.stopRefused(ctx, swap, order)
	}
	if allowance.Refund.Valid && allowance.Refund.Decimal.LessThan(swap.Refund) {
		return s.stopSwap(ctx, swap, SwapLess)
	}
	now := time.Now()
	started, err := s.db.StartSwapCancel(ctx, swap, now, now.Add(swapCancelLease), now.Add(swapPatience))
	if err != nil || !started { // another cancel was quicker, and has stopped the swap
		return err
	}
	swap.State = storage.SwapCancelling
	outcomes, err := s.sendCancels(hstock.WithGrace(ctx, stopGrace), key.Secret, []storage.Order{order}, []int64{order.ID}, now)
	if len(outcomes) == 0 {
		return s.afterFailedCancel(ctx, swap, order, key, err)
	}
	if err != nil {
		s.log.Error("cancel of a swap not recorded", "order", order.ExternalID, "error", err)
	}
	switch o := outcomes[0]; {
	case overReason(o.Order) == SwapCode:
		return s.stopSwap(ctx, swap, SwapCode)
	case o.Lost, o.Uncertain:
		return s.stopSwap(ctx, swap, SwapUncertain)
	case o.Refused:
		return s.stopRefused(ctx, swap, order)
	case !o.Done:
		return s.stopSwap(ctx, swap, SwapEnded)
	}
	ctx = context.WithoutCancel(ctx)
	if ended, err := s.db.EndSwapCancel(ctx, swap, time.Now().Add(swapRefundPause)); err != nil || !ended {
		return err
	}
	s.checkpoint("swap cancelled")
	return nil // the loop goes on
}

// afterFailedCancel stops or delays a swap whose cancel, or the question before it, surely
// had no effect.
func (s *Service) afterFailedCancel(ctx context.Context, swap storage.Swap, order storage.Order, key storage.Key, err error) error {
	kind, _ := hstock.KindOf(err)
	switch {
	case kind == hstock.InvalidKey:
		s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
		return s.stopSwap(ctx, swap, SwapKey)
	case refused(err):
		return s.stopRefused(ctx, swap, order)
	case swap.State == storage.SwapCancelling: // one tap sends one cancel
		return s.stopSwap(ctx, swap, SwapUnreachable)
	default:
		return s.delaySwap(ctx, swap, SwapUnreachable)
	}
}

// stopRefused stops a swap whose number the marketplace does not take back. If the code has
// come or the number has ended, that is why.
func (s *Service) stopRefused(ctx context.Context, swap storage.Swap, order storage.Order) error {
	fetchCtx, cancel := context.WithTimeout(hstock.Background(context.WithoutCancel(ctx)), pollTimeout)
	defer cancel()
	reason := SwapRefused
	if fresh, err := s.fetchNow(fetchCtx, order); err == nil && overReason(fresh) != "" {
		reason = overReason(fresh)
	}
	return s.stopSwap(ctx, swap, reason)
}

// takeNew rents a new number as soon as the end of the old one and its refund are
// confirmed.
func (s *Service) takeNew(ctx context.Context, swap storage.Swap) error {
	order, err := s.db.Order(ctx, swap.UserID, swap.OrderID)
	if err != nil {
		return err
	}
	if !endConfirmed(order) {
		fetchCtx, cancel := context.WithTimeout(hstock.Background(hstock.SingleAttempt(ctx)), pollTimeout)
		defer cancel()
		fresh, err := s.fetchNow(fetchCtx, order)
		if err != nil {
			s.log.Warn("end of a swapped number not read yet", "order", order.ExternalID, "error", err)
		}
		order = fresh
	}
	phone := Phone{Order: order, Swap: swap}
	back := phone.CameBack()
	switch {
	case order.Delivered > 0:
		return s.stopSwap(ctx, swap, SwapCode)
	case !back.Valid:
		return s.delaySwap(ctx, swap, SwapUnconfirmed)
	case back.Decimal.LessThan(swap.Refund):
		return s.stopSwap(ctx, swap, SwapLess)
	}
	s.checkpoint("swap end confirmed")
	p, key, reason, err := s.swapTerms(ctx, swap)
	if err != nil {
		return err
	}
	if reason != "" {
		return s.stopSwap(ctx, swap, reason)
	}
	claim := &purchaseClaim{s: s, p: p, owner: s.leaseOwner(p.ID), agreed: true}
	now := time.Now()
	claimed, err := s.db.ClaimSwap(ctx, swap, claim.owner, now, now.Add(purchaseLease), aboutSwap(swap))
	if allowanceReason(err) != "" {
		return s.stopSwap(ctx, swap, SwapInterrupted)
	}
	if errors.Is(err, storage.ErrKeyBusy) || err == nil && !claimed { // the next step says why
		return s.delaySwap(ctx, swap, SwapInterrupted)
	}
	if err != nil {
		return err
	}
	_, err = claim.run(ctx, key, "en")
	s.wakeOutbox()
	if err != nil {
		s.log.Error("purchase of a swap not settled yet", "purchase", p.ID, "error", err)
	}
	return nil
}
