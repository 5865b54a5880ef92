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
	MarketBlocked       = "market_blocked"
	KeyRefused          = "key_refused"
	BalanceLow          = "balance_low"    // Amount, Limit, Currency
	OutcomeUnknown      = "unknown"        // Name, Quantity; the Subject is the purchase's id
	OutboxStuck         = "outbox_stuck"   // Count of messages
	UpdatesDeadLettered = "updates_parked" // Count of updates
	SMMRate             = "smm_rate"       // Count: the value of SMM_RATE_PER
	PollConflict        = "rival"
	WebhookConflict     = "webhook_taken"
	DatabaseUnsafe      = "database_unsafe"
	DatabaseRestored    = "database_restored" // From
	BackupRestored      = "backup_restored"   // From
	BackupFailed        = "backup_failed"
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

// Options configures a Service. OperatorKey, AdminIDs and SupportIDs may be empty.
type Options struct {
	DB          *storage.DB
	Market      Market
	Log         *slog.Logger
	OperatorKey redact.Secret
	AdminIDs    []int64
	SupportIDs  []int64 // get the alerts about purchases
	SMMRatePer  int64   // pieces
	// These return since when there is such a problem; zero: there is none. sure is
	// false while that can't be told, as in a new process.
	MarketDown, MarketBlocked, PollConflict, WebhookConflict, BackupFailed func() (since time.Time, sure bool)

	Wake func() // called after messages were stored
	// Wall returns the wall time that steps of the clock are noticed by; nil: the
	// system's. Tests replace it.
	Wall func() time.Time
}

// Service runs the checks of one process.
type Service struct {
	Options
	loop      *loop.Loop
	clock     loop.Clock
	steppedAt time.Time // the start, or the last step of the clock
	account   account
	unsafe    time.Time // since when the database could lose purchases; zero: it could not
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o, clock: loop.Clock{Wall: o.Wall}}
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
	House    bool            `json:"house,omitempty"` // the operator's key has paid: admins settle it
	Amount   decimal.Decimal `json:"amount,omitzero"`
	Limit    decimal.Decimal `json:"limit,omitzero"`
	Currency string          `json:"currency,omitempty"`
	From     time.Time       `json:"from,omitzero"` // what was stored from then on may be missing
}

// Alert is an alert as messages and screens show it.
type Alert struct {
	Kind    string    `json:"kind"`
	Subject int64     `json:"subject,omitempty"`
	Since   time.Time `json:"since"`
	EndedAt time.Time `json:"over,omitzero"` // zero while it is active
	Figures Figures   `json:"figures,omitzero"`
}

// AboutPurchase reports whether support gets the alert, too: people ask what has become
// of their purchase. Others are for admins only.
func (a Alert) AboutPurchase() bool {
	return a.Kind == OutcomeUnknown || a.Kind == OutboxStuck || a.Kind == UpdatesDeadLettered
}

// Report is the body of a Message: the alerts that have started or ended since the
// last one, in the order of Active, and the number of those that do not fit.
type Report struct {
	Alerts []Alert `json:"entries"`
	More   int     `json:"more,omitempty"`
}

// add adds an alert, or counts it if it does not fit.
func (r *Report) add(a Alert) {
	if len(r.Alerts) < maxEntries {
		r.Alerts = append(r.Alerts, a)
	} else {
		r.More++
	}
}

// AboutPurchases reports whether all alerts of a report are about purchases.
func (r Report) AboutPurchases() bool {
	return !slices.ContainsFunc(r.Alerts, func(a Alert) bool { return !a.AboutPurchase() })
}

// DecodeReport reads the body of a Message.
func DecodeReport(m storage.Message) (Report, error) {
	var report Report
	if err := json.Unmarshal(m.Body, &report); err != nil {
		return Report{}, fmt.Errorf("decode monitor report: %w", err)
	}
	return report, nil
}

// alerts returns all alerts, the oldest first, but those about purchases last: where many
// purchases are of unknown outcome, it must be seen why nobody can buy.
func (s *Service) alerts(ctx context.Context) ([]storage.Alert, error) {
	stored, err := s.DB.Alerts(ctx)
	place := func(a storage.Alert) int {
		if decodeAlert(a).AboutPurchase() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(stored, func(a, b storage.Alert) int { return place(a) - place(b) })
	return stored, err
}

// Active returns the active alerts, the oldest first, but those about purchases last.
func (s *Service) Active(ctx context.Context) ([]Alert, error) {
	stored, err := s.alerts(ctx)
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
	err := s.clock.AfterStep(func(again bool) error {
		if !again {
			s.steppedAt = now
		}
		return s.DB.PullDeadLetters(ctx, now)
	})
	if err != nil {
		return 0, err
	}
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
// started or ended since the last one, and one for each reachable support with those
// about purchases. While the room works, one message for it takes the place of those to
// admins. An alert that nobody would get now waits.
func (s *Service) notify(ctx context.Context, now time.Time) error {
	stored, err := s.alerts(ctx)
	if err != nil || !slices.ContainsFunc(stored, isNews) {
		return err
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
	if err != nil {
		return err
	}
	inRoom, err := s.DB.RoomWorks(ctx)
	if err != nil {
		return err
	}
	support, err := s.DB.Reachable(ctx, s.SupportIDs)
	if err != nil {
		return err
	}
	support = slices.DeleteFunc(support, func(id int64) bool { return slices.Contains(s.AdminIDs, id) })
	changes := storage.AlertChanges{Setting: notifiedSetting, At: now}
	var all, aboutPurchases Report
	for _, a := range stored {
		alert := decodeAlert(a)
		toSupport := alert.AboutPurchase() && len(support) > 0
		if !isNews(a) || len(admins) == 0 && !inRoom && !toSupport {
			continue
		}
		if a.Notified {
			changes.Deleted = append(changes.Deleted, a)
		} else {
			changes.Notified = append(changes.Notified, a)
		}
		all.add(alert)
		if toSupport {
			aboutPurchases.add(alert)
		}
	}
	if len(all.Alerts) == 0 {
		return nil
	}
	if len(admins) > 0 || inRoom {
		message, err := reportMessage(all, now)
		if err != nil {
			return err
		}
		changes.Report = storage.RoomNotice{Admins: admins, Message: message}
	}
	if len(aboutPurchases.Alerts) > 0 {
		message, err := reportMessage(aboutPurchases, now)
		if err != nil {
			return err
		}
		for _, message.UserID = range support {
			changes.Messages = append(changes.Messages, message)
		}
	}
	if err := s.DB.ApplyAlertChanges(ctx, changes); err != nil {
		return err
	}
	s.Wake()
	return nil
}

// isNews reports whether an alert has started or ended since people were notified of it.
func isNews(a storage.Alert) bool { return !a.Notified || !a.EndedAt.IsZero() }

// reportMessage returns a message with a report, without its recipient.
func reportMessage(report Report, now time.Time) (storage.Message, error) {
	body, err := json.Marshal(report)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode monitor report: %w", err)
	}
	return storage.Message{Kind: MessageReport, Priority: outbox.PriorityStatus, Body: body, CreatedAt: now}, nil
}
