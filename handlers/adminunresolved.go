package handlers

import (
	"context"
	"errors"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

func adminUnresolvedEntries(l *locales.Localizer, purchases []storage.AdminUnresolved, args keyboards.AdminUnresolvedArgs) []keyboards.Item {
	items := make([]keyboards.Item, 0, len(purchases))
	for _, p := range purchases {
		args.Purchase = p.ID
		icon := "❔ "
		if p.Dismissed {
			icon = "✖ "
		}
		items = append(items, keyboards.Item{
			Name: icon + adminUnresolvedSubject(l, p), Rest: " ×" + l.Number(p.Quantity) + " · " + shortPersonLabel(l, p.UserID, p.Person),
			Data: keyboards.AdminUnresolved.Data(args),
		})
	}
	return items
}

func adminUnresolvedSubject(l *locales.Localizer, p storage.AdminUnresolved) string {
	return subject(l, p.Name, adminRental(p.Kind, p.Name, p.Country, p.CountryName))
}

// adminUnresolvedSummary says what was bought at what price, and by whom.
func adminUnresolvedSummary(l *locales.Localizer, p storage.AdminUnresolved) []string {
	args := itemArgs(l, adminUnresolvedSubject(l, p), p.Quantity)
	args["Total"] = l.Money(p.Total, p.Currency)
	lines := []string{l.T("adminunresolved_what", args), locales.Escape(personLabel(l, p.UserID, p.Person))}
	if !p.Shown.Equal(p.Total) {
		lines = append(lines, l.T("adminunresolved_shown", locales.Args{"Sum": l.Money(p.Shown, p.Currency)}))
	}
	if p.Adopted > 0 {
		lines = append(lines, l.T("adminunresolved_partly", locales.Args{"Adopted": l.Number(p.Adopted), "Quantity": l.Number(p.Quantity)}))
	}
	return lines
}

// dismissLabel is that of the button with which an admin says that nothing more was bought,
// "" if one has said so.
func dismissLabel(l *locales.Localizer, p storage.AdminUnresolved) string {
	switch {
	case p.Dismissed:
		return ""
	case p.Adopted > 0:
		return l.Label("adminunresolved_button_rest")
	default:
		return l.Label("unresolved_button_dismiss")
	}
}

// adminUnresolvedList lists everyone's purchases of unknown outcome, newest first.
func (s *Screens) adminUnresolvedList(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersSublistArgs) (bot.View, error) {
	l := req.L
	filter, err := s.adminOrderFilter(ctx, args.AdminOrdersArgs)
	if err != nil {
		return bot.View{}, err
	}
	purchases, total, err := s.DB.AdminUnresolvedPurchases(ctx, filter, keyboards.PageSize, int(args.Subpage)*keyboards.PageSize)
	if err == nil && len(purchases) == 0 && total > 0 { // the list has become shorter
		args.Subpage = keyboards.PageArg(keyboards.ClampPage(int(args.Subpage), total))
		purchases, total, err = s.DB.AdminUnresolvedPurchases(ctx, filter, keyboards.PageSize, int(args.Subpage)*keyboards.PageSize)
	}
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("adminunresolved_title")}
	if total == 0 {
		lines[0] = l.T("adminunresolved_none")
	}
	filters, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	lines = append(lines, filters...)
	for _, p := range purchases {
		lines = append(append(lines, ""), adminUnresolvedSummary(l, p)...)
		lines = append(lines, l.T("adminorder_confirmed", locales.Args{"Time": clock(l, p.SentAt)}))
		if p.Dismissed {
			lines = append(lines, l.T("adminunresolved_dismissed"))
		}
	}
	items := adminUnresolvedEntries(l, purchases, keyboards.AdminUnresolvedArgs{AdminOrdersArgs: args.AdminOrdersArgs, ListPage: args.Subpage + 1})
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminUnresolvedListKeyboard(l, args, items, total)}, nil
}

// adminUnresolved shows the evidence about one purchase and what an admin can tell
// the person, who decides. The marketplace's reason is not shown, since it may quote
// a link.
func (s *Screens) adminUnresolved(ctx context.Context, req *bot.Request, args keyboards.AdminUnresolvedArgs) (bot.View, error) {
	l := req.L
	p, err := s.DB.AdminUnresolvedPurchase(ctx, args.Purchase)
	if errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, userErr("adminunresolved_known")
	}
	if err != nil {
		return bot.View{}, err
	}
	heading := "adminunresolved_one"
	if p.Dismissed {
		heading = "adminunresolved_dismissed"
	}
	lines := append([]string{l.T(heading)}, adminUnresolvedSummary(l, p)...)
	lines = append(lines, "", l.T("adminorder_confirmed", locales.Args{"Time": clock(l, p.SentAt)}), l.N("adminunresolved_readings", int64(p.Checks)))
	if p.Fall.Valid {
		sum := locales.Args{"Sum": l.Money(p.Fall.Decimal.Abs(), p.Currency)}
		switch p.Fall.Decimal.Sign() {
		case 1:
			lines = append(lines, l.T("adminunresolved_fell", sum))
		case -1:
			lines = append(lines, l.T("adminunresolved_rose", sum))
		default:
			lines = append(lines, l.T("adminunresolved_same"))
		}
	}
	lines = append(lines, l.T(adminVerdictID(p.Verdict)))
	lines = appendTime(lines, l, "adminunresolved_next", p.NextAt)
	advice := "adminunresolved_advice"
	if p.House {
		advice = "adminunresolved_house"
	}
	lines = append(lines, "", l.T(advice))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminUnresolvedKeyboard(l, args, p.UserID, p.House && s.IsAdmin(req.User.ID), dismissLabel(l, p))}, nil
}

func adminVerdictID(verdict storage.Verdict) string {
	switch verdict {
	case storage.VerdictBought:
		return "adminunresolved_bought"
	case storage.VerdictNotBought:
		return "adminunresolved_not_bought"
	case storage.VerdictUnclear:
		return "adminunresolved_unclear"
	default:
		return "adminunresolved_nothing"
	}
}
