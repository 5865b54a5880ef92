package handlers

import (
	"errors"
	"strings"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// What the marketplace says in English whatever the person reads, put into their
// language where it is known, and shown as it came where it is not.

// marketWords is a sentence with which the marketplace refuses something.
func marketWords(l *locales.Localizer, words string) string {
	known := hstock.DocumentedRefusal(words)
	for _, sentence := range []struct {
		of error
		id string
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
		if errors.Is(known, sentence.of) {
			return l.Label(sentence.id)
		}
	}
	return l.Name(words)
}

// reasonWords is why an order can't be cancelled yet: in words where they are
// known, with the marketplace's own word, which its support understands.
func reasonWords(l *locales.Localizer, reason string) string {
	if reason == hstock.ReasonTooEarly {
		return l.Label("words_too_early") + " (" + l.Isolate(reason) + ")"
	}
	return l.Name(reason)
}

// currencyName is a currency in words, "" for US dollars, which everybody knows,
// and for codes that have no name here.
func currencyName(l *locales.Localizer, code string) string {
	id := "currency_" + strings.ToLower(code)
	if code == "USD" || !l.Has(id) {
		return ""
	}
	return l.Label(id)
}
