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
	// Every is the time between the starts of two rounds: soon enough to buy what
	// is back in stock, and only ten calls for a thousand watched products.
	Every = 3 * time.Minute
	// roundTimeout ends a round before the next one is due.
	roundTimeout = 150 * time.Second
	// maxWatcherKeys bounds how many watchers' keys are tried: a key may have been
	// replaced at the marketplace.
	maxWatcherKeys = 3
	// maxChanges bounds a transaction, which blocks all other writers. A popular
	// product may have thousands of watches.
	maxChanges = 250
	// maxServices bounds the list of SMM services, which is fetched in pages.
	maxServices = 50_000
)

// Market is the part of *hstock.Client that rounds call.
type Market interface {
	Products(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Services(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Currency(ctx context.Context, key redact.Secret) (string, error)
}

// Options configures a Service. OperatorKey may be empty.
type Options struct {
	DB          *storage.DB
	Market      Market
	Log         *slog.Logger
	OperatorKey redact.Secret
	Wake        func() // called after messages were stored
	// Wall returns the wall time; nil: the system's. Tests replace it.
	Wall func() time.Time
}

// Service makes the rounds of one process. Several processes may share a
// database.
type Service struct {
	Options

	loop      *loop.Loop
	failing   bool      // the last round failed, which was logged
	storedDue time.Time // when the next round is due, as the database had it last
	dueAt     time.Time // the same by elapsed time
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o}
	if s.Wall == nil {
		s.Wall = time.Now
	}
	s.loop = loop.New("watches", o.Log, s.runRound)
	return s
}

// Start makes the first round at once. Calling it again does nothing.
func (s *Service) Start() { s.loop.Start() }

// Stop cancels a round in progress and waits until it has ended or ctx is done.
// The next round checks what this one has not. It may be called several times.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// runRound makes a round and logs whether it failed. It returns no error, because
// the loop would retry and ask the marketplace sooner.
func (s *Service) runRound(ctx context.Context) (time.Duration, error) {
	roundCtx, cancel := context.WithTimeout(hstock.Background(ctx), roundTimeout)
	defer cancel()
	pause, err := s.round(roundCtx)
	if ctx.Err() == nil {
		s.logChange(err)
	}
	return pause, nil
}

// logChange logs the first failed round and the first one that succeeds again.
func (s *Service) logChange(err error) {
	switch {
	case err != nil && !s.failing:
		s.Log.Warn("watch round failed", "error", err)
	case err == nil && s.failing:
		s.Log.Info("watch round recovered")
	}
	s.failing = err != nil
}

// round checks all watches, unless another process makes this round. It returns
// the pause until the next one.
func (s *Service) round(ctx context.Context) (pause time.Duration, err error) {
	products, err := s.DB.WatchedServices(ctx, false)
	if err != nil {
		return Every, err
	}
	smm, err := s.DB.WatchedServices(ctx, true)
	if err != nil || len(products)+len(smm) == 0 {
		return Every, err
	}
	claimed, err := s.claimRound(ctx)
	if err != nil {
		return Every, err
	}
	if !claimed {
		return time.Until(s.dueAt), nil
	}
	var failures []error
	batches := slices.Collect(slices.Chunk(products, hstock.MaxBatch))
	// In random order, so that the round timeout does not always skip the same batches.
	rand.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] }) //nolint:gosec // the order is no secret
	for _, batch := range batches {
		err := s.check(ctx, false, batch)
		failures = append(failures, err)
		if kind, _ := hstock.KindOf(err); kind == hstock.Unreachable || ctx.Err() != nil {
			return time.Until(s.dueAt), errors.Join(failures...) // the other batches would time out too
		}
	}
	if len(smm) > 0 {
		failures = append(failures, s.check(ctx, true, smm))
	}
	return time.Until(s.dueAt), errors.Join(failures...)
}

// claimRound reports whether this process makes the round that is due, and sets dueAt. The
// time in the database is one of the wall clock, which may have been set since: what was
// read in this process is due by elapsed time, and what the first call finds is due now.
func (s *Service) claimRound(ctx context.Context) (bool, error) {
	now, wall := time.Now(), s.Wall().Round(0)
	if !now.Before(s.dueAt) && (s.storedDue.IsZero() || s.storedDue.After(wall)) {
		if err := s.DB.PullWatchRound(ctx, s.storedDue, wall); err != nil {
			return false, err
		}
	}
	claimed, due, err := s.DB.ClaimWatchRound(ctx, wall, Every)
	if err == nil {
		s.storedDue, s.dueAt = due, now.Add(due.Sub(wall))
	}
	return claimed, err
}

// check asks for one batch of services, in ascending order, and stores what
// becomes of their watches.
func (s *Service) check(ctx context.Context, smm bool, services []int64) error {
	// The watches are read before the marketplace is asked: its answer is older
	// than a watch that is set meanwhile.
	watches, err := s.DB.WatchesBetween(ctx, smm, services[0], services[len(services)-1])
	if err != nil && len(watches) == 0 {
		return err
	}
	observations, fetchErr := s.fetch(ctx, smm, services, "")
	if fetchErr != nil {
		return errors.Join(fetchErr, err)
	}
	now := time.Now()
	var changes []storage.WatchChange
	inCurrency := map[string]map[int64]observation{}
	for _, watch := range watches {
		seen, ok := observations[watch.Service]
		if watch.Kind == storage.WatchPrice && seen.inStock && seen.currency != watch.Currency {
			if _, asked := inCurrency[watch.Currency]; !asked {
				inCurrency[watch.Currency], fetchErr = s.fetch(ctx, smm, services, watch.Currency)
				err = errors.Join(err, fetchErr)
			}
			seen, ok = inCurrency[watch.Currency][watch.Service]
		}
		if ok {
			change, changed, decideErr := decide(watch, seen, now)
			err = errors.Join(err, decideErr)
			if changed {
				changes = append(changes, change)
			}
		}
	}
	for some := range slices.Chunk(changes, maxChanges) {
		fired, changeErr := s.DB.ApplyWatchChanges(ctx, some, now)
		if fired > 0 {
			s.Wake()
		}
		if err = errors.Join(err, changeErr); changeErr != nil {
			break
		}
	}
	return err
}

// fetch asks the marketplace for services, with a key of a certain currency unless it
// is "", and returns the observations by service. A service has none if the answer
// says nothing about it.
func (s *Service) fetch(ctx context.Context, smm bool, services []int64, currency string) (map[int64]observation, error) {
	keys, err := s.keys(ctx, smm, services, currency)
	if len(keys) == 0 {
		return nil, err // without any key the marketplace can't be asked
	}
	var page hstock.Page
	for _, key := range keys {
		if _, err = s.Market.Currency(ctx, key); err != nil { // the items have no currency before it is known
			page = hstock.Page{}
		} else if smm {
			page, err = hstock.AllPages(ctx, key, hstock.Filter{EntityType: hstock.EntitySMM}, maxServices, s.Market.Services)
		} else {
			page, err = s.Market.Products(ctx, key, hstock.Filter{ProductIDs: formatIDs(services)})
		}
		if kind, _ := hstock.KindOf(err); kind != hstock.InvalidKey {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	observations := make(map[int64]observation, len(services))
	if isComplete(page) {
		for _, service := range services {
			observations[service] = observation{}
		}
	}
	for i := range page.Items {
		item := &page.Items[i]
		observations[item.Service] = observation{
			inStock: item.StockUnknown || item.Stock >= max(item.Min, 1), stock: item.Stock, stockUnknown: item.StockUnknown,
			rate: item.Rate, currency: item.Currency,
		}
	}
	return observations, nil
}

// keys returns the API keys to try, in their order: the operator's, then those of
// some watchers. Of a certain currency, they are those of people who watch in it.
// Damaged keys are reported beside the others.
func (s *Service) keys(ctx context.Context, smm bool, services []int64, currency string) ([]redact.Secret, error) {
	keys, err := s.DB.WatcherKeys(ctx, smm, services[0], services[len(services)-1], currency, maxWatcherKeys)
	if s.OperatorKey != "" && currency == "" {
		keys = slices.Insert(keys, 0, s.OperatorKey)
	}
	return keys, err
}

func formatIDs(services []int64) []string {
	ids := make([]string, len(services))
	for i, service := range services {
		ids[i] = strconv.FormatInt(service, 10)
	}
	return ids
}

// isComplete reports whether a service that is missing from a page is not on sale:
// the page has every item that it counts, and at least one.
func isComplete(page hstock.Page) bool {
	return len(page.Items) > 0 && len(page.Items) == page.Total && page.TotalPages <= 1
}
