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

// imageBase is where the document's examples have their pictures.
const imageBase = "https://example.com/uploads/"

// world is what there is to buy.
type world struct {
	categoryList []*category
	rows         []*row // by service
	byService    map[int64]*row
	shops        []*shop
	countries    []*country
	projects     []*project
	names        map[string]map[string]string // by language; read with lang
	seed         uint64
}

// category is one shelf of data/goods_*.toml.
type category struct {
	Name          string         // what filters take
	Row           string         // what its rows say; "": Name
	SMM           bool           // its rows are SMM services
	Subcategories []*subcategory `toml:"subcategory"`

	id string
}

type subcategory struct {
	Name  string
	Text  string  // its description, and that of its goods where they have none
	Goods string  // what is delivered: see credential
	Rows  []entry // in the order of their numbers

	id       string
	category *category
}

// entry is one row, or with Of several whose name has {} replaced. What is
// missing is chosen by the seed, unless Service makes it a fixed row.
type entry struct {
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
	Plans       []string // names of variants, each dearer than the one before
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
	entity      EntityType
	sub         *subcategory
	shop        *shop
	min, max    int64
	auto        bool
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

// shownMax is the most that can be ordered now: in the document's example of
// inventory it is the stock of the main variant.
func (r *row) shownMax() int64 {
	for _, stock := range []int64{r.main().Stock, r.stock()} {
		if r.entity == Product && stock >= r.min {
			return min(r.max, stock)
		}
	}
	return r.max
}

type shop struct {
	id, name string
	rating   string // "4.8"; "": none yet
}

// newWorld reads the data and lets the seed choose what it leaves open.
func newWorld(seed uint64) world {
	w := world{
		byService: make(map[int64]*row),
		names:     make(map[string]map[string]string),
		seed:      seed,
	}
	for i, name := range shopNames() {
		tenths := 36 + newDice(seed, scatter(int64(i))).below(15)
		sh := &shop{id: entityID("68d1", 0x1000+i), name: name, rating: fmt.Sprintf("%d.%d", tenths/10, tenths%10)}
		if i == 3 {
			sh.rating = ""
		}
		w.shops = append(w.shops, sh)
	}
	for _, file := range []string{"goods_smm", "goods_accounts", "goods_subscriptions", "goods_keys"} {
		var shelves struct {
			Category []*category
		}
		load("data/"+file+".toml", &shelves)
		w.categoryList = append(w.categoryList, shelves.Category...)
	}
	// The document's examples begin with Instagram and Email Accounts.
	slices.SortStableFunc(w.categoryList, func(a, b *category) int { return cmp.Compare(prominence(a), prominence(b)) })
	number, subcategories := firstFree, 0
	for i, c := range w.categoryList {
		c.Row = cmp.Or(c.Row, c.Name)
		// Email Accounts and Gmail get the ids of the document's examples.
		c.id = entityID("674a", 0x99439088+i-1)
		for _, sub := range c.Subcategories {
			sub.category = c
			sub.id = entityID("674a", 0x99439099+subcategories-len(w.categoryList[0].Subcategories))
			subcategories++
			for _, e := range sub.Rows {
				number = w.addRows(sub, e, number)
			}
		}
	}
	slices.SortFunc(w.rows, func(a, b *row) int { return cmp.Compare(a.service, b.service) })
	w.loadProjects()
	return w
}

func prominence(c *category) int {
	if i := slices.Index([]string{"Instagram", EmailAccounts}, c.Name); i >= 0 {
		return i
	}
	return 2
}

// firstFree is the number of the first row that is not a fixed one.
const firstFree int64 = 101

// addRows makes the rows of one entry and returns the next free number.
func (w *world) addRows(sub *subcategory, e entry, number int64) int64 {
	if e.Service != 0 {
		w.addRow(sub, e, e.Name, e.Service)
		return number
	}
	names := []string{e.Name}
	if len(e.Of) > 0 {
		names = nil
		for _, of := range e.Of {
			names = append(names, strings.ReplaceAll(e.Name, "{}", of))
		}
	}
	for _, name := range names {
		w.addRow(sub, e, name, number)
		number++
	}
	return number
}

func (w *world) addRow(sub *subcategory, e entry, name string, service int64) {
	chance := newDice(w.seed, scatter(service))
	r := &row{
		id: entityID("507f1f77bcf86cd7", 0x99439010+int(service)), service: service, name: name,
		goods: cmp.Or(e.Goods, sub.Goods), text: sub.Text, entity: Product, sub: sub,
		image: imageBase + "products/" + slug(sub.Name) + ".webp",
		min:   max(e.Min, 1), max: e.Max, refill: e.Refill, cancel: e.Cancel, recommended: e.Recommended,
		shop: w.shops[scatter(service)%uint64(len(w.shops))],
	}
	if sub.category.SMM {
		r.entity = SMM
	}
	if e.Text != nil {
		r.text = *e.Text
	}
	if e.Image != nil {
		r.image = *e.Image
	}
	fixed := e.Service != 0
	byHand, soldOut, recommended := chance.below(100) < 15, chance.below(100) < 8, chance.below(100) < 7
	r.auto = !byHand
	if e.Auto != nil {
		r.auto = *e.Auto
	}
	if !fixed {
		r.recommended = r.recommended || (recommended && r.entity == Product)
		e.Rate = wobble(e.Rate, chance)
	}
	stock := int64(1 + chance.below(400))
	if r.entity == SMM {
		r.max = cmp.Or(r.max, 100_000)
		stock = r.max
	}
	r.max = cmp.Or(r.max, 100)
	if soldOut && !fixed {
		stock = 0
	}
	if e.Stock != nil {
		stock = *e.Stock
	}
	r.variants = variants(e, stock, chance)
	for i := range r.variants {
		r.variants[i].ID = entityID("674c", int(service)<<8+i)
	}
	w.rows = append(w.rows, r)
	w.byService[service] = r
}

// variants makes the subproducts of a row.
func variants(e entry, stock int64, chance *dice) []Variant {
	switch {
	case len(e.Variants) > 0:
		return slices.Clone(e.Variants)
	case len(e.Plans) > 0:
		all := make([]Variant, len(e.Plans))
		for i, plan := range e.Plans {
			all[i] = Variant{Name: plan, Rate: e.Rate.Mul(decimal.NewFromInt(int64(2*i*i + 2*i + 1))).Round(2), Stock: stock}
			stock = int64(max(chance.below(60)-15, 0))
		}
		return all
	default:
		return []Variant{{Name: "Standard", Rate: e.Rate, Stock: stock}}
	}
}

// wobble moves a price by up to 15 %, to the cent; prices under ten cents stay.
func wobble(rate decimal.Decimal, chance *dice) decimal.Decimal {
	percent := decimal.NewFromInt(int64(85 + chance.below(31)))
	if moved := rate.Mul(percent).Shift(-2).Round(2); moved.GreaterThan(decimal.New(10, -2)) {
		return moved
	}
	return rate
}

func shopNames() []string {
	return []string{
		"Ac***ub", "Ma***24", "Nova***", "Di***re", "Key***er", "So***al", "Pr***ts", "Fast***", "Mr***x",
		"Be***op", "Cl***ud", "St***am", "阿***店", "Ka***ta",
	}
}

// entityID is an id of 24 hexadecimal digits that begins as its kind does.
func entityID(kind string, n int) string {
	const family = "1f77bcf86cd7"
	if len(kind) == 4 {
		kind += family
	}
	return fmt.Sprintf("%s%08x", kind, n)
}

// slug is a name as it stands in addresses.
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

// load reads a file of data; a fault in it is one of this package.
func load(path string, into any) {
	if meta, err := toml.DecodeFS(data, path, into); err != nil {
		panic(err)
	} else if unknown := meta.Undecoded(); len(unknown) > 0 {
		panic(fmt.Sprintf("%s: unknown %v", path, unknown))
	}
}
