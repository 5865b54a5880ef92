package ops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/ops"
)

func TestMetrics(t *testing.T) {
	metrics := ops.NewMetrics("v1.2.3")
	metrics.ObserveMarketplace("balance", "ok", 30*time.Millisecond)
	metrics.ObserveMarketplace("balance", "ok", 40*time.Millisecond)
	metrics.ObserveMarketplace("add", "outcome_unknown", 20*time.Second)
	metrics.ObserveTelegram("sendMessage", "flood", 60*time.Millisecond)
	metrics.ObserveUpdate("tap", "Ap", 2*time.Millisecond)
	metrics.ObserveUpdate("4711", "", 2*time.Millisecond)
	metrics.CountPurchase("rejected", "balance")
	metrics.CountPurchase("placed", "")
	metrics.CountPurchase("4711", "")
	metrics.ObserveMessage("goods", 3*time.Second)
	metrics.ObserveMessage("goods", -time.Hour)
	metrics.ObserveTransaction("write", 2*time.Millisecond)
	metrics.CountEvent("dead_lettered")
	metrics.CountEvent("tap")
	if err := metrics.Gauge("outbox_pending", "Messages not sent yet.", func(context.Context) (int64, error) { return 7, nil }); err != nil {
		t.Fatal(err)
	}
	if err := metrics.Gauge("orders_open", "Open orders.", func(context.Context) (int64, error) { return 0, errors.New("CANARY database is locked") }); err != nil {
		t.Fatal(err)
	}
	_, base := start(t, ops.Options{Metrics: metrics})
	status, body := get(t, base+"/metrics")
	if status != 200 {
		t.Fatalf("status %d:\n%s", status, body)
	}
	for _, line := range []string{
		`hstockbot_marketplace_requests_total{action="balance",outcome="ok"} 2`,
		`hstockbot_marketplace_requests_total{action="add",outcome="outcome_unknown"} 1`,
		`hstockbot_marketplace_request_duration_seconds_bucket{action="balance",le="0.05"} 2`,
		`hstockbot_marketplace_request_duration_seconds_bucket{action="add",le="10"} 0`,
		`hstockbot_telegram_requests_total{method="sendMessage",outcome="flood"} 1`,
		`hstockbot_telegram_request_duration_seconds_count{method="sendMessage"} 1`,
		`hstockbot_updates_total{kind="tap"} 1`,
		`hstockbot_updates_total{kind="other"} 1`,
		`hstockbot_update_duration_seconds_count{kind="tap"} 1`,
		`hstockbot_updates_total{kind="inline"} 0`,
		`hstockbot_tap_duration_seconds_count{screen="Ap"} 1`,
		`hstockbot_purchases_total{outcome="rejected",reason="balance"} 1`,
		`hstockbot_purchases_total{outcome="placed",reason=""} 1`,
		`hstockbot_purchases_total{outcome="outcome_unknown",reason=""} 0`,
		`hstockbot_purchases_total{outcome="other",reason=""} 1`,
		`hstockbot_message_delay_seconds_bucket{priority="goods",le="0.25"} 1`,
		`hstockbot_message_delay_seconds_sum{priority="goods"} 3`,
		`hstockbot_message_delay_seconds_count{priority="code"} 0`,
		`hstockbot_database_transaction_duration_seconds_count{kind="write"} 1`,
		`hstockbot_database_transaction_duration_seconds_count{kind="small_write"} 0`,
		`hstockbot_events_total{event="dead_lettered"} 1`,
		`hstockbot_events_total{event="chat_rescued"} 0`,
		`hstockbot_events_total{event="panic"} 0`,
		`hstockbot_events_total{event="other"} 1`,
		`hstockbot_outbox_pending 7`,
		`version="v1.2.3"`,
		`go_goroutines `,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(body, "CANARY") || strings.Contains(body, "hstockbot_orders_open ") {
		t.Error("a gauge whose read fails is served")
	}
}

func TestGaugeRejectsDuplicateName(t *testing.T) {
	metrics := ops.NewMetrics("test")
	zero := func(context.Context) (int64, error) { return 0, nil }
	if err := metrics.Gauge("inbox_pending", "Updates.", zero); err != nil {
		t.Fatal(err)
	}
	if err := metrics.Gauge("inbox_pending", "Updates.", zero); err == nil {
		t.Error("the duplicate has no error")
	}
}

// No value that is given to Metrics puts an id into a label or exceeds the
// bound on the values of a label.
func TestLabelsAreBounded(t *testing.T) {
	metrics := ops.NewMetrics("test")
	record := func(value string) {
		metrics.ObserveMarketplace(value, value, 0)
		metrics.ObserveTelegram(value, value, 0)
		metrics.ObserveUpdate(value, value, 0)
		metrics.CountEvent(value)
		metrics.CountPurchase(value, value)
		metrics.ObserveMessage(value, 0)
		metrics.ObserveTransaction(value, 0)
	}
	for _, value := range []string{"", "user 123456789", "4711", "önë", "a\nb", strings.Repeat("x", 100)} {
		record(value)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				record(fmt.Sprintf("value %d:%d", i, j))
			}
		})
	}
	group.Wait()
	_, base := start(t, ops.Options{Metrics: metrics})
	_, body := get(t, base+"/metrics")
	for _, test := range []struct {
		series string
		want   int // values of its label besides "other"
	}{
		{`hstockbot_marketplace_request_duration_seconds_count{action="`, 200},
		{`hstockbot_telegram_request_duration_seconds_count{method="`, 200},
		{`hstockbot_updates_total{kind="`, 7},
		{`hstockbot_update_duration_seconds_count{kind="`, 0},
		{`hstockbot_tap_duration_seconds_count{screen="`, 200},
		{`hstockbot_events_total{event="`, 7},
		{`hstockbot_purchases_total{outcome="other",reason="`, 201}, // and none
		{`hstockbot_message_delay_seconds_count{priority="`, 5},
		{`hstockbot_database_transaction_duration_seconds_count{kind="`, 2},
	} {
		var values []string
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, test.series); ok {
				values = append(values, rest[:strings.Index(rest, `"`)])
			}
		}
		if len(values) != test.want+1 || !slices.Contains(values, "other") {
			t.Errorf("%s has %d values, want %d and other", test.series, len(values), test.want)
		}
	}
	for _, leak := range []string{"123456789", "4711", "önë"} {
		if strings.Contains(body, leak) {
			t.Errorf("%s is served", leak)
		}
	}
}
