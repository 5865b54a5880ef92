// Package catalog is the marketplace's catalogue as screens want it: in a
// person's language with the English names kept beside, cached for everybody,
// and still there while the marketplace is not.
//
// It owns what is asked, for how long it is believed, and how two languages are
// joined. It knows nothing of screens, of people, or of the database.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// ErrDelisted says that the marketplace has no such service any more.
var ErrDelisted = errors.New("catalog: the marketplace has no such service")

// Market is what the catalogue asks of the marketplace. *hstock.Client is one.
type Market interface {
	Categories(ctx context.Context, key redact.Secret, lang string) ([]hstock.Category, error)
	SubcategoryInfo(ctx context.Context, key redact.Secret, subcategoryID, lang string) (hstock.SubcategoryInfo, error)
	Products(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Services(ctx context.Context, key redact.Secret, f hstock.Filter) (hstock.Page, error)
	Shops(ctx context.Context, key redact.Secret, page, limit int) ([]hstock.Seller, error)
	Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error)
	SMSCountries(ctx context.Context, key redact.Secret, lang string) ([]hstock.SMSCountry, error)
	SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error)
}

// Options configures a Catalog.
type Options struct {
	TTL time.Duration // how long an answer is believed; at least a second
}

// Catalog caches answers per language and shares them between keys. Its methods
// may be used by several goroutines at once. The slices they return are shared:
// read them, don't change or sort them.
//
// Their errors are those of hstock, ErrDelisted, or the context's. Whoever asks
// for what somebody else is asking already waits for that answer, and gets one
// of their own when that one failed for the other's key.
type Catalog struct {
	market Market
	ttl    time.Duration

	fresh     *otter.Cache[cacheKey, cacheEntry] // what is believed now
	lastGood  *otter.Cache[cacheKey, cacheEntry] // the last good answers, for when there is no other
	seenItems *otter.Cache[itemKey, seenItem]    // the items of all shelves seen

	baseCtx context.Context // of all loads; ends with Close
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

// Close ends loads under way and waits for them. No call may follow.
func (c *Catalog) Close() {
	c.cancel()
	c.loads.Wait()
	c.fresh.StopAllGoroutines()
	c.lastGood.StopAllGoroutines()
	c.seenItems.StopAllGoroutines()
}

// Freshness says how far an answer is to be believed. Stale: the marketplace is
// down, and this is what it said At.
type Freshness struct {
	Stale bool
	At    time.Time
}

// Category is a category with its canonical name, which filters take, and the
// one to show.
type Category struct {
	English, Name string
	Subcategories []Subcategory
}

// Subcategory is to a Category what that is to the catalogue.
type Subcategory struct{ English, Name string }

// Categories returns all categories in the marketplace's order. Where the
// translation can't be matched with the English list, names are English.
func (c *Catalog) Categories(ctx context.Context, key redact.Secret, lang string) ([]Category, Freshness, error) {
	lang = normalizeLang(lang)
	return get(ctx, c, cacheKey{kind: kindCategories, lang: lang}, func(ctx context.Context) ([]Category, error) {
		return fetchCategories(ctx, c.market, key, lang)
	})
}

// CategoryPath is a shelf: a category and, unless all of it is meant, a subcategory.
// Names are English; the zero value is the whole catalogue.
type CategoryPath struct{ Category, Subcategory string }

// Counts returns how many items there are in each place. It asks for a few at a
// time and waits at most countsTimeout: what is not known by then is missing,
// and will be known later. The error is given only when nothing is known.
func (c *Catalog) Counts(ctx context.Context, key redact.Secret, places ...CategoryPath) (map[CategoryPath]int, error) {
	ctx, cancel := context.WithTimeout(ctx, countsTimeout)
	defer cancel()
	var (
		mu     sync.Mutex
		failed error
		counts = make(map[CategoryPath]int, len(places))
		do     []func(ctx context.Context) error
	)
	for _, place := range places {
		do = append(do, func(ctx context.Context) error {
			count, err := c.count(ctx, key, place)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				counts[place] = count
			case failed == nil:
				failed = err
				if kind, _ := hstock.KindOf(err); kind == hstock.InvalidKey {
					cancel() // the others would hear the same
				}
			}
			return nil
		})
	}
	_ = parallel(ctx, maxConcurrentCounts, do...) // they give no errors
	if len(counts) == 0 && failed != nil {
		return nil, failed
	}
	return counts, nil
}

func (c *Catalog) count(ctx context.Context, key redact.Secret, place CategoryPath) (int, error) {
	total := cacheKey{kind: kindCount, category: place.Category, subcategory: place.Subcategory}
	count, _, err := get(ctx, c, total, func(ctx context.Context) (int, error) {
		page, err := c.market.Services(ctx, key, hstock.Filter{Category: place.Category, Subcategory: place.Subcategory, Limit: 1})
		return page.Total, err
	})
	return count, err
}

// Shelf returns all items of a place, at most maxShelfItems of them, in the
// marketplace's order. Category and subcategory are English and may be empty:
// without either it is the whole catalogue, at most maxItems items, which is what
// Search looks at.
func (c *Catalog) Shelf(ctx context.Context, key redact.Secret, lang, category, subcategory string) ([]hstock.Item, Freshness, error) {
	if category == "" && subcategory == "" {
		all, freshness, err := c.all(ctx, key, normalizeLang(lang))
		if err != nil {
			return nil, Freshness{}, err
		}
		return all.items, freshness, nil
	}
	return c.shelf(ctx, key, kindShelf, hstock.Filter{Category: category, Subcategory: subcategory, Lang: normalizeLang(lang)})
}

func (c *Catalog) shelf(ctx context.Context, key redact.Secret, k kind, f hstock.Filter) ([]hstock.Item, Freshness, error) {
	shelf := cacheKey{kind: k, lang: f.Lang, category: f.Category, subcategory: f.Subcategory}
	return get(ctx, c, shelf, func(ctx context.Context) ([]hstock.Item, error) {
		page, err := c.market.Services(ctx, key, f)
		if err != nil {
			return nil, err
		}
		items := page.Items
		if len(items) > maxShelfItems {
			items = slices.Clone(items[:maxShelfItems])
		}
		c.rememberItems(f.Lang, items)
		return items, nil
	})
}

// Product returns one item by its service number: from a shelf seen lately, or
// else from the marketplace. ErrDelisted: it has no such service.
func (c *Catalog) Product(ctx context.Context, key redact.Secret, lang string, service int64) (hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	seen, known := c.seenItems.GetIfPresent(itemKey{lang, service})
	if known && time.Since(seen.at) < c.ttl {
		return seen.item, Freshness{At: seen.at}, nil
	}
	isSMM := known && seen.item.EntityType == hstock.EntitySMM
	product := cacheKey{kind: kindProduct, lang: lang, service: service}
	items, freshness, err := get(ctx, c, product, func(ctx context.Context) ([]hstock.Item, error) {
		return c.fetchProduct(ctx, key, lang, service, isSMM)
	})
	switch {
	case err != nil:
		return hstock.Item{}, Freshness{}, err
	case len(items) == 0:
		return hstock.Item{}, freshness, ErrDelisted
	}
	return items[0], freshness, nil
}

// fetchProduct asks for the item of that number, and gives none when there is none.
// Only products can be asked for by number; of SMM services, all are.
func (c *Catalog) fetchProduct(ctx context.Context, key redact.Secret, lang string, service int64, isSMM bool) ([]hstock.Item, error) {
	other := func(r hstock.Item) bool { return r.Service != service }
	if !isSMM {
		page, err := c.market.Products(ctx, key, hstock.Filter{ProductIDs: []string{strconv.FormatInt(service, 10)}, Lang: lang})
		if err != nil && !errors.Is(err, hstock.ErrServiceNotFound) {
			return nil, err
		}
		if items := slices.DeleteFunc(page.Items, other); len(items) > 0 {
			c.rememberItems(lang, items)
			return items, nil
		}
	}
	shelf, freshness, err := c.shelf(ctx, key, kindSMM, hstock.Filter{EntityType: hstock.EntitySMM, Lang: lang})
	if err == nil && freshness.Stale {
		// What was not there then may be there now, so this is no answer.
		err = &hstock.Error{Action: "services", Kind: hstock.Unreachable}
	}
	return slices.DeleteFunc(slices.Clone(shelf), other), err
}

// Inventory returns stock and price of a service. With fresh it is read now and
// with this very key, and an error stays one: what is about to be paid is never
// stale. Without, it may be inventoryTTL old. ErrDelisted: there is no such service.
func (c *Catalog) Inventory(ctx context.Context, key redact.Secret, lang string, service int64, fresh bool) (hstock.Inventory, Freshness, error) {
	lang = normalizeLang(lang)
	stock := cacheKey{kind: kindInventory, lang: lang, service: service}
	ask := func(ctx context.Context) (hstock.Inventory, error) {
		inventory, err := c.market.Inventory(ctx, key, service, lang)
		if errors.Is(err, hstock.ErrServiceNotFound) {
			err = fmt.Errorf("%w: %w", ErrDelisted, err)
		}
		return inventory, err
	}
	if !fresh {
		return get(ctx, c, stock, ask)
	}
	inventory, err := ask(ctx)
	if err != nil {
		return hstock.Inventory{}, Freshness{}, err
	}
	read := c.store(stock, inventory)
	c.fresh.Set(stock, read)
	return inventory, read.freshness(), nil
}

// SubcategoryInfo returns a subcategory by the id that products carry.
func (c *Catalog) SubcategoryInfo(ctx context.Context, key redact.Secret, lang, subcategoryID string) (hstock.SubcategoryInfo, Freshness, error) {
	lang = normalizeLang(lang)
	info := cacheKey{kind: kindSubcategoryInfo, lang: lang, subcategory: subcategoryID}
	return get(ctx, c, info, func(ctx context.Context) (hstock.SubcategoryInfo, error) {
		return c.market.SubcategoryInfo(ctx, key, subcategoryID, lang)
	})
}

// normalizeLang makes the two ways of asking for English one.
func normalizeLang(lang string) string {
	if lang == "en" {
		return ""
	}
	return lang
}
