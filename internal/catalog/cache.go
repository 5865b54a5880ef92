package catalog

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"

	"hstockbot/internal/hstock"
)

// How long things are believed, kept and waited for, and how much of them.
const (
	maxStaleAge    = 24 * time.Hour   // the last good answer, while the marketplace is down
	staleTTL       = 15 * time.Second // before a marketplace that is down is asked again
	inventoryTTL   = 15 * time.Second // stock moves; a purchase reads it anew
	loadTimeout    = 45 * time.Second // of one load: a read tries three times 10 s
	refreshTimeout = 3 * time.Second  // with a refresh, when an older answer is at hand

	countsTimeout       = 3 * time.Second
	maxConcurrentCounts = 6

	maxCacheBytes = 192 << 20 // of answers; each of fresh and kept, which share nearly all of them. Two languages of maxItems items are about 120
	maxSeenItems  = 50_000
	maxShelfItems = 20_000 // items; bounded by hstock's 8 MiB before
	maxItems      = 50_000 // items of the whole catalogue, in one language
	pageSize      = 5000   // of those that are asked for at a time; 8 MiB are 1.6 KiB for each
	maxResults    = 1000   // nobody turns more pages
)

// kind is what an answer is about.
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
	kindRecommended
	kindSellers
	kindSellerGoods
	kindItems
)

// cacheKey is one question, whoever asks it.
type cacheKey struct {
	kind                        kind
	lang, category, subcategory string
	country, seller             string
	service                     int64
	services                    string // several, comma-separated
}

// cacheEntry is one answer. It is stale when it is shown for want of a better one.
type cacheEntry struct {
	value any
	at    time.Time
	ttl   time.Duration
	stale bool
}

func (e cacheEntry) freshness() Freshness { return Freshness{Stale: e.stale, At: e.at} }

// itemKey is a item in one language.
type itemKey struct {
	lang    string
	service int64
}

type seenItem struct {
	item hstock.Item
	at   time.Time
}

// rememberItems remembers items, so that a product opened from a shelf costs no call.
func (c *Catalog) rememberItems(lang string, items []hstock.Item) {
	now := time.Now()
	for _, item := range items {
		c.seenItems.Set(itemKey{lang, item.Service}, seenItem{item, now})
	}
}

// get returns the answer that is believed, or asks. fetch gets a context that
// does not end with ctx, because others may be waiting for the same answer.
func get[T any](ctx context.Context, c *Catalog, question cacheKey, fetch func(ctx context.Context) (T, error)) (T, Freshness, error) {
	e, err := c.entry(ctx, question, func(ctx context.Context) (any, error) { return fetch(ctx) })
	if err != nil {
		var none T
		return none, Freshness{}, err
	}
	value, ok := e.value.(T)
	if !ok {
		return value, Freshness{}, fmt.Errorf("catalog: a cached %T is no %T", e.value, value)
	}
	return value, e.freshness(), nil
}

type loadResult struct {
	entry    cacheEntry
	err      error
	panicked any // belongs to the goroutine of the caller, where it is caught
}

func (c *Catalog) entry(ctx context.Context, question cacheKey, fetch func(ctx context.Context) (any, error)) (cacheEntry, error) {
	if e, ok := c.fresh.GetIfPresent(question); ok {
		return e, nil
	}
	if err := ctx.Err(); err != nil {
		return cacheEntry{}, fmt.Errorf("catalog: %w", err)
	}
	answer := make(chan loadResult, 1)
	c.loads.Go(func() {
		var l loadResult
		defer func() {
			l.panicked = recover()
			answer <- l
		}()
		l.entry, l.err = c.load(question, fetch)
	})
	// A slow marketplace is as good as one that is down.
	old, known := c.staleAnswer(question)
	var enough <-chan time.Time
	if known {
		timer := time.NewTimer(refreshTimeout)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case l := <-answer:
		if l.panicked != nil {
			panic(l.panicked)
		}
		return l.entry, l.err
	case <-enough:
		return old, nil
	case <-ctx.Done():
		return cacheEntry{}, fmt.Errorf("catalog: %w", ctx.Err())
	}
}

// load joins the load of question that is under way, or makes one. A load that
// failed for another's key says nothing about this one's.
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

// fetchOrStale fetches an answer and keeps it, or brings back the last good one when
// the marketplace is down.
func (c *Catalog) fetchOrStale(ctx context.Context, question cacheKey, fetch func(ctx context.Context) (any, error)) (cacheEntry, error) {
	value, err := fetch(ctx)
	if err == nil {
		return c.store(question, value), nil
	}
	if old, known := c.staleAnswer(question); known && isOutage(err) {
		return old, nil
	}
	return cacheEntry{}, err
}

// store makes an answer of now the last good one.
func (c *Catalog) store(question cacheKey, value any) cacheEntry {
	e := cacheEntry{value: value, at: time.Now(), ttl: c.ttl}
	if question.kind == kindInventory || question.kind == kindItems {
		e.ttl = min(c.ttl, inventoryTTL)
	}
	c.lastGood.Set(question, e)
	return e
}

// staleAnswer returns the last good answer as one to be shown for a short while. For
// a product that may be the item of a shelf.
func (c *Catalog) staleAnswer(question cacheKey) (cacheEntry, bool) {
	old, known := c.lastGood.GetIfPresent(question)
	if question.kind == kindProduct {
		if seen, ok := c.seenItems.GetIfPresent(itemKey{question.lang, question.service}); ok && !seen.at.Before(old.at) {
			old, known = cacheEntry{value: []hstock.Item{seen.item}, at: seen.at}, true
		}
	}
	old.stale, old.ttl = true, staleTTL
	return old, known && time.Since(old.at) < maxStaleAge
}

// isOutage reports whether err tells of the marketplace, not of the question or
// the key.
func isOutage(err error) bool {
	kind, ok := hstock.KindOf(err)
	return ok && (kind == hstock.Unreachable || kind == hstock.Unreadable)
}

// weigh is about how many bytes an answer takes.
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
		size *= 2 // the index takes about as much
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
		for _, shop := range value {
			size += fixed
			add(shop.ID, shop.Name)
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
	}
	return uint32(min(size, math.MaxUint32)) //nolint:gosec // bounded in this line, and never negative
}
