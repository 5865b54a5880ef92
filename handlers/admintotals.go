package handlers

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// dayTotal is the sum of a day's charges per currency.
type dayTotal struct {
	day  time.Time
	sums map[string]decimal.Decimal
}

// byDay groups charges by day, the latest first.
func byDay(charges []storage.DailyCharges) []dayTotal {
	var days []dayTotal
	for _, c := range slices.Backward(charges) {
		if len(days) == 0 || !days[len(days)-1].day.Equal(c.Day) {
			days = append(days, dayTotal{c.Day, map[string]decimal.Decimal{}})
		}
		days[len(days)-1].sums[c.Currency] = c.Amount
	}
	return days
}

// adminOrdersTotals shows the charges of the filtered orders per day.
func (s *Screens) adminOrdersTotals(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersSublistArgs) (bot.View, error) {
	l := req.L
	charges, lines, err := s.adminOrderCharges(ctx, l, args.AdminOrdersArgs)
	if err != nil {
		return bot.View{}, err
	}
	days := byDay(charges)
	args.Subpage = keyboards.PageArg(keyboards.ClampPage(int(args.Subpage), len(days)))
	view := bot.View{Keyboard: keyboards.AdminOrdersTotalsKeyboard(l, args, len(days))}
	if len(days) == 0 {
		view.Text = strings.Join(append([]string{l.T("alltotals_none")}, lines...), "\n")
		return view, nil
	}
	lines = append([]string{l.T("alltotals_text", locales.Args{"Sum": sums(l, spentSince(charges, time.Time{}))})}, lines...)
	lines = append(lines, l.T("alltotals_left_out"), "")
	for _, total := range keyboards.Page(days, int(args.Subpage)) {
		lines = append(lines, l.T("alltotals_line", locales.Args{"Day": isoDay(l, total.day), "Sum": sums(l, total.sums)}))
	}
	view.Text = strings.Join(lines, "\n")
	return view, nil
}

// adminOrdersPicture sends the same as a chart.
func (s *Screens) adminOrdersPicture(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	l, foot := req.L, keyboards.Foot(req.L, keyboards.AdminOrdersTotals.Data(args.Sublist(0)))
	charges, lines, err := s.adminOrderCharges(ctx, l, args)
	if err != nil {
		return bot.View{}, err
	}
	picture, shown, byMonth, err := drawCharges(charges, s.DB.Day(time.Now()))
	if err != nil {
		return bot.View{}, err
	}
	if picture == nil {
		return bot.View{Text: strings.Join(append([]string{l.T("alltotals_none_lately")}, lines...), "\n"), Keyboard: foot}, nil
	}
	id := "alltotals_days"
	if byMonth {
		id = "alltotals_months"
	}
	lines = append([]string{l.T(id, locales.Args{"Sum": sums(l, shown)})}, lines...)
	return bot.View{
		Text:     strings.Join(append(lines, l.T("alltotals_left_out")), "\n"),
		Photo:    &bot.Document{Name: "totals.png", Data: picture},
		Keyboard: foot,
	}, nil
}

// adminOrderCharges returns the charges of the filtered orders, and the lines that
// describe the filter.
func (s *Screens) adminOrderCharges(ctx context.Context, l *locales.Localizer, args keyboards.AdminOrdersArgs) ([]storage.DailyCharges, []string, error) {
	filter, err := s.adminOrderFilter(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	charges, err := s.DB.AdminOrderTotals(ctx, filter)
	if err != nil {
		return nil, nil, err
	}
	lines, err := s.filterLines(ctx, l, filter)
	return charges, lines, err
}
