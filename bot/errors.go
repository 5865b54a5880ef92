package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"hstockbot/internal/outbox"
	"hstockbot/locales"
)

// Kinds of refusals that the outbox package does not have.
var (
	errNotModified = errors.New("the message is not modified")
	errDeleted     = errors.New("the message was deleted before")
	// errWebhookActive is the answer to getUpdates while there is a webhook.
	errWebhookActive = errors.New("a webhook is active")
	errTooOld        = errors.New("the tap or query is too old to be answered")
)

// Error is a failed call to the Bot API. Its text contains no secret. errors.Is
// matches one of the outbox package's errors, or none if the error is transient, as one
// with MovedTo is.
// errors.As finds an *outbox.RetryAfterError if RetryAfter is set, and an
// *outbox.MovedError if MovedTo is.
type Error struct {
	Method      string        // of the Bot API
	Code        int           // error_code, or the HTTP status of a proxy's response; 0 without a response
	Description string        // Telegram's description, at most 200 characters
	RetryAfter  time.Duration // before the next attempt; 0 = not specified
	MovedTo     int64         // the supergroup that the group has become (Bot API: migrate_to_chat_id); 0 = it has not
	Err         error         // of the connection, or nil

	kind error // what errors.Is matches; nil if transient
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

// Is matches the error's kind.
func (e *Error) Is(target error) bool { return e.kind != nil && e.kind == target }

// As sets an *outbox.RetryAfterError if RetryAfter is set, and an *outbox.MovedError if
// MovedTo is.
func (e *Error) As(target any) bool {
	switch target := target.(type) {
	case **outbox.RetryAfterError:
		*target = &outbox.RetryAfterError{After: e.RetryAfter, Err: e}
		return e.RetryAfter > 0
	case **outbox.MovedError:
		*target = &outbox.MovedError{To: e.MovedTo, Err: e}
		return e.MovedTo != 0
	default:
		return false
	}
}

// Unwrap returns the error of the connection.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotDrawn is beside the error of Telegram when Hooks.Error is asked what to tell a person
// whose tap has no other answer. The view's Toast is shown.
var ErrNotDrawn = errors.New("the screen was not drawn")

// retryAfter returns the RetryAfter of an *Error, else 0.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Outcomes of a call, for Config.ObserveCall.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused" // by Telegram; most refusals are harmless, such as "message is not modified"
	OutcomeFlood   = "flood"   // too many requests
	OutcomeFailed  = "failed"  // no response, or an error of Telegram's servers
	OutcomeStopped = "stopped" // cancelled by the bot
)

func outcomeOf(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return OutcomeOK
	case errors.Is(err, context.Canceled):
		return OutcomeStopped
	case !ok || e.Code == 0 || e.Code >= http.StatusInternalServerError || errors.Is(e, outbox.ErrUncertain):
		return OutcomeFailed
	case e.Code == http.StatusTooManyRequests:
		return OutcomeFlood
	default:
		return OutcomeRefused
	}
}

const (
	maxDescription = 200
	// floodPause is the RetryAfter of a 429 without retry_after.
	floodPause = 3 * time.Second
)

// unsent returns the error of a call of which nothing was sent.
func (c *client) unsent(method string, err error) *Error {
	return &Error{Method: method, Err: c.cause(err)}
}

// noResponse returns the error of a call that was sent and whose response is missing
// or unreadable.
func (c *client) noResponse(method string, code int, err error) *Error {
	return &Error{Method: method, Code: code, Err: c.cause(err), kind: outbox.ErrUncertain}
}

// cause returns the errors that callers check for, and otherwise only the redacted
// text: errors of net/http contain URLs, which contain the token.
func (c *client) cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, errUnreadable, errTooLarge} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New(c.sanitize(err.Error()))
}

// sanitize makes foreign text fit for a log: without secrets and control
// characters, and at most maxDescription characters long.
func (c *client) sanitize(text string) string {
	return locales.Shorten(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, c.redactor.String(text)), maxDescription)
}

// refused returns the error of a refusal by Telegram.
func (c *client) refused(method string, response refusal) *Error {
	e := &Error{
		Method: method, Code: response.ErrorCode, Description: c.sanitize(response.Description),
		RetryAfter: time.Duration(response.Parameters.RetryAfter) * time.Second, MovedTo: response.Parameters.MigrateTo,
	}
	switch {
	case e.MovedTo != 0: // the new chat accepts it
	case e.Code == http.StatusTooManyRequests:
		if e.RetryAfter <= 0 {
			e.RetryAfter = floodPause
		}
	case e.Code >= http.StatusInternalServerError:
		e.kind = outbox.ErrUncertain
	case e.Code == http.StatusForbidden:
		e.kind = outbox.ErrUnreachable
	case e.Code == http.StatusConflict && strings.Contains(strings.ToLower(response.Description), "webhook"):
		e.kind = errWebhookActive
	case e.Code == http.StatusBadRequest:
		e.kind = kindOf(response.Description)
	case e.Code == http.StatusRequestEntityTooLarge:
		e.kind = outbox.ErrRejected
	}
	return e
}

// unexpected returns the error of a response that is not Telegram's, such as the
// page of a proxy.
func (c *client) unexpected(method string, status int) *Error {
	switch {
	case status == http.StatusTooManyRequests:
		return &Error{Method: method, Code: status, RetryAfter: floodPause, Err: errUnreadable}
	case status == http.StatusRequestEntityTooLarge:
		return &Error{Method: method, Code: status, Err: errUnreadable, kind: outbox.ErrRejected}
	case status >= http.StatusMultipleChoices && status < http.StatusInternalServerError:
		return &Error{Method: method, Code: status, Err: errUnreadable}
	default:
		return c.noResponse(method, status, errUnreadable)
	}
}

// kindOf returns the kind of a refusal with code 400. Telegram distinguishes these
// only by their descriptions.
func kindOf(description string) error {
	description = strings.ToLower(description)
	for _, known := range []struct {
		text string
		kind error
	}{
		{"message is not modified", errNotModified},
		{"query is too old", errTooOld},
		{"query id is invalid", errTooOld},
		{"message to delete not found", errDeleted},
		{"message thread not found", outbox.ErrNoTopic},
		{"topic_deleted", outbox.ErrNoTopic},
		{"topic_closed", outbox.ErrNoTopic},
		{"message to edit not found", outbox.ErrGone},
		{"message can't be edited", outbox.ErrGone},
		{"there is no text in the message to edit", outbox.ErrGone},
		{"message_id_invalid", outbox.ErrGone},
		{"not enough rights", outbox.ErrNoRights},
		{"no rights to send", outbox.ErrNoRights},
		{"need administrator rights", outbox.ErrNoRights},
		{"chat_write_forbidden", outbox.ErrNoRights},
		{"chat_admin_required", outbox.ErrNoRights},
		{"chat not found", outbox.ErrUnreachable},
		{"user not found", outbox.ErrUnreachable},
		{"peer_id_invalid", outbox.ErrUnreachable},
		{"user_is_blocked", outbox.ErrUnreachable},
		{"input_user_deactivated", outbox.ErrUnreachable},
	} {
		if strings.Contains(description, known.text) {
			return known.kind
		}
	}
	return outbox.ErrRejected
}
