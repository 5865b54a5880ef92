package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Intent is what a person wants to buy: a row of the catalogue with the link or
// e-mail they typed, or numbers for the codes of a project.
type Intent struct {
	UserID   int64
	Item     hstock.Item // of goods; the zero value where numbers are wanted
	Category string      // the row's, in English; "" where it is not known
	Link     string
	Rental   storage.Rental // of numbers; with a Phone that one is rented again
	Quantity int64
	Origin   string // callback data of the screen to go back to
	Lang     string // of the person, as the marketplace spells it
	Replaces int64  // the draft that this one takes the place of, 0 for none
}

func (i Intent) kind() storage.Kind {
	if i.Rental.Project != "" {
		return storage.KindSMS
	}
	return kindOf(i.Item)
}

// intentOf is what a purchase was meant to be. The catalogue's limits held when
// it was drawn; the live ones are read again.
func intentOf(p storage.Purchase, lang string) Intent {
	intent := Intent{
		UserID: p.UserID, Category: p.Category, Link: p.Link, Rental: p.Rental, Quantity: p.Quantity, Origin: p.Origin, Lang: lang, Replaces: p.ID,
	}
	if p.Kind != storage.KindSMS {
		intent.Item = hstock.Item{Service: p.Service, Name: p.Name, EntityType: hstock.EntityProduct}
	}
	if p.Kind == storage.KindSMM {
		intent.Item.EntityType = hstock.EntitySMM
	}
	return intent
}

// Quote is a stored draft with what its confirm card says beside it.
type Quote struct {
	Purchase storage.Purchase
	// Estimate: the marketplace may charge another sum (SMM, variants, a number
	// rented again).
	Estimate bool
	// OtherTotal is the total by the other reading of an SMM rate (a piece
	// instead of SMMRatePer), until a real charge has shown which is meant.
	OtherTotal decimal.NullDecimal
	// Short is how much the balance lacks; zero or less when it suffices.
	Short decimal.Decimal
}

// Blocked reports whether the purchase can't be confirmed for want of money.
// Prices of SMM and of numbers rented again are estimates that warn but never
// block.
func (q Quote) Blocked() bool { return requiresBalance(q.Purchase) && q.Short.IsPositive() }

// requiresBalance reports whether too little money rules a purchase out. Goods with
// variants count: the marketplace begins with the variant of this price.
func requiresBalance(p storage.Purchase) bool {
	return p.Kind != storage.KindSMM && p.Rental.Phone == ""
}

// isEstimate reports whether the marketplace may charge another sum than the
// rate says.
func isEstimate(p storage.Purchase) bool { return p.Variants || !requiresBalance(p) }

// nameLength is how much of a product's name is kept, in characters.
const nameLength = 300

// ErrNoKey is returned where a person has given no API key.
var ErrNoKey = errors.New("no API key")

// LimitError says that a quantity can't be bought. Max is 0 where only the
// marketplace knows one; Stock is what is left when that is the reason.
type LimitError struct {
	Min, Max, Stock int64
	SoldOut         bool
}

func (e *LimitError) Error() string {
	if e.SoldOut {
		return "sold out"
	}
	return fmt.Sprintf("quantity must be between %d and %d", e.Min, e.Max)
}

// ErrDelisted is returned where the marketplace does not offer a project in that
// country any more.
var ErrDelisted = errors.New("the marketplace has it no more")

// ErrMaintenance is returned while the shop's admins let nobody buy.
var ErrMaintenance = errors.New("nobody may buy at the moment")

// CanBuy returns ErrMaintenance while nobody may.
func (s *Service) CanBuy(ctx context.Context) error {
	maintenance, err := s.db.Maintenance(ctx)
	if err == nil && maintenance.On() {
		return ErrMaintenance
	}
	return err
}

// Draft reads price, stock and balance with the person's own key and stores
// what they are about to confirm. It fails with ErrMaintenance, ErrNoKey, ErrDelisted,
// *LimitError, or an error of the marketplace; then nothing is stored or replaced.
func (s *Service) Draft(ctx context.Context, intent Intent) (Quote, error) {
	if err := s.CanBuy(ctx); err != nil {
		return Quote{}, err
	}
	key, err := s.db.ActiveKey(ctx, intent.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return Quote{}, ErrNoKey
	}
	if err != nil {
		return Quote{}, err
	}
	terms, err := s.readTerms(ctx, key, intent)
	if err != nil {
		return Quote{}, err
	}
	if terms.limitErr != nil {
		return Quote{}, terms.limitErr
	}
	now := time.Now()
	p := terms.apply(storage.Purchase{
		UserID: intent.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: intent.kind(),
		Service: intent.Item.Service, Name: bounded(terms.name), Category: bounded(intent.Category), Quantity: intent.Quantity, Link: intent.Link, Rental: intent.Rental,
		RatePer: s.ratePerOf(intent.kind()), Origin: intent.Origin, CreatedAt: now, ExpiresAt: now.Add(draftLifetime),
	})
	if terms.countryName != "" {
		p.Rental.CountryName = bounded(terms.countryName)
	}
	if p, err = s.db.InsertDraft(ctx, p, intent.Replaces); err != nil {
		return Quote{}, err
	}
	return s.quote(ctx, p)
}

// Discard ends a draft that the person does not want.
func (s *Service) Discard(ctx context.Context, userID, purchaseID int64) (bool, error) {
	return s.db.DiscardDraft(ctx, userID, purchaseID)
}

// quote says what a draft's card needs beside the draft.
func (s *Service) quote(ctx context.Context, p storage.Purchase) (Quote, error) {
	q := Quote{Purchase: p, Estimate: isEstimate(p), Short: p.Total().Sub(p.Balance)}
	if p.Kind == storage.KindSMM && p.RatePer != 1 {
		confirmed, err := s.db.Setting(ctx, smmRateConfirmedSetting(p.RatePer))
		if err != nil {
			return Quote{}, err
		}
		if confirmed == "" {
			q.OtherTotal = decimal.NewNullDecimal(storage.PriceOf(p.Rate, p.Quantity, 1))
		}
	}
	return q, nil
}

// terms is what the marketplace says of an intent now.
type terms struct {
	name        string
	countryName string // of numbers
	rate        decimal.Decimal
	stock       int64
	variants    bool
	balance     hstock.Balance
	limitErr    error // *LimitError: so many can't be bought
}

// apply returns a purchase on these terms.
func (t terms) apply(p storage.Purchase) storage.Purchase {
	p.Rate, p.Stock, p.Variants = t.rate, t.stock, t.variants
	p.Balance, p.Currency = t.balance.Amount, t.balance.Currency
	return p
}

// readTerms asks for price, stock and balance side by side.
func (s *Service) readTerms(ctx context.Context, key storage.Key, intent Intent) (terms, error) {
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
	read := s.goodsTerms
	if intent.kind() == storage.KindSMS {
		read = s.rentalTerms
	}
	t, err := read(ctx, key.Secret, intent)
	<-done
	if err = errors.Join(err, balanceErr); err != nil {
		s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
		return terms{}, err
	}
	if key.Invalid { // it was refused once, and is not any more
		if err := s.db.AcceptKey(ctx, key.ID, time.Now()); err != nil {
			return terms{}, err
		}
		s.WakeWatcher()
	}
	t.balance = balance
	return t, nil
}

func (s *Service) goodsTerms(ctx context.Context, key redact.Secret, intent Intent) (terms, error) {
	inventory, err := s.market.Inventory(ctx, key, intent.Item.Service, intent.Lang)
	if err != nil {
		return terms{}, err
	}
	return terms{
		name: intent.Item.Name, rate: inventory.Rate, stock: inventory.Stock, variants: len(inventory.Subproducts) > 1,
		limitErr: checkAmount(intent.Item, inventory, intent.Quantity),
	}, nil
}

// MaxRentals is how many numbers can be rented at a time (HStockPlus: add_sms).
const MaxRentals = 10

// rentalTerms reads what a number costs. How many there are nobody says before
// they are rented.
func (s *Service) rentalTerms(ctx context.Context, key redact.Secret, intent Intent) (terms, error) {
	projects, err := s.market.SMSProjects(ctx, key, intent.Rental.Country, intent.Lang)
	if err != nil {
		return terms{}, err
	}
	offered := hstock.ProjectsIn(intent.Rental.Country, projects)
	i := slices.IndexFunc(offered, func(p hstock.SMSProject) bool { return p.ID == intent.Rental.Project })
	if i < 0 {
		return terms{}, ErrDelisted
	}
	t := terms{name: offered[i].Name, countryName: offered[i].CountryTitle, rate: offered[i].Price}
	if most := maxRentals(intent.Rental); intent.Quantity < 1 || intent.Quantity > most {
		t.limitErr = &LimitError{Min: 1, Max: most}
	}
	return t, nil
}

// maxRentals is how many can be rented: a certain one only once.
func maxRentals(rental storage.Rental) int64 {
	if rental.Phone != "" {
		return 1
	}
	return MaxRentals
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

func (s *Service) ratePerOf(kind storage.Kind) int64 {
	if kind == storage.KindSMM {
		return s.ratePer
	}
	return 1
}

func kindOf(row hstock.Item) storage.Kind {
	if row.EntityType == hstock.EntitySMM {
		return storage.KindSMM
	}
	return storage.KindProduct
}

// checkAmount holds a quantity against what can be bought now.
func checkAmount(row hstock.Item, inventory hstock.Inventory, quantity int64) error {
	limits := LimitsOf(row, inventory)
	if limits.SoldOut || quantity < limits.Min || limits.Max > 0 && quantity > limits.Max {
		return &limits
	}
	return nil
}

// LimitsOf returns the quantities that can be bought, as the LimitError that
// any other quantity would get. Max is 0 where nothing bounds it. The live
// figures of inventory come first; it has none for SMM, where the row's stand in.
func LimitsOf(row hstock.Item, inventory hstock.Inventory) LimitError {
	limits := LimitError{Min: max(row.Min, 1), Max: row.Max, Stock: inventory.Stock, SoldOut: !inventory.Available}
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
