package handlers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/storage"
)

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// TestSpans: days and months follow each other without a gap, also if a month is too
// short for the present day.
func TestSpans(t *testing.T) {
	today := date(2024, 3, 31)
	days, months := lastDays(today), lastMonths(today)
	if len(days) != 30 || !days[0].from.Equal(date(2024, 3, 2)) || days[29].label != "03-31" {
		t.Errorf("the days are %v", days)
	}
	if len(months) != 12 || !months[0].from.Equal(date(2023, 4, 1)) || months[10].label != "2024-02" || months[11].label != "2024-03" {
		t.Errorf("the months are %v", months)
	}
}

// TestPanels: each charge is part of the bar of its time and of the panel of its
// currency, to the last decimal.
func TestPanels(t *testing.T) {
	spending := []storage.DailyCharges{
		{Day: date(2023, 3, 31), Currency: "USD", Amount: decimal.RequireFromString("1000")}, // before the first bar
		{Day: date(2023, 4, 1), Currency: "USD", Amount: decimal.RequireFromString("0.1")},
		{Day: date(2023, 4, 30), Currency: "USD", Amount: decimal.RequireFromString("0.2")},
		{Day: date(2024, 2, 29), Currency: "EUR", Amount: decimal.RequireFromString("0.000000000000000001")},
		{Day: date(2024, 3, 31), Currency: "USD", Amount: decimal.RequireFromString("12345678901234567890.01")},
	}
	panels := panelsOf(spending, []string{"EUR", "USD"}, lastMonths(date(2024, 3, 31)))
	got := map[string]string{}
	for _, panel := range panels {
		for _, bar := range panel.Bars {
			if !bar.Amount.IsZero() {
				got[panel.Title+" "+bar.Label] = bar.Amount.String()
			}
		}
	}
	want := map[string]string{"USD 2023-04": "0.3", "EUR 2024-02": "0.000000000000000001", "USD 2024-03": "12345678901234567890.01"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(panelsOf(spending, []string{"A", "B", "C", "D", "E"}, lastDays(date(2024, 3, 31)))); n != spendingPanels {
		t.Errorf("%d panels, want %d", n, spendingPanels)
	}
}
