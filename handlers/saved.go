package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/watches"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// mostSaved is how much a person can save: 25 pages are more than anybody turns.
	mostSaved = 200
	// mostAlerts is how much a person can be told of; each may be one more service
	// that is asked for again and again.
	mostAlerts = 100
)

// saved lists what the person has saved, the newest first, with prices and stock
// of now; or it offers to take things off the list.
func (s *Screens) saved(ctx context.Context, req *bot.Request, args keyboards.SavedArgs) (bot.View, error) {
	l := req.L
	total, err := s.DB.CountFavourites(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{Text: l.T("saved_empty"), Keyboard: keyboards.Foot(l, keyboards.Catalog.Data(keyboards.CatalogArgs{}))}, nil
	}
	page := keyboards.ClampPage(int(args.Page), total)
	args.Page = keyboards.PageArg(page)
	favourites, err := s.DB.Favourites(ctx, req.User.ID, keyboards.PageSize, page*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	if args.Removing { // without the marketplace: its being down is no reason to keep them
		entries := make([]keyboards.SavedEntry, 0, len(favourites))
		for _, f := range favourites {
			entries = append(entries, keyboards.SavedEntry{GoodsEntry: keyboards.GoodsEntry{Service: f.Service, Name: f.Name}})
		}
		return bot.View{Text: l.T("saved_remove_text"), Keyboard: keyboards.SavedKeyboard(l, args, entries, total)}, nil
	}
	return s.savedView(ctx, req, args, favourites, total)
}

func (s *Screens) savedView(ctx context.Context, req *bot.Request, args keyboards.SavedArgs, favourites []storage.Favourite, total int) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	var products, smm []int64
	for _, f := range favourites {
		if f.SMM {
			smm = append(smm, f.Service)
		} else {
			products = append(products, f.Service)
		}
	}
	rows, fresh, err := s.Catalog.Items(ctx, key, req.L.Lang(), products, smm)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("saved_text")
	currency := s.currency(ctx, req.User.ID)
	entries := make([]keyboards.SavedEntry, 0, len(favourites))
	gone := false
	for _, f := range favourites {
		entry := keyboards.SavedEntry{GoodsEntry: keyboards.GoodsEntry{Service: f.Service, Name: f.Name}, Gone: true}
		if row, ok := rows[f.Service]; ok {
			entry = keyboards.SavedEntry{GoodsEntry: goodsEntry(req.L, row, currency)}
		}
		gone = gone || entry.Gone
		entries = append(entries, entry)
	}
	if gone {
		text += "\n\n" + req.L.T("saved_gone")
	}
	return bot.View{Text: text + staleNote(req.L, fresh), Keyboard: keyboards.SavedKeyboard(req.L, args, entries, total)}, nil
}

// savedRemove takes one thing off the list and shows the rest of the page.
func (s *Screens) savedRemove(ctx context.Context, req *bot.Request, args keyboards.SavedRemoveArgs) (bot.View, error) {
	if err := s.DB.RemoveFavourite(ctx, req.User.ID, args.Service); err != nil {
		return bot.View{}, err
	}
	view, err := s.saved(ctx, req, keyboards.SavedArgs{Page: args.Page, Removing: true})
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}

// save puts a product on the person's list.
func (s *Screens) save(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	row, _, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	err = s.DB.AddFavourite(ctx, req.User.ID, storage.Favourite{
		Service: row.Service, SMM: row.EntityType == hstock.EntitySMM, Name: shorten(row.Name, nameLength),
	}, mostSaved)
	if errors.Is(err, storage.ErrFull) {
		return bot.View{}, message("saved_full", locales.Args{"Most": int64(mostSaved)})
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.productWith(ctx, req, args, "saved_toast")
}

func (s *Screens) unsave(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	if err := s.DB.RemoveFavourite(ctx, req.User.ID, args.Service); err != nil {
		return bot.View{}, err
	}
	return s.productWith(ctx, req, args, "saved_removed_toast")
}

// productWith shows a product after something was said of it.
func (s *Screens) productWith(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, toast string) (bot.View, error) {
	view, err := s.product(ctx, req, args)
	view.Toast = req.L.Label(toast)
	return view, err
}

// tellBack has the person told when a product that is sold out can be had again.
func (s *Screens) tellBack(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	row, inventory, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if !orders.LimitsOf(row, inventory).SoldOut { // since the button was drawn
		return s.productWith(ctx, req, args, "tell_back_here")
	}
	if err := s.setAlert(ctx, req, row, storage.WatchRestock, decimal.Zero); err != nil {
		return bot.View{}, err
	}
	return s.productWith(ctx, req, args, "tell_back_toast")
}

func (s *Screens) setAlert(ctx context.Context, req *bot.Request, row hstock.Item, kind storage.WatchKind, price decimal.Decimal) error {
	err := s.DB.SetWatch(ctx, storage.Watch{
		UserID: req.User.ID, Service: row.Service, SMM: row.EntityType == hstock.EntitySMM, Name: shorten(row.Name, nameLength),
		Kind: kind, Price: price, Currency: s.currency(ctx, req.User.ID),
	}, mostAlerts)
	if errors.Is(err, storage.ErrFull) {
		return message("tell_full", locales.Args{"Most": int64(mostAlerts)})
	}
	return err
}

func (s *Screens) tellBackOff(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.tellOff(ctx, req, args, storage.WatchRestock)
}

func (s *Screens) tellPriceOff(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.tellOff(ctx, req, args, storage.WatchPrice)
}

func (s *Screens) tellOff(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, kind storage.WatchKind) (bot.View, error) {
	if err := s.DB.RemoveWatch(ctx, req.User.ID, args.Service, kind); err != nil {
		return bot.View{}, err
	}
	return s.productWith(ctx, req, args, "tell_off_toast")
}

// tellPrice asks for the price to be told at.
func (s *Screens) tellPrice(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	row, inventory, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	data := keyboards.Product.Data(args)
	return bot.View{
		Text: "🏷 <b>" + locales.Escape(title(req.L, row.Name)) + "</b>\n" +
			s.priceLine(ctx, req, row.EntityType, inventory.Rate) + "\n\n" + req.L.T("tell_price_ask"),
		Keyboard: keyboards.Foot(req.L, data),
		Dialog:   dialog(stepPrice, data),
	}, nil
}

// priceTyped takes a price under the present one.
func (s *Screens) priceTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Product, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	foot := keyboards.Foot(req.L, req.Data)
	price, ok := parsePrice(req.Text)
	if !ok {
		return askAgain(req.L.T("tell_price_bad"), foot), nil
	}
	row, inventory, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if price.GreaterThanOrEqual(inventory.Rate) {
		return askAgain(req.L.T("tell_price_high", locales.Args{"Now": s.price(ctx, req.L, req.User.ID, inventory.Rate)}), foot), nil
	}
	if err := s.setAlert(ctx, req, row, storage.WatchPrice, price); err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("tell_price_set", locales.Args{
			"Name": title(req.L, row.Name), "Price": s.price(ctx, req.L, req.User.ID, price),
		}),
		Keyboard: foot,
	}, nil
}

// marks is what the person has said of a product, and the lines that say so.
func (s *Screens) marks(ctx context.Context, l *locales.Localizer, userID, service int64, soldOut bool) (marks keyboards.ProductMarks, lines []string, err error) {
	if marks.Saved, err = s.DB.IsFavourite(ctx, userID, service); err != nil {
		return marks, nil, err
	}
	all, err := s.DB.Watches(ctx, userID, service)
	if err != nil {
		return marks, nil, err
	}
	for _, alert := range all {
		if alert.Kind == storage.WatchPrice {
			marks.Price = l.Money(alert.Price, alert.Currency)
			lines = append(lines, l.T("tell_price_on", locales.Args{"Price": marks.Price}))
			continue
		}
		marks.TellBack = true
		id := "tell_back_next"
		if soldOut {
			id = "tell_back_on"
		}
		lines = append(lines, l.T(id))
	}
	return marks, lines, nil
}

// watchView says what somebody wanted to be told, in the words of now where the
// catalogue has them at hand.
func (n *Notifier) watchView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	news, err := watches.DecodeNotification(message)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
	}
	name := news.Name
	if key, err := n.browseKey(ctx, message.UserID); err == nil {
		asking, cancel := context.WithTimeout(ctx, courtesy)
		if row, _, err := n.Catalog.Product(asking, key, l.Lang(), news.Service); err == nil {
			name = row.Name
		}
		cancel()
	}
	price := l.T("product_price", locales.Args{"Price": l.Money(news.Rate, news.Currency)})
	if news.SMM && n.SMMRatePer > 1 {
		price = l.T("product_price_per", locales.Args{"Price": l.Money(news.Rate, news.Currency), "Per": l.Number(n.SMMRatePer)})
	}
	about := locales.Args{"Name": title(l, name), "Price": l.Money(news.Target, news.Currency)}
	first, last := l.T("news_back", about), l.T("news_back_again")
	if message.Kind == watches.MessagePrice {
		first, last = l.T("news_price", about), l.T("news_price_off")
	}
	return bot.View{
		Text:     strings.Join([]string{first, "", price, l.T("product_stock", locales.Args{"Stock": l.Number(news.Stock)}), "", last}, "\n"),
		Keyboard: keyboards.WatchKeyboard(l, news.Service),
	}, nil
}
