package keyboards

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/locales"
)

// BenchmarkScreen measures rendering in each language: the lines and buttons of an
// order, without reading its data.
func BenchmarkScreen(b *testing.B) {
	bundle, err := locales.Load()
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	charge := decimal.RequireFromString("12.0125")
	for _, language := range bundle.Languages() {
		l := bundle.Localizer(language.Code)
		b.Run(language.Code, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text := strings.Join([]string{
					l.T("order_title", locales.Args{"Number": l.Isolate("#23501")}),
					l.T("confirm_what", locales.Args{"Name": l.Name("Gmail Account - USA"), "Quantity": l.Number(12_000)}),
					l.T("order_state", locales.Args{"State": "⏳ " + l.Label("state_in_progress")}),
					l.T("order_charge", locales.Args{"Charge": l.Money(charge, "USD")}),
					l.T("order_delivered", locales.Args{"SoFar": l.Number(3), "Of": l.Number(12_000)}),
					l.T("order_created", locales.Args{"Time": l.Clock(now.Add(-72*time.Hour), now)}),
					l.T("order_updated", locales.Args{"Time": l.Clock(now.Add(-time.Minute), now)}),
				}, "\n")
				rows := OrderKeyboard(l, OrderViewArgs{Order: 1 << 52, Filter: 1, Page: 3}, OrderActions{Accounts: true, Cancel: true, Again: 1 << 51})
				if text == "" || len(rows) == 0 {
					b.Fatal("nothing was drawn")
				}
			}
		})
	}
}
