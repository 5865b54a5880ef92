package market

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func languages() []string {
	return []string{"zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD"}
}

// TestFixedRows checks the rows of fixtures.go with two seeds.
func TestFixedRows(t *testing.T) {
	type fixed struct {
		rate            string
		min, max, stock int64
		auto            bool
		kind            EntityType
	}
	want := map[int64]fixed{
		InstagramFollowers: {"0.5", 100, 10000, 10000, true, SMM},
		GmailUSA:           {"1.25", 1, 50, 50, true, Product},
		OutlookByHand:      {"0.8", 1, 20, 120, false, Product},
		NetflixVariants:    {"3.5", 1, 50, 102, true, Product},
		SoldOut:            {"2.4", 1, 10, 0, true, Product},
		LongName:           {"4.75", 1, 10, 15, true, Product},
		MarkupName:         {"2", 1, 10, 30, true, Product},
		HugeStock:          {"0.05", 1, 10000, 100000, true, Product},
		LongGoods:          {"1.9", 1, 25, 200, true, Product},
		RightToLeftName:    {"0.99", 1, 10, 40, true, Product},
		AwkwardGoods:       {"0.6", 1, 40, 200, true, Product},
		PreciseRate:        {"0.0125", 1, 5000, 5000, true, Product},
		MinimumTen:         {"0.3", 10, 100, 300, true, Product},
		OneLeft:            {"12", 1, 5, 1, true, Product},
		Expensive:          {"499", 1, 3, 3, false, Product},
		TelegramMembers:    {"1.2", 10, 50000, 50000, true, SMM},
		YouTubeViews:       {"0.9", 500, 1000000, 1000000, false, SMM},
		TikTokLikes:        {"0.036", 50, 200000, 200000, true, SMM},
		ChatGPTPlus:        {"6.5", 1, 5, 24, false, Product},
		SteamCard:          {"9.6", 1, 20, 80, true, Product},
		SpotifySecond:      {"1.1", 1, 20, 8, true, Product},
		Plain:              {"0.4", 1, 100, 500, true, Product},
	}
	for _, seed := range []uint64{0, 99} {
		s := New(Options{Seed: seed})
		for service, want := range want {
			r, found := s.Row(service)
			if got := (fixed{r.Rate.String(), r.Min, r.Max, r.Stock, r.AutoDelivery, r.EntityType}); !found || got != want {
				t.Errorf("seed %d, service %d: %+v, want %+v", seed, service, got, want)
			}
		}
		for _, r := range s.Rows() {
			if _, known := want[r.Service]; !known && r.Service < firstFree {
				t.Errorf("service %d is not among the fixed rows", r.Service)
			}
		}
		for code, service := range map[string]int64{"<b>": MarkupName, "\u202e": RightToLeftName} {
			if r, _ := s.Row(service); !strings.Contains(r.Name, code) {
				t.Errorf("service %d: %q lacks %q", service, r.Name, code)
			}
		}
		if r, _ := s.Row(LongName); utf8.RuneCountInString(r.Name) <= 200 {
			t.Errorf("a name of %d characters is too short", utf8.RuneCountInString(r.Name))
		}
	}
}

func TestFixedProjects(t *testing.T) {
	s := New(Options{Seed: 5})
	want := map[string]offer{
		ProjectOpenAI:     {price: decimal.RequireFromString("0.5"), left: 200},
		ProjectTelegram:   {price: decimal.RequireFromString("0.9"), left: 200},
		ProjectTwoNumbers: {price: decimal.RequireFromString("0.45"), left: 2},
		ProjectNoNumbers:  {price: decimal.RequireFromString("0.35"), left: 0},
	}
	for id, want := range want {
		if got := s.offerOf(id, CountryUS); got == nil || !got.price.Equal(want.price) || got.left != want.left {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
	if len(s.projects) < 100 || len(s.countries) < 60 {
		t.Errorf("%d projects in %d countries", len(s.projects), len(s.countries))
	}
}

func TestSeed(t *testing.T) {
	first, again, other := New(Options{Seed: 1}).Rows(), New(Options{Seed: 1}).Rows(), New(Options{Seed: 2}).Rows()
	if !reflect.DeepEqual(first, again) {
		t.Errorf("the same seed gives another catalogue: %s", cmp.Diff(first, again))
	}
	differ := 0
	for i, r := range first {
		if r.Service != other[i].Service || r.Name != other[i].Name {
			t.Fatalf("another seed gives other goods: %s", other[i].Name)
		}
		if !r.Rate.Equal(other[i].Rate) || r.Stock != other[i].Stock {
			differ++
		}
	}
	if differ < len(first)/2 {
		t.Errorf("only %d of %d rows differ with the seed", differ, len(first))
	}
}

func TestCatalogueVariety(t *testing.T) {
	s := New(Options{Seed: 3})
	var soldOut, byHand, variants, recommended, smm int
	shops := map[string]bool{}
	for _, r := range s.Rows() {
		if r.Name == "" || !r.Rate.IsPositive() || r.Min < 1 || r.Max < r.Min || strings.Contains(r.Name, "{}") {
			t.Errorf("row %+v", r)
		}
		shops[r.Shop] = true
		if r.Stock == 0 {
			soldOut++
		}
		if !r.AutoDelivery {
			byHand++
		}
		if len(r.Variants) > 1 {
			variants++
		}
		if r.Recommended {
			recommended++
		}
		if r.EntityType == SMM {
			smm++
		}
	}
	total := len(s.Rows())
	if total < 300 || soldOut < 10 || byHand < 20 || variants < 20 || recommended < 8 || smm < 50 || len(shops) != 14 || len(s.categoryList) < 12 {
		t.Errorf("%d rows: %d sold out, %d by hand, %d with variants, %d recommended, %d SMM, %d shops, %d categories",
			total, soldOut, byHand, variants, recommended, smm, len(shops), len(s.categoryList))
	}
}

// TestLanguages checks that each language translates categories and goods, and
// falls back to English for the rest.
func TestLanguages(t *testing.T) {
	s := open(t, Options{})
	type list struct{ Categories []categoryAnswer }
	english := read[list](t, s, "categories").Categories
	for _, lang := range languages() {
		local := read[list](t, s, "categories", "lang", lang).Categories
		if len(local) != len(english) {
			t.Fatalf("%s: %d categories", lang, len(local))
		}
		changed := 0
		for i := range english {
			if local[i].Category != english[i].Category {
				changed++
			}
			if len(local[i].Subcategories) != len(english[i].Subcategories) {
				t.Errorf("%s: %s has %d subcategories", lang, english[i].Category, len(local[i].Subcategories))
			}
			if names := slices.Sorted(slices.Values(local[i].Subcategories)); len(slices.Compact(names)) != len(local[i].Subcategories) {
				t.Errorf("%s: %s has subcategories with the same name: %v", lang, english[i].Category, names)
			}
		}
		if changed < 9 {
			t.Errorf("%s: only %d categories are translated", lang, changed)
		}
		goods := read[page](t, s, "products", "lang", lang, "productIds", "2,4,6,19").Products
		for i, name := range []string{"Gmail Account - USA", "Netflix Premium UHD - Private Profile", "", "ChatGPT Plus - Private Account, 1 Month"} {
			if goods[i].Name == name {
				t.Errorf("%s: %q is not translated", lang, name)
			}
		}
		if !strings.HasPrefix(goods[2].Name, "Midjourney Standard Plan") {
			t.Errorf("%s: no fallback to English: %q", lang, goods[2].Name)
		}
		variants := read[inventoryAnswer](t, s, "inventory", "service", "4", "lang", lang)
		if (*variants.Subproducts)[0].Name == "1 Month" {
			t.Errorf("%s: variants are not translated", lang)
		}
		if countries := read[[]countryAnswer](t, s, "sms_countries", "lang", lang); countries[3].CountryName == "Germany" || countries[3].CountryCode != "de" {
			t.Errorf("%s: %+v", lang, countries[3])
		}
	}
	exact(t, "jp is an alias of ja", ask(t, s, "categories", "lang", "jp"), ask(t, s, "categories", "lang", "ja"))
	exact(t, "en is the default", ask(t, s, "categories", "lang", "en"), ask(t, s, "categories"))
	exact(t, "countries", ask(t, s, "sms_countries", "lang", "pt-BR")[:110], `[{"country_code":"us","country_name":"Estados Unidos"},{"country_code":"gb","country_name":"Reino Unido"},{"co`)
	if zh := read[page](t, s, "services", "category", EmailAccounts, "subcategory", Gmail, "lang", "zh"); zh.Total < 10 || zh.Services[0].Name != "Gmail 账号 - 美国" || zh.Services[0].Category != "Accounts-Email" {
		t.Errorf("a subcategory in Chinese: %+v", zh)
	}
}

// TestTranslations checks that all files translate the same texts, and only texts
// of the catalogue.
func TestTranslations(t *testing.T) {
	s := New(Options{})
	known := map[string]bool{"Any country": true, "Other service": true}
	for _, c := range s.categoryList {
		known[c.Name] = true
		for _, sub := range c.Subcategories {
			known[sub.Name], known[sub.Text] = true, true
		}
	}
	for _, r := range s.rows {
		known[r.name], known[r.text] = true, true
		for _, v := range r.variants {
			known[v.Name] = true
		}
	}
	reference := s.texts("zh")
	for _, lang := range languages() {
		texts := s.texts(lang)
		if len(texts) != len(reference) {
			t.Errorf("%s: %d texts, zh has %d", lang, len(texts), len(reference))
		}
		for english := range texts {
			if !known[english] || reference[english] == "" {
				t.Errorf("%s: %q is not in the catalogue, or not in zh", lang, english)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	kinds := map[string]*regexp.Regexp{
		"mail gmail.com":    regexp.MustCompile(`^[a-z]+_[a-z2-9]{5}@gmail\.com:.{10,}$`),
		"awkward proton.me": regexp.MustCompile(`^[a-z]+_[a-z2-9]{5}@proton\.me:Pa.+$`),
		"login":             regexp.MustCompile(`^[a-z]+_[a-z2-9]{5}:.{10,}$`),
		"social":            regexp.MustCompile(`^[a-z]+_[a-z2-9]{5}:.{10,}:[a-z2-9_]+@mail\.example:.+$`),
		"factor gmail.com":  regexp.MustCompile(`^[a-z]+_[a-z2-9]{5}@gmail\.com:P\w{9}!\|[A-Z2-7]{32}\|[a-z2-9_]+@mail\.example$`),
		"cookies":           regexp.MustCompile(`^.+:\[\{"domain".{300,}\]$`),
		"code":              regexp.MustCompile(`^[A-Z2-9]{5}(-[A-Z2-9]{4}){3}$`),
		"key":               regexp.MustCompile(`^[A-Z2-9]{5}(-[A-Z2-9]{5}){4}$`),
		"proxy":             regexp.MustCompile(`^203\.0\.113\.\d+:\d{5}:\w+:\w{10}$`),
	}
	for kind, pattern := range kinds {
		seen := map[string]bool{}
		awkward := 0
		for serial := range uint64(2000) {
			got := credential(1, serial, kind)
			if seen[got] || !pattern.MatchString(got) || strings.ContainsAny(got, "\r\n") {
				t.Fatalf("%s: %q", kind, got)
			}
			if got != credential(1, serial, kind) || got == credential(2, serial, kind) && kind != "code" {
				t.Fatalf("%s: the seed does not determine %q", kind, got)
			}
			seen[got] = true
			if strings.Contains(got, "&") && strings.Contains(got, "<") && strings.Contains(got, ">") && strings.Contains(got, " ") {
				awkward++
			}
		}
		switch {
		case strings.HasPrefix(kind, "awkward") && awkward < 2000:
			t.Errorf("%s: only %d of 2000 are awkward", kind, awkward)
		case slices.Contains([]string{"login", "mail gmail.com", "social"}, kind) && awkward < 300:
			t.Errorf("%s: only %d of 2000 are awkward", kind, awkward)
		}
	}
}

func TestDeliveredGoodsAreUnique(t *testing.T) {
	s := open(t, Options{})
	must(t, s.SetBalance(alice, "1000"))
	for _, service := range []string{"8", "9", "11", "20"} {
		ask(t, s, "add", "service", service, "quantity", "20")
	}
	if n := uniqueGoods(t, s); n != 80 {
		t.Errorf("%d goods, want 80", n)
	}
}
