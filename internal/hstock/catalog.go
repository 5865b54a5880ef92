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
	return read(ctx, c, q, func(body []byte) (Inventory, bool) { return decodeInventory(body, service) })
}

func readPage(ctx context.Context, c *Client, q call, f Filter, entity EntityType) (Page, error) {
	if len(f.ProductIDs) > MaxBatch {
		return Page{}, q.failure(NotSent, 0, errBatchSize)
	}
	return read(ctx, c, q, func(body []byte) (Page, bool) { return decodePage(body, f, entity) })
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
	Subcategories []text
}

func decodeCategories(body []byte) ([]Category, bool) {
	elements, ok := decodeList[categoryJSON](body, "categories", "data")
	if !ok {
		return nil, false
	}
	categories, named := make([]Category, len(elements)), 0
	for i, element := range elements {
		categories[i].Name = string(element.Category)
		for _, name := range element.Subcategories {
			categories[i].Subcategories = append(categories[i].Subcategories, string(name))
		}
		if element.Category != "" {
			named++
		}
	}
	return categories, named > 0 || len(elements) == 0
}

func decodeSubcategoryInfo(body []byte) (SubcategoryInfo, bool) {
	var answer struct {
		SubcategoryID, Name, Slug, ImageURL, Description text
		Category                                         struct{ CategoryID, Name, Slug text }
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

	Name     text
	ShopName text
	Title    text

	ProductCount  integer
	ProductsCount integer
	TotalProducts integer

	Rating        money
	AverageRating money
	Stars         money
}

func decodeSellers(body []byte) ([]Seller, bool) {
	elements, ok := decodeList[sellerJSON](body, "shops", "data")
	if !ok {
		return nil, false
	}
	sellers := make([]Seller, 0, len(elements))
	for _, element := range elements {
		seller := Seller{
			ID:   string(cmp.Or(element.ShopID, element.ID, element.Object)),
			Name: string(cmp.Or(element.Name, element.ShopName, element.Title)),
		}
		for _, products := range []integer{element.ProductCount, element.ProductsCount, element.TotalProducts} {
			if products.ok {
				seller.Products = products.count()
				break
			}
		}
		for _, rating := range []money{element.Rating, element.AverageRating, element.Stars} {
			if rating.Valid {
				seller.Rating, seller.HasRating = rating.Decimal, true
				break
			}
		}
		if seller.ID != "" {
			sellers = append(sellers, seller)
		}
	}
	return sellers, len(sellers) > 0 || len(elements) == 0
}

type itemJSON struct {
	ID            text
	Service       integer
	Name          text
	Type          text
	Category      text
	Rate          money
	Min           integer
	Max           integer
	Refill        flag
	Cancel        flag
	Stock         integer
	EntityType    text
	AutoDelivery  flag
	Description   text
	ImageURL      text
	IsRecommended flag
	SubcategoryID text
}

// item returns the item and whether it can be ordered. Items without a number or a
// price are dropped: a missing price must not be displayed as 0.
func (r *itemJSON) item(entity EntityType) (Item, bool) {
	rate, priced := r.Rate.price()
	if r.EntityType != "" {
		entity = EntityType(r.EntityType)
	}
	return Item{
		ID:            string(r.ID),
		Service:       r.Service.value,
		Name:          string(r.Name),
		Type:          string(r.Type),
		Category:      string(r.Category),
		Rate:          rate,
		Min:           r.Min.count(),
		Max:           r.Max.count(),
		Refill:        r.Refill.value,
		Cancel:        r.Cancel.value,
		Stock:         r.Stock.count(),
		EntityType:    entity,
		AutoDelivery:  r.AutoDelivery.value,
		Description:   string(r.Description),
		ImageURL:      string(r.ImageURL),
		Recommended:   r.IsRecommended.value,
		SubcategoryID: string(r.SubcategoryID),
	}, r.Service.value > 0 && priced
}

// decodePage decodes the answer to services and products. The envelope of products
// is undocumented: the list may be a member of one of three names, or a bare array.
func decodePage(body []byte, f Filter, entity EntityType) (Page, bool) {
	var answer struct {
		Services, Products, Data []itemJSON
		Total, Page, Limit       integer
		TotalPages               integer `json:"total_pages"`
	}
	var items []itemJSON
	listed := false
	if body[0] == '[' {
		listed = unmarshal(body, &items)
	} else if unmarshal(body, &answer) {
		for _, items = range [][]itemJSON{answer.Services, answer.Products, answer.Data} {
			if listed = items != nil; listed {
				break
			}
		}
		listed = listed || answer.Total.ok && answer.Total.value == 0
	}
	if !listed {
		return Page{}, false
	}

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
		page.TotalPages = (page.Total + page.Limit - 1) / page.Limit
	}
	return page, len(page.Items) > 0 || len(items) == 0
}

func decodeInventory(body []byte, requested int64) (Inventory, bool) {
	var answer struct {
		Service      integer
		Stock        integer
		Available    flag
		Rate         money
		Min, Max     integer
		EntityType   text
		AutoDelivery flag
		Subproducts  []struct {
			SubproductID text
			Name         text
			Stock        integer
		}
	}
	if !unmarshal(body, &answer) {
		return Inventory{}, false
	}
	rate, priced := answer.Rate.price()
	inventory := Inventory{
		Service:      requested,
		Stock:        answer.Stock.count(),
		Available:    answer.Available.value,
		Rate:         rate,
		Min:          answer.Min.count(),
		Max:          answer.Max.count(),
		EntityType:   EntityType(answer.EntityType),
		AutoDelivery: answer.AutoDelivery.value,
	}
	if answer.Service.ok {
		inventory.Service = answer.Service.value
	}
	if !answer.Available.ok {
		inventory.Available = inventory.Stock > 0
	}
	for _, variant := range answer.Subproducts {
		inventory.Subproducts = append(inventory.Subproducts, Subproduct{
			ID: string(variant.SubproductID), Name: string(variant.Name), Stock: variant.Stock.count(),
		})
	}
	return inventory, priced
}
