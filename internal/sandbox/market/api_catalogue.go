package market

import (
	"cmp"
	"encoding/json"
	"fmt"
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
		line := categoryAnswer{Category: s.translate(q.lang, c.Name), Subcategories: []string{}}
		for _, sub := range c.Subcategories {
			line.Subcategories = append(line.Subcategories, s.translate(q.lang, sub.Name))
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
				SubcategoryID: sub.id, Name: s.translate(q.lang, sub.Name), Slug: slug(sub.Name),
				ImageURL: imageBase + "subcategories/" + slug(sub.Name) + ".webp", Description: s.translate(q.lang, sub.Text),
				Category: categoryParent{CategoryID: c.id, Name: s.translate(q.lang, c.Name), Slug: slug(c.Name)},
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

// listShops has no example in the document. Its envelope is that of services.
func (s *Server) listShops(q *request) (any, error) {
	return envelope(q, "shops", 20, s.shopList(), func(sh Shop) shopAnswer {
		answer := shopAnswer{ShopID: sh.ID, Name: sh.Name, ProductCount: sh.Goods}
		if sh.Rating != "" {
			rating := json.Number(sh.Rating)
			answer.Rating = &rating
		}
		return answer
	}), nil
}

// envelope answers one page of a list as {field: […], "total": …}. limit 0
// means all, and then page and limit are the total (HStockPlus: services).
func envelope[T, A any](q *request, field string, defaultLimit int, rows []T, answer func(T) A) any {
	page, limit := q.pageNumber("page", 1), q.pageNumber("limit", defaultLimit)
	total, pages := len(rows), 1
	if limit == 0 {
		page, limit = total, total
	} else {
		from := min((page-1)*limit, total)
		rows, pages = rows[from:min(from+limit, total)], (total+limit-1)/limit
	}
	answers := make([]A, len(rows))
	for i, r := range rows {
		answers[i] = answer(r)
	}
	return json.RawMessage(fmt.Sprintf(`{%q:%s,"total":%d,"page":%d,"limit":%d,"total_pages":%d}`,
		field, encode(answers), total, page, limit, pages))
}

// pageNumber reads the optional parameter page or limit.
func (q *request) pageNumber(name string, missing int) int {
	text := q.get(name)
	if text == "" {
		return missing
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || (n == 0 && name != "limit") || n > 1_000_000 {
		q.violation(name + " is out of range")
		return missing
	}
	return n
}

// rowAnswer is a row of services and products. SMM rows end at autoDelivery.
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

func (s *Server) rowAnswer(a *account, r *row, lang string) rowAnswer {
	answer := rowAnswer{
		ID: r.id, Service: r.service, Name: s.translate(lang, r.name), Type: cmp.Or(r.kind, "Default"),
		Category: s.translate(lang, r.sub.category.Row), Rate: money(a.priced(r.main().Rate), 2),
		Min: r.min, Max: r.shownMax(), Refill: r.refill, Cancel: r.cancel, Stock: r.stock(),
		EntityType: r.entity, AutoDelivery: r.auto,
	}
	if r.entity == Product {
		text, image, recommended := s.translate(lang, r.text), r.image, r.recommended
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
	var rows []*row
	if !q.fields.Has("productIds") {
		rows = s.filtered(q, entity, false)
	} else if entity != SMM {
		rows = s.filtered(q, Product, false)
	}
	return s.listRows(q, "services", rows), nil
}

func (s *Server) products(q *request) (any, error) {
	recommended := q.get("isRecommended")
	if !slices.Contains([]string{"", "true", "false"}, recommended) {
		q.violation("isRecommended is neither true nor false")
	}
	return s.listRows(q, "products", s.filtered(q, Product, recommended == "true")), nil
}

func (s *Server) listRows(q *request, field string, rows []*row) any {
	return envelope(q, field, 0, rows, func(r *row) rowAnswer { return s.rowAnswer(q.account, r, q.lang) })
}

// filtered returns the rows that pass the filters of services and products.
func (s *Server) filtered(q *request, entity EntityType, recommended bool) []*row {
	category, subcategory, shop := q.get("category"), q.get("subcategory"), q.get("shopId")
	s.inspectFilter(q, "category", category)
	s.inspectFilter(q, "subcategory", subcategory)
	ids, given := q.productIDs()
	var rows []*row
	for _, r := range s.rows {
		if (entity == "" || r.entity == entity) &&
			(category == "" || r.sub.category.Name == category) &&
			(subcategory == "" || r.sub.Name == subcategory) &&
			(shop == "" || r.shop.ID == shop) &&
			(!recommended || r.recommended) &&
			(!given || slices.Contains(ids, r.id) || slices.Contains(ids, strconv.FormatInt(r.service, 10))) {
			rows = append(rows, r)
		}
	}
	return rows
}

// inspectFilter records a violation if name stands only in a row or in a
// translation: filters take the English names of categories (HStockPlus: lang).
func (s *Server) inspectFilter(q *request, param, name string) {
	if name == "" {
		return
	}
	wrong := false
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
		wrong = wrong || c.Row == name || slices.ContainsFunc(names, func(english string) bool { return s.isTranslation(english, name) })
	}
	if wrong {
		q.violation(param + " is not an English name of categories: " + name)
	}
}

// productIDs reads productIds in its three forms: comma-separated, JSON array and
// repeated parameter.
func (q *request) productIDs() (ids []string, given bool) {
	for _, value := range q.fields["productIds"] {
		given = true
		value = strings.TrimSpace(value)
		var array []json.RawMessage
		if strings.HasPrefix(value, "[") {
			if json.Unmarshal([]byte(value), &array) != nil {
				q.violation("productIds is not a JSON array")
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
	r, err := s.requestedRow(q)
	if err != nil {
		return nil, err
	}
	answer := inventoryAnswer{
		Service: r.service, Stock: r.stock(), Available: r.stock() > 0, Rate: money(q.account.priced(r.main().Rate), 4),
		EntityType: r.entity, AutoDelivery: r.auto,
	}
	if r.entity == Product {
		answer.Min, answer.Max = r.min, r.shownMax()
		subproducts := make([]subproductAnswer, len(r.variants))
		for i, v := range r.variants {
			subproducts[i] = subproductAnswer{SubproductID: v.ID, Name: s.translate(q.lang, v.Name), Stock: v.Stock}
		}
		answer.Subproducts = &subproducts
	}
	return answer, nil
}

// requestedRow returns the row that the parameter service names.
func (s *Server) requestedRow(q *request) (*row, error) {
	text := q.get("service")
	if text == "" {
		return nil, serviceRequired
	}
	service, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		q.violation("service is not a number")
		return nil, serviceNotFound
	}
	if r := s.byService[service]; r != nil {
		return r, nil
	}
	return nil, serviceNotFound
}

// money formats an amount with at least so many decimals, and more if it has
// more: it never rounds.
func money(amount decimal.Decimal, places int32) string {
	for exact := max(places, -amount.Exponent()); ; exact-- {
		if exact == places || !amount.Equal(amount.Truncate(exact-1)) {
			return amount.StringFixed(exact)
		}
	}
}
