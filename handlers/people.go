package handlers

import (
	"context"
	"errors"
	"slices"

	"github.com/shopspring/decimal"

	"hstockbot/internal/catalog"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/locales"
	"hstockbot/storage"
)

// People decides who is served, who is an admin and who is support, and knows the
// language and the API keys of each person. The lists and OperatorKey may be empty.
type People struct {
	DB          *storage.DB
	Bundle      *locales.Bundle
	DefaultLang string
	AdminIDs    []int64 // Telegram ids
	SupportIDs  []int64 // may contain admins
	AllowedIDs  []int64 // empty = everyone is served
	OperatorKey redact.Secret
}

// Localizer returns the texts in a person's language: the one they chose, else that
// of their Telegram, else the default.
func (p People) Localizer(u storage.User) *locales.Localizer {
	if u.Lang != "" {
		return p.Bundle.Localizer(u.Lang)
	}
	return p.Bundle.Localizer(p.Bundle.Match(u.TelegramLang, p.DefaultLang))
}

// Language returns the code of a person's language.
func (p People) Language(u storage.User) string { return p.Localizer(u).Lang() }

// IsAdmin reports whether a person is an admin.
func (p People) IsAdmin(userID int64) bool { return slices.Contains(p.AdminIDs, userID) }

// IsStaff reports whether a person is an admin or support. registerAdmin lists what
// support may do.
func (p People) IsStaff(userID int64) bool {
	return p.IsAdmin(userID) || slices.Contains(p.SupportIDs, userID)
}

// Allows reports whether a person is served.
func (p People) Allows(userID int64) bool {
	return len(p.AllowedIDs) == 0 || slices.Contains(p.AllowedIDs, userID) || p.IsStaff(userID)
}

// ServedIDs returns the ids of all people who are served, nil = everyone.
func (p People) ServedIDs() []int64 {
	if len(p.AllowedIDs) == 0 {
		return nil
	}
	return slices.Concat(p.AllowedIDs, p.AdminIDs, p.SupportIDs)
}

// buyKey returns the key that a person buys with, their own or the operator's (Key.House),
// or orders.ErrNoKey.
func (p People) buyKey(ctx context.Context, userID int64) (storage.Key, error) {
	return keyOrNone(p.DB.ActiveKey(ctx, userID))
}

// ownKey returns the person's own API key, also while the operator's pays, or
// orders.ErrNoKey.
func (p People) ownKey(ctx context.Context, userID int64) (storage.Key, error) {
	return keyOrNone(p.DB.OwnKey(ctx, userID))
}

func keyOrNone(key storage.Key, err error) (storage.Key, error) {
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, orders.ErrNoKey
	}
	return key, err
}

// access returns what a person browses with: the key that they buy with and the markup of
// their allowance, else the operator's key, else orders.ErrNoKey. It is never used to buy.
func (p People) access(ctx context.Context, userID int64) (catalog.Access, error) {
	key, err := p.buyKey(ctx, userID)
	if errors.Is(err, orders.ErrNoKey) && p.OperatorKey != "" {
		return catalog.Access{Key: p.OperatorKey}, nil
	}
	if err != nil || !key.House {
		return catalog.Access{Key: key.Secret}, err
	}
	if p.OperatorKey == "" {
		return catalog.Access{}, orders.ErrOperator
	}
	markup, err := p.DB.Markup(ctx, userID)
	if err != nil || markup.IsZero() {
		return catalog.Access{Key: key.Secret}, err
	}
	return catalog.Access{Key: key.Secret, Markup: func(price decimal.Decimal) decimal.Decimal { return storage.ShownRate(price, markup) }}, nil
}
