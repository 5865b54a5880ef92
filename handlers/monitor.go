package handlers

import (
	"context"
	"strings"
	"unicode/utf16"

	"hstockbot/bot"
	"hstockbot/internal/monitor"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// alertsLength is the maximum length of a message about alerts, in UTF-16 units. It
// is below Telegram's limit, because a rejected message would not be sent again.
const alertsLength = 3500

// activeAlerts returns a line for each active alert.
func (s *Screens) activeAlerts(ctx context.Context, l *locales.Localizer) ([]string, error) {
	entries, err := s.Monitor.Active(ctx)
	if err != nil {
		return nil, err
	}
	const most = 10
	var lines []string
	for _, e := range entries[:min(len(entries), most)] {
		lines = append(lines, alertLine(l, e))
	}
	if more := len(entries) - most; more > 0 {
		lines = append(lines, l.N("alert_more", int64(more)))
	}
	return lines, nil
}

// alertsView renders a message about alerts.
func alertsView(l *locales.Localizer, message storage.Message) (bot.View, error) {
	report, err := monitor.DecodeReport(message)
	if err != nil {
		return bot.View{}, err
	}
	var lines []string
	more, length := report.More, 0
	for i, e := range report.Alerts {
		line := alertLine(l, e)
		if length += len(utf16.Encode([]rune(line))) + 2; length > alertsLength {
			more += len(report.Alerts) - i
			break
		}
		lines = append(lines, line)
	}
	if more > 0 {
		lines = append(lines, l.N("alert_more", int64(more)))
	}
	return bot.View{Text: strings.Join(lines, "\n\n"), Keyboard: keyboards.AlertKeyboard(l)}, nil
}

// alertLine says that an alert is active, or that it has ended.
func alertLine(l *locales.Localizer, e monitor.Alert) string {
	args := locales.Args{
		"Since": clock(l, e.Since), "Count": e.Figures.Count,
		"Name": l.Name(locales.Shorten(e.Figures.Name, wordLength)), "Quantity": l.Number(e.Figures.Quantity),
		"Balance": l.Money(e.Figures.Amount, e.Figures.Currency), "Limit": l.Money(e.Figures.Limit, e.Figures.Currency),
	}
	if !e.EndedAt.IsZero() {
		return "🟢 " + l.T("alert_ended_"+e.Kind, args)
	}
	switch e.Kind {
	case monitor.OutboxStuck, monitor.UpdatesDeadLettered:
		return "🔴 " + l.N("alert_"+e.Kind, e.Figures.Count, args)
	default:
		return "🔴 " + l.T("alert_"+e.Kind, args)
	}
}
