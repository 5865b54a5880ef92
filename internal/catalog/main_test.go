package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

const (
	key      = redact.Secret("a valid key")
	otherKey = redact.Secret("another valid key")
	badKey   = redact.Secret("an invalid key")
	ttl      = 5 * time.Minute
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeMarket is a marketplace with a few items. It records its calls, and can fail
// and answer late.
type fakeMarket struct {
	mu                    sync.Mutex
	categories            map[string][]hstock.Category // by language
	items                 []hstock.Item
	names                 map[string]map[int64]string // of items by service, by language
	inventory             map[int64]hstock.Inventory
	countries             map[string][]hstock.SMSCountry                          // by language
	projects              map[string][]hstock.SMSProject                          // by language; the country is ignored
	projectsOf            func(country, lang string) ([]hstock.SMSProject, error) // instead of projects
	sellers               []hstock.Seller
	perPage               int                      // sellers on a page, whatever limit is requested; 0: all of them, on any page
	currencies            map[redact.Secret]string // by key; any other is USD
	fail                  error
	delay                 time.Duration
	calls                 []string
	inFlight, maxInFlight int // calls
}

func (f *fakeMarket) enter(ctx context.Context, key redact.Secret, call string) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.inFlight++
	f.maxInFlight = max(f.maxInFlight, f.inFlight)
	fail, delay := f.fail, f.delay
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inFlight--
		f.mu.Unlock()
	}()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return &hstock.Error{Action: call, Kind: hstock.Unreachable, Err: ctx.Err()}
		}
	}
	if key == badKey {
		return &hstock.Error{Action: call, Kind: hstock.InvalidKey, Err: hstock.ErrInvalidKey}
	}
	return fail
}

func (f *fakeMarket) Categories(ctx context.Context, key redact.Secret, lang string) ([]hstock.Category, error) {
	if err := f.enter(ctx, key, "categories "+lang); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.categories[lang], nil
}

func (f *fakeMarket) SubcategoryInfo(ctx context.Context, key redact.Secret, subcategoryID, lang string) (hstock.SubcategoryInfo, error) {
	err := f.enter(ctx, key, fmt.Sprint("subcategory_info ", subcategoryID, " ", lang))
	return hstock.SubcategoryInfo{ID: subcategoryID, Name: "Gmail"}, err
}

func (f *fakeMarket) Products(ctx context.Context, key redact.Secret, filter hstock.Filter) (hstock.Page, error) {
	return f.page(ctx, key, "products", filter)
}

func (f *fakeMarket) Services(ctx context.Context, key redact.Secret, filter hstock.Filter) (hstock.Page, error) {
	return f.page(ctx, key, "services", filter)
}

func (f *fakeMarket) page(ctx context.Context, key redact.Secret, action string, filter hstock.Filter) (hstock.Page, error) {
	call := fmt.Sprintf(
		"%s %s %s/%s %d %s%s", action, filter.Lang, filter.Category, filter.Subcategory, filter.Limit,
		strings.Join(filter.ProductIDs, ","), filter.EntityType,
	)
	if filter.Page > 1 {
		call += fmt.Sprint(" page ", filter.Page)
	}
	if filter.Recommended {
		call += "recommended"
	}
	if filter.ShopID != "" {
		call += "of " + filter.ShopID
	}
	if err := f.enter(ctx, key, call); err != nil {
		return hstock.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	page := hstock.Page{}
	for _, item := range f.items {
		isProduct := item.EntityType == hstock.EntityProduct
		switch {
		case filter.Category != "" && item.Category != filter.Category,
			filter.Subcategory != "" && item.Type != filter.Subcategory,
			filter.EntityType != "" && item.EntityType != filter.EntityType,
			action == "products" && !isProduct,
			filter.Recommended && !item.Recommended,
			filter.ShopID != "" && item.SubcategoryID != filter.ShopID,
			len(filter.ProductIDs) > 0 && (!isProduct || !slices.Contains(filter.ProductIDs, fmt.Sprint(item.Service))):
			continue
		}
		page.Total++
		if translated, ok := f.names[filter.Lang][item.Service]; ok {
			item.Name = translated
		}
		if filter.Limit == 0 || page.Total > (filter.Page-1)*filter.Limit && len(page.Items) < filter.Limit {
			page.Items = append(page.Items, item)
		}
	}
	if filter.Limit > 0 {
		page.TotalPages = (page.Total + filter.Limit - 1) / filter.Limit
	}
	return page, nil
}

func (f *fakeMarket) Shops(ctx context.Context, key redact.Secret, page, limit int) ([]hstock.Seller, error) {
	if err := f.enter(ctx, key, fmt.Sprint("shops ", page, " ", limit)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.perPage == 0 {
		return f.sellers, nil
	}
	from := min((page-1)*f.perPage, len(f.sellers))
	return f.sellers[from:min(from+f.perPage, len(f.sellers))], nil
}

func (f *fakeMarket) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error) {
	if err := f.enter(ctx, key, fmt.Sprint("inventory ", service, " ", lang)); err != nil {
		return hstock.Inventory{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	inventory, ok := f.inventory[service]
	if !ok {
		return inventory, &hstock.Error{Action: "inventory", Kind: hstock.Refused, Err: hstock.ErrServiceNotFound}
	}
	return inventory, nil
}

func (f *fakeMarket) SMSCountries(ctx context.Context, key redact.Secret, lang string) ([]hstock.SMSCountry, error) {
	if err := f.enter(ctx, key, "sms_countries "+lang); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.countries[lang], nil
}

func (f *fakeMarket) SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error) {
	if err := f.enter(ctx, key, fmt.Sprint("sms_projects ", country, " ", lang)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.projectsOf != nil {
		return f.projectsOf(country, lang)
	}
	return f.projects[lang], nil
}

// Currency makes no call, as hstock.Client does after a Balance.
func (f *fakeMarket) Currency(_ context.Context, key redact.Secret) (string, error) {
	if currency, known := f.currencies[key]; known {
		return currency, nil
	}
	return "USD", nil
}

// takeCalls returns and clears the recorded calls.
func (f *fakeMarket) takeCalls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fakeMarket) set(fail error, delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.delay = fail, delay
}

var (
	down       = &hstock.Error{Action: "any", Kind: hstock.Unreachable, Status: 502}
	unreadable = &hstock.Error{Action: "any", Kind: hstock.Unreadable}

	gmail = hstock.Item{
		Service: 2, Name: "Gmail Account - USA", Category: "Email Accounts", Type: "Gmail",
		Rate: decimal.RequireFromString("25.00"), Stock: 50, EntityType: hstock.EntityProduct,
	}
	outlook   = hstock.Item{Service: 3, Name: "Outlook", Category: "Email Accounts", Type: "Outlook", EntityType: hstock.EntityProduct}
	half      = decimal.RequireFromString("0.5000")
	followers = hstock.Item{Service: 1, Name: "Instagram Followers", Category: "Instagram", Type: "Followers", EntityType: hstock.EntitySMM}
)

// inBubble runs f with a catalogue in a synctest bubble.
func inBubble(t *testing.T, f func(t *testing.T, c *Catalog, m *fakeMarket)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMarket{
			categories: map[string][]hstock.Category{
				"": {
					{Name: "Instagram", Subcategories: []string{"Followers", "Likes"}},
					{Name: "Email Accounts", Subcategories: []string{"Gmail", "Outlook"}},
				},
				"zh": {
					{Name: "Instagram", Subcategories: []string{"粉丝", "点赞"}},
					{Name: "邮箱账号", Subcategories: []string{"Gmail", "Outlook"}},
				},
			},
			items:     []hstock.Item{followers, gmail, outlook},
			inventory: map[int64]hstock.Inventory{2: {Service: 2, Stock: 50, Available: true}},
			countries: map[string][]hstock.SMSCountry{
				"":   {{Code: "us", Name: "United States"}, {Code: "gb", Name: "United Kingdom"}},
				"zh": {{Code: "us", Name: "美国"}, {Code: "gb", Name: "英国"}},
			},
			projects: map[string][]hstock.SMSProject{
				"":   {{ID: "65f1", Name: "Telegram", Price: half, CountryID: "us"}, {ID: "65f2", Name: "WeChat", Price: half, CountryID: "us"}},
				"zh": {{ID: "65f1", Name: "Telegram", Price: half, CountryID: "us"}, {ID: "65f2", Name: "微信", Price: half, CountryID: "us"}},
			},
		}
		c := New(m, Options{TTL: ttl})
		defer c.Close()
		f(t, c, m)
	})
}

func wantCalls(t *testing.T, m *fakeMarket, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, m.takeCalls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// method is a call of one method of Catalog, for tests that cover all of them.
type method struct {
	name string
	call func(ctx context.Context, c *Catalog, access Access) (any, Freshness, error)
}

func methodOf[T any](name string, f func(ctx context.Context, c *Catalog, access Access) (T, Freshness, error)) method {
	return method{name, func(ctx context.Context, c *Catalog, access Access) (any, Freshness, error) {
		return f(ctx, c, access)
	}}
}

var methods = []method{
	methodOf("Categories", func(ctx context.Context, c *Catalog, access Access) ([]Category, Freshness, error) {
		return c.Categories(ctx, access, "zh")
	}),
	methodOf("Shelf", func(ctx context.Context, c *Catalog, access Access) ([]hstock.Item, Freshness, error) {
		return c.Shelf(ctx, access, "zh", "Email Accounts", "Gmail")
	}),
	methodOf("Search", func(ctx context.Context, c *Catalog, access Access) ([]hstock.Item, Freshness, error) {
		return c.Search(ctx, access, "zh", "gmial")
	}),
	methodOf("Product", func(ctx context.Context, c *Catalog, access Access) (hstock.Item, Freshness, error) {
		return c.Product(ctx, access, "zh", 2)
	}),
	methodOf("Product (SMM)", func(ctx context.Context, c *Catalog, access Access) (hstock.Item, Freshness, error) {
		return c.Product(ctx, access, "zh", 1)
	}),
	methodOf("Inventory", func(ctx context.Context, c *Catalog, access Access) (hstock.Inventory, Freshness, error) {
		return c.Inventory(ctx, access, "zh", 2, false)
	}),
	methodOf("SubcategoryInfo", func(ctx context.Context, c *Catalog, access Access) (hstock.SubcategoryInfo, Freshness, error) {
		return c.SubcategoryInfo(ctx, access, "zh", "674a")
	}),
	methodOf("Countries", func(ctx context.Context, c *Catalog, access Access) ([]Country, Freshness, error) {
		return c.Countries(ctx, access, "zh")
	}),
	methodOf("Projects", func(ctx context.Context, c *Catalog, access Access) ([]Project, Freshness, error) {
		return c.Projects(ctx, access, "zh", "us")
	}),
	methodOf("Apps", func(ctx context.Context, c *Catalog, access Access) (Apps, Freshness, error) {
		return c.Apps(ctx, access, "zh")
	}),
	methodOf("Recommended", func(ctx context.Context, c *Catalog, access Access) ([]hstock.Item, Freshness, error) {
		return c.Recommended(ctx, access, "zh")
	}),
	methodOf("Sellers", func(ctx context.Context, c *Catalog, access Access) ([]hstock.Seller, Freshness, error) {
		return c.Sellers(ctx, access)
	}),
	methodOf("SellerGoods", func(ctx context.Context, c *Catalog, access Access) ([]hstock.Item, Freshness, error) {
		return c.SellerGoods(ctx, access, "zh", "68d1")
	}),
	methodOf("Items", func(ctx context.Context, c *Catalog, access Access) (map[int64]hstock.Item, Freshness, error) {
		return c.Items(ctx, access, "zh", []int64{2}, nil)
	}),
	methodOf("Counts", func(ctx context.Context, c *Catalog, access Access) (map[CategoryPath]int, Freshness, error) {
		counts, err := c.Counts(ctx, access, CategoryPath{"Email Accounts", "Gmail"})
		return counts, Freshness{At: time.Now()}, err
	}),
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// changingMarket returns the next of its lists at each call.
type changingMarket struct {
	fakeMarket
	lists map[string][][]hstock.Category
}

func (m *changingMarket) Categories(_ context.Context, _ redact.Secret, lang string) ([]hstock.Category, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.lists[lang][0]
	m.lists[lang] = m.lists[lang][1:]
	return list, nil
}
