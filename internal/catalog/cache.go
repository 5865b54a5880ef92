package catalog

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

const (
	maxStaleAge    = 24 * time.Hour   // of an answer that is returned while the marketplace is down
	staleTTL       = 15 * time.Second // between attempts while the marketplace is down
	inventoryTTL   = 15 * time.Second // stock changes fast; a purchase reads it again
	loadTimeout    = 45 * time.Second // of one load: a read makes three attempts of 10 s
	refreshTimeout = 3 * time.Second  // of the wait for a refresh when an older answer exists

	countsTimeout       = 3 * time.Second
	maxConcurrentCounts = 6

	maxCacheBytes = 192 << 20 // each of fresh and lastGood, which share nearly all answers; two languages of maxItems take about 120 MiB
	maxSeenItems  = 50_000
	maxShelfItems = 20_000
	maxItems      = 50_000 // of the whole catalogue, in one language
	maxResults    = 1000   // of a search
)

// kind is the kind of a question.
type kind uint8

const (
	kindCategories kind = iota
	kindCount
	kindShelf
	kindAll
	kindSMM
	kindProduct
	kindInventory
	kindSubcategoryInfo
	kindCountries
	kindProjects
	kindAllProjects
	kindApps
	kindRecommended
	kindSellers
	kindSellerGoods
	kindItems
)

// cacheKey is one question to the marketplace, without the API key. Accounts of
// different currencies get different prices; currency is that of the asking key if
// the answer has prices.
type cacheKey struct {
	kind                        kind
	currency                    string
	lang, category, subcategory string
	country, seller             string
	service                     int64
	services                    string // comma-separated
}

// cacheEntry is one answer.
type cacheEntry struct {
	value any
	at    time.Time
	ttl   time.Duration
	stale bool
}

func (e cacheEntry) freshness() Freshness { return Freshness{Stale: e.stale, At: e.at} }

// priced returns a question whose answer has prices for a key.
func (c *Catalog) priced(ctx context.Context, key redact.Secret, question cacheKey) (cacheKey, error) {
	var err error
	question.currency, err = c.market.Currency(ctx, key)
	return question, err
}

// itemKey is an item in one language and currency.
type itemKey struct {
	lang, currency string
	service        int64
}

type seenItem struct {
	item hstock.Item
	at   time.Time
}

// rememberItems stores items, so that opening a product from a list needs no call.
func (c *Catalog) rememberItems(question cacheKey, items []hstock.Item) {
	now := time.Now()
	for _, item := range items {
		c.seenItems.Set(itemKey{question.lang, question.currency, item.Service}, seenItem{item, now})
	}
}

// get returns the fresh answer to a question, or fetches it. When ctx ends first, it
// returns the last good answer, if there is one. The context of fetch does not end
// with ctx, because other callers may wait for the same answer.
func get[T any](ctx context.Context, c *Catalog, question cacheKey, fetch func(ctx context.Context) (T, error)) (T, Freshness, error) {
	e, err := c.entry(ctx, question, func(ctx context.Context) (any, error) { return fetch(ctx) })
	if err != nil {
		var zero T
		return zero, Freshness{}, err
	}
	value, ok := e.value.(T)
	if !ok {
		return value, Freshness{}, fmt.Errorf("catalog: the cached value is a %T, not a %T", e.value, value)
	}
	return value, e.freshness(), nil
}

type loadResult struct {
	entry    cacheEntry
	err      error
	panicked any // raised again in the caller's goroutine, where it is recovered
}

func (c *Catalog) entry(ctx context.Context, question cacheKey, fetch func(ctx context.Context) (any, error)) (cacheEntry, error) {
	if e, ok := c.fresh.GetIfPresent(question); ok {
		return e, nil
	}
	stale, known := c.staleAnswer(question)
	outOfTime := func() (cacheEntry, error) {
		if known {
			return stale, nil
		}
		return cacheEntry{}, fmt.Errorf("catalog: %w", ctx.Err())
	}
	if ctx.Err() != nil {
		return outOfTime()
	}
	result := make(chan loadResult, 1)
	c.loads.Go(func() {
		var r loadResult
		defer func() {
			r.panicked = recover()
			result <- r
		}()
		r.entry, r.err = c.load(question, fetch)
	})
	var timeout <-chan time.Time
	if known {
		timer := time.NewTimer(refreshTimeout)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case r := <-result:
		if r.panicked != nil {
			panic(r.panicked)
		}
		return r.entry, r.err
	case <-timeout:
		return stale, nil
	case <-ctx.Done():
		return outOfTime()
	}
}

// load joins the running load of a question, or starts one. It starts its own if
// the load it joined failed for another caller's key.
func (c *Catalog) load(question cacheKey, fetch func(ctx context.Context) (any, error)) (cacheEntry, error) {
	ctx, cancel := context.WithTimeout(c.baseCtx, loadTimeout)
	defer cancel()
	for {
		own := false
		e, err := c.fresh.Get(ctx, question, otter.LoaderFunc[cacheKey, cacheEntry](func(ctx context.Context, question cacheKey) (cacheEntry, error) {
			own = true
			return c.fetchOrStale(ctx, question, fetch)
		}))
		if err == nil || own || isOutage(err) || ctx.Err() != nil {
			return e, err
		}
	}
}

// fetchOrStale fetches and stores an answer, or returns the last good one while
// the marketplace is down.
func (c *Catalog) fetchOrStale(ctx context.Context, question cacheKey, fetch func(ctx context.Context) (any, error)) (cacheEntry, error) {
	value, err := fetch(ctx)
	if err == nil {
		return c.store(question, value), nil
	}
	if stale, known := c.staleAnswer(question); known && isOutage(err) {
		return stale, nil
	}
	return cacheEntry{}, err
}

// store makes value the last good answer.
func (c *Catalog) store(question cacheKey, value any) cacheEntry {
	e := cacheEntry{value: value, at: time.Now(), ttl: c.ttl}
	if question.kind == kindInventory || question.kind == kindItems {
		e.ttl = min(c.ttl, inventoryTTL)
	}
	c.lastGood.Set(question, e)
	return e
}

// staleAnswer returns the last good answer, to be cached for staleTTL. For a product
// that may be an item of a list.
func (c *Catalog) staleAnswer(question cacheKey) (cacheEntry, bool) {
	e, known := c.lastGood.GetIfPresent(question)
	if question.kind == kindProduct {
		if seen, ok := c.seenItems.GetIfPresent(itemKey{question.lang, question.currency, question.service}); ok && !seen.at.Before(e.at) {
			e, known = cacheEntry{value: []hstock.Item{seen.item}, at: seen.at}, true
		}
	}
	e.stale, e.ttl = true, staleTTL
	return e, known && time.Since(e.at) < maxStaleAge
}

// isOutage reports whether err is about the marketplace, not about the question
// or the key.
func isOutage(err error) bool {
	kind, ok := hstock.KindOf(err)
	return ok && (kind == hstock.Unreachable || kind == hstock.Unreadable)
}

// weigh estimates the size of an answer in bytes.
func weigh(question cacheKey, e cacheEntry) uint32 {
	const fixed, perText = 256, 16
	size := fixed + len(question.category) + len(question.subcategory) + len(question.country) + len(question.seller) + len(question.services)
	add := func(texts ...string) {
		for _, text := range texts {
			size += perText + len(text)
		}
	}
	addRows := func(items []hstock.Item) {
		for i := range items {
			r := &items[i]
			size += fixed
			add(r.ID, r.Name, r.Type, r.Category, r.Description, r.ImageURL, r.SubcategoryID)
		}
	}
	switch value := e.value.(type) {
	case []hstock.Item:
		addRows(value)
	case *allItems:
		addRows(value.items)
		size *= 2 // the index is about as large
	case []Category:
		for _, category := range value {
			add(category.English, category.Name)
			for _, subcategory := range category.Subcategories {
				add(subcategory.English, subcategory.Name)
			}
		}
	case hstock.Inventory:
		for _, variant := range value.Subproducts {
			add(variant.ID, variant.Name)
		}
	case hstock.SubcategoryInfo:
		add(value.Name, value.ImageURL, value.Description, value.CategoryName)
	case []hstock.Seller:
		for _, seller := range value {
			size += fixed
			add(seller.ID, seller.Name)
		}
	case []Country:
		for _, country := range value {
			add(country.Code, country.Name, country.English)
		}
	case []Project:
		for i := range value {
			p := &value[i]
			size += fixed
			add(p.ID, p.Name, p.English)
		}
	case []hstock.SMSProject:
		for i := range value {
			p := &value[i]
			size += fixed
			add(p.ID, p.Name, p.CountryID, p.CountryTitle)
		}
	case []App:
		for i := range value {
			add(value[i].Key, value[i].Name, value[i].English)
			size += fixed * len(value[i].Offers) // whose texts other answers hold
		}
	}
	return uint32(min(size, math.MaxUint32)) //nolint:gosec // bounded in this line and never negative
}
