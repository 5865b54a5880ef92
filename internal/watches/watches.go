// Package alerts tells people what they have asked to be told of: that
// something can be had again, or costs no more than they named.
//
// It owns what is watched, how often the marketplace is asked, and when
// somebody is told. It asks for everybody together, and stores each message in
// the transaction that makes it true; the outbox sends it. It knows neither
// Telegram nor languages.
package watches

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

const (
	// Every is how long after a round the next one is due: soon enough to buy what
	// is back, and for a thousand watched products only ten calls.
	Every = 3 * time.Minute
	// roundTimeout ends a round before the next one is due.
	roundTimeout = 150 * time.Second
	// keysTried is how many watchers' keys are tried where the marketplace refuses
	// one; it may have been changed there.
	keysTried = 3
	// changesAtOnce bounds a transaction, which holds up all other writers. A
	// popular product may be back for thousands.
	changesAtOnce = 250
)

// Market is what alerts need of the marketplace. *hstock.Client has it.
type Market interface {
	Products(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Services(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
}

// Options configures a Service. OperatorKey may be empty: then keys of those who
// watch are asked with, another one for each call.
type Options struct {
	DB          *storage.DB
	Market      Market
	Log         *slog.Logger
	OperatorKey redact.Secret
	Wake        func() // called when messages were stored
}

// Service watches for one process. Several may share a database: each round is
// one process's, and an alert is told by whoever changes its row.
type Service struct {
	Options

	rounds  *loop.Loop
	failing bool // the last round failed; said once
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o}
	s.rounds = loop.New("alerts", o.Log, s.once)
	return s
}

// Start begins watching. Calling it twice is once.
func (s *Service) Start() { s.rounds.Start() }

// Stop cuts off a round under way, and waits for its end until ctx is done. What
// it has not come to is seen by the next one. Calling it twice is once.
func (s *Service) Stop(ctx context.Context) error { return s.rounds.Stop(ctx) }

// once makes a round. One that fails is no reason to ask the marketplace sooner.
func (s *Service) once(ctx context.Context) (time.Duration, error) {
	round, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	pause, err := s.round(round)
	if ctx.Err() == nil {
		s.report(err)
	}
	return pause, nil
}

// report says once when rounds begin to fail and once when they don't any more.
func (s *Service) report(err error) {
	switch {
	case err != nil && !s.failing:
		s.Log.Warn("a round of alerts failed; what it has not seen is unchanged", "error", err)
	case err == nil && s.failing:
		s.Log.Info("rounds of alerts work again")
	}
	s.failing = err != nil
}

// round looks at everything that somebody watches, if nobody else does already.
// It returns when to call it again.
func (s *Service) round(ctx context.Context) (pause time.Duration, err error) {
	products, err := s.DB.WatchedServices(ctx, false)
	if err != nil {
		return Every, err
	}
	smm, err := s.DB.WatchedServices(ctx, true)
	if err != nil || len(products)+len(smm) == 0 {
		return Every, err
	}
	mine, dueAt, err := s.DB.ClaimWatchRound(ctx, time.Now(), Every)
	if err != nil {
		return Every, err
	}
	if !mine {
		return time.Until(dueAt), nil
	}
	var failures []error
	batches := slices.Collect(slices.Chunk(products, hstock.MaxBatch))
	// In another order each time: what a round has no time for is not always the same.
	rand.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] }) //nolint:gosec // an order needs no unpredictability
	for _, some := range batches {
		err := s.look(ctx, false, some)
		failures = append(failures, err)
		if kind, _ := hstock.KindOf(err); kind == hstock.Unreachable || ctx.Err() != nil {
			return time.Until(dueAt), errors.Join(failures...) // the others would wait as long
		}
	}
	if len(smm) > 0 {
		failures = append(failures, s.look(ctx, true, smm))
	}
	return time.Until(dueAt), errors.Join(failures...)
}

// look asks for some services, in their order, and tells who waits for what is
// seen. The alerts are read before: one that is set while the answer is on its way
// is younger than what the answer says.
func (s *Service) look(ctx context.Context, smm bool, services []int64) error {
	first, last := services[0], services[len(services)-1]
	alerts, err := s.DB.WatchesBetween(ctx, smm, first, last)
	if err != nil && len(alerts) == 0 {
		return err
	}
	seen, askErr := s.ask(ctx, smm, services)
	if askErr != nil {
		return errors.Join(askErr, err)
	}
	now := time.Now()
	var changes []storage.WatchChange
	for _, alert := range alerts {
		if sight, ok := seen[alert.Service]; ok {
			change, changed, decideErr := decide(alert, sight, now)
			err = errors.Join(err, decideErr)
			if changed {
				changes = append(changes, change)
			}
		}
	}
	for some := range slices.Chunk(changes, changesAtOnce) {
		told, changeErr := s.DB.ApplyWatchChanges(ctx, some, now)
		if told > 0 {
			s.Wake()
		}
		if err = errors.Join(err, changeErr); changeErr != nil {
			break
		}
	}
	return err
}

// ask returns what is known of the services now. What the answer lacks is known to
// be sold out only where the answer is whole.
func (s *Service) ask(ctx context.Context, smm bool, services []int64) (map[int64]sight, error) {
	keys, err := s.keys(ctx, smm, services)
	if len(keys) == 0 {
		return nil, err // nobody who watches has a key: nothing is known
	}
	var page hstock.Page
	for _, key := range keys {
		if smm {
			page, err = s.Market.Services(ctx, key, hstock.Filter{EntityType: hstock.EntitySMM})
		} else {
			page, err = s.Market.Products(ctx, key, hstock.Filter{ProductIDs: numbers(services)})
		}
		if kind, _ := hstock.KindOf(err); kind != hstock.InvalidKey {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]sight, len(services))
	if whole(page) {
		for _, service := range services {
			seen[service] = sight{}
		}
	}
	for i := range page.Items {
		row := &page.Items[i]
		seen[row.Service] = sight{stock: row.Stock, rate: row.Rate, buyable: row.Stock >= max(row.Min, 1)}
	}
	return seen, nil
}

// keys are those to ask with: the operator's, and where there is none, or where
// it is refused, those of some who watch.
func (s *Service) keys(ctx context.Context, smm bool, services []int64) ([]redact.Secret, error) {
	keys, err := s.DB.WatcherKeys(ctx, smm, services[0], services[len(services)-1], keysTried)
	if s.OperatorKey != "" {
		keys = slices.Insert(keys, 0, s.OperatorKey)
	}
	return keys, err
}

func numbers(services []int64) []string {
	texts := make([]string, len(services))
	for i, service := range services {
		texts[i] = strconv.FormatInt(service, 10)
	}
	return texts
}

// whole reports whether what an answer lacks is not on sale: every row that the
// marketplace counts is there and could be read. An answer without any row is no
// proof: everything gone at once is likelier a marketplace that has lost its
// shelves for a moment, and would be news to everybody when it has them back.
func whole(page hstock.Page) bool {
	return len(page.Items) > 0 && len(page.Items) == page.Total && page.TotalPages <= 1
}
