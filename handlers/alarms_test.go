package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/alarms"
	"hstockbot/internal/broadcasts"
	"hstockbot/storage"
)

// TestEveryAlarmInEveryLanguage: whatever goes wrong is put into words, and so is
// its end. Few of it happens in the scenarios.
func TestEveryAlarmInEveryLanguage(t *testing.T) {
	kinds := []string{
		alarms.MarketDown, alarms.KeyRefused, alarms.BalanceLow, alarms.Unknown, alarms.OutboxStuck, alarms.UpdatesParked, alarms.SMMRate, alarms.Rival,
	}
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.beAdmin()
				w.types("/start")
				said := map[string]string{}
				for _, kind := range kinds {
					for _, over := range []time.Time{{}, time.Now()} {
						figures := alarms.Figures{
							Count: 1234, Name: "Gmail <Account> - USA", Quantity: 2, Currency: "USD",
							Amount: decimal.RequireFromString("3.20"), Limit: decimal.RequireFromString("5"),
						}
						body, err := json.Marshal(alarms.News{Entries: []alarms.Entry{{Kind: kind, Subject: 7, Since: time.Now().Add(-time.Hour), Over: over, Figures: figures}}, More: 2})
						must(w.t, err)
						_, err = w.shop.Notify(w.t.Context(), storage.Message{UserID: adminID, Kind: alarms.Message, Class: 3, Body: body, CreatedAt: time.Now()})
						must(w.t, err)
						pass(time.Second)
						text := w.anna.Last().Text
						if strings.Contains(text, "alarm_") || strings.Contains(text, "{{") || said[text] != "" {
							w.t.Errorf("%s (over %v) is said as %q, like %s", kind, over, text, said[text])
						}
						said[text] = kind
					}
				}
			})
		})
	}
}

// TestEveryDeedInEveryLanguage: what admins do is read in the log.
func TestEveryDeedInEveryLanguage(t *testing.T) {
	deeds := []storage.Deed{
		{What: "maintenance_on"},
		{What: "maintenance_off"},
		{What: "maintenance_text", Detail: "Back <soon>"},
		{What: "maintenance_text"},
		{What: "block", Subject: 1001},
		{What: "unblock", Subject: 1001},
		{What: "unblock"}, // who was forgotten since
		{What: "threshold", Detail: "12.5"},
		{What: "threshold"},
		{What: "export", Detail: "50000"},
		{What: "export", Subject: 1001, Detail: "3"},
		{What: broadcasts.DeedSend, Subject: 1 << 40, Detail: "200000"},
		{What: broadcasts.DeedStop, Subject: 1 << 40},
		{What: broadcasts.DeedLost, Subject: 1 << 40},
	}
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.types("/start")
				w.beAdmin()
				for _, deed := range deeds {
					deed.Admin, deed.At = adminID, time.Now()
					must(w.t, w.db.RecordDeed(w.t.Context(), deed))
					pass(time.Second)
					w.types("/admin")
					w.tap("admin_button_log")
					if text := w.anna.Last().Text; strings.Contains(text, "deed_") || strings.Contains(text, "{{") {
						w.t.Errorf("%+v is read as %q", deed, text)
					}
				}
			})
		})
	}
}
