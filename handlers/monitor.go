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

// alarmsLength is how long a message about alarms gets, in UTF-16 units: below what
// Telegram takes, since one that is refused would never be told again.
const alarmsLength = 3500

// wrongNow says what is wrong at the moment, a line each.
func (s *Screens) wrongNow(ctx context.Context, l *locales.Localizer) ([]string, error) {
	entries, err := s.Monitor.Active(ctx)
	if err != nil {
		return nil, err
	}
	const most = 10
	var lines []string
	for _, e := range entries[:min(len(entries), most)] {
		lines = append(lines, alarmLine(l, e))
	}
	if more := len(entries) - most; more > 0 {
		lines = append(lines, l.N("alarm_more", int64(more)))
	}
	return lines, nil
}

// alarmView puts a message of alarms into words.
func alarmView(l *locales.Localizer, message storage.Message) (bot.View, error) {
	news, err := monitor.DecodeReport(message)
	if err != nil {
		return bot.View{}, err
	}
	var lines []string
	more, length := news.More, 0
	for i, e := range news.Alerts {
		line := alarmLine(l, e)
		if length += len(utf16.Encode([]rune(line))) + 2; length > alarmsLength {
			more += len(news.Alerts) - i
			break
		}
		lines = append(lines, line)
	}
	if more > 0 {
		lines = append(lines, l.N("alarm_more", int64(more)))
	}
	return bot.View{Text: strings.Join(lines, "\n\n"), Keyboard: keyboards.AlertKeyboard(l)}, nil
}

// alarmLine says that something is wrong, or that it is over.
func alarmLine(l *locales.Localizer, e monitor.Alert) string {
	args := locales.Args{
		"Since": clock(l, e.Since), "Count": e.Figures.Count,
		"Name": l.Name(shorten(e.Figures.Name, wordLength)), "Quantity": l.Number(e.Figures.Quantity),
		"Balance": l.Money(e.Figures.Amount, e.Figures.Currency), "Limit": l.Money(e.Figures.Limit, e.Figures.Currency),
	}
	if !e.EndedAt.IsZero() {
		return "🟢 " + l.T("alarm_over_"+e.Kind, args)
	}
	switch e.Kind {
	case monitor.OutboxStuck, monitor.UpdatesDeadLettered:
		return "🔴 " + l.N("alarm_"+e.Kind, e.Figures.Count, args)
	default:
		return "🔴 " + l.T("alarm_"+e.Kind, args)
	}
}
