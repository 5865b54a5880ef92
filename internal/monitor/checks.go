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

// What counts as wrong.
const (
	// probeEvery is how often the operator's account is looked at, and probeDown
	// how often while the marketplace is down, or may be: somebody has to notice its
	// end.
	probeEvery   = 5 * time.Minute
	probeDown    = time.Minute
	probeTimeout = 12 * time.Second
	// stuckAfter is how long a message may be due: more come in than go out then.
	stuckAfter = 5 * time.Minute
	// parkedFor is how long an update that was given up counts: it is an event,
	// and over when there were no more for so long.
	parkedFor = time.Hour
	// unknownAtMost bounds what is read of purchases of unknown outcome.
	unknownAtMost = 10_000
)

// finding is something that is wrong now.
type finding struct {
	subject int64
	since   time.Time
	figures Figures
	known   string // the figures that are stored, "" for none: it is new
}

// check looks for one kind. sure is false where that can't be told. The
// error may be errMoot.
type check struct {
	name string
	look func(ctx context.Context, now time.Time) (found []finding, sure bool, err error)
}

// checks are in the order in which things are told: what explains others first.
func (s *Service) checks() []check {
	return []check{
		{MarketDown, s.marketDown},
		{KeyRefused, s.keyRefused},
		{BalanceLow, s.balanceLow},
		{PollConflict, s.rival},
		{OutcomeUnknown, s.unknown},
		{OutboxStuck, s.outboxStuck},
		{UpdatesDeadLettered, s.updatesParked},
		{SMMRate, s.smmRate},
	}
}

// errMoot is returned where nothing can be wrong, because nothing is watched any
// more: its alarms go without a word, since nothing has become any better.
var errMoot = errors.New("nothing is watched")

func since(t time.Time) []finding {
	if t.IsZero() {
		return nil
	}
	return []finding{{since: t}}
}

// probe is what the operator's account last looked like.
type probe struct {
	at      time.Time // of the last attempt
	read    bool      // balance or refused is known
	refused time.Time // since when the key is; zero: it is accepted
	balance hstock.Balance
	lowAt   time.Time // since when the balance is under the threshold
	limit   *string   // the threshold of the last round, as it is set; nil: there was none yet
}

// ask looks at the operator's account, if it is time.
func (s *Service) ask(ctx context.Context, now time.Time) {
	pause := probeEvery
	if down, sure := s.MarketDown(); !sure || !down.IsZero() {
		pause = probeDown
	}
	p := &s.probe
	if s.OperatorKey == "" || !p.at.IsZero() && now.Sub(p.at) < pause {
		return
	}
	p.at = now
	ctx, cancel := context.WithTimeout(hstock.SingleAttempt(ctx), probeTimeout)
	defer cancel()
	balance, err := s.Market.Balance(ctx, s.OperatorKey)
	switch kind, _ := hstock.KindOf(err); {
	case err == nil:
		p.read, p.balance, p.refused = true, balance, time.Time{}
	case kind == hstock.InvalidKey:
		if p.refused.IsZero() {
			p.refused = now
		}
		p.read = true
	}
}

func (s *Service) marketDown(ctx context.Context, now time.Time) ([]finding, bool, error) {
	s.ask(ctx, now)
	down, sure := s.MarketDown()
	return since(down), sure, nil
}

func (s *Service) keyRefused(context.Context, time.Time) ([]finding, bool, error) {
	if s.OperatorKey == "" {
		return nil, false, errMoot
	}
	return since(s.probe.refused), s.probe.read, nil
}

func (s *Service) balanceLow(ctx context.Context, now time.Time) ([]finding, bool, error) {
	text, err := s.DB.Setting(ctx, storage.OperatorThreshold)
	if err != nil {
		return nil, false, err
	}
	p := &s.probe
	another := p.limit != nil && *p.limit != text // the next round judges by that
	p.limit = &text
	limit, err := decimal.NewFromString(text)
	if err != nil || another || s.OperatorKey == "" { // text is "", or not of our making
		p.lowAt = time.Time{}
		return nil, false, errMoot
	}
	if !p.read || !p.refused.IsZero() {
		return nil, false, nil
	}
	if !p.balance.Amount.LessThan(limit) {
		p.lowAt = time.Time{}
		return nil, true, nil
	}
	if p.lowAt.IsZero() {
		p.lowAt = now
	}
	return []finding{{since: p.lowAt, figures: Figures{Amount: p.balance.Amount, Limit: limit, Currency: p.balance.Currency}}}, true, nil
}

func (s *Service) rival(context.Context, time.Time) ([]finding, bool, error) {
	at, sure := s.PollConflict()
	return since(at), sure, nil
}

func (s *Service) unknown(ctx context.Context, _ time.Time) ([]finding, bool, error) {
	unknown, total, err := s.DB.AdminUnresolvedPurchases(ctx, storage.AdminOrderFilter{}, unknownAtMost, 0)
	if err != nil {
		return nil, false, err
	}
	found := make([]finding, len(unknown))
	for i, u := range unknown {
		found[i] = finding{subject: u.ID, since: u.SentAt, figures: Figures{Name: u.Name, Quantity: u.Quantity}}
	}
	return found, total <= len(found), nil // else one that is not among them may be unknown all the same
}

func (s *Service) outboxStuck(ctx context.Context, now time.Time) ([]finding, bool, error) {
	n, first, err := s.DB.StuckMessages(ctx, now.Add(-stuckAfter))
	if err != nil || n == 0 {
		return nil, err == nil, err
	}
	return []finding{{since: first, figures: Figures{Count: n}}}, true, nil
}

// smmRate is over when the setting is another one.
func (s *Service) smmRate(ctx context.Context, _ time.Time) ([]finding, bool, error) {
	text, err := s.DB.Setting(ctx, storage.SMMRateMismatchSetting(s.SMMRatePer))
	if err != nil || text == "" {
		return nil, err == nil, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, false, fmt.Errorf("since when SMM_RATE_PER does not fit: %w", err)
	}
	return []finding{{since: time.UnixMilli(ms), figures: Figures{Count: s.SMMRatePer}}}, true, nil
}

func (s *Service) updatesParked(ctx context.Context, now time.Time) ([]finding, bool, error) {
	n, first, err := s.DB.DeadLettersSince(ctx, now.Add(-parkedFor))
	if err != nil || n == 0 {
		return nil, err == nil, err
	}
	return []finding{{since: first, figures: Figures{Count: n}}}, true, nil
}
