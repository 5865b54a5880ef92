package hstock

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"hstockbot/internal/redact"
)

const (
	// After a 429, or a 403 that is no answer of the marketplace, the key is held
	// for as long as Retry-After says, else for firstBackoff, four times as long
	// after each further one. A read waits for at most maxHoldWait.
	longestHold = time.Minute
	maxHoldWait = 2 * time.Second

	// The breaker opens when three calls have failed in all their attempts, those
	// of at least two keys, and nobody's has succeeded in between. It allows one
	// attempt after breakerTimeout.
	breakerFailures = 3 * maxAttempts
	breakerKeys     = 2
	breakerTimeout  = 5 * time.Second

	// maxTrackedKeys bounds what is remembered of keys that fail.
	maxTrackedKeys = 1000
)

// outcomeHeld is what Options.Observe gets for a call whose key is held. It is no
// outage, unless several keys are held.
const outcomeHeld = "held"

// ErrHeld means that a read was not sent because the marketplace wants fewer calls with its
// key.
var ErrHeld = errors.New("the key is held")

// keyDigest is an API key as it is remembered.
type keyDigest [sha256.Size]byte

func digest(key redact.Secret) keyDigest { return sha256.Sum256([]byte(key.Reveal())) }

// holds are the keys for which the marketplace wants fewer calls, or that a firewall
// before it rejects. They concern nobody else.
type holds struct {
	mu    sync.Mutex
	byKey map[keyDigest]hold
}

type hold struct {
	until  time.Time
	pause  time.Duration // the next one, without a Retry-After
	status int
}

// add holds a key that got this status. retryAfter is the header's value.
func (h *holds) add(key redact.Secret, status int, retryAfter string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if len(h.byKey) >= maxTrackedKeys {
		maps.DeleteFunc(h.byKey, func(_ keyDigest, held hold) bool { return now.After(held.until) })
	}
	held := h.byKey[digest(key)]
	pause := max(held.pause, firstBackoff)
	held.pause, held.status = min(4*pause, longestHold), status
	if seconds, err := strconv.Atoi(retryAfter); err == nil && seconds >= 0 {
		pause = time.Duration(min(seconds, int(longestHold/time.Second))) * time.Second
	}
	held.until = now.Add(pause)
	h.byKey[digest(key)] = held
}

func (h *holds) release(key redact.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byKey, digest(key))
}

// left returns for how long a key is still held, and the status that it got.
func (h *holds) left(key redact.Secret) (time.Duration, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.byKey[digest(key)]
	return max(0, time.Until(held.until)), held.status
}

// several reports whether enough keys are held to be no matter of one of them.
func (h *holds) several() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys, now := 0, time.Now()
	for _, held := range h.byKey {
		if now.Before(held.until) {
			keys++
		}
	}
	return keys >= breakerKeys
}

// isAboutKey reports whether a failure concerns the key that the call came with.
func (e *Error) isAboutKey() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusForbidden && e.Kind != Refused && e.Kind != RefusedOther && e.Kind != InvalidKey
}

// failingKeys counts failed attempts by key since the last success of any.
type failingKeys struct {
	mu       sync.Mutex
	attempts map[keyDigest]int
}

func (f *failingKeys) add(key redact.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.attempts) < maxTrackedKeys {
		f.attempts[digest(key)]++
	}
}

func (f *failingKeys) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.attempts)
}

// several reports whether enough keys have failed in all attempts of a call.
func (f *failingKeys) several() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := 0
	for _, attempts := range f.attempts {
		if attempts >= maxAttempts {
			keys++
		}
	}
	return keys >= breakerKeys
}

// newBreaker returns a breaker that opens when the marketplace is unreachable or
// answers no JSON. JSON of an unexpected shape concerns one action only; a failure
// that is about the key, and a canceled or rate-limited call, do not count.
func newBreaker(failing *failingKeys) *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "hstockplus",
		Timeout:      breakerTimeout,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakerFailures && failing.several() },
		IsSuccessful: func(err error) bool { return !isOutage(err) },
		IsExcluded: func(err error) bool {
			var failure *Error
			return errors.As(err, &failure) && failure.isAboutKey() ||
				errors.Is(err, context.Canceled) || isUnsent(err)
		},
	})
}

// isOutage reports whether an attempt failed as all attempts would.
func isOutage(err error) bool {
	kind, failed := KindOf(err)
	return failed && (kind == Unreachable || kind == Unreadable && !errors.Is(err, errUnexpectedShape))
}

func isOpen(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}
