package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// The kinds of alerts, as they are stored; the package comment says when each
// starts and ends. The comments name the Figures that a kind has.
const (
	MarketDown          = "market_down"
	KeyRefused          = "key_refused"
	BalanceLow          = "balance_low"    // Amount, Limit, Currency
	OutcomeUnknown      = "unknown"        // Name, Quantity; the Subject is the purchase's id
	OutboxStuck         = "outbox_stuck"   // Count of messages
	UpdatesDeadLettered = "updates_parked" // Count of updates
	SMMRate             = "smm_rate"       // Count: the value of SMM_RATE_PER
	PollConflict        = "rival"
)

// MessageReport is the kind of the stored messages; DecodeReport reads their bodies.
const MessageReport = "alarm"

const (
	checkEvery        = 15 * time.Second
	minNotifyInterval = time.Minute
	maxEntries        = 20 // in a message; the rest is counted
	// notifiedSetting is the setting with the time of the last notification.
	notifiedSetting = "monitor_notified_at"
)

// Market is the part of *hstock.Client that checks call.
type Market interface {
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
}

// Options configures a Service. OperatorKey may be empty.
type Options struct {
	DB          *storage.DB
	Market      Market
	Log         *slog.Logger
	OperatorKey redact.Secret
	AdminIDs    []int64
	SMMRatePer  int64 // pieces
	// MarketDown and PollConflict return since when there is such a problem; zero:
	// there is none. sure is false while that can't be told, as in a new process.
	MarketDown   func() (since time.Time, sure bool)
	PollConflict func() (since time.Time, sure bool)
	Wake         func() // called after messages were stored
}

// Service runs the checks of one process.
type Service struct {
	Options
	loop    *loop.Loop
	account account
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o}
	s.loop = loop.New("monitor", o.Log, s.round)
	return s
}

// Start runs the first checks at once. Calling it again does nothing.
func (s *Service) Start() { s.loop.Start() }

// Stop cancels the checks in progress and waits until they have ended or ctx is
// done. It may be called several times.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// Figures are the details of an alert, those that its kind has.
type Figures struct {
	Count    int64           `json:"count,omitempty"`
	Name     string          `json:"name,omitempty"` // of the product that was bought
	Quantity int64           `json:"quantity,omitempty"`
	Amount   decimal.Decimal `json:"amount,omitzero"`
	Limit    decimal.Decimal `json:"limit,omitzero"`
	Currency string          `json:"currency,omitempty"`
}

// Alert is an alert as messages and screens show it.
type Alert struct {
	Kind    string    `json:"kind"`
	Subject int64     `json:"subject,omitempty"`
	Since   time.Time `json:"since"`
	EndedAt time.Time `json:"over,omitzero"` // zero while it is active
	Figures Figures   `json:"figures,omitzero"`
}

// Report is the body of a Message: the alerts that have started or ended since the
// last one, the oldest first, and the number of those that do not fit.
type Report struct {
	Alerts []Alert `json:"entries"`
	More   int     `json:"more,omitempty"`
}

// DecodeReport reads the body of a Message.
func DecodeReport(m storage.Message) (Report, error) {
	var report Report
	if err := json.Unmarshal(m.Body, &report); err != nil {
		return Report{}, fmt.Errorf("decode monitor report: %w", err)
	}
	return report, nil
}

// Active returns the active alerts, the oldest first.
func (s *Service) Active(ctx context.Context) ([]Alert, error) {
	stored, err := s.DB.Alerts(ctx)
	var active []Alert
	for _, a := range stored {
		if a.EndedAt.IsZero() {
			active = append(active, decodeAlert(a))
		}
	}
	return active, err
}

func decodeAlert(stored storage.Alert) Alert {
	a := Alert{Kind: stored.Name, Subject: stored.Subject, Since: stored.Since, EndedAt: stored.EndedAt}
	_ = json.Unmarshal([]byte(stored.Detail), &a.Figures) // an alert without its figures is better than none
	return a
}

// round runs the checks, stores what has changed, and notifies admins if a message
// is due.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	changes, err := s.runChecks(ctx, now)
	if len(changes.Started)+len(changes.Resumed)+len(changes.Ended)+len(changes.Deleted) > 0 {
		if applyErr := s.DB.ApplyAlertChanges(ctx, changes); applyErr != nil {
			return 0, errors.Join(err, applyErr)
		}
	}
	return checkEvery, errors.Join(err, s.notify(ctx, now))
}

// runChecks returns the differences between the problems that the checks find and
// the stored alerts. A failed check does not hold up the others.
func (s *Service) runChecks(ctx context.Context, now time.Time) (changes storage.AlertChanges, err error) {
	stored, err := s.DB.Alerts(ctx)
	if err != nil {
		return changes, err
	}
	for _, check := range s.checks() {
		problems, sure, checkErr := check.find(ctx, now)
		reset := errors.Is(checkErr, errReset)
		if !reset && (checkErr != nil || !sure) {
			err = errors.Join(err, checkErr)
			continue
		}
		details := map[int64]string{} // stored, by subject
		for _, a := range stored {
			if a.Name != check.kind {
				continue
			}
			details[a.Subject] = a.Detail
			persists := slices.ContainsFunc(problems, func(p problem) bool { return p.subject == a.Subject })
			switch {
			case persists && !a.EndedAt.IsZero():
				changes.Resumed = append(changes.Resumed, a)
			case reset, !persists && !a.Notified: // admins never learned that it started
				changes.Deleted = append(changes.Deleted, a)
			case !persists && a.EndedAt.IsZero():
				a.EndedAt = now
				changes.Ended = append(changes.Ended, a)
			}
		}
		for _, p := range problems {
			detail, encodeErr := json.Marshal(p.figures)
			err = errors.Join(err, encodeErr)
			if details[p.subject] != string(detail) {
				changes.Started = append(changes.Started, storage.Alert{Name: check.kind, Subject: p.subject, Detail: string(detail), Since: p.since})
			}
		}
	}
	return changes, err
}

// notify stores one message for each reachable admin with all alerts that have
// started or ended since the last one.
func (s *Service) notify(ctx context.Context, now time.Time) error {
	stored, err := s.DB.Alerts(ctx)
	if err != nil {
		return err
	}
	changes := storage.AlertChanges{Setting: notifiedSetting, At: now}
	var report Report
	for _, a := range stored {
		switch {
		case !a.Notified:
			changes.Notified = append(changes.Notified, a)
		case !a.EndedAt.IsZero():
			changes.Deleted = append(changes.Deleted, a)
		default:
			continue
		}
		if len(report.Alerts) < maxEntries {
			report.Alerts = append(report.Alerts, decodeAlert(a))
		} else {
			report.More++
		}
	}
	if len(report.Alerts) == 0 {
		return nil
	}
	last, err := s.DB.Setting(ctx, notifiedSetting)
	if err != nil {
		return err
	}
	// Abs, so that a clock that was ahead once does not block notifications.
	if ms, err := strconv.ParseInt(last, 10, 64); err == nil && now.Sub(time.UnixMilli(ms)).Abs() < minNotifyInterval {
		return nil
	}
	admins, err := s.DB.Reachable(ctx, s.AdminIDs)
	if err != nil || len(admins) == 0 {
		return err
	}
	body, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode monitor report: %w", err)
	}
	for _, admin := range admins {
		changes.Messages = append(changes.Messages, storage.Message{UserID: admin, Kind: MessageReport, Priority: outbox.PriorityStatus, Body: body, CreatedAt: now})
	}
	if err := s.DB.ApplyAlertChanges(ctx, changes); err != nil {
		return err
	}
	s.Wake()
	return nil
}
