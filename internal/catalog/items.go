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
func (c *Catalog) Shelf(ctx context.Context, access Access, lang, category, subcategory string) ([]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	if category == "" && subcategory == "" {
		all, freshness, err := c.all(ctx, access.Key, lang)
		if err != nil {
			return nil, Freshness{}, err
		}
		return access.items(all.items), freshness, nil
	}
	question := cacheKey{kind: kindShelf, lang: lang, category: category, subcategory: subcategory}
	return c.listFor(ctx, access, question, c.market.Services, hstock.Filter{Category: category, Subcategory: subcategory})
}

// Recommended returns the products that the marketplace recommends, in its order.
func (c *Catalog) Recommended(ctx context.Context, access Access, lang string) ([]hstock.Item, Freshness, error) {
	question := cacheKey{kind: kindRecommended, lang: normalizeLang(lang)}
	return c.listFor(ctx, access, question, c.market.Products, hstock.Filter{Recommended: true})
}

// SellerGoods returns the products of a seller in the marketplace's order.
func (c *Catalog) SellerGoods(ctx context.Context, access Access, lang, sellerID string) ([]hstock.Item, Freshness, error) {
	question := cacheKey{kind: kindSellerGoods, lang: normalizeLang(lang), seller: sellerID}
	return c.listFor(ctx, access, question, c.market.Products, hstock.Filter{ShopID: sellerID})
}

func (c *Catalog) smmServices(ctx context.Context, key redact.Secret, lang string) ([]hstock.Item, Freshness, error) {
	return c.list(ctx, key, cacheKey{kind: kindSMM, lang: lang}, c.market.Services, hstock.Filter{EntityType: hstock.EntitySMM})
}

// listFor is list with the prices that a person pays.
func (c *Catalog) listFor(
	ctx context.Context, access Access, question cacheKey,
	fetch func(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error), f hstock.Filter,
) ([]hstock.Item, Freshness, error) {
	items, freshness, err := c.list(ctx, access.Key, question, fetch, f)
	return access.items(items), freshness, err
}

// list returns the items that fetch returns for a filter in the question's
// language, at most maxShelfItems, and remembers them.
func (c *Catalog) list(
	ctx context.Context, key redact.Secret, question cacheKey,
	fetch func(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error), f hstock.Filter,
) ([]hstock.Item, Freshness, error) {
	question, err := c.priced(ctx, key, question)
	if err != nil {
		return nil, Freshness{}, err
	}
	f.Lang = question.lang
	return get(ctx, c, question, func(ctx context.Context) ([]hstock.Item, error) {
		var page hstock.Page
		var err error
		if len(f.ProductIDs) > 0 {
			page, err = fetch(ctx, key, f)
		} else {
			page, err = hstock.AllPages(ctx, key, f, maxShelfItems, fetch)
		}
		if err != nil {
			return nil, err
		}
		c.rememberItems(question, page.Items)
		return page.Items, nil
	})
}

// Product returns one item by its service number: from a list returned within the
// TTL, else from the marketplace. It returns ErrDelisted if there is no such
// service.
func (c *Catalog) Product(ctx context.Context, access Access, lang string, service int64) (hstock.Item, Freshness, error) {
	item, freshness, err := c.product(ctx, access.Key, lang, service)
	return access.item(item), freshness, err
}

func (c *Catalog) product(ctx context.Context, key redact.Secret, lang string, service int64) (hstock.Item, Freshness, error) {
	question, err := c.priced(ctx, key, cacheKey{kind: kindProduct, lang: normalizeLang(lang), service: service})
	if err != nil {
		return hstock.Item{}, Freshness{}, err
	}
	seen, known := c.seenItems.GetIfPresent(itemKey{question.lang, question.currency, service})
	if known && time.Since(seen.at) < c.ttl {
		return seen.item, Freshness{At: seen.at}, nil
	}
	isSMM := known && seen.item.EntityType == hstock.EntitySMM
	items, freshness, err := get(ctx, c, question, func(ctx context.Context) ([]hstock.Item, error) {
		return c.fetchProduct(ctx, key, question, isSMM)
	})
	switch {
	case err != nil:
		return hstock.Item{}, Freshness{}, err
	case len(items) == 0:
		return hstock.Item{}, freshness, ErrDelisted
	}
	return items[0], freshness, nil
}

// fetchProduct returns the item with the question's number, or none. The marketplace
// looks up only products by number, so SMM services are looked for page by page. A
// marketplace of the older form has no products.
func (c *Catalog) fetchProduct(ctx context.Context, key redact.Secret, question cacheKey, isSMM bool) ([]hstock.Item, error) {
	find := func(items []hstock.Item) []hstock.Item {
		c.rememberItems(question, items)
		if i := slices.IndexFunc(items, func(item hstock.Item) bool { return item.Service == question.service }); i >= 0 {
			return items[i : i+1 : i+1]
		}
		return nil
	}
	if !isSMM {
		page, err := c.market.Products(ctx, key, hstock.Filter{ProductIDs: formatServices([]int64{question.service}), Lang: question.lang})
		if err != nil && !errors.Is(err, hstock.ErrServiceNotFound) && !errors.Is(err, hstock.ErrInvalidAction) {
			return nil, err
		}
		if found := find(page.Items); found != nil {
			return found, nil
		}
	}
	for page, err := range hstock.Pages(ctx, key, hstock.Filter{EntityType: hstock.EntitySMM, Lang: question.lang}, c.market.Services) {
		if err != nil {
			return nil, err
		}
		if found := find(page.Items); found != nil {
			return found, nil
		}
	}
	return nil, nil
}

// Items returns products and SMM services by their numbers, at most inventoryTTL
// old. Services that the marketplace no longer sells are missing. The numbers of
// SMM services are passed separately because the marketplace looks up only
// products by number.
func (c *Catalog) Items(ctx context.Context, access Access, lang string, products, smm []int64) (map[int64]hstock.Item, Freshness, error) {
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
		found, freshness, err := c.list(ctx, access.Key, question, c.market.Products, hstock.Filter{ProductIDs: ids})
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, freshness, batch)
	}
	if len(smm) > 0 {
		found, freshness, err := c.smmServices(ctx, access.Key, lang)
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, freshness, smm)
	}
	return access.itemsByService(items), oldest, nil
}

func formatServices(services []int64) []string {
	ids := make([]string, len(services))
	for i, service := range services {
		ids[i] = strconv.FormatInt(service, 10)
	}
	return ids
}
