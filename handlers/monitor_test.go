package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/broadcasts"
	"hstockbot/internal/monitor"
	"hstockbot/storage"
)

// TestEveryAlertInEveryLanguage: every alert and its end have a text of their own. Few
// alerts occur in the flows.
func TestEveryAlertInEveryLanguage(t *testing.T) {
	kinds := []string{
		monitor.MarketDown, monitor.MarketBlocked, monitor.KeyRefused, monitor.BalanceLow, monitor.OutcomeUnknown, monitor.OutboxStuck, monitor.UpdatesDeadLettered, monitor.SMMRate, monitor.PollConflict,
		monitor.WebhookConflict, monitor.DatabaseUnsafe, monitor.DatabaseRestored, monitor.BackupRestored, monitor.BackupFailed,
	}
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.becomeAdmin()
				w.types("/start")
				kindOf := map[string]string{} // by text
				for _, kind := range kinds {
					for _, ended := range []time.Time{{}, time.Now()} {
						figures := monitor.Figures{
							From: time.Now().Add(-2 * time.Hour), Count: 1234, Name: "Gmail <Account> - USA", Quantity: 2, Currency: "USD",
							Amount: decimal.RequireFromString("3.20"), Limit: decimal.RequireFromString("5"),
						}
						body, err := json.Marshal(monitor.Report{Alerts: []monitor.Alert{{Kind: kind, Subject: 7, Since: time.Now().Add(-time.Hour), EndedAt: ended, Figures: figures}}, More: 2})
						must(w.T, err)
						_, err = w.app.Notifier.Send(w.T.Context(), storage.Message{UserID: adminID, Kind: monitor.MessageReport, Priority: 3, Body: body, CreatedAt: time.Now()})
						must(w.T, err)
						pass(time.Second)
						text := w.chat.Last().Text
						if strings.Contains(text, "alert_") || strings.Contains(text, "{{") || kindOf[text] != "" {
							w.T.Errorf("%s (ended %v) is %q, like %s", kind, ended, text, kindOf[text])
						}
						kindOf[text] = kind
					}
				}
			})
		})
	}
}

// TestAlertsFillAMessage: what is left out of a message about alerts depends on its text
// and not on its markup.
func TestAlertsFillAMessage(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		for alerts, want := range map[int]int{18: 18, 40: 22} {
			report := monitor.Report{}
			for i := range alerts {
				report.Alerts = append(report.Alerts, monitor.Alert{
					Kind: monitor.OutcomeUnknown, Subject: int64(i), Since: time.Now().Add(-time.Hour), Figures: monitor.Figures{Name: "Gmail Account - USA", Quantity: 2},
				})
			}
			body, err := json.Marshal(report)
			must(w.T, err)
			_, err = w.app.Notifier.Send(w.T.Context(), storage.Message{UserID: adminID, Kind: monitor.MessageReport, Priority: 3, Body: body, CreatedAt: time.Now()})
			must(w.T, err)
			pass(time.Second)
			if got := strings.Count(w.chat.Last().Text, "🔴"); got != want {
				w.T.Errorf("of %d alerts %d are listed, want %d", alerts, got, want)
			}
		}
	})
}

func TestEveryAuditEntryInEveryLanguage(t *testing.T) {
	entries := []storage.AuditEntry{
		{Action: "maintenance_on"},
		{Action: "maintenance_off"},
		{Action: "restored"},
		{Action: "maintenance_text", Detail: "Back <soon>"},
		{Action: "maintenance_text"},
		{Action: "block", Subject: 1001},
		{Action: "unblock", Subject: 1001},
		{Action: "unblock"}, // of a person who was forgotten
		{Action: "threshold", Detail: "12.5"},
		{Action: "threshold"},
		{Action: "export", Detail: "50000"},
		{Action: "export", Subject: 1001, Detail: "3"},
		{Action: broadcasts.ActionSend, Subject: 1 << 40, Detail: "200000"},
		{Action: broadcasts.ActionStop, Subject: 1 << 40},
		{Action: broadcasts.ActionRevoked, Subject: 1 << 40},
		{Action: "room"},
		{Action: "room_off"},
		{Action: "room_hour", Detail: "09:00"},
		{Action: "room_hour"},
		{Action: "room_moved"},
		{Action: "room_lost", Detail: "gone"},
		{Action: "room_back"},
	}
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.types("/start")
				w.becomeAdmin()
				for _, entry := range entries {
					entry.AdminID, entry.At = adminID, time.Now()
					must(w.T, w.app.DB.RecordAudit(w.T.Context(), entry))
					pass(time.Second)
					w.types("/admin")
					w.tap("admin_button_log")
					if text := w.chat.Last().Text; strings.Contains(text, "action_") || strings.Contains(text, "{{") {
						w.T.Errorf("%+v is shown as %q", entry, text)
					}
				}
			})
		})
	}
}
