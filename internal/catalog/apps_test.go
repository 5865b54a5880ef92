package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
)

// row is a project of the marketplace.
func row(id, name, price, country string) hstock.SMSProject {
	return hstock.SMSProject{ID: id, Name: name, Price: decimal.RequireFromString(price), CountryID: country}
}

// printed are apps as text: "telegram Telegram: us t1 0.5, gb t1 0.3; …".
func printed(apps Apps) string {
	var lines []string
	for _, app := range apps.List {
		var offers []string
		for _, offer := range app.Offers {
			offers = append(offers, fmt.Sprint(offer.Country.Code, " ", offer.Project.ID, " ", offer.Project.Price))
			if offer.Project.Name != app.Name {
				offers = append(offers, "named "+offer.Project.Name)
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", app.Key, app.Name, strings.Join(offers, ", ")))
	}
	if !apps.Complete {
		lines = append(lines, "incomplete")
	}
	return strings.Join(lines, "; ")
}

// TestApps: the projects of all countries are joined by their English names, from one
// answer without a country, or else from one answer of each country.
func TestApps(t *testing.T) {
	english := []hstock.SMSProject{
		row("t1", "Telegram", "0.50", "us"), row("w1", "WeChat", "0.20", "us"), row("d1", "Disney", "0.1", "us"),
		row("t2", "telegram", "0.30", "gb"), row("d2", "Disney+", "0.1", "gb"), row("t3", "Telegram", "0.5", "gb"), row("t2", "Again", "9", "gb"),
	}
	chinese := []hstock.SMSProject{row("w1", "微信", "0.20", "us"), row("t1", "", "0.50", "us")}
	const (
		want   = "disney Disney: us d1 0.1; disney+ Disney+: gb d2 0.1; telegram Telegram: gb t2 0.3, us t1 0.5, gb t3 0.5; "
		inZh   = want + "wechat 微信: us w1 0.2"
		noName = want + "wechat WeChat: us w1 0.2"
	)
	with := func(change func(p *hstock.SMSProject), rows []hstock.SMSProject) []hstock.SMSProject {
		rows = slices.Clone(rows)
		for i := range rows {
			change(&rows[i])
		}
		return rows
	}
	titles := map[string]string{"us": "United States", "gb": "united kingdom"}
	refused := &hstock.Error{Kind: hstock.RefusedOther, Refusal: "Country is required"}
	for _, test := range []struct {
		name      string
		all       func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) // the answer without a country
		want      string
		countries int // that are asked
	}{
		{"all countries", func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) { return rows, nil }, inZh, 0},
		{"capital codes, and a country that is not listed", func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) {
			return append(with(func(p *hstock.SMSProject) { p.CountryID = strings.ToUpper(p.CountryID) }, rows), row("x", "Telegram", "0.01", "xx")), nil
		}, inZh, 0},
		{"titles without codes", func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) {
			return with(func(p *hstock.SMSProject) { p.CountryID, p.CountryTitle = "64ab"+p.CountryID, titles[p.CountryID] }, rows), nil
		}, inZh, 0},
		{"one country", func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) { return hstock.ProjectsIn("us", rows), nil }, inZh, 2},
		{"none", func([]hstock.SMSProject) ([]hstock.SMSProject, error) { return nil, nil }, noName, 2},
		{"without countries", func(rows []hstock.SMSProject) ([]hstock.SMSProject, error) {
			return with(func(p *hstock.SMSProject) { p.CountryID = "" }, rows), nil
		}, inZh, 2},
		{"refused", func([]hstock.SMSProject) ([]hstock.SMSProject, error) { return nil, refused }, noName, 2},
		{"no answer", func([]hstock.SMSProject) ([]hstock.SMSProject, error) { return nil, down }, noName, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.projectsOf = func(country, lang string) ([]hstock.SMSProject, error) {
					rows := map[string][]hstock.SMSProject{"": english, "zh": chinese}[lang]
					if country == "" {
						return test.all(rows)
					}
					return hstock.ProjectsIn(country, rows), nil
				}
				for round := range 3 {
					apps, freshness, err := c.Apps(t.Context(), Access{Key: key}, "zh")
					if got := printed(apps); err != nil || freshness.Stale || got != test.want {
						t.Errorf("round %d: %v, %v, got:\n%s\nwant:\n%s", round, err, freshness, got, test.want)
					}
					calls := m.takeCalls()
					slices.Sort(calls)
					wantCalls := []string{"sms_countries ", "sms_countries zh", "sms_projects  ", "sms_projects  zh", "sms_projects gb ", "sms_projects us "}[:4+test.countries]
					if round == 1 {
						wantCalls = nil
						time.Sleep(ttl)
					}
					if diff := cmp.Diff(wantCalls, calls); diff != "" {
						t.Errorf("round %d (-want +got):\n%s", round, diff)
					}
				}
				if apps, _, err := c.Apps(t.Context(), Access{Key: key}, "en"); err != nil || printed(apps) != noName {
					t.Errorf("in English: %v, %s", err, printed(apps))
				}
				wantCalls(t, m, "sms_countries ") // the projects are those of the other language
				if found := FindApps(mustApps(t, c, "zh").List, "wech"); len(found) != 1 || found[0].Key != "wechat" {
					t.Errorf("found %v", found)
				}
			})
		})
	}
}

func mustApps(t *testing.T, c *Catalog, lang string) Apps {
	t.Helper()
	apps, _, err := c.Apps(t.Context(), Access{Key: key}, lang)
	if err != nil {
		t.Fatal(err)
	}
	return apps
}

// manyCountries makes the marketplace one of 200 countries with a project each, which
// must be asked one by one. An answer takes a second.
func manyCountries(m *fakeMarket) {
	m.countries = map[string][]hstock.SMSCountry{}
	for i := range 200 {
		m.countries[""] = append(m.countries[""], hstock.SMSCountry{Code: fmt.Sprint("c", i), Name: fmt.Sprint("Country ", i)})
	}
	m.projectsOf = func(country, _ string) ([]hstock.SMSProject, error) {
		if country == "" {
			return nil, nil
		}
		return []hstock.SMSProject{row("t", "Telegram", "0.5", country)}, nil
	}
	m.set(nil, time.Second-time.Millisecond)
}

// TestAppsWhileCountriesAreAsked: a person waits a few seconds and sees what is known.
// The rest is fetched meanwhile, a few countries at once, each of them once.
func TestAppsWhileCountriesAreAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		manyCountries(m)
		offers := func() (n int, complete bool, waited time.Duration) {
			t.Helper()
			began := time.Now()
			apps := mustApps(t, c, "en")
			if len(apps.List) > 0 {
				n = len(apps.List[0].Offers)
			}
			return n, apps.Complete, time.Since(began)
		}
		for _, want := range []int{2 * maxConcurrentCountry, 6 * maxConcurrentCountry} { // after sms_countries and the question about all
			if n, complete, waited := offers(); n != want || complete || waited != appsTimeout {
				t.Errorf("%d countries after %s, complete: %v; want %d after %s", n, waited, complete, want, appsTimeout)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, complete, waited := offers(); n != 200 || !complete || waited != 0 {
			t.Errorf("%d countries after %s, complete: %v", n, waited, complete)
		}
		if calls := m.takeCalls(); len(calls) != 202 || m.maxInFlight != maxConcurrentCountry {
			t.Errorf("%d calls, %d at once", len(calls), m.maxInFlight)
		}
	})
}

// TestAppsDuringOutage: the countries that have answered are shown, and only the others
// are asked again. A marketplace that is down is not asked 200 times.
func TestAppsDuringOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		manyCountries(m)
		m.set(nil, 0)
		works := m.projectsOf
		failing := []string{"c7", "c150"}
		m.projectsOf = func(country, lang string) ([]hstock.SMSProject, error) {
			if slices.Contains(failing, country) {
				return nil, down
			}
			return works(country, lang)
		}
		if apps := mustApps(t, c, "en"); apps.Complete || len(apps.List[0].Offers) != 198 {
			t.Errorf("complete: %v, %d offers, want 198", apps.Complete, len(apps.List[0].Offers))
		}
		m.takeCalls()
		failing = failing[:1]
		if apps := mustApps(t, c, "en"); apps.Complete || len(apps.List[0].Offers) != 199 {
			t.Errorf("complete: %v, %d offers, want 199", apps.Complete, len(apps.List[0].Offers))
		}
		if calls := m.takeCalls(); len(calls) != 2 {
			t.Errorf("calls: %v", calls)
		}
		failing = nil
		if apps := mustApps(t, c, "en"); !apps.Complete || len(apps.List[0].Offers) != 200 {
			t.Errorf("complete: %v, %d offers, want 200", apps.Complete, len(apps.List[0].Offers))
		}
		m.takeCalls()
		time.Sleep(ttl)
		m.set(down, 0)
		if apps, freshness, err := c.Apps(t.Context(), Access{Key: key}, "en"); err != nil || !freshness.Stale || len(apps.List[0].Offers) != 200 {
			t.Errorf("while the marketplace is down: %v, %v", freshness, err)
		}
		if calls := m.takeCalls(); len(calls) > 2+2*maxConcurrentCountry {
			t.Errorf("%d calls while the marketplace is down", len(calls))
		}
	})
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(down, 0)
		_, _, err := c.Apps(t.Context(), Access{Key: key}, "en")
		wantError(t, err, down)
		_, _, err = c.Apps(t.Context(), Access{Key: badKey}, "en")
		wantError(t, err, hstock.ErrInvalidKey)
	})
}

// TestAppsAreNotEmptyWhereAllIsRefused: a marketplace that refuses every question has said
// nothing about its numbers.
func TestAppsAreNotEmptyWhereAllIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		works, refused := m.projects, &hstock.Error{Action: "sms_projects", Kind: hstock.RefusedOther, Refusal: "Something went wrong"}
		refuses := func(string) bool { return true }
		m.projectsOf = func(country, lang string) ([]hstock.SMSProject, error) {
			if refuses(country) {
				return nil, refused
			}
			return hstock.ProjectsIn(country, works[lang]), nil
		}
		_, _, err := c.Apps(t.Context(), Access{Key: key}, "en")
		wantError(t, err, refused)
		refuses = func(country string) bool { return country != "us" }
		if apps := mustApps(t, c, "en"); !apps.Complete || len(apps.List) != 2 {
			t.Errorf("where one country has projects: %s", printed(apps))
		}
	})
}
