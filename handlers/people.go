package handlers

import (
	"context"
	"errors"
	"slices"

	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/locales"
	"hstockbot/storage"
)

// People decides who is served and who is an admin, and knows the language and the
// API keys of each person. AdminIDs, AllowedIDs and OperatorKey may be empty.
type People struct {
	DB          *storage.DB
	Bundle      *locales.Bundle
	DefaultLang string
	AdminIDs    []int64 // Telegram ids
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

// Allows reports whether a person is served.
func (p People) Allows(userID int64) bool {
	return len(p.AllowedIDs) == 0 || slices.Contains(p.AllowedIDs, userID) || p.IsAdmin(userID)
}

// ServedIDs returns the ids of all people who are served, nil = everyone.
func (p People) ServedIDs() []int64 {
	if len(p.AllowedIDs) == 0 {
		return nil
	}
	return slices.Concat(p.AllowedIDs, p.AdminIDs)
}

// ownKey returns the person's API key, or orders.ErrNoKey.
func (p People) ownKey(ctx context.Context, userID int64) (storage.Key, error) {
	key, err := p.DB.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, orders.ErrNoKey
	}
	return key, err
}

// browseKey returns the key to browse with: the person's own, else the operator's,
// else orders.ErrNoKey. It is never used to buy.
func (p People) browseKey(ctx context.Context, userID int64) (redact.Secret, error) {
	key, err := p.ownKey(ctx, userID)
	if errors.Is(err, orders.ErrNoKey) && p.OperatorKey != "" {
		return p.OperatorKey, nil
	}
	return key.Secret, err
}
