package hstock

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"hstockbot/internal/redact"
)

// Categories returns all categories with their subcategories, in the marketplace's
// order; lang "" is English (HStockPlus: categories).
func (c *Client) Categories(ctx context.Context, key redact.Secret, lang string) ([]Category, error) {
	return read(ctx, c, newCall("categories", key, "lang", langParam(lang)), decodeCategories)
}

// SubcategoryInfo returns a subcategory by the id that products carry
// (HStockPlus: subcategory_info).
func (c *Client) SubcategoryInfo(ctx context.Context, key redact.Secret, subcategoryID, lang string) (SubcategoryInfo, error) {
	q := newCall("subcategory_info", key, "subcategoryId", subcategoryID, "lang", langParam(lang))
	return read(ctx, c, q, decodeSubcategoryInfo)
}

// Shops returns one page of active sellers. Page counts from 1; a page or limit of 0
// is not sent and means 1 and 20 (HStockPlus: shops).
func (c *Client) Shops(ctx context.Context, key redact.Secret, page, limit int) ([]Seller, error) {
	return read(ctx, c, newCall("shops", key, "page", formatPositive(page), "limit", formatPositive(limit)), decodeSellers)
}

// Products returns marketplace products, without SMM services. Filter.EntityType
// is not sent (HStockPlus: products).
func (c *Client) Products(ctx context.Context, key redact.Secret, f Filter) (Page, error) {
	q := f.call("products", key)
	if f.Recommended {
		q.form.Set("isRecommended", "true")
	}
	return readPage(ctx, c, q, f, EntityProduct)
}

// Services returns products and SMM services; with ProductIDs, products only.
// Filter.Recommended is not sent (HStockPlus: services).
func (c *Client) Services(ctx context.Context, key redact.Secret, f Filter) (Page, error) {
	q := f.call("services", key)
	if f.EntityType != "" {
		q.form.Set("entityType", string(f.EntityType))
	}
	return readPage(ctx, c, q, f, f.EntityType)
}

// Inventory returns the live stock and price of a service; lang is the language of
// the subproducts' names (HStockPlus: inventory).
func (c *Client) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (Inventory, error) {
	q := newCall("inventory", key, "service", formatInt(service), "lang", langParam(lang))
	inventory, err := read(ctx, c, q, func(body []byte) (Inventory, bool) { return decodeInventory(body, service) })
	if currency, _ := c.knownCurrency(key); err == nil {
		inventory.Currency = cmp.Or(inventory.Currency, currency)
	}
	return inventory, err
}

func readPage(ctx context.Context, c *Client, q call, f Filter, entity EntityType) (Page, error) {
	if len(f.ProductIDs) > MaxBatch {
		return Page{}, q.failure(NotSent, 0, errBatchSize)
	}
	page, err := read(ctx, c, q, func(body []byte) (Page, bool) { return decodePage(body, f, entity) })
	currency, _ := c.knownCurrency(q.key)
	for i := range page.Items {
		page.Items[i].Currency = cmp.Or(page.Items[i].Currency, currency)
	}
	return page, err
}

func (f Filter) call(action string, key redact.Secret) call {
	q := newCall(
		action, key,
		"category", f.Category,
		"subcategory", f.Subcategory,
		"shopId", f.ShopID,
		"productIds", strings.Join(f.ProductIDs, ","),
		"lang", langParam(f.Lang),
	)
	if f.Limit > 0 {
		q.form.Set("limit", strconv.Itoa(f.Limit))
		if f.Page > 0 {
			q.form.Set("page", strconv.Itoa(f.Page))
		}
	}
	return q
}

// langParam returns the lang parameter, "" for the default (HStockPlus: lang).
func langParam(lang string) string {
	if lang == "en" {
		return ""
	}
	return lang
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func formatPositive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

type categoryJSON struct {
	Category      text
	Subcategories list[text]
}

func decodeCategories(body []byte) ([]Category, bool) {
	answer, ok := decodeList[categoryJSON](body, "categories", "data")
	if !ok {
		return nil, false
	}
	elements := answer.elements
	categories, named := make([]Category, len(elements)), 0
	for i, element := range elements {
		categories[i].Name = string(element.Category)
		for _, subcategory := range element.Subcategories.elements {
			categories[i].Subcategories = append(categories[i].Subcategories, string(subcategory))
		}
		if element.Category != "" {
			named++
		}
	}
	return categories, named > 0 || len(elements) == 0
}

func decodeSubcategoryInfo(body []byte) (SubcategoryInfo, bool) {
	var answer struct {
		SubcategoryID, Slug, ImageURL, Description text
		Name                                       name
		Category                                   struct {
			CategoryID, Slug text
			Name             name
		}
	}
	if !unmarshal(body, &answer) {
		return SubcategoryInfo{}, false
	}
	return SubcategoryInfo{
		ID:           string(answer.SubcategoryID),
		Name:         string(answer.Name),
		Slug:         string(answer.Slug),
		ImageURL:     string(answer.ImageURL),
		Description:  string(answer.Description),
		CategoryID:   string(answer.Category.CategoryID),
		CategoryName: string(answer.Category.Name),
		CategorySlug: string(answer.Category.Slug),
	}, answer.Name != ""
}

// sellerJSON has several names for each field, because the document shows no
// example.
type sellerJSON struct {
	ShopID text
	ID     text
	Object text `json:"_id"`

	Name     name
	ShopName name
	Title    name

	ProductCount  integer
	ProductsCount integer
	TotalProducts integer

	Rating        money
	AverageRating money
	Stars         money
}

func decodeSellers(body []byte) ([]Seller, bool) {
	answer, ok := decodeList[sellerJSON](body, "shops", "data")
	if !ok {
		return nil, false
	}
	sellers := make([]Seller, 0, len(answer.elements))
	for _, element := range answer.elements {
		seller := Seller{
			ID:   firstOf(element.ShopID, element.ID, element.Object),
			Name: string(cmp.Or(element.Name, element.ShopName, element.Title)),
		}
		for _, products := range []integer{element.ProductCount, element.ProductsCount, element.TotalProducts} {
			if products.ok {
				seller.Products = products.count()
				break
			}
		}
		for _, rating := range []money{element.Rating, element.AverageRating, element.Stars} {
			if stars := rating.figure(); stars.Valid {
				seller.Rating, seller.HasRating = stars.Decimal, true
				break
			}
		}
		if seller.ID != "" {
			sellers = append(sellers, seller)
		}
	}
	return sellers, len(sellers) > 0 || len(answer.elements) == 0
}

type itemJSON struct {
	ID            text
	Service       id
	Name          name
	Type          name
	Category      name
	Rate          money
	Min           integer
	Max           integer
	Refill        flag
	Cancel        flag
	Stock         integer
	EntityType    entityType
	AutoDelivery  flag
	Description   text
	ImageURL      text
	IsRecommended flag
	SubcategoryID text
}

// entityType is an EntityType in lower case.
type entityType EntityType

func (e *entityType) UnmarshalJSON(data []byte) error {
	*e = entityType(strings.ToLower(PlainName(scalar(data))))
	return nil
}

// item returns the item and whether it can be ordered. Items without a number or a
// price are dropped: a missing price must not be displayed as 0. An item without a
// type is of the requested one; if none was requested, it is a product if it has a
// member that only products have.
func (r *itemJSON) item(requested EntityType) (Item, bool) {
	rate, priced := r.Rate.price()
	entity := cmp.Or(EntityType(r.EntityType), requested)
	if entity == "" {
		entity = EntitySMM
		if r.SubcategoryID != "" || r.Description != "" || r.ImageURL != "" || r.IsRecommended.ok {
			entity = EntityProduct
		}
	}
	stock, stockUnknown := r.Stock.stock()
	return Item{
		ID:            string(r.ID),
		Service:       r.Service.value,
		Name:          string(r.Name),
		Type:          string(r.Type),
		Category:      string(r.Category),
		Rate:          rate,
		Currency:      r.Rate.currency,
		Min:           r.Min.count(),
		Max:           r.Max.count(),
		Refill:        r.Refill.value,
		Cancel:        r.Cancel.value,
		Stock:         stock,
		StockUnknown:  stockUnknown,
		EntityType:    entity,
		AutoDelivery:  r.AutoDelivery.value,
		Description:   string(r.Description),
		ImageURL:      string(r.ImageURL),
		Recommended:   r.IsRecommended.value,
		SubcategoryID: string(r.SubcategoryID),
	}, r.Service.ok && priced
}

// decodePage decodes the answer to services and products. The envelope of products
// is undocumented: the list may be a member of one of three names, or a bare list.
func decodePage(body []byte, f Filter, entity EntityType) (Page, bool) {
	var answer struct {
		Services, Products, Data list[itemJSON]
		Total, Page, Limit       integer
		TotalPages               integer `json:"total_pages"`
	}
	var listed list[itemJSON]
	if body[0] == '{' && unmarshal(body, &answer) {
		for _, listed = range []list[itemJSON]{answer.Services, answer.Products, answer.Data} {
			if listed.ok {
				break
			}
		}
		listed.ok = listed.ok || answer.Total.ok && answer.Total.value == 0
	}
	if !listed.ok && isBareList(body) {
		unmarshal(body, &listed)
	}
	if !listed.ok {
		return Page{}, false
	}

	items := listed.elements
	page := Page{Items: make([]Item, 0, len(items)), Page: f.Page, Limit: f.Limit}
	for i := range items {
		if item, ok := items[i].item(entity); ok {
			page.Items = append(page.Items, item)
		}
	}
	page.Total = len(items)
	if answer.Total.ok {
		page.Total = int(answer.Total.count())
	}
	if f.Limit <= 0 {
		page.Page, page.Limit = page.Total, page.Total
	} else if f.Page <= 0 {
		page.Page = 1
	}
	if answer.Page.ok {
		page.Page = int(answer.Page.count())
	}
	if answer.Limit.ok {
		page.Limit = int(answer.Limit.count())
	}
	switch {
	case answer.TotalPages.ok:
		page.TotalPages = int(answer.TotalPages.count())
	case page.Limit > 0:
		page.TotalPages = (page.Total-1)/page.Limit + 1
	}
	return page, len(page.Items) > 0 || len(items) == 0
}

func decodeInventory(body []byte, requested int64) (Inventory, bool) {
	var answer struct {
		Service      id
		Stock        integer
		Available    flag
		Rate         money
		Min, Max     integer
		EntityType   entityType
		AutoDelivery flag
		Subproducts  list[struct {
			SubproductID text
			Name         name
			Stock        integer
		}]
	}
	if !unmarshal(body, &answer) {
		return Inventory{}, false
	}
	rate, priced := answer.Rate.price()
	inventory := Inventory{
		Service:      requested,
		Available:    answer.Available.value,
		Rate:         rate,
		Currency:     answer.Rate.currency,
		Min:          answer.Min.count(),
		Max:          answer.Max.count(),
		EntityType:   EntityType(answer.EntityType),
		AutoDelivery: answer.AutoDelivery.value,
	}
	inventory.Stock, inventory.StockUnknown = answer.Stock.stock()
	if answer.Service.ok {
		inventory.Service = answer.Service.value
	}
	if !answer.Available.ok {
		inventory.Available = inventory.StockUnknown || inventory.Stock > 0
	}
	for _, variant := range answer.Subproducts.elements {
		s := Subproduct{ID: string(variant.SubproductID), Name: string(variant.Name)}
		s.Stock, s.StockUnknown = variant.Stock.stock()
		inventory.Subproducts = append(inventory.Subproducts, s)
	}
	return inventory, priced
}
