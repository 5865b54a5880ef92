package handlers

import (
	"errors"
	"strings"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// The marketplace says some things only in English. They are translated where they are
// documented, and shown unchanged otherwise.

// marketWords translates a sentence with which the marketplace refuses a request.
func marketWords(l *locales.Localizer, words string) string {
	known := hstock.DocumentedRefusal(words)
	for _, sentence := range []struct {
		err error
		id  string
	}{
		{hstock.ErrInvalidKey, "words_invalid_key"},
		{hstock.ErrInvalidAction, "words_invalid_action"},
		{hstock.ErrServiceRequired, "words_service_required"},
		{hstock.ErrInsufficientBalance, "words_insufficient_balance"},
		{hstock.ErrOrderNotFound, "words_order_not_found"},
		{hstock.ErrServiceNotFound, "words_service_not_found"},
		{hstock.ErrIncorrectOrder, "words_incorrect_order"},
		{hstock.ErrNoEarlyRefund, "words_no_early_refund"},
	} {
		if errors.Is(known, sentence.err) {
			return l.Label(sentence.id)
		}
	}
	return l.Name(words)
}

// reasonWords translates the reason why an order can't be cancelled yet. The original
// is added, because the marketplace's support knows it.
func reasonWords(l *locales.Localizer, reason string) string {
	if reason == hstock.ReasonTooEarly {
		return l.Label("words_too_early") + " (" + l.Isolate(reason) + ")"
	}
	return l.Name(reason)
}

// currencyName returns the name of a currency, "" for USD and for unknown codes.
func currencyName(l *locales.Localizer, code string) string {
	id := "currency_" + strings.ToLower(code)
	if code == "USD" || !l.Has(id) {
		return ""
	}
	return l.Label(id)
}
