package catalog

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// Shelf returns the items of a category in the marketplace's order, at most
// maxShelfItems. Category and subcategory are English and may be empty; if both
// are, the result is the whole catalogue, at most maxItems.
func (c *Catalog) Shelf(ctx context.Context, key redact.Secret, lang, category, subcategory string) ([]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	if category == "" && subcategory == "" {
		all, freshness, err := c.all(ctx, key, lang)
		if err != nil {
			return nil, Freshness{}, err
		}
		return all.items, freshness, nil
	}
	question := cacheKey{kind: kindShelf, lang: lang, category: category, subcategory: subcategory}
	return c.list(ctx, key, question, c.market.Services, hstock.Filter{Category: category, Subcategory: subcategory})
}

// Recommended returns the products that the marketplace recommends, in its order.
func (c *Catalog) Recommended(ctx context.Context, key redact.Secret, lang string) ([]hstock.Item, Freshness, error) {
	question := cacheKey{kind: kindRecommended, lang: normalizeLang(lang)}
	return c.list(ctx, key, question, c.market.Products, hstock.Filter{Recommended: true})
}

// SellerGoods returns the products of a seller in the marketplace's order.
func (c *Catalog) SellerGoods(ctx context.Context, key redact.Secret, lang, sellerID string) ([]hstock.Item, Freshness, error) {
	question := cacheKey{kind: kindSellerGoods, lang: normalizeLang(lang), seller: sellerID}
	return c.list(ctx, key, question, c.market.Products, hstock.Filter{ShopID: sellerID})
}

func (c *Catalog) smmServices(ctx context.Context, key redact.Secret, lang string) ([]hstock.Item, Freshness, error) {
	return c.list(ctx, key, cacheKey{kind: kindSMM, lang: lang}, c.market.Services, hstock.Filter{EntityType: hstock.EntitySMM})
}

// list returns the items that fetch returns for a filter in the question's
// language, at most maxShelfItems, and remembers them.
func (c *Catalog) list(
	ctx context.Context, key redact.Secret, question cacheKey,
	fetch func(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error), f hstock.Filter,
) ([]hstock.Item, Freshness, error) {
	f.Lang = question.lang
	return get(ctx, c, question, func(ctx context.Context) ([]hstock.Item, error) {
		page, err := fetch(ctx, key, f)
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

// Product returns one item by its service number: from a list returned within the
// TTL, else from the marketplace. It returns ErrDelisted if there is no such
// service.
func (c *Catalog) Product(ctx context.Context, key redact.Secret, lang string, service int64) (hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	seen, known := c.seenItems.GetIfPresent(itemKey{lang, service})
	if known && time.Since(seen.at) < c.ttl {
		return seen.item, Freshness{At: seen.at}, nil
	}
	isSMM := known && seen.item.EntityType == hstock.EntitySMM
	question := cacheKey{kind: kindProduct, lang: lang, service: service}
	items, freshness, err := get(ctx, c, question, func(ctx context.Context) ([]hstock.Item, error) {
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

// fetchProduct returns the item with that number, or none. The marketplace looks
// up only products by number, so SMM services are found in the list of all of them.
func (c *Catalog) fetchProduct(ctx context.Context, key redact.Secret, lang string, service int64, isSMM bool) ([]hstock.Item, error) {
	isOther := func(item hstock.Item) bool { return item.Service != service }
	if !isSMM {
		page, err := c.market.Products(ctx, key, hstock.Filter{ProductIDs: formatServices([]int64{service}), Lang: lang})
		if err != nil && !errors.Is(err, hstock.ErrServiceNotFound) {
			return nil, err
		}
		if items := slices.DeleteFunc(page.Items, isOther); len(items) > 0 {
			c.rememberItems(lang, items)
			return items, nil
		}
	}
	services, freshness, err := c.smmServices(ctx, key, lang)
	if err == nil && freshness.Stale {
		// A service that is missing from a stale list may exist now.
		err = &hstock.Error{Action: "services", Kind: hstock.Unreachable}
	}
	return slices.DeleteFunc(slices.Clone(services), isOther), err
}

// Items returns products and SMM services by their numbers, at most inventoryTTL
// old. Services that the marketplace no longer sells are missing. The numbers of
// SMM services are passed separately because the marketplace looks up only
// products by number.
func (c *Catalog) Items(ctx context.Context, key redact.Secret, lang string, products, smm []int64) (map[int64]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	items := make(map[int64]hstock.Item, len(products)+len(smm))
	var oldest Freshness
	add := func(found []hstock.Item, freshness Freshness, wanted []int64) {
		for _, item := range found {
			if slices.Contains(wanted, item.Service) {
				items[item.Service] = item
			}
		}
		if oldest.At.IsZero() || freshness.Stale && !oldest.Stale || freshness.Stale == oldest.Stale && freshness.At.Before(oldest.At) {
			oldest = freshness
		}
	}
	for batch := range slices.Chunk(products, hstock.MaxBatch) {
		ids := formatServices(batch)
		question := cacheKey{kind: kindItems, lang: lang, services: strings.Join(ids, ",")}
		found, freshness, err := c.list(ctx, key, question, c.market.Products, hstock.Filter{ProductIDs: ids})
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, freshness, batch)
	}
	if len(smm) > 0 {
		found, freshness, err := c.smmServices(ctx, key, lang)
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, freshness, smm)
	}
	return items, oldest, nil
}

func formatServices(services []int64) []string {
	ids := make([]string, len(services))
	for i, service := range services {
		ids[i] = strconv.FormatInt(service, 10)
	}
	return ids
}
