package handlers

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// product shows one product or SMM service and offers quantities of it.
func (s *Screens) product(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	return s.productView(ctx, req, args, false)
}

// productRefresh is product with stock and price asked for now.
func (s *Screens) productRefresh(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	view, err := s.productView(ctx, req, args, true)
	view.Toast = req.L.Label("product_refreshed")
	return view, err
}

func (s *Screens) productView(ctx context.Context, req *bot.Request, args keyboards.ProductArgs, live bool) (bot.View, error) {
	l := req.L
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	row, fresh, err := s.Catalog.Product(ctx, key, l.Lang(), args.Service)
	if err != nil {
		return bot.View{}, err
	}
	inventory, inventoryFresh, err := s.Catalog.Inventory(ctx, key, l.Lang(), args.Service, live)
	if err != nil {
		return bot.View{}, err
	}
	if inventoryFresh.Stale {
		fresh = inventoryFresh
	}
	limits := orders.LimitsOf(row, inventory)
	marks, told, err := s.marks(ctx, l, req.User.ID, args.Service, limits.SoldOut)
	if err != nil {
		return bot.View{}, err
	}
	view := bot.View{
		Text:    s.productText(ctx, req, row, inventory, limits, told) + staleNote(l, fresh) + s.maintenanceNote(ctx, l),
		Picture: picture(row.ImageURL),
	}
	var quantities []int64
	if !limits.SoldOut {
		quantities = keyboards.QuantityChoices(limits.Min, s.affordable(ctx, req.User.ID, row, inventory, limits))
	}
	view.Keyboard = keyboards.ProductKeyboard(l, args, quantities, !limits.SoldOut && limits.Min != limits.Max, marks)
	return view, nil
}

func (s *Screens) productText(ctx context.Context, req *bot.Request, row hstock.Item, inventory hstock.Inventory, limits orders.LimitError, told []string) string {
	l := req.L
	lines := []string{"<b>" + locales.Escape(title(l, row.Name)) + "</b>"}
	if row.Description != "" {
		lines = append(lines, "", locales.Escape(shorten(row.Description, descriptionLength)))
	}
	lines = append(lines, "", s.priceLine(ctx, req, row.EntityType, inventory.Rate))
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
	if row.Refill {
		lines = append(lines, l.T("product_refill"))
	}
	if row.Cancel {
		lines = append(lines, l.T("product_cancel"))
	}
	if len(inventory.Subproducts) > 1 {
		lines = append(lines, "", l.T("product_variants"))
		for _, variant := range inventory.Subproducts[:min(len(inventory.Subproducts), 20)] {
			lines = append(lines, l.T("product_variant", locales.Args{"Name": l.Name(shorten(variant.Name, wordLength)), "Stock": l.Number(variant.Stock)}))
		}
	}
	if len(told) > 0 {
		lines = append(append(lines, ""), told...)
	}
	if !limits.SoldOut {
		lines = append(lines, "", l.T("product_choose"))
	}
	return strings.Join(lines, "\n")
}

// priceLine says what a piece costs; an SMM rate is for SMMRatePer pieces.
func (s *Screens) priceLine(ctx context.Context, req *bot.Request, kind hstock.EntityType, rate decimal.Decimal) string {
	money := s.price(ctx, req.L, req.User.ID, rate)
	if kind == hstock.EntitySMM && s.SMMRatePer > 1 {
		return req.L.T("product_price_per", locales.Args{"Price": money, "Per": req.L.Number(s.SMMRatePer)})
	}
	return req.L.T("product_price", locales.Args{"Price": money})
}

// affordable lowers a highest quantity to what the person's own balance pays
// for. Without an own key no balance limits it; an SMM price is an estimate
// and limits nothing.
func (s *Screens) affordable(ctx context.Context, userID int64, row hstock.Item, inventory hstock.Inventory, limits orders.LimitError) int64 {
	highest := limits.Max
	if row.EntityType == hstock.EntitySMM || !inventory.Rate.IsPositive() {
		return highest
	}
	balance, err := s.ownBalance(ctx, userID, false)
	if err != nil {
		return highest
	}
	pieces := balance.Amount.Div(inventory.Rate).Floor()
	if highest > 0 && pieces.GreaterThanOrEqual(decimal.NewFromInt(highest)) {
		return highest
	}
	// Too little for any: the smallest is offered, the card says what is missing.
	return max(pieces.IntPart(), limits.Min)
}

// picture keeps only addresses that Telegram takes for a link preview. What its
// servers then can't load is only not shown.
func picture(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || !strings.Contains(u.Hostname(), ".") || len(address) > maxLink {
		return ""
	}
	return u.String()
}

// otherAmount asks for a quantity.
func (s *Screens) otherAmount(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	row, inventory, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	text, err := amountQuestion(req.L, row, inventory)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     text,
		Keyboard: keyboards.Foot(req.L, keyboards.Product.Data(args)),
		Dialog:   dialog(stepAmount, keyboards.Product.Data(args)),
	}, nil
}

func amountQuestion(l *locales.Localizer, row hstock.Item, inventory hstock.Inventory) (string, error) {
	limits := orders.LimitsOf(row, inventory)
	switch {
	case limits.SoldOut:
		return "", &limits
	case limits.Max > 0:
		return l.T("amount_ask", locales.Args{"Name": title(l, row.Name), "Min": l.Number(limits.Min), "Max": l.Number(limits.Max)}), nil
	default:
		return l.T("amount_ask_min", locales.Args{"Name": title(l, row.Name), "Min": l.Number(limits.Min)}), nil
	}
}

func (s *Screens) look(ctx context.Context, req *bot.Request, service int64) (hstock.Item, hstock.Inventory, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return hstock.Item{}, hstock.Inventory{}, err
	}
	row, _, err := s.Catalog.Product(ctx, key, req.L.Lang(), service)
	if err != nil {
		return hstock.Item{}, hstock.Inventory{}, err
	}
	inventory, _, err := s.Catalog.Inventory(ctx, key, req.L.Lang(), service, false)
	return row, inventory, err
}

// amountTyped takes a quantity in any script's digits, with or without
// separators of thousands.
func (s *Screens) amountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Product, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	foot := keyboards.Foot(req.L, keyboards.Product.Data(args))
	n, ok := parseAmount(req.Text)
	if !ok {
		return askAgain(req.L.T("amount_not_number"), foot), nil
	}
	order := args.WithQuantity(n)
	view, err := s.quantity(ctx, req, order)
	var amount *orders.LimitError
	if errors.As(err, &amount) && !amount.SoldOut {
		return askAgain(amountSentence(req.L, amount), foot), nil
	}
	return view, bot.ErrorAt(keyboards.Quantity.Data(order), err)
}

// quantity goes on to what the purchase still needs: the link of an SMM
// service, or the delivery e-mail of a product.
func (s *Screens) quantity(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	row, inventory, err := s.look(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(row, inventory)
	if limits.SoldOut || args.Quantity < limits.Min || limits.Max > 0 && args.Quantity > limits.Max {
		return bot.View{}, &limits
	}
	if row.EntityType == hstock.EntitySMM {
		return bot.View{
			Text:     req.L.T("link_ask", itemArgs(req.L, row.Name, args.Quantity)),
			Keyboard: keyboards.Foot(req.L, keyboards.Product.Data(args.Product())),
			Dialog:   dialog(stepLink, keyboards.Quantity.Data(args)),
		}, nil
	}
	return bot.View{
		Text:     req.L.T("email_ask", itemArgs(req.L, row.Name, args.Quantity)),
		Keyboard: keyboards.EmailKeyboard(req.L, args),
		Dialog:   dialog(stepEmail, keyboards.Quantity.Data(args)),
	}, nil
}

// askAgain says what is wrong with an answer, under the question's own buttons;
// the question stands.
func askAgain(text string, keyboard keyboards.Rows) bot.View {
	return bot.View{Text: text, Keyboard: keyboard, KeepDialog: true}
}

// linkTyped takes the address of the content that an SMM service is for.
func (s *Screens) linkTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	link, ok := parseLink(req.Text)
	if !ok {
		return askAgain(req.L.T("link_bad"), keyboards.Foot(req.L, keyboards.Product.Data(args.Product()))), nil
	}
	return s.draft(ctx, req, args, link)
}

// emailTyped takes the address for the delivery of a product.
func (s *Screens) emailTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Quantity, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	email := strings.TrimSpace(req.Text)
	if !isEmail(email) {
		return askAgain(req.L.T("email_bad"), keyboards.EmailKeyboard(req.L, args)), nil
	}
	return s.draft(ctx, req, args, email)
}

func (s *Screens) skipEmail(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	return s.draft(ctx, req, args, "")
}

// draft stores what is about to be bought and draws its confirm card.
func (s *Screens) draft(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs, link string) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	row, _, err := s.Catalog.Product(ctx, key, req.L.Lang(), args.Service)
	if err != nil {
		return bot.View{}, err
	}
	if row.EntityType == hstock.EntitySMM && link == "" {
		return bot.View{}, catalog.ErrDelisted // a Skip button of something that has become an SMM service
	}
	return s.draftGoods(ctx, req, row, args.Quantity, link, keyboards.Product.Data(args.Product()))
}

func (s *Screens) draftGoods(ctx context.Context, req *bot.Request, row hstock.Item, quantity int64, link, origin string) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	quote, err := s.Orders.Draft(ctx, orders.Intent{
		UserID: req.User.ID, Row: row, Category: s.englishCategory(ctx, req.L, key, row), Quantity: quantity, Link: link, Origin: origin, Lang: req.L.Lang(),
	})
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}

// englishCategory is the English name of a row's category, "" where that can't be read
// now: nothing that is bought waits for it.
func (s *Screens) englishCategory(ctx context.Context, l *locales.Localizer, key redact.Secret, row hstock.Item) string {
	if l.Lang() == "en" {
		return row.Category
	}
	english, _, err := s.Catalog.Product(ctx, key, "en", row.Service)
	if err != nil {
		return ""
	}
	return english.Category
}
