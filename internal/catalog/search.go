package catalog

import (
	"context"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// Search returns the rows of the whole catalogue whose name or description has
// the words of the query, in that language or in English, the best first.
func (c *Catalog) Search(ctx context.Context, key redact.Secret, lang, query string) ([]hstock.Row, Freshness, error) {
	rows, fresh, err := c.Shelf(ctx, key, lang, "", "")
	if err != nil {
		return nil, fresh, err
	}
	english, _, err := c.Shelf(ctx, key, "", "", "")
	if err != nil {
		return nil, fresh, err
	}
	names := make(map[int64]string, len(english))
	for _, row := range english {
		names[row.Service] = row.Name
	}
	return search.Find(rows, query, func(r hstock.Row) []string {
		return []string{r.Name, names[r.Service], r.Category, r.Description}
	}), fresh, nil
}
