package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/monitor"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestOperatorsAccount(t *testing.T) {
	run(t, func(w *world) {
		key := testworld.OperatorKey.Reveal()
		w.join(olga)
		testworld.Pass(10 * time.Minute)
		w.want(olga) // no threshold is set
		w.set(storage.OperatorThreshold, "100.01")
		testworld.Pass(time.Minute)
		w.want(olga, monitor.BalanceLow)
		active := w.active()
		if len(active) != 1 || !active[0].Figures.Amount.Equal(decimal.RequireFromString("100.00")) || active[0].Figures.Currency != "USD" ||
			!active[0].Figures.Limit.Equal(decimal.RequireFromString("100.01")) {
			w.T.Errorf("the active alerts are %+v", active)
		}
		w.set(storage.OperatorThreshold, "50")
		testworld.Pass(2 * time.Minute)
		w.want(olga) // a lower threshold does not end the alert with a report
		w.set(storage.OperatorThreshold, "120.00")
		testworld.Pass(2 * time.Minute)
		w.want(olga, monitor.BalanceLow)
		w.must(w.Market.SetBalance(key, "120.00"))
		testworld.Pass(6 * time.Minute)
		w.want(olga, "+"+monitor.BalanceLow) // a balance at the threshold suffices

		w.Market.Fault(market.Fault{Action: "balance", Kind: market.HTML502, Times: 1})
		testworld.Pass(6 * time.Minute) // a failed probe changes nothing
		w.want(olga)
		w.Market.RemoveKey(key)
		testworld.Pass(6 * time.Minute)
		w.want(olga, monitor.KeyRefused)
		w.Market.AddKey(key, "120.00", "USD")
		testworld.Pass(6 * time.Minute)
		w.want(olga, "+"+monitor.KeyRefused)
	})
}

func TestRemovedOperatorsKeyEndsItsAlertSilently(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		w.Market.RemoveKey(testworld.OperatorKey.Reveal())
		testworld.Pass(6 * time.Minute)
		w.want(olga, monitor.KeyRefused)
		w.operatorKey = ""
		w.restart()
		testworld.Pass(2 * time.Minute)
		w.want(olga)
		if active := w.active(); len(active) != 0 {
			w.T.Errorf("the active alerts are %+v", active)
		}
	})
}

func TestDeadLetterAlertEndsAfterAnHourWithoutOne(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		for id := range int64(3) {
			_, _, err := w.db.StoreUpdates(w.T.Context(), "me", []int64{id + 1}, []int64{7}, [][]byte{[]byte("{}")})
			w.must(err)
			_, err = w.db.DeadLetter(w.T.Context(), "me", 7, id+1)
			w.must(err)
			testworld.Pass(10 * time.Minute)
		}
		w.want(olga, monitor.UpdatesDeadLettered)
		testworld.Pass(time.Hour)
		w.want(olga, "+"+monitor.UpdatesDeadLettered)
	})
}

func TestSMMRateAlertEndsWithAnotherSetting(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		w.set(storage.SMMRateMismatchSetting(1000), fmt.Sprint(time.Now().UnixMilli()))
		testworld.Pass(time.Minute)
		w.want(olga, monitor.SMMRate)
		w.smmRatePer = 1
		w.restart()
		testworld.Pass(2 * time.Minute)
		w.want(olga, "+"+monitor.SMMRate)
	})
}

func TestOutboxStuckAlertCountsMessagesDueForFiveMinutes(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.outbox.Stop(w.T.Context()))
		addMessage := func(user int64) {
			w.T.Helper()
			w.must(w.db.AddMessage(w.T.Context(), storage.Message{UserID: user, Kind: "goods", CreatedAt: time.Now()}))
		}
		addMessage(7)
		testworld.Pass(4 * time.Minute)
		if active := w.active(); len(active) != 0 {
			w.T.Errorf("the active alerts after four minutes are %+v", active)
		}
		testworld.Pass(2 * time.Minute)
		first := w.active()
		if len(first) != 1 || first[0].Kind != monitor.OutboxStuck || first[0].Figures.Count != 1 {
			w.T.Fatalf("the active alerts after six minutes are %+v", first)
		}
		addMessage(8)
		testworld.Pass(6 * time.Minute)
		active := w.active()
		if len(active) != 1 || active[0].Figures.Count != 2 || !active[0].Since.Equal(first[0].Since) {
			w.T.Errorf("the active alerts with another message are %+v", active)
		}
	})
}

func TestUnresolvedPurchaseAlertContainsNothingTyped(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		w.addUnresolvedPurchase(7)
		testworld.Pass(time.Minute)
		w.want(olga, monitor.OutcomeUnknown)
		active := w.active()
		if len(active) != 1 || active[0].Figures.Name != "Gmail Account" || active[0].Figures.Quantity != 2 || active[0].Subject == 0 {
			w.T.Fatalf("the active alerts are %+v", active)
		}
		if text := fmt.Sprintf("%+v", active); strings.Contains(text, "canary") {
			w.T.Errorf("an alert contains what the person typed or was told: %s", text)
		}
		dismissed, err := w.db.DismissPurchase(w.T.Context(), 7, active[0].Subject, time.Now())
		w.must(err)
		if !dismissed {
			w.T.Fatal("the purchase was not dismissed")
		}
		testworld.Pass(2 * time.Minute)
		w.want(olga, "+"+monitor.OutcomeUnknown)
	})
}
