package callrate

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	syncPause     = time.Second
	storeTimeout  = 5 * time.Second
	smallGrowth   = 0.05 // of the rate, which is not worth a write
	minWritePause = 5 * time.Second

	// Setting is the setting that holds the State, as JSON.
	Setting = "marketplace_rate"
)

// Store is what a Limiter needs of *storage.DB.
type Store interface {
	Setting(ctx context.Context, name string) (string, error)
	// SwapSetting stores a value if the present one is old, and reports whether it was.
	SwapSetting(ctx context.Context, name, old, value string) (swapped bool, err error)
}

// storedState is what the Store held when this process last looked.
type storedState struct {
	mu      sync.Mutex
	text    string
	state   State
	current bool // text is what the Store holds, unless another process changes it
	at      time.Time
	open    bool // from Start until Stop
}

// DecodeState decodes the value of Setting; "" is the zero State.
func DecodeState(value string) (s State, err error) {
	if value == "" {
		return State{}, nil
	}
	if err = json.Unmarshal([]byte(value), &s); err != nil {
		return State{}, fmt.Errorf("decode the rate of calls: %w", err)
	}
	return s, nil
}

// Start reads what earlier processes have learned, and then stores and shares it.
func (l *Limiter) Start() {
	if l.store != nil {
		l.stored.mu.Lock()
		defer l.stored.mu.Unlock()
		l.stored.open = true
		l.loop.Start()
	}
}

// Stop ends the background work and stores what was learned. It may be called several
// times; each call obeys its own ctx.
func (l *Limiter) Stop(ctx context.Context) error {
	if err := l.loop.Stop(ctx); err != nil {
		return err
	}
	return l.sync(ctx, true)
}

func (l *Limiter) syncOnce(ctx context.Context) (time.Duration, error) {
	return syncPause, l.sync(ctx, false)
}

// sync merges the stored state with that of this process, and stores the result if it
// differs enough, or at all if this is the last time.
func (l *Limiter) sync(ctx context.Context, last bool) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	l.stored.mu.Lock()
	defer l.stored.mu.Unlock()
	if !l.stored.open {
		return nil
	}
	l.stored.open = !last
	if l.shared || !l.stored.current {
		text, err := l.store.Setting(ctx, Setting)
		if err != nil {
			return err
		}
		state, err := DecodeState(text)
		if err != nil {
			l.log.Warn("stored rate of calls ignored", "error", err)
		}
		l.stored.text, l.stored.state, l.stored.current = text, state, true
	}
	now := time.Now()
	l.mu.Lock()
	if l.stored.text != "" {
		l.rate.State = merge(l.rate.State, l.stored.state.sane(now, l.rate.most))
	}
	state := l.rate.State
	l.mu.Unlock()
	if !l.worthStoring(state, now, last) {
		return nil
	}
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode the rate of calls: %w", err)
	}
	swapped, err := l.store.SwapSetting(ctx, Setting, l.stored.text, string(text))
	l.stored.current = err == nil && swapped // if another process was quicker, the next call merges with it
	if l.stored.current {
		l.stored.text, l.stored.state, l.stored.at = string(text), state, now
	}
	return err
}

func (l *Limiter) worthStoring(state State, now time.Time, last bool) bool {
	stored := l.stored.state
	switch {
	case !state.CutAt.Equal(stored.CutAt), !state.BannedUntil.Equal(stored.BannedUntil), state.BanPause != stored.BanPause:
		return true
	case last:
		return state.Rate != stored.Rate || state.Limit != stored.Limit
	default:
		return math.Abs(state.Rate-stored.Rate) > smallGrowth*state.Rate && now.Sub(l.stored.at) >= minWritePause
	}
}
