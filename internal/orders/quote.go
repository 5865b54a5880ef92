package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

// Intent is what a person wants to buy: a row of the catalogue, how many, and
// the link or e-mail they typed.
type Intent struct {
	UserID   int64
	Row      hstock.Row
	Quantity int64
	Link     string
	Origin   string // callback data of the screen to go back to
	Lang     string // of the person, as the marketplace spells it
	Replaces int64  // the draft that this one takes the place of, 0 for none
}

// Quote is a stored draft with what its confirm card says beside it.
type Quote struct {
	Purchase storage.Purchase
	// Estimate: the marketplace may charge another sum (SMM, variants).
	Estimate bool
	// OtherTotal is the total by the other reading of an SMM rate (a piece
	// instead of SMMRatePer), until a real charge has shown which is meant.
	OtherTotal decimal.NullDecimal
	// Short is how much the balance lacks; zero or less when it suffices.
	Short decimal.Decimal
}

// Blocked reports whether the purchase can't be confirmed for want of money.
// An SMM price is an estimate that warns but never blocks.
func (q Quote) Blocked() bool {
	return q.Purchase.Kind == storage.KindProduct && q.Short.IsPositive()
}

// nameLength is how much of a product's name is kept, in characters.
const nameLength = 300

// ErrNoKey is returned where a person has given no API key.
var ErrNoKey = errors.New("no API key")

// AmountError says that a quantity can't be bought. Max is 0 where only the
// marketplace knows one; Stock is what is left when that is the reason.
type AmountError struct {
	Min, Max, Stock int64
	SoldOut         bool
}

func (e *AmountError) Error() string {
	if e.SoldOut {
		return "sold out"
	}
	return fmt.Sprintf("quantity must be between %d and %d", e.Min, e.Max)
}

// Draft reads price, stock and balance with the person's own key and stores
// what they are about to confirm. It fails with ErrNoKey, *AmountError, or an
// error of the marketplace; then nothing is stored or replaced.
func (s *Service) Draft(ctx context.Context, intent Intent) (Quote, error) {
	key, err := s.db.ActiveKey(ctx, intent.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return Quote{}, ErrNoKey
	}
	if err != nil {
		return Quote{}, err
	}
	inventory, balance, err := s.readTerms(ctx, key, intent.Row.Service, intent.Lang)
	if err != nil {
		return Quote{}, err
	}
	kind := kindOf(intent.Row)
	if err := checkAmount(intent.Row, inventory, intent.Quantity); err != nil {
		return Quote{}, err
	}
	now := time.Now()
	p := storage.Purchase{
		UserID: intent.UserID, KeyID: key.ID, KeyPrint: key.Print, Kind: kind,
		Service: intent.Row.Service, Name: bounded(intent.Row.Name), Quantity: intent.Quantity, Link: intent.Link,
		Rate: inventory.Rate, RatePer: s.perOf(kind), Currency: balance.Currency, Stock: inventory.Stock,
		Variants: len(inventory.Subproducts) > 1, Balance: balance.Amount, Origin: intent.Origin,
		CreatedAt: now, ExpiresAt: now.Add(draftLife),
	}
	if p, err = s.db.InsertDraft(ctx, p, intent.Replaces); err != nil {
		return Quote{}, err
	}
	return s.quote(ctx, p)
}

// Abandon ends a draft that the person does not want.
func (s *Service) Abandon(ctx context.Context, userID, purchaseID int64) (bool, error) {
	return s.db.RetireDraft(ctx, userID, purchaseID)
}

// quote says what a draft's card needs beside the draft.
func (s *Service) quote(ctx context.Context, p storage.Purchase) (Quote, error) {
	q := Quote{Purchase: p, Estimate: p.Kind == storage.KindSMM || p.Variants, Short: p.Total().Sub(p.Balance)}
	if p.Kind == storage.KindSMM && p.RatePer != 1 {
		confirmed, err := s.db.Setting(ctx, rateConfirmed(p.RatePer))
		if err != nil {
			return Quote{}, err
		}
		if confirmed == "" {
			q.OtherTotal = decimal.NewNullDecimal(storage.PriceOf(p.Rate, p.Quantity, 1))
		}
	}
	return q, nil
}

// readTerms asks for price, stock and balance side by side.
func (s *Service) readTerms(ctx context.Context, key storage.Key, service int64, lang string) (hstock.Inventory, hstock.Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	var (
		balance    hstock.Balance
		balanceErr error
		done       = make(chan struct{})
	)
	go func() {
		defer close(done)
		balance, balanceErr = s.market.Balance(ctx, key.Secret)
	}()
	inventory, err := s.market.Inventory(ctx, key.Secret, service, lang)
	<-done
	if err = errors.Join(err, balanceErr); err != nil {
		s.noteKey(ctx, key.ID, key.UserID, err)
		return hstock.Inventory{}, hstock.Balance{}, err
	}
	if key.Invalid { // it was refused once, and is not any more
		if err := s.db.AcceptKey(ctx, key.ID, time.Now()); err != nil {
			return hstock.Inventory{}, hstock.Balance{}, err
		}
		s.watch.wake()
	}
	return inventory, balance, nil
}

// bounded cuts a name of the marketplace, which may be of any length, to what
// every message about the purchase can hold.
func bounded(name string) string {
	runes := []rune(name)
	if len(runes) <= nameLength {
		return name
	}
	return string(runes[:nameLength-1]) + "…"
}

func (s *Service) perOf(kind storage.Kind) int64 {
	if kind == storage.KindSMM {
		return s.ratePer
	}
	return 1
}

func kindOf(row hstock.Row) storage.Kind {
	if row.EntityType == hstock.EntitySMM {
		return storage.KindSMM
	}
	return storage.KindProduct
}

// checkAmount holds a quantity against what can be bought now.
func checkAmount(row hstock.Row, inventory hstock.Inventory, quantity int64) error {
	limits := Limits(row, inventory)
	if limits.SoldOut || quantity < limits.Min || limits.Max > 0 && quantity > limits.Max {
		return &limits
	}
	return nil
}

// Limits returns the quantities that can be bought, as the AmountError that
// any other quantity would get. Max is 0 where nothing bounds it. The live
// figures of inventory come first; it has none for SMM, where the row's stand in.
func Limits(row hstock.Row, inventory hstock.Inventory) AmountError {
	limits := AmountError{Min: max(row.Min, 1), Max: row.Max, Stock: inventory.Stock, SoldOut: !inventory.Available}
	if inventory.Min > 0 {
		limits.Min = inventory.Min
	}
	if inventory.Max > 0 {
		limits.Max = inventory.Max
	}
	if kindOf(row) == storage.KindProduct {
		if inventory.Stock <= 0 {
			limits.SoldOut = true
		} else if len(inventory.Subproducts) <= 1 && (limits.Max == 0 || inventory.Stock < limits.Max) {
			limits.Max = inventory.Stock
		}
	}
	if limits.Max > 0 && limits.Max < limits.Min {
		limits.SoldOut = true // fewer are left than are sold at a time
	}
	return limits
}
