package app_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

var (
	metricName = regexp.MustCompile(`\b(?:hstockbot|process|go)_[a-z_]*[a-z]`)
	selector   = regexp.MustCompile(`\b(hstockbot_[a-z_]+)\{([^}]*)\}`)
	labelName  = regexp.MustCompile(`(\w+)(?:=~|!=|!~|=)`)
)

// The dashboard and the alert rules name only metrics and labels that a program which has
// sold something serves.
func TestMetricsOfDashboardAndAlerts(t *testing.T) {
	served := metricsAfterSale(t)
	for _, line := range []string{
		`hstockbot_tap_duration_seconds_count{screen="c"} 1`,
		`hstockbot_purchases_total{outcome="placed",reason=""} 1`,
		`hstockbot_message_delay_seconds_count{priority="goods"} 1`,
		`hstockbot_outbox_oldest_age_seconds 0`,
	} {
		if !strings.Contains(served, "\n"+line+"\n") {
			t.Errorf("not served: %s", line)
		}
	}
	for _, kind := range []string{"write", "small_write"} {
		if strings.Contains(served, `transaction_duration_seconds_count{kind="`+kind+`"} 0`) {
			t.Errorf("no transaction of the kind %s was observed", kind)
		}
	}
	for _, path := range []string{"../../docs/grafana.json", "../../docs/alerts.yaml"} {
		content, err := os.ReadFile(path)
		testworld.Must(t, err)
		text := strings.ReplaceAll(string(content), `\"`, `"`)
		for _, name := range metricName.FindAllString(text, -1) {
			if strings.HasPrefix(name, "hstockbot_backup_") && pgtest.Wanted() { // of a file
				continue
			}
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(served) {
				t.Errorf("%s: %s is not served", path, name)
			}
		}
		for _, match := range selector.FindAllStringSubmatch(text, -1) {
			for _, label := range labelName.FindAllStringSubmatch(match[2], -1) {
				if label[1] == "job" { // of the scrape
					continue
				}
				if !regexp.MustCompile(`(?m)^` + match[1] + `\{[^}]*\b` + label[1] + `="`).MatchString(served) {
					t.Errorf("%s: %s has no label %s", path, match[1], label[1])
				}
			}
		}
	}
}

// metricsAfterSale returns the /metrics of a program in which somebody has opened the
// catalogue and bought.
func metricsAfterSale(t *testing.T) (served string) {
	t.Helper()
	testworld.Run(t, func(w *testworld.World) {
		t := w.T
		cfg := w.Config()
		if !pgtest.Wanted() {
			cfg.BackupDir = t.TempDir()
		}
		program := w.Start(cfg, app.Options{Version: "v1.2.3"})
		anna := w.Telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
		anna.Type("/start")
		testworld.Pass(time.Second)
		testworld.Must(t, anna.Tap("🛍 Catalog"))
		testworld.Pass(time.Second)
		_, err := program.DB.SaveKey(t.Context(), 1, testworld.AnnaKey)
		testworld.Must(t, err)
		row, _ := w.Market.Row(market.GmailUSA)
		quote, err := program.Orders.Draft(t.Context(), orders.Intent{UserID: 1, Quantity: 1, Item: hstock.Item{
			Service: row.Service, Name: row.Name, EntityType: hstock.EntityType(row.EntityType),
			Rate: row.Rate, Min: row.Min, Max: row.Max, Stock: row.Stock,
		}})
		testworld.Must(t, err)
		_, err = program.Orders.Confirm(t.Context(), 1, quote.Purchase.ID, "en")
		testworld.Must(t, err)
		testworld.Pass(time.Minute)

		served = testworld.Scrape(t, program.Metrics)
		testworld.Must(t, program.Stop(context.WithoutCancel(t.Context())))
	})
	return served
}
