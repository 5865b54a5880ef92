package catalog

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
)

func TestCountries(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.countries = map[string][]hstock.SMSCountry{
			"": {{Code: "us", Name: "United States"}, {Code: "gb", Name: "United Kingdom"}, {Code: "any"}, {Code: "us", Name: "Again"}, {Code: "fr", Name: "France"}},
			// In a different order, with a new country.
			"zh": {{Code: "gb", Name: "英国"}, {Code: "us"}, {Code: "any"}, {Code: "187", Name: "法国"}, {Code: "us", Name: "又"}},
		}
		english := []Country{{"us", "United States", "United States"}, {"gb", "United Kingdom", "United Kingdom"}, {"any", "any", "any"}, {"fr", "France", "France"}}
		for _, test := range []struct {
			lang  string
			want  []Country
			calls int
		}{
			{"en", english, 1},
			{"", english, 0}, // also English
			{"zh", []Country{{"gb", "英国", "United Kingdom"}, {"us", "United States", "United States"}, {"any", "any", "any"}, {"187", "法国", "法国"}, {"fr", "France", "France"}}, 2},
			{"zh", nil, 0},
			{"xx", english, 2}, // the translated list is empty
		} {
			got, freshness, err := c.Countries(t.Context(), Access{Key: key}, test.lang)
			if err != nil || freshness.Stale {
				t.Errorf("%q: %v, %v", test.lang, freshness, err)
			}
			if diff := cmp.Diff(test.want, got); test.want != nil && diff != "" {
				t.Errorf("%q: (-want +got):\n%s", test.lang, diff)
			}
			if calls := m.takeCalls(); len(calls) != test.calls {
				t.Errorf("%q: called %q, want %d calls", test.lang, calls, test.calls)
			}
		}
	})
}

func TestProjects(t *testing.T) {
	price := func(text string) decimal.Decimal { return decimal.RequireFromString(text) }
	item := func(id, name, country string) hstock.SMSProject {
		return hstock.SMSProject{ID: id, Name: name, CountryID: country, Price: price("0.25")}
	}
	project := func(id, name, english string) Project {
		return Project{ID: id, Name: name, English: english, Price: price("0.25")}
	}
	for _, test := range []struct {
		name             string
		chinese, english []hstock.SMSProject
		want             []Project // of "us"
	}{
		{"translated", []hstock.SMSProject{item("b", "微信", "us"), item("a", "Telegram", "us")}, []hstock.SMSProject{item("a", "Telegram", "us"), item("b", "WeChat", "us")}, []Project{project("b", "微信", "WeChat"), project("a", "Telegram", "Telegram")}},
		{"names missing", []hstock.SMSProject{item("a", "", "us"), item("b", "微信", "us"), item("c", "", "us")}, []hstock.SMSProject{item("a", "Telegram", "us"), item("b", "", "us"), item("c", "", "us")}, []Project{project("a", "Telegram", "Telegram"), project("b", "微信", "微信"), project("c", "c", "c")}},
		{"duplicate ids", []hstock.SMSProject{item("a", "一", "us"), item("a", "二", "us")}, []hstock.SMSProject{item("a", "One", "us"), item("a", "Two", "us")}, []Project{project("a", "一", "One")}},
		{"in one language only", []hstock.SMSProject{item("a", "一", "us")}, []hstock.SMSProject{item("b", "Two", "us")}, []Project{project("a", "一", "一"), project("b", "Two", "Two")}},
		{"filter ignored", []hstock.SMSProject{item("a", "一", "gb"), item("a", "二", "US"), item("b", "三", "fr")}, []hstock.SMSProject{item("a", "One", "gb"), item("a", "Two", "us"), item("b", "Three", "fr")}, []Project{project("a", "二", "Two")}},
		{"filter ignored, country without projects", []hstock.SMSProject{item("a", "一", "gb"), item("b", "二", "fr")}, []hstock.SMSProject{item("a", "One", "gb"), item("b", "Two", "fr")}, nil},
		{"unknown country ids", []hstock.SMSProject{item("a", "一", "187"), item("b", "二", "187")}, []hstock.SMSProject{item("a", "One", "187"), item("b", "Two", "187")}, []Project{project("a", "一", "One"), project("b", "二", "Two")}},
		{"no country ids", []hstock.SMSProject{item("a", "一", "")}, []hstock.SMSProject{item("a", "One", "")}, []Project{project("a", "一", "One")}},
		{"some country ids", []hstock.SMSProject{item("a", "一", ""), item("b", "二", "gb")}, []hstock.SMSProject{item("a", "One", ""), item("b", "Two", "gb")}, []Project{project("a", "一", "One")}},
		{"empty", nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.projects = map[string][]hstock.SMSProject{"": test.english, "zh": test.chinese}
				for _, calls := range []int{2, 0} {
					got, freshness, err := c.Projects(t.Context(), Access{Key: key}, "zh", "us")
					if diff := cmp.Diff(test.want, got); err != nil || freshness.Stale || diff != "" {
						t.Errorf("%v, %v, (-want +got):\n%s", freshness, err, diff)
					}
					if called := m.takeCalls(); len(called) != calls {
						t.Errorf("called %q, want %d calls", called, calls)
					}
				}
			})
		})
	}

	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		for _, country := range []string{"us", "gb", "us"} { // each country is cached separately
			if _, _, err := c.Projects(t.Context(), Access{Key: key}, "en", country); err != nil {
				t.Error(err)
			}
		}
		wantCalls(t, m, "sms_projects us ", "sms_projects gb ")
		if got, _, err := c.Projects(t.Context(), Access{Key: key}, "zh", "us"); err != nil || len(got) != 2 || got[1].Name != "微信" {
			t.Errorf("in Chinese after English: %v, %v", got, err)
		}
	})
}

// TestSMSListsFromSandboxMarket fetches the lists over HTTP in every language, and
// during an outage.
func TestSMSListsFromSandboxMarket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop, net := market.New(market.Options{}), memnet.New()
		url, stop := net.Serve("market", shop)
		client, err := hstock.New(hstock.Options{URL: url, Dial: net.Dial})
		if err != nil {
			t.Fatal(err)
		}
		shop.AddKey(key.Reveal(), "0", "USD")
		c := New(client, Options{TTL: ttl})
		defer func() {
			c.Close()
			client.Close()
			stop()
			shop.Close()
			if violations := shop.Violations(); len(violations) > 0 {
				t.Errorf("calls that the document does not allow: %q", violations)
			}
		}()

		english, _, err := c.Countries(t.Context(), Access{Key: key}, "en")
		if err != nil || len(english) < 60 {
			t.Fatalf("%d countries, %v", len(english), err)
		}
		projectsUS, _, err := c.Projects(t.Context(), Access{Key: key}, "en", market.CountryUS)
		if err != nil || len(projectsUS) < 20 {
			t.Fatalf("%d projects, %v", len(projectsUS), err)
		}
		langs := []string{"zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD"}
		for _, lang := range langs {
			countries, _, err := c.Countries(t.Context(), Access{Key: key}, lang)
			if err != nil || len(countries) != len(english) {
				t.Fatalf("%s: %d countries, %v", lang, len(countries), err)
			}
			translated := 0
			for i, country := range countries {
				if country.Code != english[i].Code || country.English != english[i].Name {
					t.Errorf("%s: %v, want that of %v", lang, country, english[i])
				}
				if country.Name != country.English {
					translated++
				}
				if found := FindCountries(countries, country.Name); len(found) == 0 || found[0] != country {
					t.Errorf("%s: %q finds %v", lang, country.Name, found)
				}
			}
			if translated < len(countries)/3 {
				t.Errorf("%s: %d translated", lang, translated)
			}
			for _, country := range []string{market.CountryUS, market.CountryUnknown} {
				projects, _, err := c.Projects(t.Context(), Access{Key: key}, lang, country)
				if i := slices.IndexFunc(projects, func(p Project) bool { return p.ID == market.ProjectOpenAI }); err != nil || i < 0 || projects[i].English != "OpenAI / ChatGPT" {
					t.Errorf("%s: in %q, %v, %v", lang, country, projects, err)
				}
			}
			if projects, _, err := c.Projects(t.Context(), Access{Key: key}, lang, market.CountryWithoutProjects); err != nil || len(projects) > 0 {
				t.Errorf("%s: %v, %v, want none", lang, projects, err)
			}
		}

		answeredAt := time.Now()
		shop.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		time.Sleep(ttl + time.Second)
		stale, freshness, err := c.Countries(t.Context(), Access{Key: key}, "en")
		if diff := cmp.Diff(english, stale); err != nil || diff != "" || !freshness.Stale || !freshness.At.Equal(answeredAt) {
			t.Errorf("%v, %v, (-want +got):\n%s", freshness, err, diff)
		}
		staleProjects, freshness, err := c.Projects(t.Context(), Access{Key: key}, "en", market.CountryUS)
		if diff := cmp.Diff(projectsUS, staleProjects); err != nil || diff != "" || !freshness.Stale || !freshness.At.Equal(answeredAt) {
			t.Errorf("%v, %v, (-want +got):\n%s", freshness, err, diff)
		}
	})
}

func TestFindCountries(t *testing.T) {
	all := []Country{
		{"ru", "俄罗斯", "Russia"},
		{"us", "美国", "United States"},
		{"gb", "英国", "United Kingdom"},
		{"jm", "牙买加", "Jamaica"},
		{"ca", "加拿大", "Canada"},
		{"kz", "哈萨克斯坦", "Kazakhstan"},
		{"ua", "乌克兰", "Ukraine"},
		{"gg", "根西岛", "Guernsey"},
		{"ci", "科特迪瓦", "Côte d’Ivoire"},
		{"do", "多米尼加共和国", "Dominican Republic"},
		{"DEU", "德国", "Germany"},
		{"any", "任意国家", "Any country"},
		{"187", "其他", "Other"},
	}
	for query, want := range map[string][]string{
		"united":      {"us", "gb"},
		"KINGDOM":     {"gb"},
		"美国":          {"us"},
		"国":           {"us", "gb", "do", "DEU", "any"},
		"cote d'ivo":  {"ci"},
		"us":          {"us", "ru"}, // the code, then names that contain it
		"ｕｓ":          {"us", "ru"},
		"USA":         {"us"},
		"uk":          {"gb", "ua"},
		"gbr":         {"gb"},
		"de":          {"DEU"},
		"any":         {"any", "DEU"},
		"eu":          nil, // part of a code
		"+44":         {"gb", "gg"},
		"44":          {"gb", "gg"},
		"0044":        {"gb", "gg"},
		"+44 1481":    {"gg"},
		"+٤٤":         {"gb", "gg"},
		"４４":          {"gb", "gg"},
		"۰۰۴۴":        {"gb", "gg"},
		"+1":          {"us", "ca", "jm", "do"},
		"+1-876":      {"jm"},
		"1 (829)":     {"do"}, // one of three calling codes
		"7":           {"ru", "kz"},
		"38":          {"ua"},
		"187":         {"jm"}, // a calling code, not the marketplace's code 187
		"0":           nil,
		"00":          nil,
		"000":         nil,
		"+44 20 7946": nil,
		"999":         nil,
		"+":           nil,
		"":            nil,
		"sun":         nil, // formerly the code of Russia
		"atlantis":    nil,
	} {
		var got []string
		for _, country := range FindCountries(all, query) {
			got = append(got, country.Code)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
	if got := FindCountries(all[12:], "187"); len(got) != 1 {
		t.Errorf("by a numeric code: %v", got)
	}
}

func TestFindProjects(t *testing.T) {
	all := []Project{
		{ID: "1", Name: "OpenAI / ChatGPT", English: "OpenAI / ChatGPT"},
		{ID: "2", Name: "微信", English: "WeChat"},
		{ID: "3", Name: "谷歌 Chat", English: "Google Chat"},
		{ID: "4", Name: "Chat", English: "Chat"},
	}
	for query, want := range map[string][]string{
		"chat":        {"4", "1", "3", "2"},
		"微信":          {"2"},
		"wechat":      {"2"},
		"谷歌 google":   {"3"},
		"chatgpt ope": {"1"},
		"1":           nil, // ids are not searched
		"":            nil,
	} {
		var got []string
		for _, project := range FindProjects(all, query) {
			got = append(got, project.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
}
