package orders

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Result is what a tap on Confirm has come to.
type Result int

const (
	// Placed: the marketplace gave an order number, now or at an earlier tap.
	Placed Result = iota + 1
	// Rejected: surely nothing was bought; Purchase.Reason and Refusal say why.
	Rejected
	// OutcomeUnknown: it may have been bought. A message that says more is stored.
	OutcomeUnknown
	// Redrawn: the terms are not those that were confirmed; Quote is the new
	// draft, Changes say what is different. Nothing was bought.
	Redrawn
	// InProgress: another tap's request is on its way.
	InProgress
	// Busy: another purchase of the same key is on its way; the card in Quote stands.
	Busy
	// Gone: the draft was cancelled or replaced by a newer card.
	Gone
	// Drafted: it is not confirmed, and the card in Quote stands.
	Drafted
)

// Change is a reason why a confirm card is drawn again.
type Change int

const (
	// ChangeExpired: the card was too old to be trusted.
	ChangeExpired Change = iota + 1
	// ChangePrice: the price rose.
	ChangePrice
	// ChangeKey: the person has given another API key since.
	ChangeKey
	// ChangeCurrency: the account is in another currency than the card said.
	ChangeCurrency
)

// Why a purchase was rejected, as stored with it.
const (
	ReasonRefused     = "refused"     // by the marketplace, in its own words
	ReasonNotSent     = "not_sent"    // the request never left
	ReasonUnreachable = "unreachable" // price and balance could not be read
	ReasonInvalidKey  = "invalid_key" // the marketplace does not accept the key
	ReasonStock       = "stock"       // no longer as many as wanted
	ReasonBalance     = "balance"     // no longer enough money
	ReasonGone        = "gone"        // the marketplace has it no more
	ReasonInterrupted = "interrupted" // the bot was stopped before it asked
)

// Outcome is what became of a confirmed purchase. Orders are set when it is
// Placed (one, or those of rented numbers), Quote where a card stands (Drafted, Busy, Redrawn), Changes when it is
// Redrawn.
type Outcome struct {
	Result   Result
	Purchase storage.Purchase
	Orders   []storage.Order
	Quote    Quote
	Changes  []Change
}

// Confirm buys what a draft says, once, whatever number of taps, repeated
// updates and replicas ask for it. An error (ErrMaintenance for one) means that
// nothing was sent and the draft, or the claim until its lease is over, stands.
func (s *Service) Confirm(ctx context.Context, userID, purchaseID int64, lang string) (Outcome, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return Outcome{}, err
	}
	if p.State != storage.PurchaseDraft {
		return s.outcomeOf(ctx, p)
	}
	if err := s.CanBuy(ctx); err != nil {
		return Outcome{}, err
	}
	key, err := s.db.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return Outcome{}, ErrNoKey
	}
	if err != nil {
		return Outcome{}, err
	}
	var changes []Change
	if !time.Now().Before(p.ExpiresAt) {
		changes = append(changes, ChangeExpired)
	}
	if key.ID != p.KeyID {
		changes = append(changes, ChangeKey)
	}
	if len(changes) > 0 {
		return s.redrawDraft(ctx, p, changes, lang)
	}
	claim, err := s.claim(ctx, p)
	if err != nil {
		return Outcome{}, err
	}
	if claim == nil {
		return s.afterLostClaim(ctx, userID, purchaseID)
	}
	defer s.slotFreed.notify()
	return claim.execute(ctx, key, lang)
}

// Outcome tells what a purchase has come to, without doing anything about it.
func (s *Service) Outcome(ctx context.Context, userID, purchaseID int64) (Outcome, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return Outcome{}, err
	}
	return s.outcomeOf(ctx, p)
}

// outcomeOf tells what a purchase has come to.
func (s *Service) outcomeOf(ctx context.Context, p storage.Purchase) (Outcome, error) {
	outcome := Outcome{Purchase: p}
	switch p.State {
	case storage.PurchasePlaced:
		orders, err := s.db.OrdersOfPurchase(ctx, p.UserID, p.ID)
		if err != nil {
			return Outcome{}, err
		}
		outcome.Result, outcome.Orders = Placed, orders
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
	default:
		outcome.Result = Gone
	}
	return outcome, nil
}

// afterLostClaim says why a claim was not had: somebody else's tap was
// quicker, the key's turn did not come, or maintenance began.
func (s *Service) afterLostClaim(ctx context.Context, userID, purchaseID int64) (Outcome, error) {
	outcome, err := s.Outcome(ctx, userID, purchaseID)
	if outcome.Result == Drafted {
		outcome.Result = Busy
		err = s.CanBuy(ctx) // maintenance may have begun in between
	}
	return outcome, err
}

// redrawDraft replaces a draft that is not claimed by one on today's terms.
func (s *Service) redrawDraft(ctx context.Context, p storage.Purchase, changes []Change, lang string) (Outcome, error) {
	quote, err := s.Draft(ctx, intentOf(p, lang))
	if err != nil {
		return Outcome{}, err
	}
	if quote.Purchase.Total().GreaterThan(p.Total()) {
		changes = append(changes, ChangePrice)
	}
	return Outcome{Result: Redrawn, Purchase: p, Quote: quote, Changes: changes}, nil
}

// claim takes the purchase and its key's turn, waiting a few seconds for the
// turn. It returns nil when it can't be had.
func (s *Service) claim(ctx context.Context, p storage.Purchase) (*claim, error) {
	c := &claim{s: s, p: p, owner: s.owner + "/" + fmt.Sprint(p.ID)}
	patience := time.NewTimer(slotTimeout)
	defer patience.Stop()
	for {
		settled := s.slotFreed.wait()
		now := time.Now()
		claimed, err := s.db.ClaimPurchase(ctx, p.UserID, p.ID, c.owner, now, now.Add(purchaseLease))
		if err == nil {
			if !claimed {
				return nil, nil
			}
			s.checkpoint("claimed")
			return c, nil
		}
		if !errors.Is(err, storage.ErrKeyBusy) {
			return nil, err
		}
		pause := time.NewTimer(slotRetry) // another process may be the one that is busy
		select {
		case <-settled:
		case <-pause.C:
		case <-patience.C:
			pause.Stop()
			return nil, nil
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
		pause.Stop()
	}
}

// claim is a purchase that this call, and no other, may send.
type claim struct {
	s     *Service
	p     storage.Purchase
	owner string
}

// execute reads the terms once more, sends the one request, and writes down
// what came of it.
func (c *claim) execute(ctx context.Context, key storage.Key, lang string) (Outcome, error) {
	terms, err := c.s.readTerms(ctx, key, intentOf(c.p, lang))
	if err != nil {
		return c.reject(ctx, reasonOf(err), refusalOf(err))
	}
	if terms.limitErr != nil {
		c.p.Stock = terms.stock
		return c.reject(ctx, ReasonStock, "")
	}
	next := terms.apply(c.p)
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
		return c.reject(ctx, ReasonUnreachable, "") // too late to wait for an answer
	}
	now := time.Now()
	sending, err := c.s.db.StartSending(ctx, c.p.ID, c.owner,
		storage.Terms{Rate: next.Rate, Balance: next.Balance, Currency: next.Currency, Stock: next.Stock, Variants: next.Variants}, now, now.Add(purchaseLease))
	if err != nil {
		return Outcome{}, err // not known to be sending: the lease will reject it
	}
	if !sending {
		return c.s.afterLostClaim(ctx, c.p.UserID, c.p.ID)
	}
	c.p.SentAt = now
	c.s.checkpoint("sending")
	given, err := c.send(ctx, key.Secret)
	c.s.checkpoint("answered")
	return c.record(ctx, key, given, err)
}

// send makes the one request.
func (c *claim) send(ctx context.Context, key redact.Secret) ([]storage.Placement, error) {
	if c.p.Kind != storage.KindSMS {
		number, err := c.s.market.Add(ctx, key, hstock.AddRequest{Service: c.p.Service, Quantity: c.p.Quantity, Link: c.p.Link})
		return []storage.Placement{{ExternalID: number}}, err
	}
	numbers, err := c.s.market.AddSMS(ctx, key, hstock.AddSMSRequest{
		ProjectID: c.p.Rental.Project, Quantity: int(c.p.Quantity), Country: c.p.Rental.Country, Phone: c.p.Rental.Phone,
	})
	given := make([]storage.Placement, 0, len(numbers))
	for _, n := range numbers {
		given = append(given, storage.Placement{ExternalID: n.Order, Phone: n.Phone, Country: n.Country, RawStatus: n.RawStatus})
	}
	return given, err
}

// record writes down the answer to the one request. From here on the caller's
// context no longer counts: an order number that is not written down is lost.
func (c *claim) record(ctx context.Context, key storage.Key, given []storage.Placement, answer error) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	if answer == nil {
		return c.place(ctx, given)
	}
	kind, _ := hstock.KindOf(answer)
	switch kind {
	case hstock.NotSent:
		return c.reject(ctx, ReasonNotSent, "")
	case hstock.InvalidKey:
		c.s.pauseRefusedKey(ctx, key.ID, key.UserID, answer)
		return c.reject(ctx, ReasonInvalidKey, "")
	case hstock.Refused:
		return c.reject(ctx, ReasonRefused, refusalOf(answer))
	case hstock.RefusedOther:
		if c.balanceUnchanged(ctx, key.Secret) {
			return c.reject(ctx, ReasonRefused, refusalOf(answer))
		}
	}
	c.s.log.Warn("outcome of a purchase is unknown", "purchase", c.p.ID, "error", answer)
	return c.markOutcomeUnknown(ctx, refusalOf(answer))
}

// balanceUnchanged reports whether the balance has not fallen since just before
// the request: then a refusal in words that are not documented was one.
func (c *claim) balanceUnchanged(ctx context.Context, key redact.Secret) bool {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	balance, err := c.s.market.Balance(ctx, key)
	if err != nil || balance.Currency != c.p.Currency || balance.Amount.LessThan(c.p.Balance) || !wouldShow(balance.Amount, smallestCharge(c.p)) {
		return false
	}
	disturbed, err := c.s.db.KeyDisturbed(ctx, c.p, c.p.SentAt) // a refund may hide the charge
	return err == nil && !disturbed
}

func (c *claim) place(ctx context.Context, given []storage.Placement) (Outcome, error) {
	var orders []storage.Order
	placed := false
	err := c.retryWrite(ctx, func(ctx context.Context) error {
		now := time.Now()
		var err error
		orders, placed, err = c.s.db.PlacePurchase(ctx, c.p, given, now, now.Add(firstPoll(c.p.Kind)), announceRental)
		return err
	})
	if err != nil {
		// The numbers go where an operator can find them, and are tried again for as
		// long as this process lives; else the lease makes it unknown.
		for _, g := range given {
			c.s.log.Error("order placed but not recorded yet", "purchase", c.p.ID, "order", g.ExternalID, "error", err)
		}
		c.s.mu.Lock()
		c.s.unrecorded[c.p.ID] = unrecorded{purchase: c.p, placements: given}
		c.s.mu.Unlock()
		c.s.settleLoop.Wake()
		return Outcome{Result: InProgress, Purchase: c.p}, nil
	}
	if !placed { // adopted or placed meanwhile: the row tells
		return c.s.afterLostClaim(ctx, c.p.UserID, c.p.ID)
	}
	c.s.checkpoint("placed")
	c.s.wakeOutbox()
	c.s.watchLoop.Wake()
	c.p.State = storage.PurchasePlaced
	return Outcome{Result: Placed, Purchase: c.p, Orders: orders}, nil
}

// unrecorded is order numbers that the marketplace gave and the database did
// not take.
type unrecorded struct {
	purchase   storage.Purchase
	placements []storage.Placement
}

// recordUnrecorded writes down the numbers that could not be written when they came,
// and tells whose purchase it is.
func (s *Service) recordUnrecorded(ctx context.Context) error {
	s.mu.Lock()
	late := maps.Clone(s.unrecorded)
	s.mu.Unlock()
	var failures []error
	for id, u := range late {
		now := time.Now()
		_, placed, err := s.db.PlacePurchase(ctx, u.purchase, u.placements, now, now, announceRental)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s.mu.Lock()
		delete(s.unrecorded, id)
		s.mu.Unlock()
		if placed {
			s.watchLoop.Wake()
			failures = append(failures, s.NotifyOutcome(ctx, u.purchase.UserID, id))
		}
	}
	return errors.Join(failures...)
}

func (c *claim) reject(ctx context.Context, reason, refusal string) (Outcome, error) {
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
		return c.s.afterLostClaim(ctx, c.p.UserID, c.p.ID)
	}
	c.s.checkpoint("rejected")
	c.p.State, c.p.Reason, c.p.Refusal = storage.PurchaseRejected, reason, refusal
	return Outcome{Result: Rejected, Purchase: c.p}, nil
}

func (c *claim) markOutcomeUnknown(ctx context.Context, refusal string) (Outcome, error) {
	err := c.retryWrite(ctx, func(ctx context.Context) error {
		_, err := c.s.markOutcomeUnknown(ctx, c.p, refusal)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	c.s.checkpoint("doubted")
	return c.s.afterLostClaim(ctx, c.p.UserID, c.p.ID)
}

func (c *claim) redraw(ctx context.Context, next storage.Purchase, change Change) (Outcome, error) {
	now := time.Now()
	next.CreatedAt, next.ExpiresAt = now, now.Add(draftLifetime)
	next, redrawn, err := c.s.db.ReplaceClaimed(ctx, c.p.ID, c.owner, next)
	if err != nil {
		return Outcome{}, err
	}
	if !redrawn {
		return c.s.afterLostClaim(ctx, c.p.UserID, c.p.ID)
	}
	quote, err := c.s.quote(ctx, next)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Result: Redrawn, Purchase: c.p, Quote: quote, Changes: []Change{change}}, nil
}

// retryWrite repeats a write that must not be lost, whatever becomes of ctx, for a
// while.
func (c *claim) retryWrite(ctx context.Context, write func(ctx context.Context) error) error {
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

// reasonOf says why reading the terms failed, as a reason of rejection.
func reasonOf(err error) string {
	switch kind, _ := hstock.KindOf(err); {
	case kind == hstock.InvalidKey:
		return ReasonInvalidKey
	case errors.Is(err, hstock.ErrServiceNotFound), errors.Is(err, ErrDelisted):
		return ReasonGone
	case kind == hstock.Refused, kind == hstock.RefusedOther:
		return ReasonRefused
	default:
		return ReasonUnreachable
	}
}

// refusalOf returns the marketplace's own sentence, if it gave one.
func refusalOf(err error) string {
	var failure *hstock.Error
	if errors.As(err, &failure) {
		return failure.Refusal
	}
	return ""
}
