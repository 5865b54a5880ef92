package handlers

import (
	"context"
	"slices"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/monitor"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// alertsLength is the maximum length of a message about alerts, in UTF-16 units. It
// is below Telegram's limit, because a rejected message would not be sent again.
const alertsLength = 3500

// activeAlerts returns a line for each active alert, or with all false for each that is
// about a purchase.
func (s *Screens) activeAlerts(ctx context.Context, l *locales.Localizer, all bool) ([]string, error) {
	entries, err := s.Monitor.Active(ctx)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e monitor.Alert) bool { return !all && !e.AboutPurchase() })
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
		if length += bot.Length(line) + 2; length > alertsLength {
			more += len(report.Alerts) - i
			break
		}
		lines = append(lines, line)
	}
	if more > 0 {
		lines = append(lines, l.N("alert_more", int64(more)))
	}
	unknown := slices.ContainsFunc(report.Alerts, func(e monitor.Alert) bool { return e.Kind == monitor.OutcomeUnknown && e.EndedAt.IsZero() })
	return bot.View{Text: strings.Join(lines, "\n\n"), Keyboard: keyboards.AlertKeyboard(l, unknown)}, nil
}

// alertLine says that an alert is active, or that it has ended.
func alertLine(l *locales.Localizer, e monitor.Alert) string {
	args := locales.Args{
		"Since": clock(l, e.Since), "From": clock(l, e.Figures.From), "Count": e.Figures.Count,
		"Name": l.Name(locales.Shorten(e.Figures.Name, wordLength)), "Quantity": l.Number(e.Figures.Quantity),
		"Balance": l.Money(e.Figures.Amount, e.Figures.Currency), "Limit": l.Money(e.Figures.Limit, e.Figures.Currency),
	}
	if !e.EndedAt.IsZero() {
		return "🟢 " + l.T("alert_ended_"+e.Kind, args)
	}
	switch e.Kind {
	case monitor.OutcomeUnknown:
		if e.Figures.House {
			return "🔴 " + l.T("alert_unknown_house", args)
		}
		return "🔴 " + l.T("alert_unknown", args)
	case monitor.OutboxStuck, monitor.UpdatesDeadLettered:
		return "🔴 " + l.N("alert_"+e.Kind, e.Figures.Count, args)
	default:
		return "🔴 " + l.T("alert_"+e.Kind, args)
	}
}
