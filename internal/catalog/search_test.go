package catalog

import (
	"context"
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

// TestSearch finds by both languages and shows the one that was asked for.
func TestSearch(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.names = chineseNames
		m.rows = slices.Clone(m.rows)
		m.rows[0].Stock, m.rows[2].Stock = 1000, 7
		m.rows[2].Description = "not Gmail"
		for _, test := range []struct {
			lang, query string
			want        []string
		}{
			{"zh", "gmail", []string{"谷歌邮箱账号", "Outlook 邮箱账号"}},
			{"en", "gmail", []string{"Gmail Account - USA", "Outlook"}},
			{"en", "谷歌", nil}, // neither English nor the person's own
			{"zh", "谷歌", []string{"谷歌邮箱账号"}},
			{"zh", "邮箱", []string{"谷歌邮箱账号", "Outlook 邮箱账号"}},
			{"zh", "账号 usa", []string{"谷歌邮箱账号"}},
			{"zh", "folowers", []string{"Instagram 粉丝"}},
			{"zh", "", nil},
			{"zh", "atlantis", nil},
		} {
			rows, freshness, err := c.Search(t.Context(), key, test.lang, test.query)
			if diff := cmp.Diff(test.want, namesOf(rows)); err != nil || freshness.Stale || diff != "" {
				t.Errorf("%s %q: %v, %v, (-want +got):\n%s", test.lang, test.query, freshness, err, diff)
			}
		}
		if calls := m.asked(); len(calls) != 2 {
			t.Errorf("asked %q, want each language once", calls)
		}
		// A product that was found costs no call.
		if row, _, err := c.Product(t.Context(), key, "zh", 2); err != nil || row.Name != "谷歌邮箱账号" {
			t.Errorf("%v, %v", row, err)
		}
		mustAsk(t, m)
	})
}

func namesOf(rows []hstock.Item) []string {
	var all []string
	for _, row := range rows {
		all = append(all, row.Name)
	}
	return all
}

// TestSoldOutIsFoundLast, however well it fits, and all of it is bounded.
func TestSoldOutIsFoundLast(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.rows = []hstock.Item{
			{Service: 1, Name: "Gmail", Stock: 0},
			{Service: 2, Name: "Outlook", Description: "like Gmail", Stock: 5},
			{Service: 3, Name: "Aged Gmail", Stock: 0},
			{Service: 4, Name: "Gmail USA", Stock: 5},
		}
		rows, _, err := c.Search(t.Context(), key, "", "gmail")
		if diff := cmp.Diff([]string{"Gmail USA", "Outlook", "Gmail", "Aged Gmail"}, namesOf(rows)); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		time.Sleep(ttl)
		m.rows = nil
		for n := range int64(maxFound + 10) {
			m.rows = append(m.rows, hstock.Item{Service: n + 1, Name: "Gmail", Stock: n % 2})
		}
		rows, _, err = c.Search(t.Context(), key, "", "gmail")
		if err != nil || len(rows) != maxFound || rows[maxFound/2].Stock != 1 || rows[maxFound-1].Stock != 0 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

// TestTheWholeCatalogueComesInPages, however many there are, up to a bound; and
// whatever happens to it in between.
func TestTheWholeCatalogueComesInPages(t *testing.T) {
	for _, test := range []struct {
		name        string
		rows, moved int
		deaf        bool // a marketplace that gives the first page whatever is asked for
		want, calls int
	}{
		{name: "nothing", rows: 0, want: 0, calls: 1},
		{name: "one page", rows: pageRows, want: pageRows, calls: 1},
		{name: "one more", rows: pageRows + 1, want: pageRows + 1, calls: 2},
		{name: "a row that moves on", rows: 2 * pageRows, moved: 1, want: 2*pageRows - 1, calls: 2},
		{name: "too many", rows: maxWhole + 2*pageRows, want: maxWhole, calls: maxWhole / pageRows},
		{name: "pages are ignored", rows: 2 * pageRows, deaf: true, want: pageRows, calls: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			m := &pager{answer: func(f hstock.Filter) hstock.Page {
				calls++
				page := hstock.Page{TotalPages: (test.rows + f.Limit - 1) / f.Limit}
				from := (f.Page - 1) * f.Limit
				if test.deaf {
					from = 0
				}
				if f.Page > 1 {
					from -= test.moved
				}
				for n := from; n < min(from+f.Limit, test.rows-test.moved); n++ {
					page.Items = append(page.Items, hstock.Item{Service: int64(n) + 1})
				}
				return page
			}}
			rows, err := askAll(t.Context(), m, key, "")
			if err != nil || len(rows) != test.want || calls != test.calls {
				t.Errorf("%d rows in %d calls, %v, want %d in %d", len(rows), calls, err, test.want, test.calls)
			}
		})
	}
}

// pager answers services as it is told to.
type pager struct {
	fake
	answer func(hstock.Filter) hstock.Page
}

func (p *pager) Services(_ context.Context, _ redact.Secret, f hstock.Filter) (hstock.Page, error) {
	return p.answer(f), nil
}

// TestIndexedOnce: many people, one index for each answer.
func TestIndexedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.set(nil, time.Second)
		search := func() {
			var people sync.WaitGroup
			for n := range 30 {
				people.Go(func() {
					if rows, _, err := c.Search(t.Context(), redact.Secret(fmt.Sprint("key ", n)), "zh", "gmail"); err != nil || len(rows) != 1 {
						t.Errorf("%d rows, %v", len(rows), err)
					}
				})
			}
			people.Wait()
		}
		index := func(lang string) any {
			all, _, err := c.whole(t.Context(), key, lang)
			if err != nil {
				t.Fatal(err)
			}
			return all.index
		}
		search()
		first := index("zh")
		search()
		if index("zh") != first {
			t.Error("made anew for the same answer")
		}
		if calls := m.asked(); len(calls) != 2 {
			t.Errorf("asked %q, want each language once", calls)
		}
		if all, _, _ := c.whole(t.Context(), key, ""); all.index != nil {
			t.Error("the English catalogue was indexed though nobody searched it")
		}
		time.Sleep(ttl)
		search()
		if index("zh") == first {
			t.Error("kept for another answer")
		}
	})
}

// BenchmarkSearch is a search from the words to the rows, in 50,000 rows of two
// languages; "cold" asks for them and makes the index first.
func BenchmarkSearch(b *testing.B) {
	m := &fake{names: map[string]map[int64]string{"zh": {}}}
	brands := []string{"Gmail", "Outlook", "Instagram", "Telegram", "TikTok", "YouTube", "Netflix", "Spotify"}
	for n := range int64(maxWhole) {
		brand := brands[n%int64(len(brands))]
		m.rows = append(m.rows, hstock.Item{
			Service: n + 1, Name: fmt.Sprintf("%s Account - USA %d", brand, n), Stock: n % 3,
			Description: fmt.Sprintf("Verified %s account with recovery e-mail, batch %d, delivered at once", brand, n/7),
		})
		m.names["zh"][n+1] = fmt.Sprintf("%s 账号 - 美国 %d", brand, n)
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			c := New(m, Options{TTL: ttl})
			if rows, _, err := c.Search(b.Context(), key, "zh", "gmail 77"); err != nil || len(rows) == 0 {
				b.Fatal(len(rows), err)
			}
			c.Close()
		}
	})
	c := New(m, Options{TTL: time.Hour})
	defer c.Close()
	if _, _, err := c.Search(b.Context(), key, "zh", "gmail"); err != nil {
		b.Fatal(err)
	}
	for _, query := range []string{"账号", "gmail account usa", "instagarm acount", "美国账号 netflix 77"} {
		b.Run(query, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rows, _, err := c.Search(b.Context(), key, "zh", query); err != nil || len(rows) == 0 {
					b.Fatal(len(rows), err)
				}
			}
		})
	}
}
