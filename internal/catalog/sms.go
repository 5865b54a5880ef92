package catalog

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/biter777/countries"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// Country is a country that numbers can be rented in. Code is the
// marketplace's, in its spelling: likely one of ISO 3166, but that is not
// promised.
type Country struct{ Code, Name, English string }

// Project is a website that numbers of one country can receive codes of. Price
// is for one number, and for show: a purchase reads its own.
type Project struct {
	ID, Name, English string
	Price             decimal.Decimal
}

// Countries returns all countries in the order in which the marketplace lists
// them in that language.
func (c *Catalog) Countries(ctx context.Context, key redact.Secret, lang string) ([]Country, Freshness, error) {
	lang = normalizeLang(lang)
	return get(ctx, c, cacheKey{kind: kindCountries, lang: lang}, func(ctx context.Context) ([]Country, error) {
		named, english, err := fetchBoth(ctx, lang, func(ctx context.Context, lang string) ([]hstock.SMSCountry, error) {
			return c.market.SMSCountries(ctx, key, lang)
		})
		return joinByID(
			named, english,
			func(item hstock.SMSCountry) (code, name string) { return item.Code, item.Name },
			func(item hstock.SMSCountry, name, english string) Country { return Country{item.Code, name, english} },
		), err
	})
}

// Projects returns the projects of a country, by its Code, in the order in
// which the marketplace lists them in that language.
func (c *Catalog) Projects(ctx context.Context, key redact.Secret, lang, country string) ([]Project, Freshness, error) {
	lang = normalizeLang(lang)
	return get(ctx, c, cacheKey{kind: kindProjects, lang: lang, country: country}, func(ctx context.Context) ([]Project, error) {
		named, english, err := fetchBoth(ctx, lang, func(ctx context.Context, lang string) ([]hstock.SMSProject, error) {
			items, err := c.market.SMSProjects(ctx, key, country, lang)
			return hstock.ProjectsIn(country, items), err
		})
		return joinByID(
			named, english,
			func(item hstock.SMSProject) (id, name string) { return item.ID, item.Name },
			func(item hstock.SMSProject, name, english string) Project {
				return Project{item.ID, name, english, item.Price}
			},
		), err
	})
}

// fetchBoth asks for a list in a language and for the English one, side by side;
// where they are the same, only once.
func fetchBoth[R any](ctx context.Context, lang string, ask func(ctx context.Context, lang string) ([]R, error)) (named, english []R, err error) {
	do := []func(context.Context) error{func(ctx context.Context) (err error) {
		named, err = ask(ctx, lang)
		return err
	}}
	if lang != "" {
		do = append(do, func(ctx context.Context) (err error) {
			english, err = ask(ctx, "")
			return err
		})
	}
	err = parallel(ctx, -1, do...)
	return named, english, err
}

// joinByID joins a list in a language and the English one by what of says is the
// id. What only the English one has comes last: the other may be older by a
// moment. Of items with the same id the first counts. Names that are missing
// stand in for each other, and the id for both.
func joinByID[R, T any](named, english []R, of func(R) (id, name string), build func(item R, name, english string) T) []T {
	names := map[string]string{}
	for _, item := range slices.Backward(english) {
		id, name := of(item)
		names[id] = name
	}
	var joined []T
	seen := map[string]bool{}
	for _, item := range slices.Concat(named, english) {
		id, name := of(item)
		if seen[id] {
			continue
		}
		seen[id] = true
		name = cmp.Or(name, names[id], id)
		joined = append(joined, build(item, name, cmp.Or(names[id], name)))
	}
	return joined
}

// FindCountries returns the countries that a typed text may mean, the likeliest
// first. A dialling code ("+44", "44", "0044") finds those that have it, then
// those whose own begins with it. Anything else is looked for in both names,
// and is compared with the code: the marketplace's or any of ISO 3166 ("us",
// "USA", "uk").
func FindCountries(all []Country, query string) []Country {
	query = search.Fold(query)
	if found := findByCallCode(all, query); len(found) > 0 {
		return found
	}
	meant := iso(query)
	return search.Find(all, query, func(c Country) []string {
		texts := []string{c.Name, c.English}
		if search.Fold(c.Code) == query || meant != countries.Unknown && iso(c.Code) == meant {
			texts = append(texts, query) // codes only as a whole: "eu" finds no "DEU"
		}
		return texts
	})
}

// FindProjects returns the projects that have the typed words in their names,
// the likeliest first.
func FindProjects(all []Project, query string) []Project {
	return search.Find(all, query, func(p Project) []string { return []string{p.Name, p.English} })
}

// findByCallCode looks for a folded query that is a dialling code, and finds
// nothing for any other.
func findByCallCode(all []Country, query string) []Country {
	digits := strings.TrimPrefix(strings.ReplaceAll(query, " ", ""), "00")
	if digits == "" || strings.HasPrefix(digits, "0") || strings.Trim(digits, "0123456789") != "" {
		return nil // none begins with 0, which the library has for what it does not know
	}
	var exact, longer []Country
	for _, c := range all {
		codes := iso(c.Code).CallCodes()
		switch {
		case slices.ContainsFunc(codes, func(code countries.CallCode) bool { return formatCallCode(code) == digits }):
			exact = append(exact, c)
		case slices.ContainsFunc(codes, func(code countries.CallCode) bool { return strings.HasPrefix(formatCallCode(code), digits) }):
			longer = append(longer, c)
		}
	}
	return slices.Concat(exact, longer)
}

func formatCallCode(code countries.CallCode) string { return strconv.FormatInt(int64(code), 10) }

// iso reads a code of ISO 3166 in any case. The library reads much more, so a
// code counts only if it is what the library itself calls the country.
func iso(code string) countries.CountryCode {
	upper := strings.ToUpper(code)
	if upper == "UK" {
		return countries.GBR
	}
	if country := countries.ByName(upper); upper == country.Alpha2() || upper == country.Alpha3() {
		return country
	}
	return countries.Unknown
}
