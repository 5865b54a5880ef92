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

// watchRestock sets a watch for a sold-out item to be back in stock.
func (s *Screens) watchRestock(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, inventory, err := s.productAndStock(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if !orders.LimitsOf(item, inventory).SoldOut { // restocked since the button was drawn
		return s.productWithToast(ctx, req, args, "watch_back_here")
	}
	if err := s.setWatch(ctx, req, item, storage.WatchRestock, decimal.Zero); err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "watch_back_toast")
}

func (s *Screens) setWatch(ctx context.Context, req *bot.Request, item hstock.Item, kind storage.WatchKind, price decimal.Decimal) error {
	err := s.DB.SetWatch(ctx, storage.Watch{
		UserID: req.User.ID, Service: item.Service, SMM: item.EntityType == hstock.EntitySMM, Name: locales.Shorten(item.Name, nameLength),
		Kind: kind, Price: price, Currency: s.currency(ctx, req.User.ID),
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
	item, inventory, err := s.productAndStock(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	data := keyboards.Product.Data(args)
	return bot.View{
		Text: "🏷 <b>" + locales.Escape(title(req.L, item.Name)) + "</b>\n" +
			s.priceText(ctx, req, item, inventory.Rate) + "\n\n" + req.L.T("watch_price_ask"),
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
	item, inventory, err := s.productAndStock(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if price.GreaterThanOrEqual(inventory.Rate) {
		return askAgain(req.L.T("watch_price_high", locales.Args{"Now": s.price(ctx, req.L, req.User.ID, inventory.Rate)}), foot), nil
	}
	if err := s.setWatch(ctx, req, item, storage.WatchPrice, price); err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("watch_price_set", locales.Args{
			"Name": title(req.L, item.Name), "Price": s.price(ctx, req.L, req.User.ID, price),
		}),
		Keyboard: foot,
	}, nil
}

// productMarks returns what the person has saved or watches of an item, and the lines
// about their watches.
func (s *Screens) productMarks(ctx context.Context, l *locales.Localizer, userID, service int64, soldOut bool) (marks keyboards.ProductMarks, lines []string, err error) {
	if marks.Saved, err = s.DB.IsSaved(ctx, userID, service); err != nil {
		return marks, nil, err
	}
	set, err := s.DB.Watches(ctx, userID, service)
	if err != nil {
		return marks, nil, err
	}
	for _, watch := range set {
		if watch.Kind == storage.WatchPrice {
			marks.Price = l.Money(watch.Price, watch.Currency)
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
	if key, err := n.browseKey(ctx, message.UserID); err == nil {
		asking, cancel := context.WithTimeout(ctx, bestEffortTimeout)
		if item, _, err := n.Catalog.Product(asking, key, l.Lang(), fired.Service); err == nil {
			name = item.Name
		}
		cancel()
	}
	args := locales.Args{"Name": title(l, name), "Price": l.Money(fired.Target, fired.Currency)}
	first, last := l.T("watch_fired_back", args), l.T("watch_fired_back_again")
	if message.Kind == watches.MessagePrice {
		first, last = l.T("watch_fired_price", args), l.T("watch_fired_price_off")
	}
	price := l.T(priceMessage(l, l.Money(fired.Rate, fired.Currency), ratePer(fired.SMM, n.SMMRatePer)))
	return bot.View{
		Text:     strings.Join([]string{first, "", price, l.T("product_stock", locales.Args{"Stock": l.Number(fired.Stock)}), "", last}, "\n"),
		Keyboard: keyboards.WatchKeyboard(l, fired.Service),
	}, nil
}
