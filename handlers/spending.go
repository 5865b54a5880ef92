package handlers

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/chart"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	spendingDays   = 30 // bars if all charges are younger
	spendingMonths = 12 // bars otherwise
	// spendingPanels and spendingTitle limit the size of the picture.
	spendingPanels = 4 // currencies
	spendingTitle  = 8 // characters of a currency
)

// spentText states the charges of the person's orders, of this month and in total, per
// currency.
func (s *Screens) spentText(ctx context.Context, l *locales.Localizer, userID int64) (string, error) {
	spending, err := s.DB.Spending(ctx, userID)
	if err != nil {
		return "", err
	}
	month := spentSince(spending, monthOf(s.DB.Day(time.Now())))
	return l.T("balance_spent", locales.Args{"Month": sums(l, month), "All": sums(l, spentSince(spending, time.Time{}))}), nil
}

// spentSince sums charges per currency, without currencies that have none.
func spentSince(spending []storage.DailyCharges, since time.Time) map[string]decimal.Decimal {
	perCurrency := map[string]decimal.Decimal{}
	for _, c := range spending {
		if !c.Day.Before(since) && !c.Amount.IsZero() {
			perCurrency[c.Currency] = perCurrency[c.Currency].Add(c.Amount)
		}
	}
	return perCurrency
}

func monthOf(day time.Time) time.Time { return day.AddDate(0, 0, 1-day.Day()) }

// spending shows a chart of the person's charges, in a message of its own.
func (s *Screens) spending(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l, foot := req.L, keyboards.Foot(req.L, keyboards.Balance.Data(keyboards.BalanceArgs{}))
	spending, err := s.DB.Spending(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if len(spentSince(spending, time.Time{})) == 0 {
		return bot.View{Text: l.T("spending_none"), Keyboard: foot}, nil
	}
	picture, shown, byMonth, err := drawCharges(spending, s.DB.Day(time.Now()))
	if err != nil {
		return bot.View{}, err
	}
	if picture == nil {
		return bot.View{Text: l.T("spending_none_lately"), Keyboard: foot}, nil
	}
	id := "spending_days"
	if byMonth {
		id = "spending_months"
	}
	return bot.View{Text: l.T(id, locales.Args{"Sum": sums(l, shown)}), Photo: &bot.Document{Name: "spending.png", Data: picture}, Keyboard: foot}, nil
}

// drawCharges draws a chart (PNG) of charges, which are sorted by day: a bar per day if
// the last spendingDays contain all charges, else a bar per month. shown sums what the
// chart shows per currency. picture is nil if that is nothing. The chart contains only
// digits and currency codes, which need no translation.
func drawCharges(charges []storage.DailyCharges, today time.Time) (picture []byte, shown map[string]decimal.Decimal, byMonth bool, err error) {
	bars := lastDays(today)
	if byMonth = len(charges) > 0 && charges[0].Day.Before(bars[0].from); byMonth {
		bars = lastMonths(today)
	}
	if shown = spentSince(charges, bars[0].from); len(shown) == 0 {
		return nil, nil, byMonth, nil
	}
	picture, err = chart.Draw(panelsOf(charges, slices.Sorted(maps.Keys(shown)), bars))
	return picture, shown, byMonth, err
}

// span is the time of one bar. It ends where the next one begins.
type span struct {
	from  time.Time
	label string
}

func lastDays(today time.Time) (bars []span) {
	for back := spendingDays - 1; back >= 0; back-- {
		day := today.AddDate(0, 0, -back)
		bars = append(bars, span{day, day.Format("01-02")})
	}
	return bars
}

func lastMonths(today time.Time) (bars []span) {
	for back := spendingMonths - 1; back >= 0; back-- {
		month := monthOf(today).AddDate(0, -back, 0)
		bars = append(bars, span{month, month.Format("2006-01")})
	}
	return bars
}

func panelsOf(spending []storage.DailyCharges, currencies []string, bars []span) []chart.Panel {
	var panels []chart.Panel
	for _, currency := range currencies[:min(len(currencies), spendingPanels)] {
		panel := chart.Panel{Title: locales.Shorten(currency, spendingTitle)}
		for _, bar := range bars {
			panel.Bars = append(panel.Bars, chart.Bar{Label: bar.label})
		}
		for _, c := range spending {
			index, exact := slices.BinarySearchFunc(bars, c.Day, func(b span, day time.Time) int { return b.from.Compare(day) })
			if !exact {
				index-- // the bar that contains the day
			}
			if c.Currency == currency && index >= 0 {
				panel.Bars[index].Amount = panel.Bars[index].Amount.Add(c.Amount)
			}
		}
		panels = append(panels, panel)
	}
	return panels
}
