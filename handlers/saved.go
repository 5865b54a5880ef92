package handlers

import (
	"context"
	"errors"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// maxSaved limits the saved items of a person (25 pages).
const maxSaved = 200

// saved lists the person's saved items, newest first, with the present prices and
// stock. In the mode Removing a tap on an item removes it.
func (s *Screens) saved(ctx context.Context, req *bot.Request, args keyboards.SavedArgs) (bot.View, error) {
	l := req.L
	total, err := s.DB.CountSavedItems(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{Text: l.T("saved_empty"), Keyboard: keyboards.SavedKeyboard(l, keyboards.SavedArgs{}, nil, 0)}, nil
	}
	page := keyboards.ClampPage(int(args.Page), total)
	args.Page = keyboards.PageArg(page)
	saved, err := s.DB.SavedItems(ctx, req.User.ID, keyboards.PageSize, page*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	if args.Removing { // works without the marketplace
		entries := make([]keyboards.Item, 0, len(saved))
		for _, f := range saved {
			data := keyboards.SavedRemove.Data(keyboards.SavedRemoveArgs{Service: f.Service, Page: args.Page})
			entries = append(entries, keyboards.Item{Icon: "🗑", Name: f.Name, Data: data})
		}
		return bot.View{Text: l.T("saved_remove_text"), Keyboard: keyboards.SavedKeyboard(l, args, entries, total)}, nil
	}
	return s.savedView(ctx, req, args, saved, total)
}

func (s *Screens) savedView(ctx context.Context, req *bot.Request, args keyboards.SavedArgs, saved []storage.SavedItem, total int) (bot.View, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	var products, smm []int64
	for _, f := range saved {
		if f.SMM {
			smm = append(smm, f.Service)
		} else {
			products = append(products, f.Service)
		}
	}
	items, fresh, err := s.Catalog.Items(ctx, access, req.L.Lang(), products, smm)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("saved_text")
	entries := make([]keyboards.Item, 0, len(saved))
	gone := false
	for _, f := range saved {
		if item, ok := items[f.Service]; ok {
			list := keyboards.ProductList{From: keyboards.FromSaved, Page: args.Page}
			data := keyboards.Product.Data(keyboards.ProductArgs{Service: f.Service, ProductList: list})
			entries = append(entries, s.itemEntry(req.L, item, data))
			continue
		}
		gone = true
		data := keyboards.Saved.Data(keyboards.SavedArgs{Page: args.Page, Removing: true})
		entries = append(entries, keyboards.Item{Icon: "🚫", Name: f.Name, Data: data})
	}
	if gone {
		text += "\n\n" + req.L.T("saved_gone")
	}
	return bot.View{Text: text + staleNote(req.L, fresh), Keyboard: keyboards.SavedKeyboard(req.L, args, entries, total)}, nil
}

// savedRemove removes an item from the list and shows the rest of the page.
func (s *Screens) savedRemove(ctx context.Context, req *bot.Request, args keyboards.SavedRemoveArgs) (bot.View, error) {
	if err := s.DB.RemoveSavedItem(ctx, req.User.ID, args.Service); err != nil {
		return bot.View{}, err
	}
	view, err := s.saved(ctx, req, keyboards.SavedArgs{Page: args.Page, Removing: true})
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}

// save adds an item to the person's list.
func (s *Screens) save(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, _, _, err := s.itemAndStock(ctx, req, args.Service, false)
	if err != nil {
		return bot.View{}, err
	}
	err = s.DB.SaveItem(ctx, req.User.ID, storage.SavedItem{
		Service: item.Service, SMM: item.EntityType == hstock.EntitySMM, Name: locales.Shorten(item.Name, nameLength),
	}, maxSaved)
	if errors.Is(err, storage.ErrFull) {
		return bot.View{}, userErr("saved_full", locales.Args{"Most": int64(maxSaved)})
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "saved_toast")
}

func (s *Screens) unsave(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	if err := s.DB.RemoveSavedItem(ctx, req.User.ID, args.Service); err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "saved_removed_toast")
}
