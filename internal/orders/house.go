package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// ErrOperator is returned where the operator's key can't be used: it is refused, or there is
// none any more. It wraps the marketplace's error, which must not be shown as one about the
// person's own key.
var ErrOperator = errors.New("the operator's key can't be used")

// ErrAdminsDecide is returned for a purchase of unknown outcome that the operator's key has
// paid: only admins can look at the operator's account.
var ErrAdminsDecide = errors.New("admins decide what became of this purchase")

// houseMarket marks the answers about the operator's key or account with ErrOperator.
type houseMarket struct {
	Market
	isOperator func(redact.Secret) bool
}

// mark marks a refused key, and refusals of the other kinds.
func (m houseMarket) mark(key redact.Secret, err error, kinds ...hstock.Kind) error {
	if kind, _ := hstock.KindOf(err); (kind == hstock.InvalidKey || slices.Contains(kinds, kind)) && m.isOperator(key) {
		return fmt.Errorf("%w: %w", ErrOperator, err)
	}
	return err
}

// Inventory is Market.Inventory.
func (m houseMarket) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error) {
	answer, err := m.Market.Inventory(ctx, key, service, lang)
	return answer, m.mark(key, err, hstock.RefusedOther)
}

// Balance is Market.Balance.
func (m houseMarket) Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error) {
	answer, err := m.Market.Balance(ctx, key)
	return answer, m.mark(key, err, hstock.Refused, hstock.RefusedOther)
}

// Status is Market.Status.
func (m houseMarket) Status(ctx context.Context, key redact.Secret, order string) (hstock.Status, error) {
	answer, err := m.Market.Status(ctx, key, order)
	return answer, m.mark(key, err)
}

// AllowCancel is Market.AllowCancel.
func (m houseMarket) AllowCancel(ctx context.Context, key redact.Secret, orders []string) ([]hstock.CancelAllowance, error) {
	answer, err := m.Market.AllowCancel(ctx, key, orders)
	return answer, m.mark(key, err)
}

// Cancel is Market.Cancel.
func (m houseMarket) Cancel(ctx context.Context, key redact.Secret, orders []string, sendBefore time.Time) ([]hstock.Cancellation, error) {
	answer, err := m.Market.Cancel(ctx, key, orders, sendBefore)
	return answer, m.mark(key, err)
}

// SMSProjects is Market.SMSProjects.
func (m houseMarket) SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error) {
	answer, err := m.Market.SMSProjects(ctx, key, country, lang)
	return answer, m.mark(key, err, hstock.RefusedOther)
}

// SMSCode is Market.SMSCode.
func (m houseMarket) SMSCode(ctx context.Context, key redact.Secret, order string) (hstock.SMSCode, error) {
	answer, err := m.Market.SMSCode(ctx, key, order)
	return answer, m.mark(key, err)
}

// SMSStatus is Market.SMSStatus.
func (m houseMarket) SMSStatus(ctx context.Context, key redact.Secret, order string) (hstock.SMSStatus, error) {
	answer, err := m.Market.SMSStatus(ctx, key, order)
	return answer, m.mark(key, err)
}

// payer returns the key that a person buys with, and the allowance if that is the operator's.
// The error is ErrNoKey or ErrOperator.
func (s *Service) payer(ctx context.Context, userID int64) (storage.Key, storage.Allowance, error) {
	key, err := s.db.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return key, storage.Allowance{}, ErrNoKey
	}
	if err != nil || !key.House {
		return key, storage.Allowance{}, err
	}
	if !s.db.HasOperatorKey() {
		return key, storage.Allowance{}, ErrOperator
	}
	a, err := s.db.Allowance(ctx, userID, time.Now())
	if errors.Is(err, storage.ErrNotFound) { // it was removed a moment ago
		err = ErrNoKey
	}
	return key, a, err
}

// hideAccount returns the reason and the refusal of a purchase that the operator's key pays
// without what they say about the operator's account. Only documented refusals are known to
// say nothing about it.
func hideAccount(reason, refusal string) (string, string) {
	documented := hstock.DocumentedRefusal(refusal)
	hidden := documented == nil || errors.Is(documented, hstock.ErrInsufficientBalance) || errors.Is(documented, hstock.ErrInvalidKey)
	switch {
	case reason == ReasonInvalidKey, reason == ReasonBalance, reason == ReasonRefused && hidden:
		return ReasonOperator, ""
	case reason == ReasonOperator, hidden:
		return reason, ""
	default:
		return reason, refusal
	}
}

// allowanceReason returns why a hold could not be taken, "" if err says something else.
func allowanceReason(err error) string {
	switch {
	case errors.Is(err, storage.ErrAllowanceLow), errors.Is(err, storage.ErrNoAllowance):
		return ReasonAllowance
	case errors.Is(err, storage.ErrNoOperatorKey):
		return ReasonOperator
	default:
		return ""
	}
}

// HouseEvidence is Evidence for admins, of any person's purchase that the operator's key has
// paid.
func (s *Service) HouseEvidence(ctx context.Context, purchaseID int64) (Evidence, error) {
	p, err := s.db.HousePurchase(ctx, purchaseID)
	if err != nil {
		return Evidence{}, err
	}
	return s.evidence(ctx, p)
}

// HouseLookUp is LookUp for admins, likewise.
func (s *Service) HouseLookUp(ctx context.Context, purchaseID int64, externalID string) (Found, error) {
	p, err := s.db.HousePurchase(ctx, purchaseID)
	if err != nil {
		return Found{}, err
	}
	return s.lookUp(ctx, p, externalID)
}

// HouseAdopt is Adopt for admins, likewise: the order is the buyer's from then on, who is
// told. entry is the audit entry, about the buyer.
func (s *Service) HouseAdopt(ctx context.Context, purchaseID int64, externalID string, entry storage.AuditEntry) (storage.Order, error) {
	found, err := s.HouseLookUp(ctx, purchaseID, externalID)
	if err != nil {
		return storage.Order{}, err
	}
	p := found.Purchase
	entry.Subject = p.UserID
	return s.adopt(ctx, found, externalID, func(o storage.Order) []storage.Message {
		return append(announceRental(o), aboutPurchase(p.UserID, p.ID, MessageOutcome, time.Now()))
	}, entry)
}

// HouseDismiss is Dismiss for admins, likewise: the hold is released, and the buyer told if
// nothing was bought at all. entry is the audit entry, about the buyer.
func (s *Service) HouseDismiss(ctx context.Context, purchaseID int64, entry storage.AuditEntry) error {
	p, err := s.db.HousePurchase(ctx, purchaseID)
	if err != nil {
		return err
	}
	now := time.Now()
	entry.Subject = p.UserID
	dismissed, err := s.db.DismissHousePurchase(ctx, p.ID, now, entry, aboutPurchase(p.UserID, p.ID, MessageOutcome, now))
	if err == nil && !dismissed {
		err = ErrOutcomeKnown
	}
	s.wakeOutbox()
	return err
}
