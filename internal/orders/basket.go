package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// MaxBasketLines is how many lines a basket may have.
const MaxBasketLines = 50

// Why a basket has ended before its last line, as stored with it.
const (
	BasketStopped     = "stopped"     // by the person
	BasketUnknown     = "unknown"     // the outcome of a line is unknown
	BasketMoney       = "money"       // the balance does not suffice, or the allowance
	BasketKey         = "key"         // the API key was refused, removed or replaced; also ReasonOperator
	BasketPaused      = "paused"      // nothing can be bought now
	BasketRestored    = "restored"    // the database was restored
	BasketUnreachable = "unreachable" // the marketplace can't be reached
)

// Why a line of a basket can't be bought, as stored with it.
const (
	FaultGone      = "gone"       // no longer offered
	FaultSoldOut   = "sold_out"   // none are left
	FaultLimits    = "limits"     // the quantity is outside the limits
	FaultNeedsMore = "needs_more" // the service needs more than a link
)

// BasketQuote is a basket with what its card says in addition.
type BasketQuote struct {
	storage.Basket
	Balance  decimal.Decimal // what is available of the allowance, where the operator's key pays
	Currency string
	Total    decimal.Decimal // of the lines without a fault, each with the markup (Basket.Shown)
	// Allowance is as in Quote.
	Allowance storage.Allowance
	Choice    bool // as in Quote
	Estimate  bool // the marketplace may charge another sum
	// OtherTotal is as in Quote.
	OtherTotal decimal.NullDecimal
	Short      decimal.Decimal // how much the balance lacks; zero or less if it suffices
	Blocked    bool            // the balance does not pay for what has a fixed price, or the allowance for Hold
	// Warnings are those of a line, by its id.
	Warnings map[int64]LineWarnings
}

// Priced reports whether the prices were read: else the basket is running, or has changed
// meanwhile.
func (q BasketQuote) Priced() bool { return q.Warnings != nil }

// Hold is as in Quote.
func (q BasketQuote) Hold() decimal.Decimal {
	if q.Allowance.UserID != 0 && q.OtherTotal.Valid {
		return q.OtherTotal.Decimal
	}
	return q.Total
}

// LineWarnings is what a card warns of about a line. Warnings never block.
type LineWarnings struct {
	Running, Repeated storage.Earlier // as in Quote
	Misfit            links.Misfit
	Twin              int64 // the place of an earlier line that is the same, 0 for none
}

// Any reports whether there is a warning.
func (w LineWarnings) Any() bool { return w != LineWarnings{} }

// PriceBasket reads price and stock of each line, and the balance, and stores them as what
// the card shows. items are the goods of the catalogue by service, with an English Type; a
// line whose goods are missing can't be bought. If the basket is running or has changed
// meanwhile, it is returned as it is, without prices. The errors are those of Draft.
func (s *Service) PriceBasket(ctx context.Context, b storage.Basket, items map[int64]hstock.Item, lang string) (BasketQuote, error) {
	if b.State != storage.BasketOpen {
		return BasketQuote{Basket: b}, nil
	}
	if err := s.CanBuy(ctx); err != nil {
		return BasketQuote{}, err
	}
	key, allowance, err := s.payer(ctx, b.UserID)
	if err != nil {
		return BasketQuote{}, err
	}
	b.Markup = allowance.Markup
	stocks, balance, err := s.readStocks(ctx, key, b.Lines, lang)
	if err != nil {
		s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
		return BasketQuote{}, err
	}
	if key.Invalid { // it was refused before, and is accepted now
		if err := s.acceptKey(ctx, key); err != nil {
			return BasketQuote{}, err
		}
	}
	quote := BasketQuote{Basket: b, Balance: balance.Amount, Currency: balance.Currency, Allowance: allowance, Warnings: map[int64]LineWarnings{}}
	if key.House {
		if allowance.Currency != balance.Currency { // nothing is available
			quote.Allowance = storage.Allowance{}
		}
		quote.Balance = quote.Allowance.Available()
	} else if quote.Choice, err = s.db.HasAllowance(ctx, b.UserID); err != nil {
		return BasketQuote{}, err
	}
	confirmed, err := s.rateConfirmed(ctx, s.ratePer)
	if err != nil {
		return BasketQuote{}, err
	}
	fixed, other := decimal.Zero, decimal.Zero
	quote.Lines = slices.Clone(b.Lines)
	for i := range quote.Lines {
		line := &quote.Lines[i]
		item, stock := items[line.Service], stocks[line.Service]
		if stock.EntityType == hstock.EntitySMM || stock.EntityType == hstock.EntityProduct {
			item.EntityType = stock.EntityType // a list may not say it
		}
		intent := intentOfLine(*line)
		intent.Item.Min, intent.Item.Max = item.Min, item.Max
		t, err := termsOf(intent, stock)
		if line.Fault = faultOf(*line, item, stock, t, err); line.Fault != "" {
			continue
		}
		if t.inOtherCurrency(balance) {
			return BasketQuote{}, errOtherCurrency
		}
		line.Rate, line.RatePer, line.Currency = t.rate, s.ratePerOf(line.Kind), balance.Currency
		p := s.purchaseOfLine(b, *line, key)
		p.Variants = t.variants
		quote.Total = quote.Total.Add(p.Shown())
		other = other.Add(p.ShownOf(storage.PriceOf(line.Rate, line.Quantity, 1))) // goods: the same
		quote.Estimate = quote.Estimate || isEstimate(p)
		if requiresBalance(p) {
			fixed = fixed.Add(p.Shown())
		}
		warnings, err := s.lineWarnings(ctx, p, quote.Lines[:i], *line)
		if err != nil {
			return BasketQuote{}, err
		}
		quote.Warnings[line.ID] = warnings
	}
	if !confirmed && !other.Equal(quote.Total) {
		quote.OtherTotal = decimal.NewNullDecimal(other)
	}
	quote.Short, quote.Blocked = quote.Hold().Sub(quote.Balance), fixed.GreaterThan(quote.Balance)
	if key.House {
		quote.Blocked = quote.Short.IsPositive()
	}
	priced, ok, err := s.db.PriceBasket(ctx, quote.Basket, key.ID, time.Now())
	if err != nil {
		return BasketQuote{}, err
	}
	if !ok { // another card is drawn at the same time
		quote.Basket, err = s.db.Basket(ctx, b.UserID, b.ID)
		return BasketQuote{Basket: quote.Basket}, err
	}
	quote.Basket = priced
	return quote, nil
}

// readStocks reads the stock of each service once, and the balance. Services that the
// marketplace does not know are missing.
func (s *Service) readStocks(ctx context.Context, key storage.Key, lines []storage.BasketLine, lang string) (map[int64]hstock.Inventory, hstock.Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	var services []int64
	for _, line := range lines {
		if !slices.Contains(services, line.Service) {
			services = append(services, line.Service)
		}
	}
	balance, err := s.market.Balance(ctx, key.Secret)
	if err != nil {
		return nil, balance, err
	}
	inventories := make([]hstock.Inventory, len(services))
	failures := loop.Parallel(s.log, len(services), basketReads, "read stocks of a basket", func(i int) (err error) {
		inventories[i], err = s.market.Inventory(ctx, key.Secret, services[i], lang)
		return err
	})
	stocks := map[int64]hstock.Inventory{}
	for i, err := range failures {
		switch {
		case errors.Is(err, hstock.ErrServiceNotFound):
		case err != nil:
			return nil, balance, err
		default:
			stocks[services[i]] = inventories[i]
		}
	}
	return stocks, balance, nil
}

// faultOf returns why a line can't be bought, "" if it can.
func faultOf(line storage.BasketLine, item hstock.Item, stock hstock.Inventory, t terms, err error) string {
	var limit *LimitError
	switch {
	case item.Service == 0, stock.Service == 0, err != nil, line.Damaged != nil, kindOf(item) != line.Kind:
		return FaultGone
	case item.NeedsMoreThanLink():
		return FaultNeedsMore
	case errors.As(t.limitErr, &limit) && limit.SoldOut:
		return FaultSoldOut
	case t.limitErr != nil:
		return FaultLimits
	default:
		return ""
	}
}

func (s *Service) lineWarnings(ctx context.Context, p storage.Purchase, before []storage.BasketLine, line storage.BasketLine) (w LineWarnings, err error) {
	w.Misfit = links.Misfit(line.LinkMisfit)
	for _, other := range before {
		if w.Twin == 0 && other.Service == line.Service && other.Quantity == line.Quantity && links.Normal(other.Link) == links.Normal(line.Link) {
			w.Twin = other.Place
		}
	}
	if p.Kind == storage.KindSMM {
		if w.Running, err = s.db.RunningOnLink(ctx, p); err != nil {
			return w, err
		}
	}
	w.Repeated, err = s.db.RepeatedSince(ctx, p, time.Now().Add(-RepeatPeriod))
	return w, err
}

func intentOfLine(line storage.BasketLine) Intent {
	intent := Intent{
		UserID: line.UserID, Category: line.Category, Link: line.Link, Misfit: links.Misfit(line.LinkMisfit), Quantity: line.Quantity,
		Item: hstock.Item{Service: line.Service, Name: line.Name, EntityType: hstock.EntityProduct},
	}
	if line.Kind == storage.KindSMM {
		intent.Item.EntityType = hstock.EntitySMM
	}
	return intent
}

// purchaseOfLine returns what a line buys, on the terms that the card shows.
func (s *Service) purchaseOfLine(b storage.Basket, line storage.BasketLine, key storage.Key) storage.Purchase {
	return storage.Purchase{
		House: key.House, Markup: b.Markup,
		UserID: line.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: line.Kind,
		Service: line.Service, Name: line.Name, Category: line.Category, Quantity: line.Quantity,
		Link: line.Link, LinkDigest: s.linkDigest(intentOfLine(line)), LinkMisfit: line.LinkMisfit,
		Rate: line.Rate, RatePer: line.RatePer, Currency: line.Currency, Thread: b.Thread,
	}
}

// AddToBasket adds goods to a person's basket, once for an update of Telegram. The errors are
// those of storage.AddToBasket.
func (s *Service) AddToBasket(ctx context.Context, userID, update int64, intents []Intent) error {
	lines := make([]storage.BasketLine, len(intents))
	for i, intent := range intents {
		lines[i] = lineOf(intent)
	}
	return s.db.AddToBasket(ctx, userID, update, lines, MaxBasketLines, time.Now())
}

func lineOf(intent Intent) storage.BasketLine {
	return storage.BasketLine{
		Kind: intent.kind(), Service: intent.Item.Service, Name: shorten(intent.Item.Name), Category: shorten(intent.Category),
		Quantity: intent.Quantity, Link: intent.Link, LinkMisfit: string(intent.Misfit), RatePer: 1,
	}
}

// MoveToBasket ends a draft and puts what it says into the person's basket. However often
// it is called, it is put there once.
func (s *Service) MoveToBasket(ctx context.Context, userID, purchaseID int64) error {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err == nil && p.Kind == storage.KindSMS {
		err = storage.ErrNotFound
	}
	if err != nil {
		return err
	}
	return s.db.MoveToBasket(ctx, userID, purchaseID, lineOf(intentOf(p, "")), MaxBasketLines, time.Now())
}

// StartBasket begins to buy a basket in the revision that its card shows. However often it
// is called, each line is bought once at most. False means that nothing was started: the
// basket or its terms have changed, and the card has to be drawn again.
func (s *Service) StartBasket(ctx context.Context, userID, id, revision, messageID, thread int64) (bool, error) {
	b, err := s.db.Basket(ctx, userID, id)
	if err != nil || b.State != storage.BasketOpen {
		return false, err
	}
	if err := s.CanBuy(ctx); err != nil {
		return false, err
	}
	key, err := s.db.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, ErrNoKey
	}
	if _, more := b.Next(); err != nil || key.ID != b.KeyID || !more {
		return false, err
	}
	now := time.Now()
	started, err := s.db.StartBasket(ctx, userID, id, revision, messageID, thread, now, now.Add(cardDelay), now.Add(-draftLifetime))
	if started {
		s.checkpoint("basket started")
		s.wakeBaskets()
	}
	return started, err
}

// StopBasket makes a running basket begin no further line.
func (s *Service) StopBasket(ctx context.Context, userID, id int64) error {
	stopped, err := s.db.StopBasket(ctx, userID, id, time.Now())
	if stopped {
		s.wakeBaskets()
	}
	return err
}

// DecodeBasket decodes the body of a message about a basket, the basket's id.
func DecodeBasket(message storage.Message) (int64, error) {
	id, err := strconv.ParseInt(string(message.Body), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("decode basket: %w", err)
	}
	return id, nil
}

func aboutBasket(b storage.Basket, kind string, at time.Time) storage.Message {
	return storage.Message{UserID: b.UserID, Kind: kind, Priority: outbox.PriorityStatus, Body: strconv.AppendInt(nil, b.ID, 10), CreatedAt: at}
}

// basketOnce buys the next line of all due baskets, all in parallel.
func (s *Service) basketOnce(ctx context.Context) (time.Duration, error) {
	if err := s.basketClock.AfterStep(func(bool) error { return s.db.PullBaskets(ctx, time.Now()) }); err != nil {
		return 0, err
	}
	due, err := s.db.DueBaskets(ctx, time.Now(), basketsAtOnce)
	for _, b := range due {
		if _, running := s.buying.LoadOrStore(b.ID, true); running {
			continue
		}
		s.polls.Go(func() {
			defer s.basketLoop.Wake()
			defer s.buying.Delete(b.ID)
			if err := loop.Recover(s.log, "buy a basket", func() error { return s.advanceBasket(ctx, b.UserID, b.ID) }); err != nil && ctx.Err() == nil {
				s.log.Warn("basket delayed", "basket", b.ID, "error", err)
				if err := s.db.MoveBasket(ctx, b.ID, time.Now().Add(loop.Jitter(basketRetry))); err != nil {
					s.log.Error("basket not delayed", "basket", b.ID, "error", err)
					sleep(ctx, loop.Jitter(basketRetry)) // it is still due
				}
			}
		})
	}
	next, nextErr := s.db.NextBasket(ctx)
	return pauseUntil(next, time.Now()), errors.Join(err, nextErr)
}

// errLineInFlight delays a basket whose last line is not settled: the process that has sent
// it, or the settle loop, does that.
var errLineInFlight = errors.New("the line before is not settled")

// advanceBasket buys the next line of a running basket, or ends it. What it does follows
// from the rows only, so any process goes on where another one has ended.
func (s *Service) advanceBasket(ctx context.Context, userID, id int64) error {
	b, err := s.db.Basket(ctx, userID, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && b.State != storage.BasketRunning {
		return nil // another process has ended it, or the person is forgotten
	}
	if err != nil {
		return err
	}
	reason, err := s.basketStop(ctx, b)
	if err != nil {
		return err
	}
	line, more := b.Next()
	var key storage.Key
	if reason == "" && more {
		if key, reason, err = s.basketKey(ctx, b); err != nil {
			return err
		}
	}
	if reason != "" || !more {
		return s.endBasket(ctx, b, reason)
	}
	now := time.Now()
	p, claimed, err := s.db.ClaimLine(ctx, line, s.purchaseOfLine(b, line, key), s.leaseOwner, now, now.Add(purchaseLease))
	switch allowanceReason(err) {
	case ReasonAllowance:
		return s.endBasket(ctx, b, BasketMoney)
	case ReasonOperator:
		return s.endBasket(ctx, b, BasketKey)
	}
	if err == nil && !claimed { // the next step says why
		err = errLineInFlight
	}
	if err != nil {
		return err
	}
	claim := &purchaseClaim{s: s, p: p, owner: s.leaseOwner(p.ID), agreed: true}
	if _, err := claim.run(ctx, key, "en"); err != nil {
		s.log.Error("purchase of a basket not settled yet", "purchase", p.ID, "error", err)
	}
	s.checkpoint("basket line")
	ctx = context.WithoutCancel(ctx)
	if err := s.db.AddMessage(ctx, aboutBasket(b, MessageBasket, time.Now())); err != nil {
		s.log.Warn("progress of a basket not stored", "basket", b.ID, "error", err)
	}
	s.wakeOutbox()
	return s.db.MoveBasket(ctx, b.ID, time.Now().Add(basketPause))
}

// basketStop returns why a basket begins no further line after the last one that was begun,
// "" if it goes on.
func (s *Service) basketStop(ctx context.Context, b storage.Basket) (string, error) {
	for _, line := range slices.Backward(b.Lines) {
		if line.PurchaseID == 0 {
			continue
		}
		switch line.State {
		case storage.PurchaseClaimed, storage.PurchaseSending:
			return "", errLineInFlight
		case storage.PurchasePlaced:
			return "", nil
		case storage.PurchaseRejected:
			p, err := s.db.Purchase(ctx, b.UserID, line.PurchaseID)
			return stopsBasket(p), err
		default:
			return BasketUnknown, nil
		}
	}
	return "", nil
}

// stopsBasket returns why nothing more is bought after a purchase was rejected, "" if
// that says nothing about the other lines.
func stopsBasket(p storage.Purchase) string {
	switch p.Reason {
	case ReasonBalance, ReasonAllowance:
		return BasketMoney
	case ReasonInvalidKey, ReasonOperator:
		return BasketKey
	case ReasonNotSent, ReasonUnreachable:
		return BasketUnreachable
	case ReasonRefused:
		if strings.EqualFold(p.Refusal, hstock.ErrInsufficientBalance.Error()) {
			return BasketMoney
		}
	}
	return ""
}

// basketKey returns the key that pays, or why nothing may be bought now.
func (s *Service) basketKey(ctx context.Context, b storage.Basket) (key storage.Key, reason string, err error) {
	switch {
	case b.Stopping:
		return key, BasketStopped, nil
	case b.Restored:
		return key, BasketRestored, nil
	}
	key, err = s.db.ActiveKey(ctx, b.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (key.ID != b.KeyID || key.Invalid) {
		return key, BasketKey, nil
	}
	if err != nil {
		return key, "", err
	}
	switch err := s.CanBuy(ctx); {
	case errors.Is(err, ErrMaintenance), errors.Is(err, storage.ErrNotDurable), errors.Is(err, storage.ErrRestored):
		return key, BasketPaused, nil
	default:
		return key, "", err
	}
}

// endBasket ends a running basket. It ignores the cancelling of ctx.
func (s *Service) endBasket(ctx context.Context, b storage.Basket, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	now := time.Now()
	_, err := s.db.EndBasket(ctx, b, reason, now, aboutBasket(b, MessageBasketEnded, now.Add(cardDelay)))
	s.checkpoint("basket ended")
	s.wakeOutbox()
	return err
}
