package catalog

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/biter777/countries"
	"github.com/shopspring/decimal"

	"hstockbot/internal/country"
	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

// Country is a country in which numbers can be rented. Code is the marketplace's
// own; it is usually, but not always, a code of ISO 3166.
type Country struct{ Code, Name, English string }

// Project is a website whose codes numbers of one country can receive. Price is
// for one number, in Currency, and for display only; a purchase reads it again.
type Project struct {
	ID, Name, English string
	Price             decimal.Decimal
	Currency          string
}

// Countries returns all countries, in the order of the marketplace's list in that
// language.
func (c *Catalog) Countries(ctx context.Context, access Access, lang string) ([]Country, Freshness, error) {
	lang = normalizeLang(lang)
	return get(ctx, c, cacheKey{kind: kindCountries, lang: lang}, func(ctx context.Context) ([]Country, error) {
		translated, english, err := fetchBoth(ctx, lang, func(ctx context.Context, lang string) ([]hstock.SMSCountry, error) {
			return c.market.SMSCountries(ctx, access.Key, lang)
		})
		return joinByID(
			translated, english,
			func(entry hstock.SMSCountry) (code, name string) { return entry.Code, entry.Name },
			func(entry hstock.SMSCountry, name, english string) Country {
				return Country{entry.Code, name, english}
			},
		), err
	})
}

// Projects returns the projects of a country, by its Code, in the order of the
// marketplace's list in that language.
func (c *Catalog) Projects(ctx context.Context, access Access, lang, country string) ([]Project, Freshness, error) {
	projects, freshness, err := c.projects(ctx, access.Key, lang, country, false)
	return access.projects(projects), freshness, err
}

// projects is Projects. In the background it lets the calls of others pass, and makes one
// attempt.
func (c *Catalog) projects(ctx context.Context, key redact.Secret, lang, country string, background bool) ([]Project, Freshness, error) {
	lang = normalizeLang(lang)
	question, err := c.priced(ctx, key, cacheKey{kind: kindProjects, lang: lang, country: country})
	if err != nil {
		return nil, Freshness{}, err
	}
	return get(ctx, c, question, func(ctx context.Context) ([]Project, error) {
		if background {
			ctx = hstock.Background(hstock.SingleAttempt(ctx))
		}
		translated, english, err := fetchBoth(ctx, lang, func(ctx context.Context, lang string) ([]hstock.SMSProject, error) {
			projects, err := c.market.SMSProjects(ctx, key, country, lang)
			return hstock.ProjectsIn(country, projects), err
		})
		return joinProjects(translated, english), err
	})
}

func joinProjects(translated, english []hstock.SMSProject) []Project {
	return joinByID(
		translated, english,
		func(entry hstock.SMSProject) (id, name string) { return entry.ID, entry.Name },
		func(entry hstock.SMSProject, name, english string) Project {
			return Project{entry.ID, name, english, entry.Price, entry.Currency}
		},
	)
}

// FindCountries returns the countries that match a query, best match first. A
// calling code ("+44", "44", "0044") matches the countries that have it, then
// those whose code starts with it. Other queries are matched against both names and
// against the code: the marketplace's, or any of ISO 3166 ("us", "USA", "uk").
func FindCountries(all []Country, query string) []Country {
	query = search.Fold(query)
	if found := findByCallCode(all, query); len(found) > 0 {
		return found
	}
	queried := country.Parse(query)
	return search.Find(all, query, func(c Country) []string {
		texts := []string{c.Name, c.English}
		if search.Fold(c.Code) == query || queried != countries.Unknown && country.Parse(c.Code) == queried {
			texts = append(texts, query) // a code matches only as a whole: "eu" does not find "DEU"
		}
		return texts
	})
}

// FindProjects returns the projects whose names contain the words of the query,
// best match first.
func FindProjects(all []Project, query string) []Project {
	return search.Find(all, query, func(p Project) []string { return []string{p.Name, p.English} })
}

// findByCallCode returns nothing for a query that is not a calling code.
func findByCallCode(all []Country, query string) []Country {
	digits := strings.TrimPrefix(strings.ReplaceAll(query, " ", ""), "00")
	if digits == "" || strings.HasPrefix(digits, "0") || strings.Trim(digits, "0123456789") != "" {
		return nil // no code starts with 0, which is the library's value for an unknown one
	}
	var exact, longer []Country
	for _, c := range all {
		codes := country.Parse(c.Code).CallCodes()
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
