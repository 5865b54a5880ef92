package catalog

import (
	"cmp"
	"context"
	"slices"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// fetchBoth fetches a list in a language and in English, in parallel; for
// English it makes one call and returns the list twice.
func fetchBoth[T any](ctx context.Context, lang string, fetch func(ctx context.Context, lang string) ([]T, error)) (translated, english []T, err error) {
	if lang == "" {
		english, err = fetch(ctx, "")
		return english, english, err
	}
	err = parallel(ctx, -1, func(ctx context.Context) (err error) {
		translated, err = fetch(ctx, lang)
		return err
	}, func(ctx context.Context) (err error) {
		english, err = fetch(ctx, "")
		return err
	})
	return translated, english, err
}

// fetchCategories returns the categories of a language. It tries twice, because
// the catalogue may change between the calls for the two lists, and then returns
// the English names.
func fetchCategories(ctx context.Context, m Market, key redact.Secret, lang string) ([]Category, error) {
	var translated, english []hstock.Category
	for range 2 {
		var err error
		translated, english, err = fetchBoth(ctx, lang, func(ctx context.Context, lang string) ([]hstock.Category, error) {
			return m.Categories(ctx, key, lang)
		})
		if err != nil {
			return nil, err
		}
		if joined, ok := joinCategories(english, translated); ok {
			return joined, nil
		}
	}
	joined, _ := joinCategories(english, english)
	return joined, nil
}

// joinCategories joins an English and a translated list by position. It rejects
// lists that are not of the same catalogue: of different lengths, or with an
// English name at another position. Categories without an English name are left
// out, since no filter finds them; a missing translation is replaced by the
// English name.
func joinCategories(english, translated []hstock.Category) ([]Category, bool) {
	if len(english) != len(translated) || hasMovedName(names(english), names(translated)) {
		return nil, false
	}
	joined := make([]Category, 0, len(english))
	for i, category := range english {
		other := translated[i]
		if len(category.Subcategories) != len(other.Subcategories) || hasMovedName(category.Subcategories, other.Subcategories) {
			return nil, false
		}
		if category.Name == "" {
			continue
		}
		c := Category{English: category.Name, Name: hstock.PlainName(cmp.Or(other.Name, category.Name))}
		for j, name := range category.Subcategories {
			if name != "" {
				c.Subcategories = append(c.Subcategories, Subcategory{English: name, Name: hstock.PlainName(cmp.Or(other.Subcategories[j], name))})
			}
		}
		joined = append(joined, c)
	}
	return joinRepeated(joined), true
}

// joinRepeated joins categories, and subcategories in them, that have the same
// English name: a filter finds all of them.
func joinRepeated(categories []Category) []Category {
	joined := make([]Category, 0, len(categories))
	at := map[string]int{}
	for _, category := range categories {
		i, repeated := at[category.English]
		if !repeated {
			i, at[category.English] = len(joined), len(joined)
			joined = append(joined, Category{English: category.English, Name: category.Name})
		}
		for _, sub := range category.Subcategories {
			if !slices.ContainsFunc(joined[i].Subcategories, func(s Subcategory) bool { return s.English == sub.English }) {
				joined[i].Subcategories = append(joined[i].Subcategories, sub)
			}
		}
	}
	return joined
}

// hasMovedName reports whether a translated list contains an English name at a
// position where the English list has another. Untranslated names come in
// English, so the lists are shifted against each other.
func hasMovedName(english, translated []string) bool {
	known := make(map[string]bool, len(english))
	for _, name := range english {
		known[name] = true
	}
	for i, name := range translated {
		if name != "" && known[name] && english[i] != name {
			return true
		}
	}
	return false
}

func names(categories []hstock.Category) []string {
	all := make([]string, len(categories))
	for i, category := range categories {
		all[i] = category.Name
	}
	return all
}

// joinByID joins a translated and an English list by the id that idAndName
// returns. Entries of only the English list come last, because the lists may be
// from different moments. Of several entries with one id the first counts. A missing
// name is replaced by the one in the other language, then by the id.
func joinByID[T, R any](translated, english []T, idAndName func(T) (id, name string), build func(entry T, name, english string) R) []R {
	englishNames := map[string]string{}
	for _, entry := range slices.Backward(english) {
		id, name := idAndName(entry)
		englishNames[id] = name
	}
	var joined []R
	seen := map[string]bool{}
	for _, entry := range slices.Concat(translated, english) {
		id, name := idAndName(entry)
		if seen[id] {
			continue
		}
		seen[id] = true
		name = cmp.Or(name, englishNames[id], id)
		joined = append(joined, build(entry, name, cmp.Or(englishNames[id], name)))
	}
	return joined
}
