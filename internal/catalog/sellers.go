package catalog

import (
	"context"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

const (
	// sellersPerCall is requested; a marketplace that caps pages at its default
	// returns at least defaultSellersPerPage on every page but the last.
	sellersPerCall        = 100
	defaultSellersPerPage = 20
	// maxSellerCalls stops a marketplace whose pages never end.
	maxSellerCalls = 20
)

// Sellers returns all sellers in the marketplace's order. Their names are masked
// and the same in every language.
func (c *Catalog) Sellers(ctx context.Context, access Access) ([]hstock.Seller, Freshness, error) {
	return get(ctx, c, cacheKey{kind: kindSellers}, func(ctx context.Context) ([]hstock.Seller, error) {
		return fetchSellers(ctx, c.market, access.Key)
	})
}

// fetchSellers fetches pages until one is short or contains no new seller: the
// document shows no example of their answer.
func fetchSellers(ctx context.Context, market Market, key redact.Secret) ([]hstock.Seller, error) {
	var sellers []hstock.Seller
	seen := map[string]bool{}
	for page := 1; page <= maxSellerCalls; page++ {
		found, err := market.Shops(ctx, key, page, sellersPerCall)
		if err != nil {
			return nil, err
		}
		before := len(sellers)
		for _, seller := range found {
			if !seen[seller.ID] {
				seen[seller.ID] = true
				sellers = append(sellers, seller)
			}
		}
		if len(sellers) == before || len(found) < defaultSellersPerPage {
			break
		}
	}
	return sellers, nil
}
