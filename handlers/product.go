package handlers

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"golang.org/x/text/width"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
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
	item, inventory, fresh, err := s.itemAndStock(ctx, req, args.Service, refresh)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(item, inventory)
	marks, watchLines, err := s.productMarks(ctx, l, req.User.ID, args.Service, limits.SoldOut)
	if err != nil {
		return bot.View{}, err
	}
	marks.Share = req.InlineMode()
	var quantities []int64
	orderable := !limits.SoldOut && !item.NeedsMoreThanLink()
	if orderable {
		marks.Addable = true
		if marks.Basket, err = s.DB.HasBasket(ctx, req.User.ID); err != nil {
			return bot.View{}, err
		}
		quantities = keyboards.QuantityChoices(limits.Min, s.affordable(ctx, req.User.ID, item, inventory, limits))
	}
	return bot.View{
		Text:     s.productText(req, "", item, inventory, limits, watchLines, staleNote(l, fresh)+s.maintenanceNote(ctx, l)),
		Picture:  picture(item.ImageURL),
		Keyboard: keyboards.ProductKeyboard(l, args, quantities, orderable && limits.Min != limits.Max, marks),
	}, nil
}

// productText describes a product between HTML before it and after it.
func (s *Screens) productText(req *bot.Request, before string, item hstock.Item, inventory hstock.Inventory, limits orders.QuantityLimits, watchLines []string, after string) string {
	l := req.L
	lines := []string{"", "", s.priceText(req.L, item, inventory)}
	if limits.SoldOut {
		lines = append(lines, l.T("product_sold_out"))
	} else {
		if !inventory.StockUnknown {
			lines = append(lines, l.T("product_stock", locales.Args{"Stock": l.Number(inventory.Stock)}))
		}
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
			name := l.Name(locales.Shorten(variant.Name, wordLength))
			if variant.StockUnknown {
				lines = append(lines, locales.Escape("• "+name))
				continue
			}
			lines = append(lines, l.T("product_variant", locales.Args{"Name": name, "Stock": l.Number(variant.Stock)}))
		}
	}
	if len(watchLines) > 0 {
		lines = append(append(lines, ""), watchLines...)
	}
	switch {
	case item.NeedsMoreThanLink():
		lines = append(lines, "", needsMoreSentence(l, item.Type))
	case !limits.SoldOut:
		lines = append(lines, "", l.T("product_choose"))
	}
	return withDescription(before+"<b>"+locales.Escape(title(l, item.Name))+"</b>", item.Description, strings.Join(lines, "\n")+after)
}

// affordable returns the highest quantity that the person's allowance or own balance pays
// for, at most limits.Max. Nothing limits it without both, and for SMM
// services, whose price is an estimate.
func (s *Screens) affordable(ctx context.Context, userID int64, item hstock.Item, inventory hstock.Inventory, limits orders.QuantityLimits) int64 {
	highest := limits.Max
	if item.EntityType == hstock.EntitySMM || !inventory.Rate.IsPositive() {
		return highest
	}
	most, err := s.spendable(ctx, userID, inventory.Currency)
	if err != nil {
		return highest
	}
	quantity := most.Div(inventory.Rate).Floor()
	if highest > 0 && quantity.GreaterThanOrEqual(decimal.NewFromInt(highest)) {
		return highest
	}
	// Even if the balance is too low, limits.Min is offered: the confirm card says how
	// much is missing.
	return max(quantity.IntPart(), limits.Min)
}

// itemAndStock returns an item of the catalogue and its stock; refresh reads the stock
// from the marketplace now. The entity type is that of the stock, because a list may
// not say it, and Type is English, because orders depend on it.
func (s *Screens) itemAndStock(ctx context.Context, req *bot.Request, service int64, refresh bool) (item hstock.Item, inventory hstock.Inventory, fresh catalog.Freshness, err error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return item, inventory, fresh, err
	}
	item, fresh, err = s.Catalog.Product(ctx, access, req.L.Lang(), service)
	if err != nil {
		return item, inventory, fresh, err
	}
	inventory, inventoryFresh, err := s.Catalog.Inventory(ctx, access, req.L.Lang(), service, refresh)
	if err != nil {
		return item, inventory, fresh, err
	}
	if inventoryFresh.Stale {
		fresh = inventoryFresh
	}
	if inventory.EntityType == hstock.EntitySMM || inventory.EntityType == hstock.EntityProduct {
		item.EntityType = inventory.EntityType
	}
	if item.EntityType == hstock.EntitySMM && req.L.Lang() != locales.English {
		english, _, err := s.Catalog.Product(ctx, access, locales.English, service)
		if err != nil {
			return item, inventory, fresh, err
		}
		item.Type = english.Type
	}
	return item, inventory, fresh, nil
}

// orderableItem is itemAndStock for an item that is about to be ordered. Its error is
// *orders.NeedsMoreError where that is not possible.
func (s *Screens) orderableItem(ctx context.Context, req *bot.Request, service int64) (hstock.Item, hstock.Inventory, error) {
	item, inventory, _, err := s.itemAndStock(ctx, req, service, false)
	if err == nil && item.NeedsMoreThanLink() {
		err = &orders.NeedsMoreError{Type: item.Type}
	}
	return item, inventory, err
}

// needsMoreSentence says that a service of this type can't be ordered here.
func needsMoreSentence(l *locales.Localizer, kind string) string {
	return l.T("product_needs_more", locales.Args{"Type": l.Name(locales.Shorten(strings.TrimSpace(kind), wordLength))})
}

// otherAmount asks for a quantity.
func (s *Screens) otherAmount(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	item, inventory, err := s.orderableItem(ctx, req, args.Service)
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
	item, inventory, err := s.orderableItem(ctx, req, args.Service)
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
	email, kept, err := s.keptEmail(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if kept {
		return s.draftProduct(ctx, req, args, email)
	}
	answers, err := s.DB.EmailAnswers(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	key, err := s.buyKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	id := "email_ask"
	if key.House { // the account's e-mail is the operator's
		id = "email_ask_allowance"
	}
	return bot.View{
		Text:     req.L.T(id, itemArgs(req.L, item.Name, args.Quantity)),
		Keyboard: keyboards.EmailKeyboard(req.L, args, maskedEmail(req.L, answers.Address)),
		Dialog:   dialog(stepEmail, keyboards.Quantity.Data(args)),
	}, nil
}

// keptEmail returns the last delivery e-mail, "" for none, if the person wants it to be used
// without being asked.
func (s *Screens) keptEmail(ctx context.Context, userID int64) (email string, kept bool, err error) {
	user, err := s.DB.User(ctx, userID)
	if err != nil || !user.KeepsEmail {
		return "", false, err
	}
	answers, err := s.DB.EmailAnswers(ctx, userID)
	if err != nil || !answers.Given {
		return "", false, err
	}
	return answers.Last, true, nil
}

// maskedEmail returns what a button shows of an address: its first character and its
// domain. The card that follows shows it whole.
func maskedEmail(l *locales.Localizer, email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" {
		return ""
	}
	first, _ := utf8.DecodeRuneInString(local)
	return l.Isolate(locales.Shorten(string(first)+"…@"+domain, wordLength))
}

// linkTyped accepts the link to which an SMM service is applied.
func (s *Screens) linkTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.acceptLink(ctx, req, func(args keyboards.QuantityArgs, link string) (bot.View, error) {
		return s.draftProduct(ctx, req, args, link)
	})
}

// acceptLink opens the next screen with the link of an SMM service, and asks again if the
// text is none.
func (s *Screens) acceptLink(ctx context.Context, req *bot.Request, next func(args keyboards.QuantityArgs, link string) (bot.View, error)) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	link, ok := parseLink(req.Text)
	if !ok {
		if link, ok, err = s.profileTyped(ctx, req, args.Service); err != nil {
			return bot.View{}, err
		}
	}
	if !ok {
		return askAgain(req.L.T("link_bad"), keyboards.Foot(req.L, keyboards.Product.Data(args.Product()))), nil
	}
	return next(args, link)
}

// profileTyped returns the address of a profile that is typed as @name, on the platform
// of a service.
func (s *Screens) profileTyped(ctx context.Context, req *bot.Request, service int64) (string, bool, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return "", false, err
	}
	item, _, err := s.Catalog.Product(ctx, access, locales.English, service)
	if err != nil {
		return "", false, err
	}
	link, ok := links.ProfileOf(width.Narrow.String(strings.TrimSpace(req.Text)), item.Name, item.Category)
	return link, ok, nil
}

// emailTyped accepts the delivery e-mail of a product.
func (s *Screens) emailTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	email := strings.TrimSpace(req.Text)
	if !isEmail(email) {
		answers, err := s.DB.EmailAnswers(ctx, req.User.ID)
		return askAgain(req.L.T("email_bad"), keyboards.EmailKeyboard(req.L, args, maskedEmail(req.L, answers.Address))), err
	}
	return s.draftProduct(ctx, req, args, email)
}

func (s *Screens) skipEmail(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	return s.draftProduct(ctx, req, args, "")
}

// lastEmail answers with the address before.
func (s *Screens) lastEmail(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	answers, err := s.DB.EmailAnswers(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return s.draftProduct(ctx, req, args, answers.Address)
}

// draftProduct draws the confirm card. link is a link or an e-mail address.
func (s *Screens) draftProduct(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs, link string) (bot.View, error) {
	item, _, err := s.orderableItem(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if item.EntityType == hstock.EntitySMM && link == "" {
		return bot.View{}, catalog.ErrDelisted // a Skip button of an item that has become an SMM service
	}
	return s.draftItem(ctx, req, item, orders.Intent{Quantity: args.Quantity, Link: link, Origin: keyboards.Product.Data(args.Product())})
}
