package catalog

import (
	"context"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// fetchCategories returns the categories of a language. The marketplace gives them
// no ids, so the English and the translated list are asked for side by side and
// joined by position; twice, because the catalogue may have changed in between.
func fetchCategories(ctx context.Context, m Market, key redact.Secret, lang string) ([]Category, error) {
	var english []hstock.Category
	for range 2 {
		var translated []hstock.Category
		do := []func(context.Context) error{func(ctx context.Context) (err error) {
			english, err = m.Categories(ctx, key, "")
			return err
		}}
		if lang != "" {
			do = append(do, func(ctx context.Context) (err error) {
				translated, err = m.Categories(ctx, key, lang)
				return err
			})
		}
		if err := parallel(ctx, -1, do...); err != nil {
			return nil, err
		}
		if lang == "" {
			break
		}
		if zipped, ok := joinCategories(english, translated); ok {
			return zipped, nil
		}
	}
	zipped, _ := joinCategories(english, english)
	return zipped, nil
}

// joinCategories joins an English and a translated list by position. It refuses lists that
// can't be of the same catalogue: ones of other lengths, or in which an English
// name has moved. Categories without an English name are left out, since no
// filter finds them; without a translation the English name is shown.
func joinCategories(english, translated []hstock.Category) ([]Category, bool) {
	if len(english) != len(translated) || hasMovedName(names(english), names(translated)) {
		return nil, false
	}
	zipped := make([]Category, 0, len(english))
	for i, category := range english {
		other := translated[i]
		if len(category.Subcategories) != len(other.Subcategories) || hasMovedName(category.Subcategories, other.Subcategories) {
			return nil, false
		}
		if category.Name == "" {
			continue
		}
		joined := Category{English: category.Name, Name: either(other.Name, category.Name)}
		for j, name := range category.Subcategories {
			if name != "" {
				joined.Subcategories = append(joined.Subcategories, Subcategory{English: name, Name: either(other.Subcategories[j], name)})
			}
		}
		zipped = append(zipped, joined)
	}
	return zipped, true
}

// hasMovedName reports whether a translated list has an English name at a place where
// the English list has another: untranslated names come in English, so it would
// have shifted.
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

func either(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}
