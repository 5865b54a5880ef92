package market

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/shopspring/decimal"
)

//go:embed data/*.toml data/lang/*.toml
var data embed.FS

const (
	imageBase = "https://example.com/uploads/" // as in the document's examples

	firstFree int64 = 101 // the service of the first row that is not fixed
)

// world is the catalogue: everything that can be bought.
type world struct {
	categoryList []*category
	rows         []*row // ordered by service
	byService    map[int64]*row
	removed      map[int64]*row
	shops        []*Shop // without Goods
	countries    []*country
	projects     []*project
	translations map[string]map[string]string // by language; use texts
	seed         uint64
}

// category is one category of data/goods_*.toml.
type category struct {
	Name          string         // in categories and filters
	Row           string         // in rows; "": Name
	SMM           bool           // its rows are SMM services
	Subcategories []*subcategory `toml:"subcategory"`

	id string
}

type subcategory struct {
	Name  string
	Text  string // its description, and that of rows without one
	Goods string // the kind of credential that is delivered
	Rows  []spec // ordered by service

	id       string
	category *category
}

// spec defines one row, or one for each element of Of, which replaces {} in the
// name. The seed chooses what is missing, unless Service makes it a fixed row.
type spec struct {
	Service     int64
	Name        string
	Of          []string
	Rate        decimal.Decimal
	Min, Max    int64
	Stock       *int64
	Auto        *bool
	Text        *string
	Image       *string
	Goods       string
	Recommended bool
	Refill      bool
	Cancel      bool
	Plans       []string // names of variants, in the order of their prices
	Variants    []Variant
}

// row is one line of services.
type row struct {
	id          string
	service     int64
	name        string
	text        string
	image       string
	goods       string
	kind        string // its type; "": Default
	entity      EntityType
	sub         *subcategory
	shop        *Shop
	min, max    int64
	auto        bool
	held        bool // automatic delivery is stopped
	recommended bool
	refill      bool
	cancel      bool
	variants    []Variant // at least one; the first is the main one
}

func (r *row) main() *Variant { return &r.variants[0] }

func (r *row) stock() int64 {
	var stock int64
	for _, v := range r.variants {
		stock += v.Stock
	}
	return stock
}

// shownMax is the largest quantity that can be ordered now. In the document's
// example of inventory it is the stock of the main variant.
func (r *row) shownMax() int64 {
	for _, stock := range []int64{r.main().Stock, r.stock()} {
		if r.entity == Product && stock >= r.min {
			return min(r.max, stock)
		}
	}
	return r.max
}

// shopList returns all shops with the number of their products.
func (w *world) shopList() []Shop {
	shops := make([]Shop, len(w.shops))
	for i, sh := range w.shops {
		shops[i] = *sh
		for _, r := range w.rows {
			if r.shop == sh && r.entity == Product {
				shops[i].Goods++
			}
		}
	}
	return shops
}

// newWorld loads the data.
func newWorld(seed uint64) world {
	w := world{
		byService:    make(map[int64]*row),
		removed:      make(map[int64]*row),
		translations: make(map[string]map[string]string),
		seed:         seed,
	}
	for i, name := range shopNames() {
		tenths := 36 + newRandom(seed, hash(int64(i))).below(15)
		sh := &Shop{ID: entityID("68d1", 0x1000+i), Name: name, Rating: fmt.Sprintf("%d.%d", tenths/10, tenths%10)}
		if i == 3 {
			sh.Rating = ""
		}
		w.shops = append(w.shops, sh)
	}
	for _, name := range []string{"goods_smm", "goods_accounts", "goods_subscriptions", "goods_keys"} {
		var file struct {
			Category []*category
		}
		load("data/"+name+".toml", &file)
		w.categoryList = append(w.categoryList, file.Category...)
	}
	// The document's examples start with Instagram and Email Accounts.
	slices.SortStableFunc(w.categoryList, func(a, b *category) int { return cmp.Compare(rank(a), rank(b)) })
	service, subcategories := firstFree, 0
	for i, c := range w.categoryList {
		c.Row = cmp.Or(c.Row, c.Name)
		// The offsets give Email Accounts and Gmail the ids of the document's examples.
		c.id = entityID("674a", 0x99439088+i-1)
		for _, sub := range c.Subcategories {
			sub.category = c
			sub.id = entityID("674a", 0x99439099+subcategories-len(w.categoryList[0].Subcategories))
			subcategories++
			for _, sp := range sub.Rows {
				service = w.addRows(sub, sp, service)
			}
		}
	}
	slices.SortFunc(w.rows, func(a, b *row) int { return cmp.Compare(a.service, b.service) })
	w.loadProjects()
	return w
}

// rank is the place of a category in the sort order.
func rank(c *category) int {
	if i := slices.Index([]string{"Instagram", EmailAccounts}, c.Name); i >= 0 {
		return i
	}
	return 2
}

// addRows adds the rows of a spec. It takes the next free service and returns the
// one after its rows.
func (w *world) addRows(sub *subcategory, sp spec, next int64) int64 {
	if sp.Service != 0 {
		w.addRow(sub, sp, sp.Name, sp.Service)
		return next
	}
	if len(sp.Of) == 0 {
		sp.Of = []string{"{}"}
	}
	for _, of := range sp.Of {
		w.addRow(sub, sp, strings.ReplaceAll(sp.Name, "{}", of), next)
		next++
	}
	return next
}

func (w *world) addRow(sub *subcategory, sp spec, name string, service int64) {
	random := newRandom(w.seed, hash(service))
	r := &row{
		id: entityID("507f", 0x99439010+int(service)), service: service, name: name,
		goods: cmp.Or(sp.Goods, sub.Goods), text: sub.Text, entity: Product, sub: sub,
		image: imageBase + "products/" + slug(sub.Name) + ".webp",
		min:   max(sp.Min, 1), max: sp.Max, refill: sp.Refill, cancel: sp.Cancel, recommended: sp.Recommended,
		shop: w.shops[hash(service)%uint64(len(w.shops))],
	}
	if sub.category.SMM {
		r.entity = SMM
	}
	if sp.Text != nil {
		r.text = *sp.Text
	}
	if sp.Image != nil {
		r.image = *sp.Image
	}
	fixed := sp.Service != 0
	byHand, soldOut, recommended := random.below(100) < 15, random.below(100) < 8, random.below(100) < 7
	r.auto = !byHand
	if sp.Auto != nil {
		r.auto = *sp.Auto
	}
	if !fixed {
		r.recommended = r.recommended || (recommended && r.entity == Product)
		sp.Rate = vary(sp.Rate, random)
	}
	stock := int64(1 + random.below(400))
	if r.entity == SMM {
		r.max = cmp.Or(r.max, 100_000)
		stock = r.max
	}
	r.max = cmp.Or(r.max, 100)
	if soldOut && !fixed {
		stock = 0
	}
	if sp.Stock != nil {
		stock = *sp.Stock
	}
	r.variants = variants(sp, stock, random)
	for i := range r.variants {
		r.variants[i].ID = entityID("674c", int(service)<<8+i)
	}
	w.rows = append(w.rows, r)
	w.byService[service] = r
}

// variants makes the variants of a row. stock is that of the main one.
func variants(sp spec, stock int64, random *prng) []Variant {
	switch {
	case len(sp.Variants) > 0:
		return slices.Clone(sp.Variants)
	case len(sp.Plans) > 0:
		all := make([]Variant, len(sp.Plans))
		for i, plan := range sp.Plans {
			all[i] = Variant{Name: plan, Rate: sp.Rate.Mul(decimal.NewFromInt(int64(2*i*i + 2*i + 1))).Round(2), Stock: stock}
			stock = int64(max(random.below(60)-15, 0))
		}
		return all
	default:
		return []Variant{{Name: "Standard", Rate: sp.Rate, Stock: stock}}
	}
}

// vary changes a price by up to 15 %, rounded to cents. It leaves prices under ten
// cents.
func vary(rate decimal.Decimal, random *prng) decimal.Decimal {
	percent := decimal.NewFromInt(int64(85 + random.below(31)))
	if varied := rate.Mul(percent).Shift(-2).Round(2); varied.GreaterThan(decimal.New(10, -2)) {
		return varied
	}
	return rate
}

func shopNames() []string {
	return []string{
		"Ac***ub", "Ma***24", "Nova***", "Di***re", "Key***er", "So***al", "Pr***ts", "Fast***", "Mr***x",
		"Be***op", "Cl***ud", "St***am", "阿***店", "Ka***ta",
	}
}

// entityID makes an id of 24 hexadecimal digits. kind is the first four.
func entityID(kind string, n int) string { return fmt.Sprintf("%s1f77bcf86cd7%08x", kind, n) }

// slug is a name as it appears in URLs.
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

// load reads a data file. It panics on an error, which would be one in the file.
func load(path string, into any) {
	if meta, err := toml.DecodeFS(data, path, into); err != nil {
		panic(err)
	} else if unknown := meta.Undecoded(); len(unknown) > 0 {
		panic(fmt.Sprintf("%s: unknown %v", path, unknown))
	}
}
