package handlers

import (
	"cmp"
	"context"
	"slices"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// catalog lists the categories.
func (s *Screens) catalog(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	categories, fresh, err := s.Catalog.Categories(ctx, key, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	if len(categories) == 0 {
		return bot.View{Text: req.L.T("catalog_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	page := keyboards.ClampPage(int(args.Page), len(categories))
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	places := make([]catalog.CategoryPath, 0, keyboards.PageSize)
	for _, category := range keyboards.Page(categories, page) {
		data := keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf(category.English)})
		items = append(items, keyboards.Item{Name: category.Name, Data: data})
		places = append(places, catalog.CategoryPath{Category: category.English})
	}
	s.count(ctx, key, req.L, items, places)
	return bot.View{
		Text:     req.L.T("catalog_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.CatalogKeyboard(req.L, items, keyboards.PageArg(page), len(categories)),
	}, nil
}

func (s *Screens) catalogCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	return bot.RedirectTo(keyboards.Catalog.Data(keyboards.PageArgs{})), nil
}

// count fills in how many goods stand on each shelf; what can't be had soon
// stays unknown, and nothing else depends on it.
func (s *Screens) count(ctx context.Context, key redact.Secret, l *locales.Localizer, items []keyboards.Item, places []catalog.CategoryPath) {
	counts, err := s.Catalog.Counts(ctx, key, places...)
	if err != nil {
		s.Log.Warn("goods were not counted", "error", err)
	}
	for i, place := range places {
		if n, ok := counts[place]; ok {
			items[i].Rest = " · " + l.Number(int64(n))
		}
	}
}

// category lists a category's subcategories; one without any is a shelf itself.
func (s *Screens) category(ctx context.Context, req *bot.Request, args keyboards.CategoryArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	category, place, fresh, err := s.findCategory(ctx, key, req.L, args.Category)
	if err != nil {
		return bot.View{}, err
	}
	if len(category.Subcategories) == 0 {
		return s.shelf(ctx, req, keyboards.ShelfArgs{Path: keyboards.CategoryPathHash(category.English, "")})
	}
	page := keyboards.ClampPage(int(args.Page), len(category.Subcategories))
	args.Page = keyboards.PageArg(page)
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	places := make([]catalog.CategoryPath, 0, keyboards.PageSize)
	for _, sub := range keyboards.Page(category.Subcategories, page) {
		data := keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash(category.English, sub.English)})
		items = append(items, keyboards.Item{Name: sub.Name, Data: data})
		places = append(places, catalog.CategoryPath{Category: category.English, Subcategory: sub.English})
	}
	s.count(ctx, key, req.L, items, places)
	return bot.View{
		Text:     req.L.T("category_text", locales.Args{"Category": req.L.Name(shorten(category.Name, wordLength))}) + staleNote(req.L, fresh),
		Keyboard: keyboards.CategoryKeyboard(req.L, args, items, len(category.Subcategories), pageOf(place)),
	}, nil
}

// findCategory resolves the Hash of an English name and says at which place of
// the list it stands. A name that is gone, or shared by two, is out of date.
func (s *Screens) findCategory(ctx context.Context, key redact.Secret, l *locales.Localizer, hash route.Hash) (catalog.Category, int, catalog.Freshness, error) {
	categories, fresh, err := s.Catalog.Categories(ctx, key, l.Lang())
	if err != nil {
		return catalog.Category{}, 0, fresh, err
	}
	place, err := uniqueIndex(categories, func(c catalog.Category) bool { return route.HashOf(c.English) == hash })
	if err != nil {
		return catalog.Category{}, 0, fresh, err
	}
	return categories[place], place, fresh, nil
}

// uniqueIndex returns the place of the one entry that matches.
func uniqueIndex[T any](all []T, match func(T) bool) (int, error) {
	place := slices.IndexFunc(all, match)
	if place < 0 || slices.ContainsFunc(all[place+1:], match) {
		return 0, storage.ErrNotFound
	}
	return place, nil
}

// place is a shelf as the list of categories has it. back leads to the screen
// above, the very page that it stands on.
type place struct {
	catalog.CategoryPath
	name, back string
}

// findPlace resolves the hash of a shelf. One that is gone, or shared by two, is
// out of date.
func (s *Screens) findPlace(ctx context.Context, key redact.Secret, l *locales.Localizer, hash route.Hash) (place, error) {
	categories, _, err := s.Catalog.Categories(ctx, key, l.Lang())
	if err != nil {
		return place{}, err
	}
	var found []place
	for i, category := range categories {
		if keyboards.CategoryPathHash(category.English, "") == hash {
			back := keyboards.Catalog.Data(keyboards.PageArgs{Page: pageOf(i)})
			found = append(found, place{catalog.CategoryPath{Category: category.English}, category.Name, back})
		}
		for j, sub := range category.Subcategories {
			if keyboards.CategoryPathHash(category.English, sub.English) == hash {
				back := keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf(category.English), Page: pageOf(j)})
				found = append(found, place{catalog.CategoryPath{Category: category.English, Subcategory: sub.English}, sub.Name, back})
			}
		}
	}
	if len(found) != 1 {
		return place{}, storage.ErrNotFound
	}
	return found[0], nil
}

// shelf lists the goods that the marketplace's filter returns, sold-out ones last.
func (s *Screens) shelf(ctx context.Context, req *bot.Request, args keyboards.ShelfArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	where, err := s.findPlace(ctx, key, req.L, args.Path)
	if err != nil {
		return bot.View{}, err
	}
	heading, back := req.L.Name(shorten(where.name, wordLength)), where.back
	rows, fresh, err := s.Catalog.Shelf(ctx, key, req.L.Lang(), where.Category, where.Subcategory)
	if err != nil {
		return bot.View{}, err
	}
	if len(rows) == 0 {
		return bot.View{Text: req.L.T("shelf_empty", locales.Args{"Shelf": heading}), Keyboard: keyboards.Foot(req.L, back)}, nil
	}
	rows = inStockFirst(rows)
	list := keyboards.ProductList{From: keyboards.FromShelf, Hash: args.Path, Page: args.Page}
	text, image := req.L.T("shelf_text", locales.Args{"Shelf": heading}), ""
	if info, ok := s.shelfInfo(ctx, key, req.L, rows); ok {
		image = picture(info.ImageURL)
		if info.Description != "" {
			text += "\n\n" + locales.Escape(shorten(info.Description, descriptionLength))
		}
	}
	return bot.View{
		Text:     text + staleNote(req.L, fresh),
		Picture:  image,
		Keyboard: s.goodsKeyboard(ctx, req, list, rows, back),
	}, nil
}

// pageOf returns the page of a list that the entry at this place stands on.
func pageOf(place int) uint16 { return keyboards.PageArg(place / keyboards.PageSize) }

// shelfInfo is what subcategory_info says, where all products of the shelf name
// the same subcategory. It is an extra: without it the shelf stands.
func (s *Screens) shelfInfo(ctx context.Context, key redact.Secret, l *locales.Localizer, rows []hstock.Item) (hstock.SubcategoryInfo, bool) {
	id := ""
	for _, row := range rows {
		if row.SubcategoryID == "" || (id != "" && row.SubcategoryID != id) {
			return hstock.SubcategoryInfo{}, false
		}
		id = row.SubcategoryID
	}
	info, _, err := s.Catalog.SubcategoryInfo(ctx, key, l.Lang(), id)
	return info, err == nil
}

// inStockFirst keeps the marketplace's order otherwise.
func inStockFirst(rows []hstock.Item) []hstock.Item {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b hstock.Item) int { return cmp.Compare(soldOut(a), soldOut(b)) })
	return sorted
}

func soldOut(row hstock.Item) int {
	if row.Stock <= 0 {
		return 1
	}
	return 0
}

// staleNote says that the marketplace is down and how old this is.
func staleNote(l *locales.Localizer, fresh catalog.Freshness) string {
	if !fresh.Stale {
		return ""
	}
	return "\n\n" + l.T("catalog_stale", locales.Args{"Time": clock(l, fresh.At)})
}
