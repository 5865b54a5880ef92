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

// maxWatches limits the watches of a person, because each may add an item that is
// read in every round.
const maxWatches = 100

// watches lists what the person watches, newest first.
func (s *Screens) watches(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	all, err := s.DB.WatchesOf(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	page := keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(all)))
	if len(all) == 0 {
		return bot.View{Text: req.L.T("watches_empty"), Keyboard: keyboards.WatchesKeyboard(req.L, page, nil, 0)}, nil
	}
	shown := keyboards.Page(all, int(page))
	items := s.watchedItems(ctx, req, shown)
	entries := make([]keyboards.Item, 0, len(shown))
	for _, w := range shown {
		list := keyboards.ProductList{From: keyboards.FromWatches, Page: page}
		entry := keyboards.Item{Icon: "🔔", Name: w.Name, Data: keyboards.Product.Data(keyboards.ProductArgs{Service: w.Service, ProductList: list})}
		if w.Kind == storage.WatchPrice {
			entry.Icon, entry.Rest = "🏷", " · "+priceOf(req.L, w.Price, w.Currency, ratePer(w.SMM, s.SMMRatePer))
		}
		if item, ok := items[w.Service]; ok {
			entry.Name = item.Name
		}
		entries = append(entries, entry)
	}
	return bot.View{Text: req.L.T("watches_text"), Keyboard: keyboards.WatchesKeyboard(req.L, page, entries, len(all))}, nil
}

// watchedItems returns the items of watches, whose present names are in the person's
// language; nil if the catalogue can't be read now.
func (s *Screens) watchedItems(ctx context.Context, req *bot.Request, shown []storage.Watch) map[int64]hstock.Item {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return nil
	}
	var products, smm []int64
	for _, w := range shown {
		if w.SMM {
			smm = append(smm, w.Service)
		} else {
			products = append(products, w.Service)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, bestEffortTimeout)
	defer cancel()
	items, _, err := s.Catalog.Items(ctx, access, req.L.Lang(), products, smm)
	if err != nil {
		return nil
	}
	return items
}

// watchRestock sets a watch for a sold-out item to be back in stock.
func (s *Screens) watchRestock(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, inventory, _, err := s.itemAndStock(ctx, req, args.Service, false)
	if err != nil {
		return bot.View{}, err
	}
	if !orders.LimitsOf(item, inventory).SoldOut { // restocked since the button was drawn
		return s.productWithToast(ctx, req, args, "watch_back_here")
	}
	if err := s.setWatch(ctx, req, item, storage.WatchRestock, decimal.Zero, inventory.Currency); err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "watch_back_toast")
}

func (s *Screens) setWatch(ctx context.Context, req *bot.Request, item hstock.Item, kind storage.WatchKind, price decimal.Decimal, currency string) error {
	err := s.DB.SetWatch(ctx, storage.Watch{
		UserID: req.User.ID, Service: item.Service, SMM: item.EntityType == hstock.EntitySMM, Name: locales.Shorten(item.Name, nameLength),
		Kind: kind, Price: price, Currency: currency,
	}, maxWatches)
	if errors.Is(err, storage.ErrFull) {
		return userErr("watch_full", locales.Args{"Most": int64(maxWatches)})
	}
	return err
}

func (s *Screens) watchRestockOff(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.removeWatch(ctx, req, args, storage.WatchRestock)
}

func (s *Screens) watchPriceOff(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.removeWatch(ctx, req, args, storage.WatchPrice)
}

func (s *Screens) removeWatch(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, kind storage.WatchKind) (bot.View, error) {
	if err := s.DB.RemoveWatch(ctx, req.User.ID, args.Service, kind); err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "watch_off_toast")
}

// watchPrice asks for the price of a watch.
func (s *Screens) watchPrice(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, inventory, _, err := s.itemAndStock(ctx, req, args.Service, false)
	if err != nil {
		return bot.View{}, err
	}
	data := keyboards.Product.Data(args)
	return bot.View{
		Text: "🏷 <b>" + locales.Escape(title(req.L, item.Name)) + "</b>\n" +
			s.priceText(req.L, item, inventory) + "\n\n" + req.L.T("watch_price_ask"),
		Keyboard: keyboards.Foot(req.L, data),
		Dialog:   dialog(stepPrice, data),
	}, nil
}

// priceTyped accepts a price below the present one and sets the watch.
func (s *Screens) priceTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Product, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	foot := keyboards.Foot(req.L, req.Data)
	price, ok := parsePrice(req.Text)
	if !ok {
		return askAgain(req.L.T("watch_price_bad"), foot), nil
	}
	item, inventory, _, err := s.itemAndStock(ctx, req, args.Service, false)
	if err != nil {
		return bot.View{}, err
	}
	per := ratePer(item.EntityType == hstock.EntitySMM, s.SMMRatePer)
	if price.GreaterThanOrEqual(inventory.Rate) {
		return askAgain(req.L.T("watch_price_high", locales.Args{"Now": priceOf(req.L, inventory.Rate, inventory.Currency, per)}), foot), nil
	}
	if err := s.setWatch(ctx, req, item, storage.WatchPrice, price, inventory.Currency); err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("watch_price_set", locales.Args{
			"Name": title(req.L, item.Name), "Price": priceOf(req.L, price, inventory.Currency, per),
		}),
		Keyboard: foot,
	}, nil
}

// productMarks returns what the person has saved or watches of an item, and the lines
// about their watches.
func (s *Screens) productMarks(ctx context.Context, l *locales.Localizer, userID, service int64, soldOut bool) (marks keyboards.ProductMarks, lines []string, err error) {
	marks.SoldOut = soldOut
	if marks.Saved, err = s.DB.IsSaved(ctx, userID, service); err != nil {
		return marks, nil, err
	}
	set, err := s.DB.Watches(ctx, userID, service)
	if err != nil {
		return marks, nil, err
	}
	for _, watch := range set {
		if watch.Kind == storage.WatchPrice {
			marks.Price = priceOf(l, watch.Price, watch.Currency, ratePer(watch.SMM, s.SMMRatePer))
			lines = append(lines, l.T("watch_price_on", locales.Args{"Price": marks.Price}))
			continue
		}
		marks.Restock = true
		id := "watch_back_next"
		if soldOut {
			id = "watch_back_on"
		}
		lines = append(lines, l.T(id))
	}
	return marks, lines, nil
}

// watchView renders a fired watch, with the item's name in the person's language if
// the catalogue can be read now.
func (n *Notifier) watchView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	fired, err := watches.DecodeNotification(message)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
	}
	name := fired.Name
	if access, err := n.access(ctx, message.UserID); err == nil {
		asking, cancel := context.WithTimeout(ctx, bestEffortTimeout)
		if item, _, err := n.Catalog.Product(asking, access, l.Lang(), fired.Service); err == nil {
			name = item.Name
		}
		cancel()
	}
	per := ratePer(fired.SMM, n.SMMRatePer)
	args := locales.Args{"Name": title(l, name), "Price": priceOf(l, fired.Target, fired.Currency, per)}
	first, last := l.T("watch_fired_back", args), l.T("watch_fired_back_again")
	if message.Kind == watches.MessagePrice {
		first, last = l.T("watch_fired_price", args), l.T("watch_fired_price_off")
	}
	lines := []string{first, "", l.T(priceMessage(l, l.Money(fired.Rate, fired.Currency), per))}
	if !fired.StockUnknown {
		lines = append(lines, l.T("product_stock", locales.Args{"Stock": l.Number(fired.Stock)}))
	}
	return bot.View{
		Text:     strings.Join(append(lines, "", last), "\n"),
		Keyboard: keyboards.WatchKeyboard(l, fired.Service),
	}, nil
}
