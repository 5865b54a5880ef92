package catalog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/search"
)

const (
	appsTimeout          = 4 * time.Second // of the wait for all countries; more than refreshTimeout
	maxConcurrentCountry = 6               // questions about a country's projects
	maxCountryFailures   = 3               // after which the marketplace counts as down
)

// errIncomplete means that the marketplace did not answer all questions.
var errIncomplete = &hstock.Error{Action: "sms_projects", Kind: hstock.Unreachable, Err: errors.New("some countries did not answer")}

// App is a website or app that sends codes: the projects of all countries that have one
// English name. Key is that name without case.
type App struct {
	Key, Name, English string
	Offers             []Offer // cheapest first
}

// Offer is a project in one country.
type Offer struct {
	Country Country
	Project Project
}

// Apps are the apps that are known, sorted by name. Complete is false while the
// projects of some countries are still being fetched.
type Apps struct {
	List     []App
	Complete bool
}

// Apps returns the projects of all countries, joined by their English names. The
// marketplace is asked for all countries at once; if its answer is about one country, or
// does not say about which, each country is asked, in the background. Apps waits at most
// appsTimeout, and then returns what is known.
func (c *Catalog) Apps(ctx context.Context, access Access, lang string) (Apps, Freshness, error) {
	apps, freshness, err := c.apps(ctx, access.Key, lang)
	apps.List = access.apps(apps.List)
	return apps, freshness, err
}

func (c *Catalog) apps(ctx context.Context, key redact.Secret, lang string) (Apps, Freshness, error) {
	question, err := c.priced(ctx, key, cacheKey{kind: kindApps, lang: normalizeLang(lang)})
	if err != nil {
		return Apps{}, Freshness{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, appsTimeout)
	defer cancel()
	list, fresh, err := get(waiting, c, question, func(ctx context.Context) ([]App, error) { return c.fetchApps(ctx, key, question) })
	if err == nil {
		return Apps{list, true}, fresh, nil
	}
	if ctx.Err() != nil || !isOutage(err) && !errors.Is(err, context.DeadlineExceeded) {
		return Apps{}, Freshness{}, err
	}
	countries, known := peek[[]Country](c, cacheKey{kind: kindCountries, lang: question.lang})
	projects := c.knownProjects(question, countries)
	if isOutage(err) && (!known || countWithProjects(projects) == 0) {
		return Apps{}, Freshness{}, err
	}
	return Apps{List: c.joinApps(question, countries, projects)}, Freshness{At: time.Now()}, nil
}

// fetchApps returns the apps of all countries, or an error if those of some are not known.
func (c *Catalog) fetchApps(ctx context.Context, key redact.Secret, question cacheKey) ([]App, error) {
	countries, fresh, err := c.Countries(ctx, Access{Key: key}, question.lang)
	if err != nil {
		return nil, err
	}
	var translated, english Freshness
	err = parallel(ctx, -1, func(ctx context.Context) (err error) {
		translated, err = c.askAllProjects(ctx, key, question, question.lang)
		return err
	}, func(ctx context.Context) (err error) {
		english, err = c.askAllProjects(ctx, key, question, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	projects := c.placedProjects(question, countries)
	if !coversCountries(projects) {
		if projects, err = c.fetchProjects(ctx, key, countries); err != nil {
			return nil, err
		}
	}
	if fresh.Stale || translated.Stale || english.Stale {
		return nil, errIncomplete
	}
	return c.joinApps(question, countries, projects), nil
}

// askAllProjects fetches the answer to sms_projects without a country, if it is not
// cached. A refusal or a failure counts as an answer without projects: each country is
// asked instead.
func (c *Catalog) askAllProjects(ctx context.Context, key redact.Secret, question cacheKey, lang string) (Freshness, error) {
	question.kind, question.lang = kindAllProjects, lang
	_, fresh, err := get(ctx, c, question, func(ctx context.Context) ([]hstock.SMSProject, error) {
		rows, err := c.market.SMSProjects(ctx, key, "", lang)
		kind, _ := hstock.KindOf(err)
		if last, _ := peek[[]hstock.SMSProject](c, question); len(last) > 0 && isOutage(err) || kind == hstock.InvalidKey || ctx.Err() != nil {
			return nil, err
		}
		return rows, nil // none after an error
	})
	return fresh, err
}

// fetchProjects asks for the projects of each country, in English, and lets the calls of
// others pass. What it has fetched stays known if it fails. A country may be refused because
// it has none; where all are, the marketplace has said nothing.
func (c *Catalog) fetchProjects(ctx context.Context, key redact.Secret, countries []Country) ([][]Project, error) {
	projects := make([][]Project, len(countries))
	refusals := make([]error, len(countries))
	var failures atomic.Int32
	tasks := make([]func(ctx context.Context) error, len(countries))
	for i, country := range countries {
		tasks[i] = func(ctx context.Context) error {
			found, fresh, err := c.projects(ctx, key, "", country.Code, true)
			projects[i] = found
			kind, _ := hstock.KindOf(err)
			switch {
			case kind == hstock.Refused || kind == hstock.RefusedOther:
				refusals[i] = err
				return nil
			case !fresh.Stale && !isOutage(err):
				return err
			case failures.Add(1) < maxCountryFailures:
				return nil
			}
			return errIncomplete
		}
	}
	err := parallel(ctx, maxConcurrentCountry, tasks...)
	switch {
	case err != nil:
		return projects, err
	case failures.Load() > 0:
		return projects, errIncomplete
	case len(refusals) > 0 && !slices.Contains(refusals, nil):
		return projects, refusals[0]
	default:
		return projects, nil
	}
}

// knownProjects returns the cached projects of each country, in English.
func (c *Catalog) knownProjects(question cacheKey, countries []Country) [][]Project {
	projects := c.placedProjects(question, countries)
	if coversCountries(projects) {
		return projects
	}
	for i, country := range countries {
		projects[i], _ = peek[[]Project](c, cacheKey{kind: kindProjects, currency: question.currency, country: country.Code})
	}
	return projects
}

// peek returns an answer that is fresh or the last good one.
func peek[T any](c *Catalog, question cacheKey) (T, bool) {
	e, known := c.fresh.GetIfPresent(question)
	if !known {
		e, known = c.staleAnswer(question)
	}
	value, ok := e.value.(T)
	return value, known && ok
}

// placedProjects returns the projects of each country in the answer without a country.
// Those of no country, or of one that is not listed, are left out. The document does not
// promise that CountryID is the country's code.
func (c *Catalog) placedProjects(question cacheKey, countries []Country) [][]Project {
	rows, _ := peek[[]hstock.SMSProject](c, cacheKey{kind: kindAllProjects, currency: question.currency})
	at := map[string]int{}
	for i, country := range slices.Backward(countries) {
		at[appKey(country.English)] = i
	}
	for i, country := range slices.Backward(countries) {
		at[appKey(country.Code)] = i
	}
	placed := make([][]hstock.SMSProject, len(countries))
	for _, row := range rows {
		i, known := at[appKey(row.CountryID)]
		if !known {
			i, known = at[appKey(row.CountryTitle)]
		}
		if known {
			placed[i] = append(placed[i], row)
		}
	}
	projects := make([][]Project, len(countries))
	for i, rows := range placed {
		projects[i] = joinProjects(rows, rows)
	}
	return projects
}

// coversCountries reports whether an answer is about all countries: about more than one,
// if there are more.
func coversCountries(projects [][]Project) bool {
	return countWithProjects(projects) >= min(2, len(projects))
}

func countWithProjects(projects [][]Project) (n int) {
	for _, of := range projects {
		if len(of) > 0 {
			n++
		}
	}
	return n
}

// joinApps joins the projects of countries by their English names. Names in the
// question's language are those of the answer without a country.
func (c *Catalog) joinApps(question cacheKey, countries []Country, projects [][]Project) []App {
	names := map[string]string{}
	if question.lang != "" {
		english, _ := peek[[]hstock.SMSProject](c, cacheKey{kind: kindAllProjects, currency: question.currency})
		translated, _ := peek[[]hstock.SMSProject](c, cacheKey{kind: kindAllProjects, currency: question.currency, lang: question.lang})
		for _, project := range joinProjects(translated, english) {
			names[appKey(project.English)] = project.Name
		}
	}
	var apps []App
	at := map[string]int{}
	for i, country := range countries {
		for _, project := range projects[i] {
			key := appKey(project.English)
			j, known := at[key]
			if !known {
				j, at[key] = len(apps), len(apps)
				apps = append(apps, App{Key: key, Name: cmp.Or(names[key], project.English), English: project.English})
			}
			project.Name = apps[j].Name
			apps[j].Offers = append(apps[j].Offers, Offer{country, project})
		}
	}
	for i := range apps {
		slices.SortStableFunc(apps[i].Offers, func(a, b Offer) int { return a.Project.Price.Cmp(b.Project.Price) })
	}
	folded := make(map[string]string, len(apps))
	for i := range apps {
		folded[apps[i].Key] = search.Fold(apps[i].Name)
	}
	slices.SortFunc(apps, func(a, b App) int {
		return cmp.Or(strings.Compare(folded[a.Key], folded[b.Key]), strings.Compare(a.Key, b.Key))
	})
	return apps
}

// appKey is a name without case and repeated spaces. Signs count: "Disney+" is not
// "Disney".
func appKey(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// FindApps returns the apps whose names contain the words of the query, best match
// first.
func FindApps(all []App, query string) []App {
	return search.Find(all, query, func(a App) []string { return []string{a.Name, a.English} })
}
