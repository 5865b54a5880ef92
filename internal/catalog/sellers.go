package catalog

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

const (
	// sellersPerCall asks for more than the 20 that are the default; a marketplace
	// that gives no more than those is asked for the next page.
	sellersPerCall        = 100
	defaultSellersPerPage = 20
	// maxSellerCalls bounds a marketplace whose pages never end.
	maxSellerCalls = 20
)

// Recommended returns what the marketplace recommends, in its order.
func (c *Catalog) Recommended(ctx context.Context, key redact.Secret, lang string) ([]hstock.Item, Freshness, error) {
	return c.products(ctx, key, cacheKey{kind: kindRecommended, lang: normalizeLang(lang)}, hstock.Filter{Recommended: true})
}

// Sellers returns all shops in the marketplace's order. Their names are masked and
// the same in every language.
func (c *Catalog) Sellers(ctx context.Context, key redact.Secret) ([]hstock.Seller, Freshness, error) {
	return get(ctx, c, cacheKey{kind: kindSellers}, func(ctx context.Context) ([]hstock.Seller, error) {
		return fetchSellers(ctx, c.market, key)
	})
}

// SellerGoods returns the goods of a shop by its id, in the marketplace's order.
func (c *Catalog) SellerGoods(ctx context.Context, key redact.Secret, lang, shopID string) ([]hstock.Item, Freshness, error) {
	return c.products(ctx, key, cacheKey{kind: kindSellerGoods, lang: normalizeLang(lang), seller: shopID}, hstock.Filter{ShopID: shopID})
}

// Items returns the items of these services as they are now, give or take
// inventoryTTL, by their numbers. What the marketplace does not sell any more is
// missing. Only products can be asked for by number, so the numbers of SMM
// services are given apart and come from the list of all of those.
func (c *Catalog) Items(ctx context.Context, key redact.Secret, lang string, products, smm []int64) (map[int64]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	items := make(map[int64]hstock.Item, len(products)+len(smm))
	var freshness Freshness
	add := func(found []hstock.Item, fresh Freshness, wanted []int64) {
		for _, item := range found {
			if slices.Contains(wanted, item.Service) {
				items[item.Service] = item
			}
		}
		if freshness.At.IsZero() || fresh.Stale && !freshness.Stale || fresh.Stale == freshness.Stale && fresh.At.Before(freshness.At) {
			freshness = fresh
		}
	}
	for some := range slices.Chunk(products, hstock.MaxBatch) {
		numbers := formatServices(some)
		found, fresh, err := c.products(ctx, key, cacheKey{kind: kindItems, lang: lang, services: strings.Join(numbers, ",")}, hstock.Filter{ProductIDs: numbers})
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, fresh, some)
	}
	if len(smm) > 0 {
		found, fresh, err := c.shelf(ctx, key, kindSMM, hstock.Filter{EntityType: hstock.EntitySMM, Lang: lang})
		if err != nil {
			return nil, Freshness{}, err
		}
		add(found, fresh, smm)
	}
	return items, freshness, nil
}

func formatServices(services []int64) []string {
	numbers := make([]string, len(services))
	for i, service := range services {
		numbers[i] = strconv.FormatInt(service, 10)
	}
	return numbers
}

// products asks for products with a filter, whose language is the question's.
func (c *Catalog) products(ctx context.Context, key redact.Secret, question cacheKey, f hstock.Filter) ([]hstock.Item, Freshness, error) {
	f.Lang = question.lang
	return get(ctx, c, question, func(ctx context.Context) ([]hstock.Item, error) {
		page, err := c.market.Products(ctx, key, f)
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

// fetchSellers turns the pages until one brings nothing new.
func fetchSellers(ctx context.Context, market Market, key redact.Secret) ([]hstock.Seller, error) {
	var shops []hstock.Seller
	seen := map[string]bool{}
	for page := 1; page <= maxSellerCalls; page++ {
		found, err := market.Shops(ctx, key, page, sellersPerCall)
		if err != nil {
			return nil, err
		}
		before := len(shops)
		for _, shop := range found {
			if !seen[shop.ID] {
				seen[shop.ID] = true
				shops = append(shops, shop)
			}
		}
		if len(shops) == before || len(found) < defaultSellersPerPage {
			break
		}
	}
	return shops, nil
}
