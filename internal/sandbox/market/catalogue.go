package market

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

type categoriesAnswer struct {
	Categories []categoryAnswer `json:"categories"`
}

type categoryAnswer struct {
	Category      string   `json:"category"`
	Subcategories []string `json:"subcategories"`
}

func (s *Server) categories(q *request) (any, error) {
	answer := categoriesAnswer{Categories: []categoryAnswer{}}
	for _, c := range s.categoryList {
		line := categoryAnswer{Category: s.tr(q.lang, c.Name), Subcategories: []string{}}
		for _, sub := range c.Subcategories {
			line.Subcategories = append(line.Subcategories, s.tr(q.lang, sub.Name))
		}
		answer.Categories = append(answer.Categories, line)
	}
	return answer, nil
}

type subcategoryAnswer struct {
	SubcategoryID string         `json:"subcategoryId"`
	Name          string         `json:"name"`
	Slug          string         `json:"slug"`
	ImageURL      string         `json:"imageUrl"`
	Description   string         `json:"description"`
	Category      categoryParent `json:"category"`
}

type categoryParent struct {
	CategoryID string `json:"categoryId"`
	Name       string `json:"name"`
	Slug       string `json:"slug"`
}

func (s *Server) subcategoryInfo(q *request) (any, error) {
	id := q.get("subcategoryId")
	if id == "" {
		return nil, refusal("Subcategory ID is required")
	}
	for _, c := range s.categoryList {
		for _, sub := range c.Subcategories {
			if sub.id != id {
				continue
			}
			return subcategoryAnswer{
				SubcategoryID: sub.id, Name: s.tr(q.lang, sub.Name), Slug: slug(sub.Name),
				ImageURL: imageBase + "subcategories/" + slug(sub.Name) + ".webp", Description: s.tr(q.lang, sub.Text),
				Category: categoryParent{CategoryID: c.id, Name: s.tr(q.lang, c.Name), Slug: slug(c.Name)},
			}, nil
		}
	}
	return nil, refusal("Subcategory not found")
}

type shopAnswer struct {
	ShopID       string       `json:"shopId"`
	Name         string       `json:"name"`
	ProductCount int          `json:"productCount"`
	Rating       *json.Number `json:"rating"`
}

// listShops has no documented example: its shape is of the family of services.
func (s *Server) listShops(q *request) (any, error) {
	counts := make(map[*shop]int)
	for _, r := range s.rows {
		if r.entity == Product {
			counts[r.shop]++
		}
	}
	shops := make([]shopAnswer, 0, len(s.shops))
	for _, sh := range s.shops {
		line := shopAnswer{ShopID: sh.id, Name: sh.name, ProductCount: counts[sh]}
		if sh.rating != "" {
			rating := json.Number(sh.rating)
			line.Rating = &rating
		}
		shops = append(shops, line)
	}
	page := paginate(shops, q.positive("page", 1), q.positive("limit", 20))
	return page.named(cmp.Or(s.opt.ShopsField, "shops")), nil
}

// pageOf is one page of a list with what the envelope says about it.
type pageOf[T any] struct {
	rows                     []T
	total, page, limit, last int
}

// paginate cuts a page out. limit 0 is all, and then page and limit are the
// total (HStockPlus: services).
func paginate[T any](rows []T, page, limit int) pageOf[T] {
	total := len(rows)
	if limit == 0 {
		return pageOf[T]{rows: rows, total: total, page: total, limit: total, last: 1}
	}
	from := min((page-1)*limit, total)
	return pageOf[T]{
		rows: rows[from:min(from+limit, total)], total: total, page: page, limit: limit,
		last: (total + limit - 1) / limit,
	}
}

// named is the envelope of services with its rows under a name; "-" is none.
func (p pageOf[T]) named(field string) any {
	if field == "-" {
		return p.rows
	}
	rows := encode(p.rows)
	name := strconv.Quote(field)
	return json.RawMessage(`{` + name + `:` + string(rows) +
		`,"total":` + strconv.Itoa(p.total) + `,"page":` + strconv.Itoa(p.page) +
		`,"limit":` + strconv.Itoa(p.limit) + `,"total_pages":` + strconv.Itoa(p.last) + `}`)
}

// positive reads a whole number over 0 that may be missing.
func (q *request) positive(name string, missing int) int {
	text := q.get(name)
	if text == "" {
		return missing
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || (n == 0 && name != "limit") || n > 1_000_000 {
		q.violation(name + " is no number of a page")
		return missing
	}
	return n
}

// rowAnswer is a row of services and products; SMM rows end at autoDelivery.
type rowAnswer struct {
	ID            string     `json:"id"`
	Service       int64      `json:"service"`
	Name          string     `json:"name"`
	Type          string     `json:"type"`
	Category      string     `json:"category"`
	Rate          string     `json:"rate"`
	Min           int64      `json:"min"`
	Max           int64      `json:"max"`
	Refill        bool       `json:"refill"`
	Cancel        bool       `json:"cancel"`
	Stock         int64      `json:"stock"`
	EntityType    EntityType `json:"entityType"`
	AutoDelivery  bool       `json:"autoDelivery"`
	Description   *string    `json:"description,omitempty"`
	ImageURL      *string    `json:"imageUrl,omitempty"`
	IsRecommended *bool      `json:"isRecommended,omitempty"`
	SubcategoryID string     `json:"subcategoryId,omitempty"`
}

func (s *Server) rowAnswer(r *row, lang string) rowAnswer {
	answer := rowAnswer{
		ID: r.id, Service: r.service, Name: s.tr(lang, r.name), Type: "Default",
		Category: s.tr(lang, r.sub.category.Row), Rate: money(r.main().Rate, 2),
		Min: r.min, Max: r.shownMax(), Refill: r.refill, Cancel: r.cancel, Stock: r.stock(),
		EntityType: r.entity, AutoDelivery: r.auto,
	}
	if r.entity == Product {
		text, image, recommended := s.tr(lang, r.text), r.image, r.recommended
		answer.Description, answer.ImageURL, answer.IsRecommended = &text, &image, &recommended
		answer.SubcategoryID = r.sub.id
	}
	return answer
}

func (s *Server) services(q *request) (any, error) {
	entity := EntityType(q.get("entityType"))
	if entity != "" && entity != Product && entity != SMM {
		q.violation("unknown entityType")
	}
	if q.fields.Has("productIds") {
		if entity == SMM {
			return s.page(q, nil, "services"), nil
		}
		entity = Product
	}
	return s.page(q, s.filtered(q, entity, false), "services"), nil
}

func (s *Server) products(q *request) (any, error) {
	recommended := q.get("isRecommended")
	if !slices.Contains([]string{"", "true", "false"}, recommended) {
		q.violation("isRecommended is neither true nor false")
	}
	return s.page(q, s.filtered(q, Product, recommended == "true"), cmp.Or(s.opt.ProductsField, "products")), nil
}

func (s *Server) page(q *request, rows []*row, field string) any {
	cut := paginate(rows, q.positive("page", 1), q.positive("limit", 0))
	page := pageOf[rowAnswer]{rows: make([]rowAnswer, len(cut.rows)), total: cut.total, page: cut.page, limit: cut.limit, last: cut.last}
	for i, r := range cut.rows {
		page.rows[i] = s.rowAnswer(r, q.lang)
	}
	return page.named(field)
}

// filtered returns the rows that services and products are asked for.
func (s *Server) filtered(q *request, entity EntityType, recommended bool) []*row {
	category, subcategory, shop := q.get("category"), q.get("subcategory"), q.get("shopId")
	s.inspectFilter(q, "category", category)
	s.inspectFilter(q, "subcategory", subcategory)
	ids, wanted := q.productIDs()
	var rows []*row
	for _, r := range s.rows {
		if (entity == "" || r.entity == entity) &&
			(category == "" || r.sub.category.Name == category) &&
			(subcategory == "" || r.sub.Name == subcategory) &&
			(shop == "" || r.shop.id == shop) &&
			(!recommended || r.recommended) &&
			(!wanted || slices.Contains(ids, r.id) || slices.Contains(ids, strconv.FormatInt(r.service, 10))) {
			rows = append(rows, r)
		}
	}
	return rows
}

// inspectFilter notes a name that only a row or a translation has: the filters
// take what categories says in English (HStockPlus: lang).
func (s *Server) inspectFilter(q *request, param, name string) {
	if name == "" {
		return
	}
	elsewhere := false
	for _, c := range s.categoryList {
		names := []string{c.Name}
		if param == "subcategory" {
			names = nil
			for _, sub := range c.Subcategories {
				names = append(names, sub.Name)
			}
		}
		if slices.Contains(names, name) {
			return
		}
		elsewhere = elsewhere || c.Row == name || slices.ContainsFunc(names, func(english string) bool { return s.translated(english, name) })
	}
	if elsewhere {
		q.violation(param + " is not the English name that categories gives: " + name)
	}
}

// productIDs reads the three spellings of productIds.
func (q *request) productIDs() (ids []string, given bool) {
	for _, value := range q.fields["productIds"] {
		given = true
		value = strings.TrimSpace(value)
		var array []json.RawMessage
		if strings.HasPrefix(value, "[") {
			if json.Unmarshal([]byte(value), &array) != nil {
				q.violation("productIds is no JSON array")
			}
			for _, element := range array {
				ids = append(ids, strings.Trim(string(element), `"`))
			}
			continue
		}
		for id := range strings.SplitSeq(value, ",") {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	if len(ids) > 100 {
		q.violation("more than 100 productIds")
		ids = ids[:100]
	}
	return ids, given
}

type inventoryAnswer struct {
	Service      int64               `json:"service"`
	Stock        int64               `json:"stock"`
	Available    bool                `json:"available"`
	Rate         string              `json:"rate"`
	Min          int64               `json:"min,omitempty"`
	Max          int64               `json:"max,omitempty"`
	EntityType   EntityType          `json:"entityType"`
	AutoDelivery bool                `json:"autoDelivery"`
	Subproducts  *[]subproductAnswer `json:"subproducts,omitempty"`
}

type subproductAnswer struct {
	SubproductID string `json:"subproductId"`
	Name         string `json:"name"`
	Stock        int64  `json:"stock"`
}

func (s *Server) inventory(q *request) (any, error) {
	r, err := s.wantedRow(q)
	if err != nil {
		return nil, err
	}
	answer := inventoryAnswer{
		Service: r.service, Stock: r.stock(), Available: r.stock() > 0, Rate: money(r.main().Rate, 4),
		EntityType: r.entity, AutoDelivery: r.auto,
	}
	if r.entity == Product {
		answer.Min, answer.Max = r.min, r.shownMax()
		subproducts := make([]subproductAnswer, len(r.variants))
		for i, v := range r.variants {
			subproducts[i] = subproductAnswer{SubproductID: v.ID, Name: s.tr(q.lang, v.Name), Stock: v.Stock}
		}
		answer.Subproducts = &subproducts
	}
	return answer, nil
}

// wantedRow finds the row that the parameter service names.
func (s *Server) wantedRow(q *request) (*row, error) {
	text := q.get("service")
	if text == "" {
		return nil, serviceRequired
	}
	service, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		q.violation("service is no number")
		return nil, serviceNotFound
	}
	r := s.byService[service]
	if r == nil {
		return nil, serviceNotFound
	}
	return r, nil
}

// money writes an amount with at least so many decimals, more where they count,
// and never rounded.
func money(amount decimal.Decimal, places int32) string {
	for exact := max(places, -amount.Exponent()); ; exact-- {
		if exact == places || !amount.Equal(amount.Truncate(exact-1)) {
			return amount.StringFixed(exact)
		}
	}
}
