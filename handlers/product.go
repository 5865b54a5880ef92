package handlers

import (
	"context"
	"errors"
	"strings"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// listedVariants limits the variants that a product screen names.
const listedVariants = 20

// product shows a product or SMM service and offers quantities.
func (s *Screens) product(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.productView(ctx, req, args, false)
}

// productRefresh is product with stock and price read from the marketplace now.
func (s *Screens) productRefresh(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	view, err := s.productView(ctx, req, args, true)
	view.Toast = req.L.Label("product_refreshed")
	return view, err
}

// productWithToast shows a product after something about it was changed.
func (s *Screens) productWithToast(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, toast string) (bot.View, error) {
	view, err := s.product(ctx, req, args)
	view.Toast = req.L.Label(toast)
	return view, err
}

func (s *Screens) productView(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, refresh bool) (bot.View, error) {
	l := req.L
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	item, fresh, err := s.Catalog.Product(ctx, key, l.Lang(), args.Service)
	if err != nil {
		return bot.View{}, err
	}
	inventory, inventoryFresh, err := s.Catalog.Inventory(ctx, key, l.Lang(), args.Service, refresh)
	if err != nil {
		return bot.View{}, err
	}
	if inventoryFresh.Stale {
		fresh = inventoryFresh
	}
	limits := orders.LimitsOf(item, inventory)
	marks, watchLines, err := s.productMarks(ctx, l, req.User.ID, args.Service, limits.SoldOut)
	if err != nil {
		return bot.View{}, err
	}
	var quantities []int64
	if !limits.SoldOut {
		quantities = keyboards.QuantityChoices(limits.Min, s.affordable(ctx, req.User.ID, item, inventory, limits))
	}
	return bot.View{
		Text:     s.productText(ctx, req, item, inventory, limits, watchLines) + staleNote(l, fresh) + s.maintenanceNote(ctx, l),
		Picture:  picture(item.ImageURL),
		Keyboard: keyboards.ProductKeyboard(l, args, quantities, !limits.SoldOut && limits.Min != limits.Max, marks),
	}, nil
}

func (s *Screens) productText(ctx context.Context, req *bot.Request, item hstock.Item, inventory hstock.Inventory, limits orders.QuantityLimits, watchLines []string) string {
	l := req.L
	lines := []string{"<b>" + locales.Escape(title(l, item.Name)) + "</b>"}
	if item.Description != "" {
		lines = append(lines, "", locales.Escape(locales.Shorten(item.Description, descriptionLength)))
	}
	lines = append(lines, "", s.priceText(ctx, req, item, inventory.Rate))
	if limits.SoldOut {
		lines = append(lines, l.T("product_sold_out"))
	} else {
		lines = append(lines, l.T("product_stock", locales.Args{"Stock": l.Number(inventory.Stock)}))
		switch {
		case limits.Max == limits.Min:
			lines = append(lines, l.T("product_limit_exact", locales.Args{"Min": l.Number(limits.Min)}))
		case limits.Max > 0:
			lines = append(lines, l.T("product_limits", locales.Args{"Min": l.Number(limits.Min), "Max": l.Number(limits.Max)}))
		default:
			lines = append(lines, l.T("product_limit_min", locales.Args{"Min": l.Number(limits.Min)}))
		}
	}
	if inventory.AutoDelivery {
		lines = append(lines, l.T("product_auto"))
	} else {
		lines = append(lines, l.T("product_by_hand"))
	}
	if item.Refill {
		lines = append(lines, l.T("product_refill"))
	}
	if item.Cancel {
		lines = append(lines, l.T("product_cancel"))
	}
	if len(inventory.Subproducts) > 1 {
		lines = append(lines, "", l.T("product_variants"))
		for _, variant := range inventory.Subproducts[:min(len(inventory.Subproducts), listedVariants)] {
			lines = append(lines, l.T("product_variant", locales.Args{"Name": l.Name(locales.Shorten(variant.Name, wordLength)), "Stock": l.Number(variant.Stock)}))
		}
	}
	if len(watchLines) > 0 {
		lines = append(append(lines, ""), watchLines...)
	}
	if !limits.SoldOut {
		lines = append(lines, "", l.T("product_choose"))
	}
	return strings.Join(lines, "\n")
}

// affordable returns the highest quantity that the person's own balance pays for,
// at most limits.Max. The balance limits nothing without an own key, and for SMM
// services, whose price is an estimate.
func (s *Screens) affordable(ctx context.Context, userID int64, item hstock.Item, inventory hstock.Inventory, limits orders.QuantityLimits) int64 {
	highest := limits.Max
	if item.EntityType == hstock.EntitySMM || !inventory.Rate.IsPositive() {
		return highest
	}
	balance, err := s.ownBalance(ctx, userID, false)
	if err != nil {
		return highest
	}
	quantity := balance.Amount.Div(inventory.Rate).Floor()
	if highest > 0 && quantity.GreaterThanOrEqual(decimal.NewFromInt(highest)) {
		return highest
	}
	// Even if the balance is too low, limits.Min is offered: the confirm card says how
	// much is missing.
	return max(quantity.IntPart(), limits.Min)
}

// productAndStock returns an item of the catalogue and its stock.
func (s *Screens) productAndStock(ctx context.Context, req *bot.Request, service int64) (hstock.Item, hstock.Inventory, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return hstock.Item{}, hstock.Inventory{}, err
	}
	item, _, err := s.Catalog.Product(ctx, key, req.L.Lang(), service)
	if err != nil {
		return hstock.Item{}, hstock.Inventory{}, err
	}
	inventory, _, err := s.Catalog.Inventory(ctx, key, req.L.Lang(), service, false)
	return item, inventory, err
}

// otherAmount asks for a quantity.
func (s *Screens) otherAmount(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, inventory, err := s.productAndStock(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	return askAmount(req.L, item, inventory, stepAmount, keyboards.Product.Data(args))
}

// askAmount asks for a quantity. data is the callback data of the screen before.
func askAmount(l *locales.Localizer, item hstock.Item, inventory hstock.Inventory, step, data string) (bot.View, error) {
	limits := orders.LimitsOf(item, inventory)
	if limits.SoldOut {
		return bot.View{}, &orders.LimitError{QuantityLimits: limits}
	}
	id, args := "amount_ask_min", locales.Args{"Name": title(l, item.Name), "Min": l.Number(limits.Min)}
	if limits.Max > 0 {
		id, args["Max"] = "amount_ask", l.Number(limits.Max)
	}
	return bot.View{Text: l.T(id, args), Keyboard: keyboards.Foot(l, data), Dialog: dialog(step, data)}, nil
}

// amountTyped accepts a quantity.
func (s *Screens) amountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Product, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	return acceptAmount(req, func(n int64) (bot.View, error) {
		order := args.WithQuantity(n)
		view, err := s.quantity(ctx, req, order)
		return view, bot.ErrorAt(keyboards.Quantity.Data(order), err)
	})
}

// acceptAmount answers askAmount: it opens the next screen with the quantity, and
// asks again if the text is no quantity or not within the limits.
func acceptAmount(req *bot.Request, next func(n int64) (bot.View, error)) (bot.View, error) {
	foot := keyboards.Foot(req.L, req.Data)
	n, ok := parseAmount(req.Text)
	if !ok {
		return askAgain(req.L.T("amount_not_number"), foot), nil
	}
	view, err := next(n)
	var limit *orders.LimitError
	if errors.As(err, &limit) && !limit.SoldOut {
		return askAgain(limitSentence(req.L, limit), foot), nil
	}
	return view, err
}

// quantity asks what the purchase still needs: the link of an SMM service, or the
// delivery e-mail of a product.
func (s *Screens) quantity(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	item, inventory, err := s.productAndStock(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if err := orders.LimitsOf(item, inventory).Allows(args.Quantity); err != nil {
		return bot.View{}, err
	}
	if item.EntityType == hstock.EntitySMM {
		return bot.View{
			Text:     req.L.T("link_ask", itemArgs(req.L, item.Name, args.Quantity)),
			Keyboard: keyboards.Foot(req.L, keyboards.Product.Data(args.Product())),
			Dialog:   dialog(stepLink, keyboards.Quantity.Data(args)),
		}, nil
	}
	return bot.View{
		Text:     req.L.T("email_ask", itemArgs(req.L, item.Name, args.Quantity)),
		Keyboard: keyboards.EmailKeyboard(req.L, args),
		Dialog:   dialog(stepEmail, keyboards.Quantity.Data(args)),
	}, nil
}

// linkTyped accepts the link to which an SMM service is applied.
func (s *Screens) linkTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	link, ok := parseLink(req.Text)
	if !ok {
		return askAgain(req.L.T("link_bad"), keyboards.Foot(req.L, keyboards.Product.Data(args.Product()))), nil
	}
	return s.draftProduct(ctx, req, args, link)
}

// emailTyped accepts the delivery e-mail of a product.
func (s *Screens) emailTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	email := strings.TrimSpace(req.Text)
	if !isEmail(email) {
		return askAgain(req.L.T("email_bad"), keyboards.EmailKeyboard(req.L, args)), nil
	}
	return s.draftProduct(ctx, req, args, email)
}

func (s *Screens) skipEmail(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	return s.draftProduct(ctx, req, args, "")
}

// draftProduct draws the confirm card. link is a link or an e-mail address.
func (s *Screens) draftProduct(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs, link string) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	item, _, err := s.Catalog.Product(ctx, key, req.L.Lang(), args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if item.EntityType == hstock.EntitySMM && link == "" {
		return bot.View{}, catalog.ErrDelisted // a Skip button of an item that has become an SMM service
	}
	return s.draftItem(ctx, req, item, orders.Intent{Quantity: args.Quantity, Link: link, Origin: keyboards.Product.Data(args.Product())})
}
