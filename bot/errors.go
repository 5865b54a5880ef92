package bot

import (
	"context"
	"errors"
	"fmt"
	"hstockbot/internal/outbox"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// What a refusal may mean beyond the errors of the outbox package.
var (
	errNotModified = errors.New("the message looks like that already")
	errGone        = errors.New("the message can't be edited")
	errDeleted     = errors.New("the message is deleted already")
	errTooOld      = errors.New("the tap or query is too old to be answered")
)

// Error is a call to the Bot API that failed. Its text holds no secret. For
// errors.Is it is one of the outbox package's errors, or none where it is
// transient; for errors.As it is an *outbox.RetryAfterError where RetryAfter is set.
type Error struct {
	Method      string        // of the Bot API
	Code        int           // error_code, or the HTTP status of an answer that is not Telegram's own; 0 without an answer
	Description string        // Telegram's own words, at most 200 characters
	RetryAfter  time.Duration // how long to wait before it makes sense to try again; 0 = not said
	Err         error         // what went wrong on the way, if anything

	meaning error // one of the above; nil: of the moment
}

// Error implements error.
func (e *Error) Error() string {
	text := "telegram: " + e.Method
	if e.Code != 0 {
		text += fmt.Sprintf(": %d", e.Code)
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" (retry after %s)", e.RetryAfter.Round(time.Second))
	}
	return text
}

// Is reports whether this is what the error means.
func (e *Error) Is(target error) bool { return e.meaning != nil && e.meaning == target }

// As makes it an *outbox.RetryAfterError.
func (e *Error) As(target any) bool {
	retry, ok := target.(**outbox.RetryAfterError)
	if !ok || e.RetryAfter <= 0 {
		return false
	}
	*retry = &outbox.RetryAfterError{After: e.RetryAfter, Err: e}
	return true
}

// Unwrap returns what went wrong on the way.
func (e *Error) Unwrap() error { return e.Err }

// retryAfter returns how long the error asks to wait, 0 if it does not.
func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// What became of a call, for Config.ObserveCall.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused" // Telegram said no, for good or ill: most of it is harmless
	OutcomeFlood   = "flood"   // too many requests
	OutcomeFailed  = "failed"  // no answer of Telegram's, or that it has failed itself
	OutcomeStopped = "stopped" // cut off by ourselves
)

func outcomeOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return OutcomeOK
	case errors.Is(err, context.Canceled):
		return OutcomeStopped
	case !errors.As(err, &e) || e.Code == 0 || e.Code >= http.StatusInternalServerError || errors.Is(e, outbox.ErrUncertain):
		return OutcomeFailed
	case e.Code == http.StatusTooManyRequests:
		return OutcomeFlood
	default:
		return OutcomeRefused
	}
}

const (
	maxDescription = 200
	// floodPause is waited after a 429 that does not say how long.
	floodPause = 3 * time.Second
)

// unsent is a call that failed before a byte of it left.
func (c *client) unsent(method string, err error) *Error {
	return &Error{Method: method, Err: c.cause(err)}
}

// noResponse is a call that left, and whose answer did not come or can't be read.
func (c *client) noResponse(method string, code int, err error) *Error {
	return &Error{Method: method, Code: code, Err: c.cause(err), meaning: outbox.ErrUncertain}
}

// cause keeps what callers ask about and the redacted text of the rest: other
// people's errors carry addresses, and those carry the token.
func (c *client) cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, errUnreadable, errTooLarge} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New(c.sanitize(err.Error()))
}

// sanitize makes other people's text fit for a log: no secrets, no control
// characters, no length.
func (c *client) sanitize(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, c.redactor.String(text)))
	if len(runes) > maxDescription {
		runes = append(runes[:maxDescription-1], '…')
	}
	return string(runes)
}

// refused is an answer of Telegram's own that says no.
func (c *client) refused(method string, answer refusal) *Error {
	e := &Error{
		Method: method, Code: answer.ErrorCode, Description: c.sanitize(answer.Description),
		RetryAfter: time.Duration(answer.Parameters.RetryAfter) * time.Second,
	}
	switch {
	case e.Code == http.StatusTooManyRequests:
		if e.RetryAfter <= 0 {
			e.RetryAfter = floodPause
		}
	case e.Code >= http.StatusInternalServerError:
		e.meaning = outbox.ErrUncertain
	case e.Code == http.StatusForbidden:
		e.meaning = outbox.ErrUnreachable
	case e.Code == http.StatusBadRequest:
		e.meaning = meaningOf(answer.Description)
	case e.Code == http.StatusRequestEntityTooLarge:
		e.meaning = outbox.ErrRejected
	}
	return e
}

// unexpected is an answer that is not Telegram's: a proxy's page on the way.
func (c *client) unexpected(method string, status int) *Error {
	switch {
	case status == http.StatusTooManyRequests:
		return &Error{Method: method, Code: status, RetryAfter: floodPause, Err: errUnreadable}
	case status == http.StatusRequestEntityTooLarge:
		return &Error{Method: method, Code: status, Err: errUnreadable, meaning: outbox.ErrRejected}
	case status >= http.StatusMultipleChoices && status < http.StatusInternalServerError:
		return &Error{Method: method, Code: status, Err: errUnreadable}
	default:
		return c.noResponse(method, status, errUnreadable)
	}
}

// meaningOf tells the refusals with code 400 apart. Telegram has no other mark
// for them than their wording; this is the one place that knows it.
func meaningOf(description string) error {
	description = strings.ToLower(description)
	for _, known := range []struct {
		words   string
		meaning error
	}{
		{"message is not modified", errNotModified},
		{"query is too old", errTooOld},
		{"query id is invalid", errTooOld},
		{"message to delete not found", errDeleted},
		{"message to edit not found", errGone},
		{"message can't be edited", errGone},
		{"there is no text in the message to edit", errGone},
		{"message_id_invalid", errGone},
		{"chat not found", outbox.ErrUnreachable},
		{"user not found", outbox.ErrUnreachable},
		{"peer_id_invalid", outbox.ErrUnreachable},
		{"user_is_blocked", outbox.ErrUnreachable},
		{"input_user_deactivated", outbox.ErrUnreachable},
	} {
		if strings.Contains(description, known.words) {
			return known.meaning
		}
	}
	return outbox.ErrRejected
}
