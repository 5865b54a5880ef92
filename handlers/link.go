package handlers

import (
	"context"
	"errors"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// A link that is pasted where nothing was asked: what platform it is of, the
// services for it, and an order with the link filled in. The link itself is
// kept among the searches, sealed, and buttons carry its id.

// linkLength is how much of a link is shown, in characters; the confirm card
// shows all of it.
const linkLength = 200

// pastedLink reads a text that is one link and nothing else. Without a scheme
// it must be of a platform that is known: people also type "gmail.com" or "3.5".
func pastedLink(text string) (string, bool) {
	link, ok := parseLink(text)
	if !ok {
		return "", false
	}
	_, known := links.Recognize(link)
	return link, known || strings.Contains(text, "://")
}

// linkPasted keeps the link and offers what there is for it.
func (s *Screens) linkPasted(ctx context.Context, req *bot.Request, link string) (bot.View, error) {
	if _, known := links.Recognize(link); !known {
		return bot.View{Text: req.L.T("link_unknown"), Keyboard: keyboards.NoServicesKeyboard(req.L)}, nil
	}
	id, err := s.DB.AddSearch(ctx, req.User.ID, link)
	if err != nil {
		return bot.View{}, err
	}
	args := keyboards.LinkedArgs{Link: id}
	return bot.RedirectTo(keyboards.Linked.Data(args)), nil
}

// linked lists the SMM services of the link's platform.
func (s *Screens) linked(ctx context.Context, req *bot.Request, args keyboards.LinkedArgs) (bot.View, error) {
	l := req.L
	address, link, err := s.keptLink(ctx, req, args.Link)
	if err != nil {
		return bot.View{}, err
	}
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	rows, fresh, err := s.servicesFor(ctx, key, l.Lang(), link)
	if err != nil {
		return bot.View{}, err
	}
	if len(rows) == 0 {
		return bot.View{Text: l.T("link_none", locales.Args{"Platform": link.Platform}), Keyboard: keyboards.NoServicesKeyboard(l)}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(rows)))
	currency := s.currency(ctx, req.User.ID)
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, row := range keyboards.Page(rows, int(args.Page)) {
		data := keyboards.LinkedService.Data(keyboards.LinkedServiceArgs{Link: args.Link, Service: row.Service, Page: args.Page})
		items = append(items, goodsItem(l, row, currency, data))
	}
	text := l.T(foundID(link.Kind), locales.Args{"Platform": link.Platform, "Link": shownLink(l, address)})
	if soldOut(rows[0]) == 1 {
		text += "\n\n" + l.T("link_sold_out")
	}
	return bot.View{Text: text + staleNote(l, fresh), Keyboard: keyboards.LinkedKeyboard(l, args, items, len(rows))}, nil
}

func foundID(kind links.Kind) string {
	switch kind {
	case links.Post:
		return "link_found_post"
	case links.Video:
		return "link_found_video"
	case links.Profile:
		return "link_found_profile"
	default:
		return "link_found"
	}
}

func shownLink(l *locales.Localizer, address string) string {
	return l.Isolate(shorten(address, linkLength))
}

// keptLink returns a link that this person has pasted.
func (s *Screens) keptLink(ctx context.Context, req *bot.Request, id int64) (string, links.Link, error) {
	address, err := s.DB.Search(ctx, req.User.ID, id)
	if err != nil {
		return "", links.Link{}, err
	}
	link, known := links.Recognize(address)
	if !known {
		return "", links.Link{}, catalog.ErrDelisted // the id of a search for words
	}
	return address, link, nil
}

// servicesFor returns the SMM services whose English name or category speaks of
// the link's platform, in the person's language: those first that suit what the
// link leads to, and sold-out ones last.
func (s *Screens) servicesFor(ctx context.Context, key redact.Secret, lang string, link links.Link) ([]hstock.Item, catalog.Freshness, error) {
	english, fresh, err := s.Catalog.Shelf(ctx, key, "en", "", "")
	if err != nil {
		return nil, fresh, err
	}
	names := map[int64]string{}
	for _, row := range english {
		if row.EntityType == hstock.EntitySMM && (link.Named(row.Name) || link.Named(row.Category)) {
			names[row.Service] = row.Name
		}
	}
	rows, fresh, err := s.Catalog.Shelf(ctx, key, lang, "", "")
	if err != nil {
		return nil, fresh, err
	}
	var suit, rest []hstock.Item
	for _, row := range rows {
		switch name, fits := names[row.Service]; {
		case fits && link.Suits(name):
			suit = append(suit, row)
		case fits:
			rest = append(rest, row)
		}
	}
	return inStockFirst(append(suit, rest...)), fresh, nil
}

// linkedService shows a service for the link and asks how many.
func (s *Screens) linkedService(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (bot.View, error) {
	address, row, inventory, err := s.lookLinked(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(row, inventory)
	var quantities []int64
	if !limits.SoldOut {
		quantities = keyboards.QuantityChoices(limits.Min, limits.Max)
	}
	return bot.View{
		Text:     req.L.T("link_for", locales.Args{"Link": shownLink(req.L, address)}) + "\n\n" + s.productText(ctx, req, row, inventory, limits, nil),
		Keyboard: keyboards.LinkedServiceKeyboard(req.L, args, quantities, !limits.SoldOut && limits.Min != limits.Max),
	}, nil
}

// lookLinked reads the link and the service. What is no SMM service takes no
// link: its button is forged, or it has become something else.
func (s *Screens) lookLinked(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (string, hstock.Item, hstock.Inventory, error) {
	address, _, err := s.keptLink(ctx, req, args.Link)
	if err != nil {
		return "", hstock.Item{}, hstock.Inventory{}, err
	}
	row, inventory, err := s.look(ctx, req, args.Service)
	if err == nil && row.EntityType != hstock.EntitySMM {
		err = catalog.ErrDelisted
	}
	return address, row, inventory, err
}

// linkedAmount asks for a quantity.
func (s *Screens) linkedAmount(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (bot.View, error) {
	_, row, inventory, err := s.lookLinked(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	text, err := amountQuestion(req.L, row, inventory)
	if err != nil {
		return bot.View{}, err
	}
	data := keyboards.LinkedService.Data(args)
	return bot.View{Text: text, Keyboard: keyboards.Foot(req.L, data), Dialog: dialog(stepLinked, data)}, nil
}

// linkedAmountTyped takes a quantity.
func (s *Screens) linkedAmountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.LinkedService, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	foot := keyboards.Foot(req.L, keyboards.LinkedService.Data(args))
	n, ok := parseAmount(req.Text)
	if !ok {
		return askAgain(req.L.T("amount_not_number"), foot), nil
	}
	order := args.WithQuantity(n)
	view, err := s.linkedOrder(ctx, req, order)
	var amount *orders.LimitError
	if errors.As(err, &amount) && !amount.SoldOut {
		return askAgain(amountSentence(req.L, amount), foot), nil
	}
	return view, bot.ErrorAt(keyboards.LinkedQuantity.Data(order), err)
}

// linkedOrder draws the confirm card: what it would ask for is there already.
func (s *Screens) linkedOrder(ctx context.Context, req *bot.Request, args keyboards.LinkedQuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	address, row, inventory, err := s.lookLinked(ctx, req, args.LinkedServiceArgs)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(row, inventory)
	if limits.SoldOut || args.Quantity < limits.Min || limits.Max > 0 && args.Quantity > limits.Max {
		return bot.View{}, &limits
	}
	return s.draftGoods(ctx, req, row, args.Quantity, address, keyboards.LinkedService.Data(args.LinkedServiceArgs))
}
