package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// A link that is pasted where no question is open: its platform is recognized, the
// services for it are listed, and an order starts with the link filled in. The link
// is stored with the searches, encrypted, and buttons carry its id.

// shownLinkLength limits the link above a list, in characters. The confirm card
// shows the whole link.
const shownLinkLength = 200

// pastedLink reports whether a text is one link, and returns the link. Without a
// scheme only links of known platforms count, because people also type "gmail.com"
// or "3.5".
func pastedLink(text string) (string, bool) {
	link, ok := parseLink(text)
	if !ok {
		return "", false
	}
	_, known := links.Recognize(link)
	return link, known || strings.Contains(text, "://")
}

// linkPasted stores the link and lists the services for it.
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

// linked lists the SMM services for the link's platform.
func (s *Screens) linked(ctx context.Context, req *bot.Request, args keyboards.LinkedArgs) (bot.View, error) {
	l := req.L
	address, link, err := s.storedLink(ctx, req, args.Link)
	if err != nil {
		return bot.View{}, err
	}
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	items, fresh, err := s.servicesForLink(ctx, access, l.Lang(), link)
	if err != nil {
		return bot.View{}, err
	}
	if len(items) == 0 {
		return bot.View{Text: l.T("link_none", locales.Args{"Platform": link.Platform}), Keyboard: keyboards.NoServicesKeyboard(l)}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(items)))
	entries := s.itemEntries(req, items, args.Page, func(service int64) string {
		return keyboards.LinkedService.Data(keyboards.LinkedServiceArgs{Link: args.Link, Service: service, Page: args.Page})
	})
	text := l.T(linkFoundID(link.Kind), locales.Args{"Platform": link.Platform, "Link": shownLink(l, address)})
	if items[0].SoldOut() {
		text += "\n\n" + l.T("link_sold_out")
	}
	sets, err := s.DB.BasketSets(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: text + staleNote(l, fresh),
		Keyboard: keyboards.LinkedKeyboard(l, args, setEntries(l, "★", sets, func(set int64) string {
			return keyboards.BasketSet.Data(keyboards.BasketSetArgs{Set: set, Link: args.Link})
		}), entries, len(items)),
	}, nil
}

func linkFoundID(kind links.Kind) string {
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
	return l.Isolate(locales.Shorten(address, shownLinkLength))
}

// storedLink returns a link that this person has pasted.
func (s *Screens) storedLink(ctx context.Context, req *bot.Request, id int64) (string, links.Link, error) {
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

// servicesForLink returns the SMM services whose English name or category names the
// link's platform, in the given language. Services that suit the kind of link (post,
// profile) are first, sold-out ones last.
func (s *Screens) servicesForLink(ctx context.Context, access catalog.Access, lang string, link links.Link) ([]hstock.Item, catalog.Freshness, error) {
	english, fresh, err := s.Catalog.Shelf(ctx, catalog.Access{Key: access.Key}, "en", "", "")
	if err != nil {
		return nil, fresh, err
	}
	englishNames := map[int64]string{}
	for _, item := range english {
		if item.EntityType == hstock.EntitySMM && (link.Named(item.Name) || link.Named(item.Category)) {
			englishNames[item.Service] = item.Name
		}
	}
	items, fresh, err := s.Catalog.Shelf(ctx, access, lang, "", "")
	if err != nil {
		return nil, fresh, err
	}
	var suitable, others []hstock.Item
	for _, item := range items {
		switch name, ok := englishNames[item.Service]; {
		case ok && link.Suits(name):
			suitable = append(suitable, item)
		case ok:
			others = append(others, item)
		}
	}
	return inStockFirst(append(suitable, others...)), fresh, nil
}

// linkedService shows a service for the link and asks for a quantity.
func (s *Screens) linkedService(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (bot.View, error) {
	address, item, inventory, err := s.linkedItem(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(item, inventory)
	var quantities []int64
	orderable := !limits.SoldOut && !item.NeedsMoreThanLink()
	if orderable {
		quantities = keyboards.QuantityChoices(limits.Min, limits.Max)
	}
	return bot.View{
		Text:     s.productText(req, req.L.T("link_for", locales.Args{"Link": shownLink(req.L, address)})+"\n\n", item, inventory, limits, nil, ""),
		Keyboard: keyboards.LinkedServiceKeyboard(req.L, args, quantities, orderable && limits.Min != limits.Max),
	}, nil
}

// linkedItem returns the link, the service and its stock. Its error is
// catalog.ErrDelisted for an item that takes no link: the button is forged, or the
// item has changed.
func (s *Screens) linkedItem(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (string, hstock.Item, hstock.Inventory, error) {
	address, _, err := s.storedLink(ctx, req, args.Link)
	if err != nil {
		return "", hstock.Item{}, hstock.Inventory{}, err
	}
	item, inventory, _, err := s.itemAndStock(ctx, req, args.Service, false)
	if err == nil && item.EntityType != hstock.EntitySMM {
		err = catalog.ErrDelisted
	}
	return address, item, inventory, err
}

// linkedAmount asks for a quantity.
func (s *Screens) linkedAmount(ctx context.Context, req *bot.Request, args keyboards.LinkedServiceArgs) (bot.View, error) {
	_, item, inventory, err := s.linkedItem(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	if item.NeedsMoreThanLink() {
		return bot.View{}, &orders.NeedsMoreError{Type: item.Type}
	}
	return askAmount(req.L, item, inventory, stepLinked, keyboards.LinkedService.Data(args))
}

// linkedAmountTyped accepts a quantity.
func (s *Screens) linkedAmountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.LinkedService, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	return acceptAmount(req, func(n int64) (bot.View, error) {
		order := args.WithQuantity(n)
		view, err := s.linkedQuantity(ctx, req, order)
		return view, bot.ErrorAt(keyboards.LinkedQuantity.Data(order), err)
	})
}

// linkedQuantity draws the confirm card.
func (s *Screens) linkedQuantity(ctx context.Context, req *bot.Request, args keyboards.LinkedQuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	address, item, inventory, err := s.linkedItem(ctx, req, args.LinkedServiceArgs)
	if err != nil {
		return bot.View{}, err
	}
	if err := orders.LimitsOf(item, inventory).Allows(args.Quantity); err != nil {
		return bot.View{}, err
	}
	return s.draftItem(ctx, req, item, orders.Intent{Quantity: args.Quantity, Link: address, Origin: keyboards.LinkedService.Data(args.LinkedServiceArgs)})
}
