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

func adminUnresolvedItems(l *locales.Localizer, unknown []storage.AdminUnresolved) []keyboards.UnresolvedEntry {
	entries := make([]keyboards.UnresolvedEntry, 0, len(unknown))
	for _, u := range unknown {
		entries = append(entries, keyboards.UnresolvedEntry{
			Purchase: u.ID, Name: adminUnresolvedSubject(l, u), Rest: " ×" + l.Number(u.Quantity) + " · " + shortPersonLabel(l, u.UserID, u.Person),
		})
	}
	return entries
}

func adminUnresolvedSubject(l *locales.Localizer, u storage.AdminUnresolved) string {
	return subject(l, u.Name, adminRental(u.Kind, u.Name, u.Country, u.CountryName))
}

func adminUnresolvedSummary(l *locales.Localizer, u storage.AdminUnresolved) string {
	args := itemArgs(l, adminUnresolvedSubject(l, u), u.Quantity)
	args["Total"] = l.Money(u.Total, u.Currency)
	return l.T("allunknown_what", args)
}

// adminUnresolvedList lists everyone's purchases of unknown outcome, newest first.
func (s *Screens) adminUnresolvedList(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersSublistArgs) (bot.View, error) {
	l := req.L
	filter, err := s.adminOrderFilter(ctx, args.List())
	if err != nil {
		return bot.View{}, err
	}
	unknown, total, err := s.DB.AdminUnresolvedPurchases(ctx, filter, keyboards.PageSize, int(args.Subpage)*keyboards.PageSize)
	if err == nil && len(unknown) == 0 && total > 0 { // the list has become shorter
		args.Subpage = keyboards.PageArg(keyboards.ClampPage(int(args.Subpage), total))
		unknown, total, err = s.DB.AdminUnresolvedPurchases(ctx, filter, keyboards.PageSize, int(args.Subpage)*keyboards.PageSize)
	}
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("allunknown_title")}
	if total == 0 {
		lines[0] = l.T("allunknown_none")
	}
	filters, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	lines = append(lines, filters...)
	for _, u := range unknown {
		lines = append(lines, "", adminUnresolvedSummary(l, u), locales.Escape(personLabel(l, u.UserID, u.Person)), l.T("anyorder_confirmed", locales.Args{"Time": clock(l, u.SentAt)}))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminUnresolvedListKeyboard(l, args, adminUnresolvedItems(l, unknown), total)}, nil
}

// adminUnresolved shows one of them: the evidence, and what an admin can tell the
// person, who decides. The marketplace's own words are the person's: they may
// quote a link.
func (s *Screens) adminUnresolved(ctx context.Context, req *bot.Request, args keyboards.AdminUnresolvedArgs) (bot.View, error) {
	l := req.L
	u, err := s.DB.AdminUnresolvedPurchase(ctx, args.Purchase)
	if errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, message("allunknown_known")
	}
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{
		l.T("allunknown_one"), adminUnresolvedSummary(l, u), locales.Escape(personLabel(l, u.UserID, u.Person)), "",
		l.T("anyorder_confirmed", locales.Args{"Time": clock(l, u.SentAt)}), l.N("allunknown_readings", int64(u.Readings)),
	}
	if u.Fall.Valid {
		moved := locales.Args{"Sum": l.Money(u.Fall.Decimal.Abs(), u.Currency)}
		switch u.Fall.Decimal.Sign() {
		case 1:
			lines = append(lines, l.T("allunknown_fell", moved))
		case -1:
			lines = append(lines, l.T("allunknown_rose", moved))
		default:
			lines = append(lines, l.T("allunknown_same"))
		}
	}
	lines = append(lines, l.T(adminVerdictID(u.Verdict)))
	if !u.NextAt.IsZero() {
		lines = append(lines, l.T("allunknown_next", locales.Args{"Time": clock(l, u.NextAt)}))
	}
	lines = append(lines, "", l.T("allunknown_advice"))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AdminUnresolvedKeyboard(l, args, u.UserID)}, nil
}

func adminVerdictID(verdict storage.Verdict) string {
	switch verdict {
	case storage.VerdictBought:
		return "allunknown_bought"
	case storage.VerdictNotBought:
		return "allunknown_not_bought"
	case storage.VerdictUnclear:
		return "allunknown_unclear"
	default:
		return "allunknown_nothing"
	}
}
