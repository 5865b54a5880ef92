package orders

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"hstockbot/storage"
)

const (
	// figuresLifetime is how long figures are used: in other processes also those with the
	// rentals of a person who was forgotten meanwhile.
	figuresLifetime = 5 * time.Minute
	maxFigures      = 1024 // in memory
	mostRented      = 50
)

// figures keeps what is known of all people's rentals in memory, so that a tap reads it
// from the database only now and then.
type figures struct {
	log     *slog.Logger
	reading singleflight.Group // by name

	mu    sync.Mutex
	known map[string]knownFigures // by name
}

type knownFigures struct {
	value  any
	readAt time.Time
}

// figuresOf returns what is known under a name, or reads it. Figures that can't be read are
// left out: a list can be used without them.
func figuresOf[T any](ctx context.Context, f *figures, name string, read func(ctx context.Context, now time.Time) (T, error)) T {
	f.mu.Lock()
	known := f.known[name] // as of long ago where there is none
	f.mu.Unlock()
	if time.Since(known.readAt) < figuresLifetime {
		return known.value.(T)
	}
	value, err, _ := f.reading.Do(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forecastTimeout) // others wait for it
		defer cancel()
		now := time.Now()
		value, err := read(ctx, now)
		if err != nil {
			return value, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.known) >= maxFigures {
			clear(f.known)
		}
		f.known[name] = knownFigures{value, now}
		return value, nil
	})
	if err != nil {
		f.log.Warn("figures not read", "error", err)
	}
	return value.(T)
}

// ForgetFigures makes this process read figures again, after a person was forgotten.
func (s *Service) ForgetFigures() {
	s.figures.mu.Lock()
	defer s.figures.mu.Unlock()
	clear(s.figures.known)
}

// RentalFigures returns, by Subject, how the last rentals of an app went in the countries
// where it is offered, of all people. They are kept under the name of the app.
func (s *Service) RentalFigures(ctx context.Context, app string, offered []storage.Rental) map[string]storage.RentalFigures {
	return figuresOf(ctx, s.figures, "app/"+app, func(ctx context.Context, now time.Time) (map[string]storage.RentalFigures, error) {
		subjects := make([]string, len(offered))
		for i, rental := range offered {
			subjects[i] = rental.Subject()
		}
		return s.db.RentalFigures(ctx, now, subjects)
	})
}

// MostRented returns the ids of the projects for which numbers are rented most, the most
// used first.
func (s *Service) MostRented(ctx context.Context) []string {
	return figuresOf(ctx, s.figures, "most rented", func(ctx context.Context, now time.Time) ([]string, error) {
		return s.db.MostRentedProjects(ctx, now, mostRented)
	})
}
