package news

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

const (
	// Every is the time between two rounds. A round makes a call for each 5,000 services,
	// and two for the currency.
	Every = 5 * time.Minute
	// FirstRound is when the first round begins after the start, which is busy enough.
	FirstRound = time.Minute
	// roundTimeout ends a round before the next one is due.
	roundTimeout = 4 * time.Minute
	// maxServices bounds the catalogue. What is beyond is never compared.
	maxServices = 50_000
	// maxChanges bounds a transaction, which blocks all other writers.
	maxChanges = 250
	// maxPause is how long there may be no round between two that are compared.
	maxPause = 24 * time.Hour
	// roundSetting holds the state of the rounds, as JSON.
	roundSetting = "news_round"
)

var (
	errIncomplete = errors.New("the catalogue is incomplete")
	errCurrency   = errors.New("the currency has changed during the round")
	errOvertaken  = errors.New("another process makes rounds")
)

// Market is the part of *hstock.Client that rounds call.
type Market interface {
	Services(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
}

// Options configures a Service. OperatorKey may be empty.
type Options struct {
	DB          *storage.DB
	Market      Market
	Log         *slog.Logger
	OperatorKey redact.Secret
	// Names returns the names of all services in the language of posts, by their numbers;
	// nil: posts are in English.
	Names func(ctx context.Context) (map[int64]string, error)
	// Post sends a post to the channel, Edit draws one again, and Fault returns why the
	// channel can't be posted to, "" if it can. Errors are those of package outbox.
	Post  func(ctx context.Context, chat int64, post Post) (messageID int64, err error)
	Edit  func(ctx context.Context, chat, messageID int64, post Post) error
	Fault func(ctx context.Context, chat int64) (string, error)

	// Lose records why the channel can't be posted to, and tells admins, once.
	Lose func(ctx context.Context, room storage.Room, fault string) error
	// Wall returns the wall time; nil: the system's. Tests replace it.
	Wall func() time.Time
}

// Service makes the rounds. Of the processes that share a database one is started.
type Service struct {
	Options

	loop                  *loop.Loop
	clock                 loop.Clock
	failing, postsFailing bool                        // the last round, the last posts failed, which was logged
	dueAt                 time.Time                   // of the next round
	endedAt               time.Time                   // of the last round of this process that ended, as it was stored
	elapsed               time.Time                   // the same with the monotonic reading
	postAt                time.Time                   // when the next post may be made; zero: not read yet
	editFailures          map[int64]int               // how often posts could not be edited, by message
	mark                  func(context.Context) error // records the last post; nil: that is done
}

// New returns a Service that is not started.
func New(o Options) *Service {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	s := &Service{Options: o, clock: loop.Clock{Wall: o.Wall}, editFailures: map[int64]int{}}
	s.loop = loop.New("news", o.Log, s.once)
	return s
}

// Start starts the rounds, unless there is no operator's key. Calling it again does
// nothing.
func (s *Service) Start() {
	if s.OperatorKey != "" {
		s.dueAt = time.Now().Add(FirstRound)
		s.loop.Start()
	}
}

// Stop cancels a round in progress and waits until it has ended or ctx is done. It may be
// called several times.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// once makes the round that is due, and then posts. It returns no error, because the loop
// would retry and ask the marketplace sooner.
func (s *Service) once(ctx context.Context) (time.Duration, error) {
	if now := time.Now(); !now.Before(s.dueAt) {
		s.dueAt = now.Add(Every)
		roundCtx, cancel := context.WithTimeout(hstock.Background(ctx), roundTimeout)
		err := s.round(roundCtx)
		cancel()
		if ctx.Err() == nil {
			s.logChange("news round failed", "news round recovered", err, &s.failing)
		}
	}
	if err := s.publish(ctx); ctx.Err() == nil {
		s.logChange("news posts failed", "news posts recovered", err, &s.postsFailing)
	}
	pause := time.Until(s.dueAt)
	if wait := time.Until(s.postAt); wait > 0 {
		pause = min(pause, wait)
	}
	return pause, nil
}

// logChange logs the first failure and the first success after it.
func (s *Service) logChange(failed, recovered string, err error, failing *bool) {
	switch {
	case err != nil && !*failing:
		s.Log.Warn(failed, "error", err)
	case err == nil && *failing:
		s.Log.Info(recovered)
	}
	*failing = err != nil
}

// state is what is stored about the rounds. All but Begun are of the last round that has
// ended; zero: there was none.
type state struct {
	Begun    int64     `json:"begun"` // the number of the round that has begun last, which is random
	EndedAt  time.Time `json:"ended_at"`
	Clock    int64     `json:"clock"`
	Currency string    `json:"currency"`
	Account  string    `json:"account"` // a digest of the API key
}

// round compares the catalogue and stores what has changed.
func (s *Service) round(ctx context.Context) error {
	if err := s.clock.AfterStep(func(bool) error { return s.DB.PullNews(ctx, s.Wall()) }); err != nil {
		return err
	}
	items, currency, err := s.fetch(ctx)
	if err != nil {
		return err
	}
	last, stored, err := s.last(ctx)
	if err != nil {
		return err
	}
	next := state{
		Begun: rand.Int64(), Clock: 1, Currency: currency, //nolint:gosec // the number is no secret
		Account: s.DB.Digest("news", []byte(s.OperatorKey.Reveal())),
	}
	base := next.Currency != last.Currency || next.Account != last.Account
	if !last.EndedAt.IsZero() {
		pause := s.since(last.EndedAt)
		next.Clock, base = last.Clock+pause.Milliseconds(), base || pause > maxPause
	}
	// From here on no other process stores anything: what is read next stays as it is.
	last.Begun = next.Begun
	begun, err := s.swap(ctx, stored, last)
	if err != nil {
		return err
	}
	known, err := s.DB.Catalogue(ctx)
	if err != nil {
		return err
	}
	if before := listed(known); !base && 2*len(items) < before {
		return fmt.Errorf("%w: %d services, and %d before", errIncomplete, len(items), before)
	}
	selection, err := ReadSelection(ctx, s.DB)
	if err != nil {
		return err
	}
	changes := comparison{selection: selection, clock: next.Clock, base: base}.changes(known, items)
	s.complete(ctx, changes)
	return s.store(ctx, begun, next, changes)
}

// last returns the stored state, also as it is stored. One that can't be read is none: the
// catalogue is then only stored.
func (s *Service) last(ctx context.Context) (last state, stored string, err error) {
	stored, err = s.DB.Setting(ctx, roundSetting)
	if json.Unmarshal([]byte(stored), &last) != nil {
		last = state{}
	}
	return last, stored, err
}

// fetch returns the complete catalogue in English, in one currency.
func (s *Service) fetch(ctx context.Context) (items []hstock.Item, currency string, err error) {
	before, err := s.Market.Balance(ctx, s.OperatorKey)
	if err != nil {
		return nil, "", err
	}
	page, err := hstock.AllPages(ctx, s.OperatorKey, hstock.Filter{}, maxServices, s.Market.Services)
	if err != nil {
		return nil, "", err
	}
	if len(page.Items) == 0 || len(page.Items) < min(page.Total, maxServices) {
		return nil, "", fmt.Errorf("%w: %d services of %d", errIncomplete, len(page.Items), page.Total)
	}
	after, err := s.Market.Balance(ctx, s.OperatorKey)
	if err == nil && after.Currency != before.Currency {
		err = errCurrency
	}
	return page.Items, after.Currency, err
}

// since returns the time since a round has ended.
func (s *Service) since(endedAt time.Time) time.Duration {
	if endedAt.Equal(s.endedAt) {
		return time.Since(s.elapsed)
	}
	return max(s.Wall().Sub(endedAt), 0)
}

func listed(items []storage.CatalogueItem) (n int) {
	for i := range items {
		if items[i].GoneClock == 0 {
			n++
		}
	}
	return n
}

// complete sets the times of news, and their names in the language of posts where the
// marketplace tells them now.
func (s *Service) complete(ctx context.Context, changes []storage.CatalogueChange) {
	if !slices.ContainsFunc(changes, func(change storage.CatalogueChange) bool { return len(change.News) > 0 }) {
		return
	}
	var names map[int64]string
	if s.Names != nil {
		var err error
		if names, err = s.Names(ctx); err != nil {
			s.Log.Warn("names of news not translated", "error", err)
		}
	}
	now := s.Wall()
	for _, change := range changes {
		for i := range change.News {
			n := &change.News[i]
			n.At = now
			if name, ok := names[n.Service]; ok {
				n.Name = name
			}
		}
	}
}

// store makes changes, and replaces the state of the round that has begun by the next one.
// A round that is cut off leaves the state of the last one that has ended, and the next one
// compares what is left.
func (s *Service) store(ctx context.Context, begun string, next state, changes []storage.CatalogueChange) error {
	for some := range slices.Chunk(changes, maxChanges) {
		current, err := s.DB.ChangeCatalogue(ctx, roundSetting, begun, some)
		if err != nil {
			return err
		}
		if !current {
			return errOvertaken
		}
	}
	elapsed := time.Now()
	next.EndedAt = s.Wall().Round(0)
	if _, err := s.swap(ctx, begun, next); err != nil {
		return err
	}
	s.endedAt, s.elapsed = next.EndedAt, elapsed
	return nil
}

// swap replaces the stored state, and returns what is stored now.
func (s *Service) swap(ctx context.Context, old string, next state) (string, error) {
	encoded, err := json.Marshal(next)
	if err != nil {
		return "", fmt.Errorf("encode the state of the news: %w", err)
	}
	swapped, err := s.DB.SwapSetting(ctx, roundSetting, old, string(encoded))
	if err == nil && !swapped {
		err = errOvertaken
	}
	return string(encoded), err
}
