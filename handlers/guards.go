package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// What a confirm card warns of. Warnings never block, and are read from the database
// and the catalogue's cache only.

// guardLines are the warnings of a confirm card.
func guardLines(l *locales.Localizer, quote orders.Quote) []string {
	return warningLines(l, orders.LineWarnings{Running: quote.Running, Repeated: quote.Repeated, Misfit: links.Misfit(quote.Purchase.LinkMisfit)})
}

func warningLines(l *locales.Localizer, w orders.LineWarnings) []string {
	var lines []string
	if w.Running.Purchase != 0 {
		lines = append(lines, runningLine(l, w.Running))
	}
	if w.Repeated.Purchase != 0 {
		lines = append(lines, l.T("confirm_repeated"))
	}
	if w.Twin != 0 {
		lines = append(lines, l.T("basket_same", locales.Args{"Place": l.Number(w.Twin)}))
	}
	switch w.Misfit {
	case links.MisfitProfile:
		lines = append(lines, l.T("confirm_link_profile"))
	case links.MisfitPost:
		lines = append(lines, l.T("confirm_link_post"))
	case links.MisfitStory:
		lines = append(lines, l.T("confirm_link_story"))
	case links.MisfitPrivate:
		lines = append(lines, l.T("confirm_link_private"))
	}
	return lines
}

// runningLine names the order that still runs on a link, and how much of it is done, if
// that is known: an order that runs with nothing to do says nothing.
func runningLine(l *locales.Localizer, running storage.Earlier) string {
	args := locales.Args{"Number": externalID(l, running.ExternalID)}
	switch remains := running.Remains; {
	case running.ExternalID == "":
		return l.T("confirm_running_unknown")
	case remains == nil || *remains <= 0 || *remains > running.Quantity:
		return l.T("confirm_running", args)
	default:
		args["SoFar"], args["Of"] = l.Number(running.Quantity-*remains), l.Number(running.Quantity)
		return l.T("confirm_running_progress", args)
	}
}

// openPurchase shows the order of a purchase, or what is known of one without.
func (s *Screens) openPurchase(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	outcome, err := s.Orders.Outcome(ctx, req.User.ID, args.Purchase)
	switch {
	case err != nil:
		return bot.View{}, err
	case outcome.Result == orders.Placed:
		order := outcome.Orders[0]
		return inNewMessage(orderView(req.L, order, keyboards.OrderViewArgs{Order: order.ID}, outcome.Usual), nil)
	case outcome.Result == orders.OutcomeUnknown:
		view, err := s.unresolvedBalance(ctx, req, keyboards.UnresolvedArgs{Purchase: args.Purchase})
		view.Toast = ""
		return inNewMessage(view, err)
	case outcome.Result == orders.InProgress:
		return bot.View{Toast: req.L.Label("confirm_in_progress")}, nil
	default:
		return bot.View{}, storage.ErrNotFound
	}
}

// discardIfNeedsMore ends the draft of an SMM service that by now needs more than a link,
// and says so; the view is empty otherwise. Where the type can't be read soon, the draft
// stays, because a purchase must not depend on it.
func (s *Screens) discardIfNeedsMore(ctx context.Context, req *bot.Request, p storage.Purchase) (bot.View, error) {
	if p.State != storage.PurchaseDraft || p.Kind != storage.KindSMM {
		return bot.View{}, nil
	}
	reading, cancel := context.WithTimeout(ctx, bestEffortTimeout)
	defer cancel()
	access, err := s.access(reading, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	item, _, err := s.Catalog.Product(reading, access, locales.English, p.Service)
	item.EntityType = hstock.EntitySMM
	if err != nil || !item.NeedsMoreThanLink() {
		return bot.View{}, nil
	}
	discarded, err := s.Orders.Discard(ctx, req.User.ID, p.ID)
	if err != nil || !discarded { // another tap has confirmed it
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("rejected_title") + "\n" + needsMoreSentence(req.L, item.Type),
		Keyboard: keyboards.Foot(req.L, p.Origin),
	}, nil
}
