// Package alarms tells admins what is wrong, once, and once more when it is
// over.
//
// It owns what counts as wrong, and when that is said: at most one message a
// minute, which sums up what has happened since the last. What is wrong is kept
// in the database, so that a restart repeats nothing and forgets nothing. It
// knows neither Telegram nor languages: the outbox sends the messages, and they
// are put into words when they are sent.
package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// What can be wrong: the Name of an Alarm.
const (
	MarketDown          = "market_down"    // no call to the marketplace succeeds
	KeyRefused          = "key_refused"    // the marketplace does not accept the operator's key
	BalanceLow          = "balance_low"    // the operator's balance is under the threshold: Amount, Limit, Currency
	OutcomeUnknown      = "unknown"        // the outcome of a purchase is unknown: Name, Quantity; Subject is the purchase
	OutboxStuck         = "outbox_stuck"   // messages wait for too long: Count
	UpdatesDeadLettered = "updates_parked" // updates were given up after three attempts: Count
	SMMRate             = "smm_rate"       // SMM_RATE_PER does not fit what the marketplace charges: Count is its value
	PollConflict        = "rival"          // somebody else receives the bot's updates
)

// Message is the kind of the messages; EntriesOf reads one.
const Message = "alarm"

const (
	// every is how often is looked what is wrong.
	every = 15 * time.Second
	// tellEvery is the least time between two messages.
	tellEvery = time.Minute
	// entriesAtOnce bounds a message; what does not fit is counted.
	entriesAtOnce = 20
	// toldSetting keeps when the last message was stored.
	toldSetting = "monitor_notified_at"
)

// Market is what alarms need of the marketplace. *hstock.Client has it.
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
	// MarketDown and Rival return since when that is so; zero: it is not. sure is
	// false where that can't be told (yet): a new process has made no calls.
	MarketDown   func() (since time.Time, sure bool)
	PollConflict func() (since time.Time, sure bool)
	Wake         func() // called when messages were stored
}

// Service watches for one process.
type Service struct {
	Options
	rounds *loop.Loop
	probe  probe
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o}
	s.rounds = loop.New("alarms", o.Log, s.round)
	return s
}

// Start begins watching. Calling it twice is once.
func (s *Service) Start() { s.rounds.Start() }

// Stop ends it, and waits until ctx is done. Calling it twice is once.
func (s *Service) Stop(ctx context.Context) error { return s.rounds.Stop(ctx) }

// Figures are what is known of an alarm, as far as its kind says.
type Figures struct {
	Count    int64           `json:"count,omitempty"`
	Name     string          `json:"name,omitempty"` // of what was bought
	Quantity int64           `json:"quantity,omitempty"`
	Amount   decimal.Decimal `json:"amount,omitzero"`
	Limit    decimal.Decimal `json:"limit,omitzero"`
	Currency string          `json:"currency,omitempty"`
}

// Alert is an alarm as a message or a screen tells of it.
type Alert struct {
	Kind    string    `json:"kind"`
	Subject int64     `json:"subject,omitempty"`
	Since   time.Time `json:"since"`
	EndedAt time.Time `json:"over,omitzero"` // zero: it has begun
	Figures Figures   `json:"figures,omitzero"`
}

// Report is the body of a Message: what has begun and ended, the oldest first, and
// how much more has.
type Report struct {
	Entries []Alert `json:"entries"`
	More    int     `json:"more,omitempty"`
}

// DecodeNotification reads the body of a Message.
func DecodeReport(m storage.Message) (Report, error) {
	var news Report
	if err := json.Unmarshal(m.Body, &news); err != nil {
		return Report{}, fmt.Errorf("read alarms: %w", err)
	}
	return news, nil
}

// Active returns what is wrong at the moment, as far as was seen, the oldest first.
func (s *Service) Active(ctx context.Context) ([]Alert, error) {
	known, err := s.DB.Alerts(ctx)
	var entries []Alert
	for _, a := range known {
		if a.EndedAt.IsZero() {
			entries = append(entries, entryOf(a))
		}
	}
	return entries, err
}

func entryOf(a storage.Alert) Alert {
	e := Alert{Kind: a.Name, Subject: a.Subject, Since: a.Since, EndedAt: a.EndedAt}
	_ = json.Unmarshal([]byte(a.Detail), &e.Figures) // of our own making; without figures it is still told
	return e
}

// round looks once, stores what has changed, and tells of it where a message is due.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	changes, failed := s.look(ctx, now)
	if len(changes.Started)+len(changes.Resumed)+len(changes.Ended)+len(changes.Deleted) > 0 {
		if err := s.DB.ApplyAlertChanges(ctx, changes); err != nil {
			return 0, errors.Join(failed, err)
		}
	}
	if failed = errors.Join(failed, s.tell(ctx, now)); failed != nil {
		return 0, failed
	}
	return every, nil
}

// look holds what every check finds against what is known. A check that can't
// tell leaves its alarms as they are.
func (s *Service) look(ctx context.Context, now time.Time) (changes storage.AlertChanges, err error) {
	known, err := s.DB.Alerts(ctx)
	if err != nil {
		return changes, err
	}
	for _, check := range s.checks() {
		found, sure, checkErr := check.look(ctx, now)
		moot := errors.Is(checkErr, errMoot)
		if !moot {
			err = errors.Join(err, checkErr)
		}
		if !moot && (checkErr != nil || !sure) {
			continue
		}
		for _, a := range known {
			if a.Name != check.name {
				continue
			}
			at := indexOf(found, a.Subject)
			switch {
			case at >= 0 && !a.EndedAt.IsZero():
				changes.Resumed = append(changes.Resumed, a)
			case moot, at < 0 && !a.Notified: // nobody knows of it: there is nothing to take back
				changes.Deleted = append(changes.Deleted, a)
			case at < 0 && a.EndedAt.IsZero():
				a.EndedAt = now
				changes.Ended = append(changes.Ended, a)
			}
			if at >= 0 {
				found[at].known = a.Detail
			}
		}
		for _, f := range found {
			detail, encodeErr := json.Marshal(f.figures)
			err = errors.Join(err, encodeErr)
			if f.known == string(detail) {
				continue
			}
			changes.Started = append(changes.Started, storage.Alert{Name: check.name, Subject: f.subject, Detail: string(detail), Since: f.since})
		}
	}
	return changes, err
}

func indexOf(found []finding, subject int64) int {
	for i, f := range found {
		if f.subject == subject {
			return i
		}
	}
	return -1
}

// tell stores one message for each admin who can be reached, about all that they
// don't know yet. While there is nobody, it waits.
func (s *Service) tell(ctx context.Context, now time.Time) error {
	known, err := s.DB.Alerts(ctx)
	if err != nil {
		return err
	}
	changes := storage.AlertChanges{Setting: toldSetting, At: now}
	var news Report
	for _, a := range known {
		switch {
		case !a.Notified:
			changes.Notified = append(changes.Notified, a)
		case !a.EndedAt.IsZero():
			changes.Deleted = append(changes.Deleted, a)
		default:
			continue
		}
		if len(news.Entries) < entriesAtOnce {
			news.Entries = append(news.Entries, entryOf(a))
		} else {
			news.More++
		}
	}
	if len(news.Entries) == 0 {
		return nil
	}
	last, err := s.DB.Setting(ctx, toldSetting)
	if err != nil {
		return err
	}
	if ms, err := strconv.ParseInt(last, 10, 64); err == nil && now.Sub(time.UnixMilli(ms)).Abs() < tellEvery { // a clock that was ahead once holds up nothing
		return nil
	}
	admins, err := s.DB.Reachable(ctx, s.AdminIDs)
	if err != nil || len(admins) == 0 {
		return err
	}
	body, err := json.Marshal(news)
	if err != nil {
		return fmt.Errorf("encode alarms: %w", err)
	}
	for _, admin := range admins {
		changes.Messages = append(changes.Messages, storage.Message{UserID: admin, Kind: Message, Priority: outbox.PriorityStatus, Body: body, CreatedAt: now})
	}
	if err := s.DB.ApplyAlertChanges(ctx, changes); err != nil {
		return err
	}
	s.Wake()
	return nil
}
