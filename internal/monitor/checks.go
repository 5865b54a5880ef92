package monitor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

const (
	// probeEvery is the time between two reads of the operator's account.
	probeEvery = 5 * time.Minute
	// probeDownEvery is that time while the marketplace is down, or may be, so that
	// a call notices when it is back.
	probeDownEvery = time.Minute
	probeTimeout   = 12 * time.Second
	// stuckAfter is how long a message may be due.
	stuckAfter = 5 * time.Minute
	// deadLetterPeriod is how long a dead-lettered update keeps its alert active.
	deadLetterPeriod = time.Hour
	// maxUnresolved bounds how many purchases of unknown outcome are read.
	maxUnresolved = 10_000
)

// problem is something that is wrong now.
type problem struct {
	subject int64
	since   time.Time
	figures Figures
}

// check finds the problems of one kind. sure is false if it can't tell now. The
// error may be errReset.
type check struct {
	kind string
	find func(ctx context.Context, now time.Time) (problems []problem, sure bool, err error)
}

// checks returns all checks. A problem that causes others comes before them.
func (s *Service) checks() []check {
	return []check{
		{MarketDown, s.marketDown},
		{MarketBlocked, observed(s.MarketBlocked)},
		{KeyRefused, s.keyRefused},
		{BalanceLow, s.balanceLow},
		{PollConflict, observed(s.PollConflict)},
		{WebhookConflict, observed(s.WebhookConflict)},
		{DatabaseUnsafe, s.databaseUnsafe},
		{DatabaseRestored, s.databaseRestored(false)},
		{BackupRestored, s.databaseRestored(true)},
		{BackupFailed, observed(s.BackupFailed)},
		{OutcomeUnknown, s.outcomeUnknown},
		{OutboxStuck, s.outboxStuck},
		{UpdatesDeadLettered, s.updatesDeadLettered},
		{SMMRate, s.smmRate},
	}
}

// errReset is returned by a check whose subject was removed or redefined by an
// admin. Its alerts are deleted without a message, because nothing has improved.
var errReset = errors.New("the check has nothing to compare with")

func problemSince(t time.Time) []problem {
	if t.IsZero() {
		return nil
	}
	return []problem{{since: t}}
}

// account is what is known of the operator's account.
type account struct {
	attemptedAt  time.Time // of the last probe
	known        bool      // a probe was answered
	refusedSince time.Time // zero: the key is accepted
	balance      hstock.Balance
	lowSince     time.Time
	threshold    *string // the setting in the previous round; nil: there was no round yet
}

// probe reads the operator's account if it is time.
func (s *Service) probe(ctx context.Context, now time.Time) {
	pause := probeEvery
	if down, sure := s.MarketDown(); !sure || !down.IsZero() {
		pause = probeDownEvery
	}
	a := &s.account
	if s.OperatorKey == "" || !a.attemptedAt.IsZero() && now.Sub(a.attemptedAt) < pause {
		return
	}
	a.attemptedAt = now
	ctx, cancel := context.WithTimeout(hstock.SingleAttempt(ctx), probeTimeout)
	defer cancel()
	balance, err := s.Market.Balance(ctx, s.OperatorKey)
	switch kind, _ := hstock.KindOf(err); {
	case err == nil:
		a.known, a.balance, a.refusedSince = true, balance, time.Time{}
	case kind == hstock.InvalidKey:
		if a.refusedSince.IsZero() {
			a.refusedSince = now
		}
		a.known = true
	}
}

func (s *Service) marketDown(ctx context.Context, now time.Time) ([]problem, bool, error) {
	s.probe(ctx, now)
	down, sure := s.MarketDown()
	return problemSince(down), sure, nil
}

func (s *Service) keyRefused(context.Context, time.Time) ([]problem, bool, error) {
	if s.OperatorKey == "" {
		return nil, false, errReset
	}
	return problemSince(s.account.refusedSince), s.account.known, nil
}

func (s *Service) balanceLow(ctx context.Context, now time.Time) ([]problem, bool, error) {
	text, err := s.DB.Setting(ctx, storage.OperatorThreshold)
	if err != nil {
		return nil, false, err
	}
	a := &s.account
	changed := a.threshold != nil && *a.threshold != text // the next round compares with the new one
	a.threshold = &text
	limit, err := decimal.NewFromString(text)
	if err != nil || changed || s.OperatorKey == "" { // without a threshold the text is ""
		a.lowSince = time.Time{}
		return nil, false, errReset
	}
	if !a.known || !a.refusedSince.IsZero() {
		return nil, false, nil
	}
	if !a.balance.Amount.LessThan(limit) {
		a.lowSince = time.Time{}
		return nil, true, nil
	}
	if a.lowSince.IsZero() {
		a.lowSince = now
	}
	return []problem{{since: a.lowSince, figures: Figures{Amount: a.balance.Amount, Limit: limit, Currency: a.balance.Currency}}}, true, nil
}

// observed returns the check of a condition that another service observes.
func observed(condition func() (since time.Time, sure bool)) func(context.Context, time.Time) ([]problem, bool, error) {
	return func(context.Context, time.Time) ([]problem, bool, error) {
		since, sure := condition()
		return problemSince(since), sure, nil
	}
}

func (s *Service) databaseUnsafe(ctx context.Context, now time.Time) ([]problem, bool, error) {
	err := s.DB.Durable(ctx)
	switch {
	case err == nil, errors.Is(err, storage.ErrRestored):
		s.unsafe = time.Time{}
	case !errors.Is(err, storage.ErrNotDurable):
		return nil, false, err
	case s.unsafe.IsZero():
		s.unsafe = now
	}
	return problemSince(s.unsafe), true, nil
}

// databaseRestored returns the check of a restoration that no admin has looked at, from a
// backup or not.
func (s *Service) databaseRestored(backup bool) func(context.Context, time.Time) ([]problem, bool, error) {
	return func(ctx context.Context, _ time.Time) ([]problem, bool, error) {
		restoration, err := s.DB.Restoration(ctx)
		if err != nil || restoration.At.IsZero() || restoration.Backup != backup {
			return nil, err == nil, err
		}
		return []problem{{since: restoration.At, figures: Figures{From: restoration.From}}}, true, nil
	}
}

func (s *Service) outcomeUnknown(ctx context.Context, _ time.Time) ([]problem, bool, error) {
	purchases, total, err := s.DB.AdminUnresolvedPurchases(ctx, storage.AdminOrderFilter{}, maxUnresolved, 0)
	if err != nil {
		return nil, false, err
	}
	var problems []problem
	for _, p := range purchases {
		if p.Dismissed { // and so are the following
			return problems, true, nil
		}
		problems = append(problems, problem{subject: p.ID, since: p.SentAt, figures: Figures{Name: p.Name, Quantity: p.Quantity, House: p.House}})
	}
	return problems, total <= len(purchases), nil
}

func (s *Service) outboxStuck(ctx context.Context, now time.Time) ([]problem, bool, error) {
	if now.Sub(s.steppedAt) < stuckAfter { // what seems to be due for long may be due since now
		return nil, false, nil
	}
	n, first, err := s.DB.StuckMessages(ctx, now.Add(-stuckAfter))
	if err != nil || n == 0 {
		return nil, err == nil, err
	}
	return []problem{{since: first, figures: Figures{Count: n}}}, true, nil
}

func (s *Service) updatesDeadLettered(ctx context.Context, now time.Time) ([]problem, bool, error) {
	n, first, err := s.DB.DeadLettersSince(ctx, now.Add(-deadLetterPeriod))
	if err != nil || n == 0 {
		return nil, err == nil, err
	}
	return []problem{{since: first, figures: Figures{Count: n}}}, true, nil
}

func (s *Service) smmRate(ctx context.Context, _ time.Time) ([]problem, bool, error) {
	text, err := s.DB.Setting(ctx, storage.SMMRateMismatchSetting(s.SMMRatePer))
	if err != nil || text == "" {
		return nil, err == nil, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, false, fmt.Errorf("read when SMM_RATE_PER was found wrong: %w", err)
	}
	return []problem{{since: time.UnixMilli(ms), figures: Figures{Count: s.SMMRatePer}}}, true, nil
}
