package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/alarms"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// wrongNow says what is wrong at the moment, a line each.
func (s *Shop) wrongNow(ctx context.Context, l *locales.Localizer) ([]string, error) {
	entries, err := s.alarms.Now(ctx)
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
	news, err := alarms.NewsOf(message)
	if err != nil {
		return bot.View{}, err
	}
	var lines []string
	for _, e := range news.Entries {
		lines = append(lines, alarmLine(l, e))
	}
	if news.More > 0 {
		lines = append(lines, l.N("alarm_more", int64(news.More)))
	}
	return bot.View{Text: strings.Join(lines, "\n\n"), Keyboard: keyboards.AlarmKeyboard(l)}, nil
}

// alarmLine says that something is wrong, or that it is over.
func alarmLine(l *locales.Localizer, e alarms.Entry) string {
	args := locales.Args{
		"Since": clock(l, e.Since), "Count": e.Figures.Count,
		"Name": title(l, e.Figures.Name), "Quantity": l.Number(e.Figures.Quantity),
		"Balance": l.Money(e.Figures.Amount, e.Figures.Currency), "Limit": l.Money(e.Figures.Limit, e.Figures.Currency),
	}
	if !e.Over.IsZero() {
		return "🟢 " + l.T("alarm_over_"+e.Kind, args)
	}
	switch e.Kind {
	case alarms.OutboxStuck, alarms.UpdatesParked:
		return "🔴 " + l.N("alarm_"+e.Kind, e.Figures.Count, args)
	default:
		return "🔴 " + l.T("alarm_"+e.Kind, args)
	}
}
