package handlers

import (
	"context"
	"slices"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// catalog lists the categories.
func (s *Screens) catalog(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	categories, fresh, err := s.Catalog.Categories(ctx, access, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	if len(categories) == 0 {
		return bot.View{Text: req.L.T("catalog_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	page := keyboards.ClampPage(int(args.Page), len(categories))
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	paths := make([]catalog.CategoryPath, 0, keyboards.PageSize)
	for _, category := range keyboards.Page(categories, page) {
		data := keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf(category.English)})
		entries = append(entries, keyboards.Item{Name: category.Name, Data: data})
		paths = append(paths, catalog.CategoryPath{Category: category.English})
	}
	s.fillCounts(ctx, access, req.L, entries, paths)
	return bot.View{
		Text:     req.L.T("catalog_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.CatalogKeyboard(req.L, entries, keyboards.PageArg(page), len(categories)),
	}, nil
}

// fillCounts adds to each entry how many items it contains, if the catalogue knows it
// in time.
func (s *Screens) fillCounts(ctx context.Context, access catalog.Access, l *locales.Localizer, entries []keyboards.Item, paths []catalog.CategoryPath) {
	counts, err := s.Catalog.Counts(ctx, access, paths...)
	if err != nil {
		s.Log.Warn("counting items failed", "error", err)
	}
	for i, path := range paths {
		if n, ok := counts[path]; ok {
			entries[i].Rest = " · " + l.Number(int64(n))
		}
	}
}

// category lists a category's subcategories. A category without subcategories is
// shown as a shelf.
func (s *Screens) category(ctx context.Context, req *bot.Request, args keyboards.CategoryArgs) (bot.View, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	categories, fresh, err := s.Catalog.Categories(ctx, access, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	index, err := uniqueIndex(categories, func(c catalog.Category) bool { return route.HashOf(c.English) == args.Category })
	if err != nil {
		return bot.View{}, err
	}
	category := categories[index]
	if len(category.Subcategories) == 0 {
		return s.shelf(ctx, req, keyboards.ShelfArgs{Path: keyboards.CategoryPathHash(category.English, "")})
	}
	page := keyboards.ClampPage(int(args.Page), len(category.Subcategories))
	args.Page = keyboards.PageArg(page)
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	paths := make([]catalog.CategoryPath, 0, keyboards.PageSize)
	for _, sub := range keyboards.Page(category.Subcategories, page) {
		data := keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash(category.English, sub.English)})
		entries = append(entries, keyboards.Item{Name: sub.Name, Data: data})
		paths = append(paths, catalog.CategoryPath{Category: category.English, Subcategory: sub.English})
	}
	s.fillCounts(ctx, access, req.L, entries, paths)
	return bot.View{
		Text:     req.L.T("category_text", locales.Args{"Category": req.L.Name(locales.Shorten(category.Name, wordLength))}) + staleNote(req.L, fresh),
		Keyboard: keyboards.CategoryKeyboard(req.L, args, entries, len(category.Subcategories), pageOf(index)),
	}, nil
}

// uniqueIndex returns the index of the only entry that matches a hash, or
// storage.ErrNotFound.
func uniqueIndex[T any](all []T, match func(T) bool) (int, error) {
	index := slices.IndexFunc(all, match)
	if index < 0 || slices.ContainsFunc(all[index+1:], match) {
		return 0, storage.ErrNotFound
	}
	return index, nil
}

// shelf is a category, or a subcategory, that contains items. back is the callback
// data of the page that lists the shelf.
type shelf struct {
	catalog.CategoryPath
	name, back string
}

// findShelf returns the only shelf with this hash, or storage.ErrNotFound.
func (s *Screens) findShelf(ctx context.Context, access catalog.Access, l *locales.Localizer, hash route.Hash) (shelf, error) {
	categories, _, err := s.Catalog.Categories(ctx, access, l.Lang())
	if err != nil {
		return shelf{}, err
	}
	var found []shelf
	for i, category := range categories {
		if keyboards.CategoryPathHash(category.English, "") == hash {
			back := keyboards.Catalog.Data(keyboards.PageArgs{Page: pageOf(i)})
			found = append(found, shelf{catalog.CategoryPath{Category: category.English}, category.Name, back})
		}
		for j, sub := range category.Subcategories {
			if keyboards.CategoryPathHash(category.English, sub.English) == hash {
				back := keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf(category.English), Page: pageOf(j)})
				found = append(found, shelf{catalog.CategoryPath{Category: category.English, Subcategory: sub.English}, sub.Name, back})
			}
		}
	}
	if len(found) != 1 {
		return shelf{}, storage.ErrNotFound
	}
	return found[0], nil
}

// shelf lists the items of a category or subcategory as the marketplace does, sold-out
// ones last.
func (s *Screens) shelf(ctx context.Context, req *bot.Request, args keyboards.ShelfArgs) (bot.View, error) {
	return s.sortedShelf(ctx, req, keyboards.SortedShelfArgs{ShelfArgs: args})
}

// sortedShelf is shelf in any order.
func (s *Screens) sortedShelf(ctx context.Context, req *bot.Request, args keyboards.SortedShelfArgs) (bot.View, error) {
	if !args.Sort.Known() {
		return bot.View{}, route.ErrMalformed
	}
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	found, err := s.findShelf(ctx, access, req.L, args.Path)
	if err != nil {
		return bot.View{}, err
	}
	heading := locales.Args{"Shelf": req.L.Name(locales.Shorten(found.name, wordLength))}
	items, fresh, err := s.Catalog.Shelf(ctx, access, req.L.Lang(), found.Category, found.Subcategory)
	if err != nil {
		return bot.View{}, err
	}
	if len(items) == 0 {
		return bot.View{Text: req.L.T("shelf_empty", heading), Keyboard: keyboards.Foot(req.L, found.back)}, nil
	}
	info := s.shelfInfo(ctx, access, req.L, items)
	sorted := sortShelf(items, args.Sort)
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(sorted)))
	entries := s.itemEntries(req, sorted, args.Page, func(service int64) string {
		return keyboards.Product.Data(keyboards.ProductArgs{Service: service, ProductList: args.List()})
	})
	after := staleNote(req.L, fresh)
	if len(sorted) == 0 {
		after = "\n\n" + req.L.T("shelf_all_sold_out") + after
	}
	return bot.View{
		Text:     withDescription(req.L.T("shelf_text", heading), info.Description, after),
		Picture:  picture(info.ImageURL),
		Keyboard: keyboards.ShelfKeyboard(req.L, args, entries, len(sorted), found.back),
	}, nil
}

// sortShelf returns a copy of the items in an order.
func sortShelf(items []hstock.Item, order keyboards.Sort) []hstock.Item {
	switch order {
	case keyboards.CheapestFirst:
		return inStockFirst(slices.SortedStableFunc(slices.Values(items), func(a, b hstock.Item) int { return a.Rate.Cmp(b.Rate) }))
	case keyboards.SoldOutHidden:
		return slices.DeleteFunc(inStockFirst(items), hstock.Item.SoldOut)
	default:
		return inStockFirst(items)
	}
}

// pageOf returns the page of a list that contains this index.
func pageOf(index int) uint16 { return keyboards.PageArg(index / keyboards.PageSize) }

// infoTimeout is how long a shelf waits for its picture and description.
const infoTimeout = 3 * time.Second

// shelfInfo returns the picture and description of the subcategory, if all items
// have the same one. The shelf is shown without if they can't be read in time.
func (s *Screens) shelfInfo(ctx context.Context, access catalog.Access, l *locales.Localizer, items []hstock.Item) hstock.SubcategoryInfo {
	id := items[0].SubcategoryID
	if id == "" || slices.ContainsFunc(items, func(item hstock.Item) bool { return item.SubcategoryID != id }) {
		return hstock.SubcategoryInfo{}
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	info, _, err := s.Catalog.SubcategoryInfo(ctx, access, l.Lang(), id)
	if err != nil {
		return hstock.SubcategoryInfo{}
	}
	return info
}

// goodsKeyboard lists one page of items. back is the screen above the list.
func (s *Screens) goodsKeyboard(req *bot.Request, list keyboards.ProductList, items []hstock.Item, back string) keyboards.Rows {
	list.Page = keyboards.PageArg(keyboards.ClampPage(int(list.Page), len(items)))
	entries := s.itemEntries(req, items, list.Page, func(service int64) string {
		return keyboards.Product.Data(keyboards.ProductArgs{Service: service, ProductList: list})
	})
	return keyboards.GoodsKeyboard(req.L, list, entries, len(items), back)
}

// itemEntries returns one page of items with their prices and stock. data returns
// the callback data of an item.
func (s *Screens) itemEntries(req *bot.Request, items []hstock.Item, page uint16, data func(service int64) string) []keyboards.Item {
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, item := range keyboards.Page(items, int(page)) {
		entries = append(entries, s.itemEntry(req.L, item, data(item.Service)))
	}
	return entries
}

func (s *Screens) itemEntry(l *locales.Localizer, item hstock.Item, data string) keyboards.Item {
	if item.SoldOut() {
		return keyboards.Item{Icon: "✖", Name: item.Name, Data: data}
	}
	rest := " · " + priceOf(l, item.Rate, item.Currency, ratePer(item.EntityType == hstock.EntitySMM, s.SMMRatePer))
	if !item.StockUnknown {
		rest += " · " + l.Number(item.Stock)
	}
	return keyboards.Item{Name: item.Name, Rest: rest, Data: data}
}

// inStockFirst moves sold-out items to the end and otherwise keeps the order.
func inStockFirst(items []hstock.Item) []hstock.Item {
	sorted := make([]hstock.Item, 0, len(items))
	for _, last := range []bool{false, true} {
		for _, item := range items {
			if item.SoldOut() == last {
				sorted = append(sorted, item)
			}
		}
	}
	return sorted
}

// staleNote says that the marketplace is down and how old the catalogue is.
func staleNote(l *locales.Localizer, fresh catalog.Freshness) string {
	if !fresh.Stale {
		return ""
	}
	return "\n\n" + l.T("catalog_stale", locales.Args{"Time": clock(l, fresh.At)})
}
