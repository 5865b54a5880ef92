package catalog

import (
	"context"
	"slices"
	"sync"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// whole is the whole catalogue in one language. Its index is made when it is
// first searched, once for everybody, and goes with it.
type whole struct {
	rows []hstock.Item

	making sync.Mutex
	index  *search.Index
}

// Search returns the rows that have all typed words in their name or description,
// in that language or in English: the best first, those that are sold out last,
// at most maxFound of them. A query without words finds nothing.
func (c *Catalog) Search(ctx context.Context, key redact.Secret, lang, query string) ([]hstock.Item, Freshness, error) {
	lang = canonical(lang)
	var (
		all, english *whole
		freshness    Freshness
	)
	err := beside(ctx, -1, func(ctx context.Context) (err error) {
		all, freshness, err = c.whole(ctx, key, lang)
		return err
	}, func(ctx context.Context) (err error) {
		english, _, err = c.whole(ctx, key, "")
		return err
	})
	if err != nil {
		return nil, Freshness{}, err
	}
	return all.find(english, query), freshness, nil
}

// whole returns the whole catalogue in a language, at most maxWhole rows. It is
// asked for in pages, because it may be too much for one answer.
func (c *Catalog) whole(ctx context.Context, key redact.Secret, lang string) (*whole, Freshness, error) {
	return get(ctx, c, id{kind: kindWhole, lang: lang}, func(ctx context.Context) (*whole, error) {
		rows, err := askAll(ctx, c.market, key, lang)
		if err != nil {
			return nil, err
		}
		c.see(lang, rows)
		return &whole{rows: rows}, nil
	})
}

// askAll asks for page after page. The catalogue may change in between: a row
// that has moved to the next page is there twice, and counts once.
func askAll(ctx context.Context, m Market, key redact.Secret, lang string) ([]hstock.Item, error) {
	var all []hstock.Item
	seen := map[int64]bool{}
	for page := 1; ; page++ {
		answer, err := m.Services(ctx, key, hstock.Filter{Page: page, Limit: pageRows, Lang: lang})
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, row := range answer.Items {
			if !seen[row.Service] && len(all) < maxWhole {
				seen[row.Service] = true
				all = append(all, row)
			}
		}
		if len(all) == before || page >= answer.TotalPages || len(all) == maxWhole {
			return all, nil
		}
	}
}

func (w *whole) find(english *whole, query string) []hstock.Item {
	places := w.indexed(english).Search(query)
	var rows []hstock.Item
	for _, soldOut := range []bool{false, true} {
		for _, place := range places {
			if row := &w.rows[place]; (row.Stock <= 0) == soldOut && len(rows) < maxFound {
				rows = append(rows, *row)
			}
		}
	}
	return rows
}

// indexed returns the index, which has the English names and descriptions too.
func (w *whole) indexed(english *whole) *search.Index {
	w.making.Lock()
	defer w.making.Unlock()
	if w.index == nil {
		w.index = search.NewIndex(documents(w.rows, english.rows))
	}
	return w.index
}

func documents(rows, english []hstock.Item) []search.Document {
	places := make(map[int64]int, len(english))
	for i := range english {
		places[english[i].Service] = i
	}
	all := make([]search.Document, len(rows))
	for i := range rows {
		row := &rows[i]
		all[i] = search.Document{Names: []string{row.Name}, Texts: []string{row.Description}}
		if place, known := places[row.Service]; known {
			all[i].Names = append(all[i].Names, english[place].Name)
			all[i].Texts = append(all[i].Texts, english[place].Description)
		}
		all[i].Names = slices.Compact(all[i].Names)
		all[i].Texts = slices.Compact(all[i].Texts)
	}
	return all
}
