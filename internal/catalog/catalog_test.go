package catalog

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

func TestCategories(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		english := []Category{
			{"Instagram", "Instagram", []Subcategory{{"Followers", "Followers"}, {"Likes", "Likes"}}},
			{"Email Accounts", "Email Accounts", []Subcategory{{"Gmail", "Gmail"}, {"Outlook", "Outlook"}}},
		}
		chinese := []Category{
			{"Instagram", "Instagram", []Subcategory{{"Followers", "粉丝"}, {"Likes", "点赞"}}},
			{"Email Accounts", "邮箱账号", []Subcategory{{"Gmail", "Gmail"}, {"Outlook", "Outlook"}}},
		}
		tests := []struct {
			lang  string
			want  []Category
			calls int
		}{
			{"en", english, 1},
			{"", english, 0}, // the same
			{"zh", chinese, 2},
			{"zh", chinese, 0},
		}
		for _, test := range tests {
			got, _, err := c.Categories(t.Context(), key, test.lang)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%q: %v, (-want +got):\n%s", test.lang, err, diff)
			}
			if calls := m.takeCalls(); len(calls) != test.calls {
				t.Errorf("%q: asked %q, want %d calls", test.lang, calls, test.calls)
			}
		}

		// Another catalogue in the other language: once more, then English.
		m.categories["de"] = m.categories["zh"][:1]
		got, freshness, err := c.Categories(t.Context(), key, "de")
		if diff := cmp.Diff(english, got); err != nil || freshness.Stale || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		if calls := m.takeCalls(); len(calls) != 4 {
			t.Errorf("asked %q, want both lists twice", calls)
		}
	})
}

// TestCategoriesRefetchedAfterChange: a catalogue that changes between the two calls
// is asked for again.
func TestCategoriesRefetchedAfterChange(t *testing.T) {
	english := []hstock.Category{{Name: "A"}, {Name: "B"}}
	m := &changingMarket{lists: map[string][][]hstock.Category{
		"":   {{{Name: "A"}}, english},
		"zh": {{{Name: "甲"}, {Name: "乙"}}, {{Name: "甲"}, {Name: "乙"}}},
	}}
	got, err := fetchCategories(t.Context(), m, key, "zh")
	want := []Category{{English: "A", Name: "甲"}, {English: "B", Name: "乙"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestJoinCategories(t *testing.T) {
	list := func(categories ...hstock.Category) []hstock.Category { return categories }
	category := func(name string, subcategories ...string) hstock.Category {
		return hstock.Category{Name: name, Subcategories: subcategories}
	}
	english := list(category("Games", "Steam", "Xbox"), category("Email", "Gmail"), category("VPN"))
	tests := []struct {
		name       string
		english    []hstock.Category
		translated []hstock.Category
		want       []Category
		refused    bool
	}{
		{
			name: "translated", english: english,
			translated: list(category("游戏", "蒸汽", "Xbox"), category("邮箱", "谷歌"), category("VPN")),
			want: []Category{
				{"Games", "游戏", []Subcategory{{"Steam", "蒸汽"}, {"Xbox", "Xbox"}}},
				{"Email", "邮箱", []Subcategory{{"Gmail", "谷歌"}}},
				{"VPN", "VPN", nil},
			},
		},
		{name: "empty", want: []Category{}},
		{name: "longer", english: english, translated: append(list(category("a", "b", "c"), category("d", "e")), category("f"), category("g")), refused: true},
		{name: "shorter", english: english, translated: list(category("a", "b", "c"), category("d", "e")), refused: true},
		{name: "another number of subcategories", english: english, translated: list(category("a", "b"), category("c", "d"), category("e")), refused: true},
		{name: "an English name has moved", english: english, translated: list(category("VPN", "b", "c"), category("d", "e"), category("f")), refused: true},
		{name: "two have changed places", english: list(category("A"), category("B")), translated: list(category("B"), category("A")), refused: true},
		{name: "an English subcategory has moved", english: english, translated: list(category("a", "Xbox", "c"), category("d", "e"), category("f")), refused: true},
		{
			name: "the same name twice", english: list(category("A", "x", "x"), category("A")), translated: list(category("A", "x", "x"), category("A")),
			want: []Category{{"A", "A", []Subcategory{{"x", "x"}, {"x", "x"}}}, {"A", "A", nil}},
		},
		{
			name: "names missing", english: list(category("", "x"), category("B", "", "y")), translated: list(category("甲", "乙"), category("", "丙", "")),
			want: []Category{{"B", "B", []Subcategory{{"y", "y"}}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := joinCategories(test.english, test.translated)
			if ok == test.refused {
				t.Errorf("accepted: %v", ok)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	places := []CategoryPath{
		{"Instagram", ""}, {"Email Accounts", ""}, {"Email Accounts", "Gmail"}, {"Email Accounts", "Nothing"}, {},
	}
	want := map[CategoryPath]int{
		{"Instagram", ""}: 1, {"Email Accounts", ""}: 2, {"Email Accounts", "Gmail"}: 1, {"Email Accounts", "Nothing"}: 0, {}: 3,
	}
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		for _, calls := range []int{len(places), 0} {
			got, err := c.Counts(t.Context(), key, places...)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
			if asked := m.takeCalls(); len(asked) != calls {
				t.Errorf("asked %q, want %d calls", asked, calls)
			}
		}
	})

	var many []CategoryPath
	for n := range 30 {
		many = append(many, CategoryPath{Category: fmt.Sprint(n)})
	}
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second-time.Millisecond)
		began := time.Now()
		got, err := c.Counts(t.Context(), key, many...)
		if took := time.Since(began); took != countsTimeout || err != nil || len(got) != 3*maxConcurrentCounts {
			t.Errorf("%d counts after %s, %v; want %d after %s", len(got), took, err, 3*maxConcurrentCounts, countsTimeout)
		}
		time.Sleep(time.Second) // those under way come in late, and are kept
		synctest.Wait()
		if m.maxInFlight != maxConcurrentCounts {
			t.Errorf("%d at once, want %d", m.maxInFlight, maxConcurrentCounts)
		}
		m.takeCalls()
		m.set(down, 0)
		if got, err = c.Counts(t.Context(), key, many...); err != nil || len(got) != 4*maxConcurrentCounts {
			t.Errorf("%d counts, %v, want %d", len(got), err, 4*maxConcurrentCounts)
		}
	})

	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		got, err := c.Counts(t.Context(), badKey, many...)
		wantError(t, err, hstock.ErrInvalidKey)
		if asked := len(m.takeCalls()); got != nil || asked > maxConcurrentCounts {
			t.Errorf("got %v after %d calls with a bad key", got, asked)
		}
		if got, err := c.Counts(t.Context(), key); err != nil || len(got) != 0 {
			t.Errorf("no places: %v, %v", got, err)
		}
	})
}

func TestShelf(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		tests := []struct {
			lang, category, subcategory string
			want                        []hstock.Item
			call                        string
		}{
			{"zh", "Email Accounts", "Gmail", []hstock.Item{gmail}, "services zh Email Accounts/Gmail 0 "},
			{"en", "Email Accounts", "", []hstock.Item{gmail, outlook}, "services  Email Accounts/ 0 "},
			{"", "", "", []hstock.Item{followers, gmail, outlook}, "services  / 5000 "},
			{"", "Nothing", "", nil, "services  Nothing/ 0 "},
		}
		for _, test := range tests {
			got, _, err := c.Shelf(t.Context(), key, test.lang, test.category, test.subcategory)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
			wantCalls(t, m, test.call)
		}
	})
}

func TestShelfIsLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.items = slices.Repeat([]hstock.Item{gmail}, maxShelfItems+5)
		items, _, err := c.Shelf(t.Context(), key, "", gmail.Category, "")
		if err != nil || len(items) != maxShelfItems {
			t.Errorf("%d items, %v, want %d", len(items), err, maxShelfItems)
		}
	})
}

func TestProduct(t *testing.T) {
	tests := []struct {
		name    string
		shelf   string // opened before
		service int64
		want    hstock.Item
		calls   []string
	}{
		{"from a shelf", "Email Accounts", 2, gmail, nil},
		{"SMM from a shelf", "Instagram", 1, followers, nil},
		{"by number", "", 2, gmail, []string{"products zh / 0 2"}},
		{"SMM by number", "", 1, followers, []string{"products zh / 0 1", "services zh / 0 smm"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				if test.shelf != "" {
					if _, _, err := c.Shelf(t.Context(), key, "zh", test.shelf, ""); err != nil {
						t.Fatal(err)
					}
					m.takeCalls()
				}
				got, freshness, err := c.Product(t.Context(), key, "zh", test.service)
				if diff := cmp.Diff(test.want, got); err != nil || freshness.Stale || diff != "" {
					t.Errorf("%v, %v, (-want +got):\n%s", freshness, err, diff)
				}
				wantCalls(t, m, test.calls...)
			})
		})
	}
}

func TestProductDelisted(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		_, _, err := c.Product(t.Context(), key, "", 99)
		wantError(t, err, ErrDelisted)
		wantCalls(t, m, "products  / 0 99", "services  / 0 smm")
		_, _, err = c.Product(t.Context(), key, "", 99)
		wantError(t, err, ErrDelisted)
		wantCalls(t, m)

		// One that was on a shelf and is no more.
		for _, shelf := range []string{"Email Accounts", "Instagram"} {
			if _, _, err := c.Shelf(t.Context(), key, "", shelf, ""); err != nil {
				t.Fatal(err)
			}
		}
		m.items = nil
		time.Sleep(ttl)
		for _, service := range []int64{1, 2} {
			_, _, err = c.Product(t.Context(), key, "", service)
			wantError(t, err, ErrDelisted)
		}
	})
}

// TestProductFromShelfDuringOutage: a item that was only ever seen on a shelf is
// shown as stale, and not asked for at each tap.
func TestProductFromShelfDuringOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		if _, _, err := c.Shelf(t.Context(), key, "", "", ""); err != nil {
			t.Fatal(err)
		}
		said := time.Now()
		time.Sleep(ttl)
		m.set(down, 0)
		m.takeCalls()
		for _, want := range []hstock.Item{followers, gmail} {
			for range 5 {
				got, freshness, err := c.Product(t.Context(), key, "", want.Service)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v, (-want +got):\n%s", err, diff)
				}
				if !freshness.Stale || !freshness.At.Equal(said) {
					t.Errorf("freshness %v, want stale of %v", freshness, said)
				}
			}
		}
		wantCalls(t, m, "services  / 0 smm", "products  / 0 2")
		if _, _, err := c.Product(t.Context(), key, "", 99); !isOutage(err) {
			t.Errorf("one never seen: %v, want an outage", err)
		}
	})
}

// TestProductMissingFromStaleList: that it was not there then does not mean
// that it is gone.
func TestProductMissingFromStaleList(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		if _, _, err := c.Product(t.Context(), key, "", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		m.set(down, 0)
		_, _, err := c.Product(t.Context(), key, "", 99)
		if !isOutage(err) {
			t.Errorf("got %v, want an outage", err)
		}
	})
}

func TestInventory(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		read := func(key redact.Secret, fresh bool) (hstock.Inventory, Freshness, error) {
			return c.Inventory(t.Context(), key, "zh", 2, fresh)
		}
		stock := func(fresh bool, want int64) {
			t.Helper()
			if got, freshness, err := read(key, fresh); err != nil || freshness.Stale || got.Stock != want {
				t.Errorf("stock %d, %v, %v, want %d", got.Stock, freshness, err, want)
			}
		}
		stock(false, 50)
		m.inventory[2] = hstock.Inventory{Service: 2, Stock: 49}
		stock(false, 50)
		wantCalls(t, m, "inventory 2 zh")
		stock(true, 49)
		stock(false, 49) // what was read anew is what is believed
		wantCalls(t, m, "inventory 2 zh")
		time.Sleep(inventoryTTL)
		stock(false, 49)
		wantCalls(t, m, "inventory 2 zh")

		// About to be paid: never stale, and with one's own key.
		_, _, err := read(badKey, true)
		wantError(t, err, hstock.ErrInvalidKey)
		m.set(down, 0)
		_, _, err = read(key, true)
		wantError(t, err, down)
		stock(false, 49)
		m.set(nil, 0)

		_, _, err = c.Inventory(t.Context(), key, "", 99, false)
		wantError(t, err, ErrDelisted)
		wantError(t, err, hstock.ErrServiceNotFound)
		_, _, err = c.Inventory(t.Context(), key, "", 99, true)
		wantError(t, err, ErrDelisted)
	})
}
