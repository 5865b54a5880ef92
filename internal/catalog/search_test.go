package catalog

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

var chineseNames = map[string]map[int64]string{"zh": {1: "Instagram 粉丝", 2: "谷歌邮箱账号", 3: "Outlook 邮箱账号"}}

// TestSearch searches in both languages and returns names in the requested one.
func TestSearch(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.names = chineseNames
		m.items = slices.Clone(m.items)
		m.items[0].Stock, m.items[2].Stock = 1000, 7
		m.items[2].Description = "not Gmail"
		for _, test := range []struct {
			lang, query string
			want        []string
		}{
			{"zh", "gmail", []string{"谷歌邮箱账号", "Outlook 邮箱账号"}},
			{"en", "gmail", []string{"Gmail Account - USA", "Outlook"}},
			{"en", "谷歌", nil}, // neither English nor the requested language
			{"zh", "谷歌", []string{"谷歌邮箱账号"}},
			{"zh", "邮箱", []string{"谷歌邮箱账号", "Outlook 邮箱账号"}},
			{"zh", "账号 usa", []string{"谷歌邮箱账号"}},
			{"zh", "folowers", []string{"Instagram 粉丝"}},
			{"zh", "", nil},
			{"zh", "atlantis", nil},
		} {
			items, freshness, err := c.Search(t.Context(), Access{Key: key}, test.lang, test.query)
			if diff := cmp.Diff(test.want, namesOf(items)); err != nil || freshness.Stale || diff != "" {
				t.Errorf("%s %q: %v, %v, (-want +got):\n%s", test.lang, test.query, freshness, err, diff)
			}
		}
		if calls := m.takeCalls(); len(calls) != 2 {
			t.Errorf("called %q, want each language once", calls)
		}
		// Opening a found product needs no call.
		if item, _, err := c.Product(t.Context(), Access{Key: key}, "zh", 2); err != nil || item.Name != "谷歌邮箱账号" {
			t.Errorf("%v, %v", item, err)
		}
		wantCalls(t, m)
	})
}

func namesOf(items []hstock.Item) []string {
	var all []string
	for _, item := range items {
		all = append(all, item.Name)
	}
	return all
}

// TestSoldOutItemsComeLast checks the order of sold-out items and the limit of results.
func TestSoldOutItemsComeLast(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.items = []hstock.Item{
			{Service: 1, Name: "Gmail", Stock: 0},
			{Service: 2, Name: "Outlook", Description: "like Gmail", Stock: 5},
			{Service: 3, Name: "Aged Gmail", Stock: 0},
			{Service: 4, Name: "Gmail USA", Stock: 5},
		}
		items, _, err := c.Search(t.Context(), Access{Key: key}, "", "gmail")
		if diff := cmp.Diff([]string{"Gmail USA", "Outlook", "Gmail", "Aged Gmail"}, namesOf(items)); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		time.Sleep(ttl)
		m.items = nil
		for n := range int64(maxResults + 10) {
			m.items = append(m.items, hstock.Item{Service: n + 1, Name: "Gmail", Stock: n % 2})
		}
		items, _, err = c.Search(t.Context(), Access{Key: key}, "", "gmail")
		if err != nil || len(items) != maxResults || items[maxResults/2].Stock != 1 || items[maxResults-1].Stock != 0 {
			t.Errorf("%d items, %v", len(items), err)
		}
	})
}

// TestIndexIsBuiltOnce checks that concurrent searches build one index for each answer.
func TestIndexIsBuiltOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second)
		search := func() {
			var callers sync.WaitGroup
			for n := range 30 {
				callers.Go(func() {
					if items, _, err := c.Search(t.Context(), Access{Key: redact.Secret(fmt.Sprint("key ", n))}, "zh", "gmail"); err != nil || len(items) != 1 {
						t.Errorf("%d items, %v", len(items), err)
					}
				})
			}
			callers.Wait()
		}
		index := func(lang string) any {
			all, _, err := c.all(t.Context(), key, lang)
			if err != nil {
				t.Fatal(err)
			}
			return all.index
		}
		search()
		first := index("zh")
		search()
		if index("zh") != first {
			t.Error("built again for the same answer")
		}
		if calls := m.takeCalls(); len(calls) != 2 {
			t.Errorf("called %q, want each language once", calls)
		}
		if all, _, _ := c.all(t.Context(), key, ""); all.index != nil {
			t.Error("the English catalogue was indexed without a search")
		}
		time.Sleep(ttl)
		search()
		if index("zh") == first {
			t.Error("reused for another answer")
		}
	})
}

// BenchmarkSearch searches 50,000 items in two languages; "cold" fetches them and
// builds the index first.
func BenchmarkSearch(b *testing.B) {
	m := &fakeMarket{names: map[string]map[int64]string{"zh": {}}}
	brands := []string{"Gmail", "Outlook", "Instagram", "Telegram", "TikTok", "YouTube", "Netflix", "Spotify"}
	for n := range int64(maxItems) {
		brand := brands[n%int64(len(brands))]
		m.items = append(m.items, hstock.Item{
			Service: n + 1, Name: fmt.Sprintf("%s Account - USA %d", brand, n), Stock: n % 3,
			Description: fmt.Sprintf("Verified %s account with recovery e-mail, batch %d, delivered at once", brand, n/7),
		})
		m.names["zh"][n+1] = fmt.Sprintf("%s 账号 - 美国 %d", brand, n)
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			c := New(m, Options{TTL: ttl})
			if items, _, err := c.Search(b.Context(), Access{Key: key}, "zh", "gmail 77"); err != nil || len(items) == 0 {
				b.Fatal(len(items), err)
			}
			c.Close()
		}
	})
	c := New(m, Options{TTL: time.Hour})
	defer c.Close()
	if _, _, err := c.Search(b.Context(), Access{Key: key}, "zh", "gmail"); err != nil {
		b.Fatal(err)
	}
	for _, query := range []string{"账号", "gmail account usa", "instagarm acount", "美国账号 netflix 77"} {
		b.Run(query, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if items, _, err := c.Search(b.Context(), Access{Key: key}, "zh", query); err != nil || len(items) == 0 {
					b.Fatal(len(items), err)
				}
			}
		})
	}
}
