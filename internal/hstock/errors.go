package hstock

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"regexp"
	"strings"

	"hstockbot/internal/redact"
)

// Kind classifies failed calls by what they mean for the caller.
type Kind int

// The kinds of failures. NotSent and OutcomeUnknown are returned by Add, AddSMS and
// Cancel; NotSent also by a read with arguments that the document forbids.
const (
	Refused        Kind = iota + 1 // a documented error, see errors.Is
	RefusedOther                   // another {"error": …} with a status under 500
	InvalidKey                     // "Invalid API key": nothing was done
	Unreachable                    // no connection, a timeout, 5xx, 408, 429, a redirect, or the breaker is open
	Unreadable                     // a 2xx answer that is HTML, empty, cut off, too large or of an unexpected shape
	NotSent                        // nothing reached the marketplace
	OutcomeUnknown                 // the marketplace may have done it and charged for it
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

// IsNoResponse reports whether an outcome of Options.Observe means that the
// marketplace sent no readable answer.
func IsNoResponse(outcome string) bool {
	for _, k := range []Kind{Unreachable, Unreadable, NotSent, OutcomeUnknown} {
		if outcome == k.String() {
			return true
		}
	}
	return false
}

// The documented refusals (HStockPlus: common errors, cancel, allowcancel). Their
// texts are the marketplace's.
var (
	ErrInvalidKey          = errors.New("Invalid API key")                                   //nolint:staticcheck // the marketplace's text
	ErrInvalidAction       = errors.New("Invalid action")                                    //nolint:staticcheck // the marketplace's text
	ErrServiceRequired     = errors.New("Service ID is required")                            //nolint:staticcheck // the marketplace's text
	ErrInsufficientBalance = errors.New("Insufficient balance")                              //nolint:staticcheck // the marketplace's text
	ErrOrderNotFound       = errors.New("Order not found")                                   //nolint:staticcheck // the marketplace's text
	ErrServiceNotFound     = errors.New("Service not found")                                 //nolint:staticcheck // the marketplace's text
	ErrIncorrectOrder      = errors.New("Incorrect order ID")                                //nolint:staticcheck // the marketplace's text
	ErrNoEarlyRefund       = errors.New("Early auto refund is not available for this order") //nolint:staticcheck // the marketplace's text
)

// Error is a failed call. No format verb prints the key, another value of the
// request, or any part of an answer except Refusal.
type Error struct {
	Action  string // "add"
	Kind    Kind
	Refusal string // the marketplace's message: at most 200 runes, one line, without the key
	Status  int    // HTTP status, 0 without an answer
	Err     error  // the documented refusal, the context's error, or the cause

	requestValues []string // masked in Refusal when it is printed
	retryAfter    string   // the header of that name
	page          bool     // the answer is a page for people
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

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Format implements fmt.Formatter, so that %#v and %+v print no more than Error.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// KindOf returns the kind of a failure of this package anywhere in err's chain.
func KindOf(err error) (Kind, bool) {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Kind, true
	}
	return 0, false
}

// newRefusal returns the Error of an {"error": message} answer.
func newRefusal(action string, status int, message string, key redact.Secret, requestValues []string) *Error {
	e := &Error{
		Action: action, Kind: RefusedOther, Status: status, requestValues: requestValues,
		Refusal: shorten(maskValues(PlainName(message), []string{key.Reveal()}), maxRefusalRunes),
	}
	if e.Err = DocumentedRefusal(message); e.Err != nil {
		e.Kind = Refused
	}
	if errors.Is(e.Err, ErrInvalidKey) {
		e.Kind = InvalidKey
	}
	return e
}

// DocumentedRefusal returns the error variable of a documented message, or nil.
func DocumentedRefusal(message string) error {
	message = strings.TrimRight(strings.TrimSpace(message), ".!")
	for _, known := range []error{
		ErrInvalidKey, ErrInvalidAction, ErrServiceRequired, ErrInsufficientBalance,
		ErrOrderNotFound, ErrServiceNotFound, ErrIncorrectOrder, ErrNoEarlyRefund,
	} {
		if strings.EqualFold(message, known.Error()) {
			return known
		}
	}
	return nil
}

// minMaskedBytes is the shortest value of a request that is masked: masking "1" would
// make every number unreadable.
const minMaskedBytes = 6

// maskValues replaces the values in text by redact.Placeholder, in any case, and as
// they stand in a URL, in JSON and in HTML.
func maskValues(text string, values []string) string {
	for _, value := range values {
		if len(value) < minMaskedBytes {
			continue
		}
		quoted, _ := json.Marshal(value) // a string has no error
		for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`), html.EscapeString(value)} {
			text = regexp.MustCompile("(?i)"+regexp.QuoteMeta(form)).ReplaceAllLiteralString(text, redact.Placeholder)
		}
	}
	return text
}
