package hstock

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"hstockbot/internal/redact"
)

// Kind says what a failed call means for the caller.
type Kind int

// The kinds of failures. NotSent and OutcomeUnknown come from Add, AddSMS and
// Cancel; NotSent also from a read whose arguments the document forbids.
const (
	Refused        Kind = iota + 1 // one of the documented sentences: errors.Is knows which
	RefusedOther                   // another {"error": …}, with a status under 500
	InvalidKey                     // "Invalid API key": nothing was done
	Unreachable                    // no connection, a timeout, 5xx, 408, 429, a redirect, or the breaker is open
	Unreadable                     // a 2xx answer that can't be understood: HTML, empty, cut off, too large
	NotSent                        // surely nothing reached the marketplace
	OutcomeUnknown                 // it may have been done, and paid for
)

// String returns the kind as a label for metrics ("refused_other").
func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case RefusedOther:
		return "refused_other"
	case InvalidKey:
		return "invalid_key"
	case Unreachable:
		return "unreachable"
	case Unreadable:
		return "unreadable"
	case NotSent:
		return "not_sent"
	case OutcomeUnknown:
		return "outcome_unknown"
	default:
		return "unknown"
	}
}

// IsNoResponse reports whether a label (of Options.Observe) says that nothing was
// heard from the marketplace, or nothing that could be understood.
func IsNoResponse(outcome string) bool {
	for _, k := range []Kind{Unreachable, Unreadable, NotSent, OutcomeUnknown} {
		if outcome == k.String() {
			return true
		}
	}
	return false
}

// What the marketplace refuses in documented words (HStockPlus: common errors,
// cancel, allowcancel). The text is the documented sentence.
var (
	ErrInvalidKey          = errors.New("Invalid API key")                                   //nolint:staticcheck // the marketplace's sentence
	ErrInvalidAction       = errors.New("Invalid action")                                    //nolint:staticcheck // the marketplace's sentence
	ErrServiceRequired     = errors.New("Service ID is required")                            //nolint:staticcheck // the marketplace's sentence
	ErrInsufficientBalance = errors.New("Insufficient balance")                              //nolint:staticcheck // the marketplace's sentence
	ErrOrderNotFound       = errors.New("Order not found")                                   //nolint:staticcheck // the marketplace's sentence
	ErrServiceNotFound     = errors.New("Service not found")                                 //nolint:staticcheck // the marketplace's sentence
	ErrIncorrectOrder      = errors.New("Incorrect order ID")                                //nolint:staticcheck // the marketplace's sentence
	ErrNoEarlyRefund       = errors.New("Early auto refund is not available for this order") //nolint:staticcheck // the marketplace's sentence
)

// Error is a failed call. However it is printed, it shows neither the key nor
// anything else of the request, nor any part of an answer but Refusal.
type Error struct {
	Action  string // "add"
	Kind    Kind
	Refusal string // the marketplace's own words: at most 200 runes, one line, without the key
	Status  int    // HTTP status, 0 when there was no answer
	Err     error  // the documented refusal, the context's error, or what went wrong below

	requestValues []string // values of the request that a refusal might repeat
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hstockplus: %s: %s", e.Action, strings.ReplaceAll(e.Kind.String(), "_", " "))
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Refusal != "" {
		fmt.Fprintf(&b, ": %q", maskValues(e.Refusal, e.requestValues))
	} else if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives errors.Is the documented refusal or the cause.
func (e *Error) Unwrap() error { return e.Err }

// Format implements fmt.Formatter: %#v and %+v show no more than Error.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// KindOf returns the kind of a failure of this package anywhere in err's chain.
func KindOf(err error) (Kind, bool) {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Kind, true
	}
	return 0, false
}

// newRefusal makes the error of an {"error": words} answer.
func newRefusal(action string, status int, words string, key redact.Secret, hidden []string) *Error {
	e := &Error{
		Action: action, Kind: RefusedOther, Status: status, requestValues: hidden,
		Refusal: sanitize(maskValues(words, []string{key.Reveal()})),
	}
	if e.Err = DocumentedRefusal(words); e.Err != nil {
		e.Kind = Refused
	}
	if errors.Is(e.Err, ErrInvalidKey) {
		e.Kind = InvalidKey
	}
	return e
}

// DocumentedRefusal returns the sentinel of a documented sentence, or nil.
func DocumentedRefusal(words string) error {
	words = strings.TrimRight(strings.TrimSpace(words), ".!")
	for _, known := range []error{
		ErrInvalidKey, ErrInvalidAction, ErrServiceRequired, ErrInsufficientBalance,
		ErrOrderNotFound, ErrServiceNotFound, ErrIncorrectOrder, ErrNoEarlyRefund,
	} {
		if strings.EqualFold(words, known.Error()) {
			return known
		}
	}
	return nil
}

// maxRefusalRunes bounds a sentence of the marketplace, in runes.
const maxRefusalRunes = 200

// sanitize makes a sentence of the marketplace fit to be shown: one line, without
// control or direction characters, at most maxRefusalRunes runes.
func sanitize(words string) string {
	words = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, words)
	runes := []rune(strings.Join(strings.Fields(words), " "))
	if len(runes) > maxRefusalRunes {
		runes = append(runes[:maxRefusalRunes-1], '…')
	}
	return string(runes)
}

// maskValues replaces every one of the values in text.
func maskValues(text string, values []string) string {
	for _, value := range values {
		if value != "" {
			text = strings.ReplaceAll(text, value, redact.Placeholder)
		}
	}
	return text
}
