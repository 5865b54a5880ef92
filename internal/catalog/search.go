package catalog

import (
	"context"
	"slices"
	"sync"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// allItems is the whole catalogue in one language. Its index is made when it is
// first searched, once for everybody, and goes with it.
type allItems struct {
	items []hstock.Item

	indexMu sync.Mutex
	index   *search.Index
}

// Search returns the items that have all typed words in their name or description,
// in that language or in English: the best first, those that are sold out last,
// at most maxResults of them. A query without words finds nothing.
func (c *Catalog) Search(ctx context.Context, key redact.Secret, lang, query string) ([]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	var (
		all, english *allItems
		freshness    Freshness
	)
	err := parallel(ctx, -1, func(ctx context.Context) (err error) {
		all, freshness, err = c.all(ctx, key, lang)
		return err
	}, func(ctx context.Context) (err error) {
		english, _, err = c.all(ctx, key, "")
		return err
	})
	if err != nil {
		return nil, Freshness{}, err
	}
	return all.find(english, query), freshness, nil
}

// allItems returns the whole catalogue in a language, at most maxItems items. It is
// asked for in pages, because it may be too much for one answer.
func (c *Catalog) all(ctx context.Context, key redact.Secret, lang string) (*allItems, Freshness, error) {
	return get(ctx, c, cacheKey{kind: kindAll, lang: lang}, func(ctx context.Context) (*allItems, error) {
		items, err := fetchAll(ctx, c.market, key, lang)
		if err != nil {
			return nil, err
		}
		c.rememberItems(lang, items)
		return &allItems{items: items}, nil
	})
}

// fetchAll asks for page after page. The catalogue may change in between: a item
// that has moved to the next page is there twice, and counts once.
func fetchAll(ctx context.Context, m Market, key redact.Secret, lang string) ([]hstock.Item, error) {
	var all []hstock.Item
	seen := map[int64]bool{}
	for page := 1; ; page++ {
		answer, err := m.Services(ctx, key, hstock.Filter{Page: page, Limit: pageSize, Lang: lang})
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, item := range answer.Items {
			if !seen[item.Service] && len(all) < maxItems {
				seen[item.Service] = true
				all = append(all, item)
			}
		}
		if len(all) == before || page >= answer.TotalPages || len(all) == maxItems {
			return all, nil
		}
	}
}

func (w *allItems) find(english *allItems, query string) []hstock.Item {
	places := w.searchIndex(english).Search(query)
	var items []hstock.Item
	for _, soldOut := range []bool{false, true} {
		for _, place := range places {
			if item := &w.items[place]; (item.Stock <= 0) == soldOut && len(items) < maxResults {
				items = append(items, *item)
			}
		}
	}
	return items
}

// searchIndex returns the index, which has the English names and descriptions too.
func (w *allItems) searchIndex(english *allItems) *search.Index {
	w.indexMu.Lock()
	defer w.indexMu.Unlock()
	if w.index == nil {
		w.index = search.NewIndex(documents(w.items, english.items))
	}
	return w.index
}

func documents(items, english []hstock.Item) []search.Document {
	places := make(map[int64]int, len(english))
	for i := range english {
		places[english[i].Service] = i
	}
	all := make([]search.Document, len(items))
	for i := range items {
		item := &items[i]
		all[i] = search.Document{Names: []string{item.Name}, Texts: []string{item.Description}}
		if place, known := places[item.Service]; known {
			all[i].Names = append(all[i].Names, english[place].Name)
			all[i].Texts = append(all[i].Texts, english[place].Description)
		}
		all[i].Names = slices.Compact(all[i].Names)
		all[i].Texts = slices.Compact(all[i].Texts)
	}
	return all
}
