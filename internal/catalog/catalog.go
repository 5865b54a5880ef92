package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// ErrDelisted means that the marketplace no longer has a service.
var ErrDelisted = errors.New("catalog: the marketplace has no such service")

// Market is the part of *hstock.Client that the catalogue calls.
type Market interface {
	Categories(ctx context.Context, key redact.Secret, lang string) ([]hstock.Category, error)
	SubcategoryInfo(ctx context.Context, key redact.Secret, subcategoryID, lang string) (hstock.SubcategoryInfo, error)
	Products(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Services(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Shops(ctx context.Context, key redact.Secret, page, limit int) ([]hstock.Seller, error)
	Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error)
	SMSCountries(ctx context.Context, key redact.Secret, lang string) ([]hstock.SMSCountry, error)
	SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error)
	Currency(ctx context.Context, key redact.Secret) (string, error)
}

// Options configures a Catalog.
type Options struct {
	TTL time.Duration // how long an answer is fresh; at least a second
}

// Catalog caches answers per language, those with prices also per currency, and
// shares them between API keys. Its
// methods may be called by several goroutines at once. The slices they return
// are shared: callers must not change or sort them. Errors are those of hstock,
// ErrDelisted, or the context's.
type Catalog struct {
	market Market
	ttl    time.Duration

	fresh     *otter.Cache[cacheKey, cacheEntry]
	lastGood  *otter.Cache[cacheKey, cacheEntry] // read while the marketplace is down
	seenItems *otter.Cache[itemKey, seenItem]    // items of every list returned

	baseCtx context.Context // of all loads; canceled by Close
	cancel  context.CancelFunc
	loads   sync.WaitGroup
}

// New returns an empty Catalog.
func New(m Market, o Options) *Catalog {
	c := &Catalog{
		market: m,
		ttl:    max(o.TTL, time.Second),
		fresh: otter.Must(&otter.Options[cacheKey, cacheEntry]{
			MaximumWeight:    maxCacheBytes,
			Weigher:          weigh,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[cacheKey, cacheEntry]) time.Duration { return e.Value.ttl }),
			Logger:           &otter.NoopLogger{},
		}),
		lastGood: otter.Must(&otter.Options[cacheKey, cacheEntry]{
			MaximumWeight: maxCacheBytes,
			Weigher:       weigh,
			Logger:        &otter.NoopLogger{},
		}),
		seenItems: otter.Must(&otter.Options[itemKey, seenItem]{MaximumSize: maxSeenItems, Logger: &otter.NoopLogger{}}),
	}
	c.baseCtx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close cancels running loads and waits for them. No method may be called afterwards.
func (c *Catalog) Close() {
	c.cancel()
	c.loads.Wait()
	c.fresh.StopAllGoroutines()
	c.lastGood.StopAllGoroutines()
	c.seenItems.StopAllGoroutines()
}

// Freshness tells how current an answer is. A Stale answer is the last good one,
// received At, returned because the marketplace is down or slow.
type Freshness struct {
	Stale bool
	At    time.Time
}

// Category is a category. English is the name that filters take, Name the one to
// show.
type Category struct {
	English, Name string
	Subcategories []Subcategory
}

// Subcategory has names like those of a Category.
type Subcategory struct{ English, Name string }

// Categories returns all categories in the marketplace's order. Names are English
// where the translated list does not match the English one.
func (c *Catalog) Categories(ctx context.Context, access Access, lang string) ([]Category, Freshness, error) {
	lang = normalizeLang(lang)
	return get(ctx, c, cacheKey{kind: kindCategories, lang: lang}, func(ctx context.Context) ([]Category, error) {
		return fetchCategories(ctx, c.market, access.Key, lang)
	})
}

// CategoryPath is a category or, with Subcategory, a part of it. Names are
// English; the zero value is the whole catalogue.
type CategoryPath struct{ Category, Subcategory string }

// Counts returns the number of items under each path. It waits at most
// countsTimeout: counts that are unknown by then are missing, and are cached when
// they arrive. The error is returned only when no count is known.
func (c *Catalog) Counts(ctx context.Context, access Access, paths ...CategoryPath) (map[CategoryPath]int, error) {
	ctx, cancel := context.WithTimeout(ctx, countsTimeout)
	defer cancel()
	var (
		mu     sync.Mutex
		failed error
		counts = make(map[CategoryPath]int, len(paths))
		tasks  []func(ctx context.Context) error
	)
	for _, path := range paths {
		tasks = append(tasks, func(ctx context.Context) error {
			count, err := c.count(ctx, access.Key, path)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				counts[path] = count
			case failed == nil:
				failed = err
				if kind, _ := hstock.KindOf(err); kind == hstock.InvalidKey {
					cancel() // the other calls would fail alike
				}
			}
			return nil
		})
	}
	_ = parallel(ctx, maxConcurrentCounts, tasks...) // tasks return no errors
	if len(counts) == 0 && failed != nil {
		return nil, failed
	}
	return counts, nil
}

func (c *Catalog) count(ctx context.Context, key redact.Secret, path CategoryPath) (int, error) {
	question := cacheKey{kind: kindCount, category: path.Category, subcategory: path.Subcategory}
	count, _, err := get(ctx, c, question, func(ctx context.Context) (int, error) {
		page, err := c.market.Services(ctx, key, hstock.Filter{Category: path.Category, Subcategory: path.Subcategory, Limit: 1})
		return page.Total, err
	})
	return count, err
}

// Inventory returns stock and price of a service. With fresh it calls the
// marketplace with this key and returns its error; without, the answer may be
// inventoryTTL old or stale. It returns ErrDelisted if there is no such service.
func (c *Catalog) Inventory(ctx context.Context, access Access, lang string, service int64, fresh bool) (hstock.Inventory, Freshness, error) {
	inventory, freshness, err := c.inventory(ctx, access.Key, lang, service, fresh)
	if access.Markup != nil {
		inventory.Rate = access.Markup(inventory.Rate)
	}
	return inventory, freshness, err
}

func (c *Catalog) inventory(ctx context.Context, key redact.Secret, lang string, service int64, fresh bool) (hstock.Inventory, Freshness, error) {
	lang = normalizeLang(lang)
	question, err := c.priced(ctx, key, cacheKey{kind: kindInventory, lang: lang, service: service})
	if err != nil {
		return hstock.Inventory{}, Freshness{}, err
	}
	fetch := func(ctx context.Context) (hstock.Inventory, error) {
		inventory, err := c.market.Inventory(ctx, key, service, lang)
		if errors.Is(err, hstock.ErrServiceNotFound) {
			err = fmt.Errorf("%w: %w", ErrDelisted, err)
		}
		return inventory, err
	}
	if !fresh {
		return get(ctx, c, question, fetch)
	}
	inventory, err := fetch(ctx)
	if err != nil {
		return hstock.Inventory{}, Freshness{}, err
	}
	answer := c.store(question, inventory)
	c.fresh.Set(question, answer)
	return inventory, answer.freshness(), nil
}

// SubcategoryInfo returns a subcategory by the id that products carry.
func (c *Catalog) SubcategoryInfo(ctx context.Context, access Access, lang, subcategoryID string) (hstock.SubcategoryInfo, Freshness, error) {
	lang = normalizeLang(lang)
	question := cacheKey{kind: kindSubcategoryInfo, lang: lang, subcategory: subcategoryID}
	return get(ctx, c, question, func(ctx context.Context) (hstock.SubcategoryInfo, error) {
		return c.market.SubcategoryInfo(ctx, access.Key, subcategoryID, lang)
	})
}

// normalizeLang maps both spellings of English, "en" and "", to "", so that they
// share cache entries.
func normalizeLang(lang string) string {
	if lang == "en" {
		return ""
	}
	return lang
}
