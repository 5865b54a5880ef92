package catalog

import (
	"context"
	"slices"
	"sync"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// allItems is the whole catalogue in one language. Its index is built at the
// first search.
type allItems struct {
	items []hstock.Item

	indexMu sync.Mutex
	index   *search.Index
}

// Search returns the items that match all words of the query, in their name or
// description, in that language or in English: best match first, sold-out items
// last, at most maxResults. A query without words finds nothing.
func (c *Catalog) Search(ctx context.Context, access Access, lang, query string) ([]hstock.Item, Freshness, error) {
	lang = normalizeLang(lang)
	var (
		all, english *allItems
		freshness    Freshness
	)
	err := parallel(ctx, -1, func(ctx context.Context) (err error) {
		all, freshness, err = c.all(ctx, access.Key, lang)
		return err
	}, func(ctx context.Context) (err error) {
		english, _, err = c.all(ctx, access.Key, "")
		return err
	})
	if err != nil {
		return nil, Freshness{}, err
	}
	return access.items(all.find(english, query)), freshness, nil
}

// all returns the whole catalogue in a language, at most maxItems.
func (c *Catalog) all(ctx context.Context, key redact.Secret, lang string) (*allItems, Freshness, error) {
	question, err := c.priced(ctx, key, cacheKey{kind: kindAll, lang: lang})
	if err != nil {
		return nil, Freshness{}, err
	}
	return get(ctx, c, question, func(ctx context.Context) (*allItems, error) {
		page, err := hstock.AllPages(ctx, key, hstock.Filter{Lang: lang}, maxItems, c.market.Services)
		if err != nil {
			return nil, err
		}
		c.rememberItems(question, page.Items)
		return &allItems{items: page.Items}, nil
	})
}

func (a *allItems) find(english *allItems, query string) []hstock.Item {
	matches := a.searchIndex(english).Search(query)
	var found []hstock.Item
	for _, soldOut := range []bool{false, true} {
		for _, i := range matches {
			if item := &a.items[i]; item.SoldOut() == soldOut && len(found) < maxResults {
				found = append(found, *item)
			}
		}
	}
	return found
}

// searchIndex returns the index, which includes the English names and descriptions.
func (a *allItems) searchIndex(english *allItems) *search.Index {
	a.indexMu.Lock()
	defer a.indexMu.Unlock()
	if a.index == nil {
		a.index = search.NewIndex(documents(a.items, english.items))
	}
	return a.index
}

func documents(items, english []hstock.Item) []search.Document {
	englishIndex := make(map[int64]int, len(english))
	for i := range english {
		englishIndex[english[i].Service] = i
	}
	all := make([]search.Document, len(items))
	for i := range items {
		item := &items[i]
		all[i] = search.Document{Names: []string{item.Name}, Texts: []string{item.Description}}
		if j, known := englishIndex[item.Service]; known {
			all[i].Names = append(all[i].Names, english[j].Name)
			all[i].Texts = append(all[i].Texts, english[j].Description)
		}
		all[i].Names = slices.Compact(all[i].Names)
		all[i].Texts = slices.Compact(all[i].Texts)
	}
	return all
}
