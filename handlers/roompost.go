package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/outbox"
	"hstockbot/internal/room"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// The Notifier is the room.Poster. Everything in a room is in the default language.

// topicLabel returns the name of a topic.
func topicLabel(l *locales.Localizer, topic storage.RoomTopic) string {
	switch topic {
	case storage.TopicAlerts:
		return l.Label("room_topic_alerts")
	case storage.TopicOrders:
		return l.Label("room_topic_orders")
	default:
		return l.Label("room_topic_daily")
	}
}

func (n *Notifier) roomLocalizer() *locales.Localizer { return n.Bundle.Localizer(n.DefaultLang) }

// MakeTopic implements room.Poster.
func (n *Notifier) MakeTopic(ctx context.Context, chat int64, topic storage.RoomTopic) (thread int64, err error) {
	return n.Bot.CreateTopic(ctx, chat, topicLabel(n.roomLocalizer(), topic))
}

// CheckTopic implements room.Poster.
func (n *Notifier) CheckTopic(ctx context.Context, chat, thread int64) error {
	return n.Bot.CheckTopic(ctx, chat, thread)
}

// PostTest implements room.Poster.
func (n *Notifier) PostTest(ctx context.Context, chat, thread int64, topics []storage.RoomTopic) error {
	l := n.roomLocalizer()
	var names []string
	for _, topic := range topics {
		names = append(names, topicLabel(l, topic))
	}
	_, err := n.Bot.Post(ctx, chat, outbox.PriorityReply, bot.View{Text: l.T("room_test", locales.Args{"List": strings.Join(names, " · ")}), Thread: thread})
	return err
}

// PostReport implements room.Poster. It has no buttons, since only private chats do.
func (n *Notifier) PostReport(ctx context.Context, chat, thread int64, m storage.RoomMessage) error {
	view, err := n.view(ctx, n.roomLocalizer(), storage.Message{Kind: m.Kind, Body: m.Body, CreatedAt: m.CreatedAt}, false)
	if err != nil {
		return err
	}
	view.Keyboard, view.Thread, view.L = nil, thread, n.roomLocalizer()
	_, err = n.Bot.Post(ctx, chat, outbox.PriorityStatus, view)
	return err
}

// PostLine implements room.Poster. The line makes no sound. A stop does not cut it off: it
// would be posted again.
func (n *Notifier) PostLine(ctx context.Context, chat, thread int64, p storage.RoomPurchase) (messageID int64, err error) {
	view := bot.View{Text: roomLine(n.roomLocalizer(), p), L: n.roomLocalizer(), Thread: thread, Silent: true}
	if p.MessageID != 0 {
		return p.MessageID, n.Bot.EditPost(ctx, chat, int(p.MessageID), view)
	}
	id, err := n.Bot.Post(ctx, chat, outbox.PriorityNews, view)
	return int64(id), err
}

// roomLine says what was bought, for how much, and what became of it. It says nothing of
// the person, and storage.RoomPurchase has no goods, links or numbers.
func roomLine(l *locales.Localizer, p storage.RoomPurchase) string {
	name := l.Name(locales.Shorten(p.Name, nameLength))
	if p.Kind == storage.KindSMS {
		name += " · " + l.Name(locales.Shorten(l.Country(p.Country, p.CountryName), wordLength))
	}
	amount, currency := room.Amount(p)
	return l.T("room_line", locales.Args{"Name": name, "Quantity": l.Number(p.Quantity), "Price": l.Money(amount, currency), "State": roomState(l, p)})
}

// roomState returns the state of a purchase and its orders, with icons.
func roomState(l *locales.Localizer, p storage.RoomPurchase) string {
	switch p.State {
	case storage.PurchasePlaced:
	case storage.PurchaseOutcomeUnknown:
		return "❔ " + l.Label("room_state_unknown")
	case storage.PurchaseDismissed:
		return "✖ " + l.Label("room_state_dismissed")
	case storage.PurchaseRejected, storage.PurchaseSuperseded:
		return "✖ " + l.Label("room_state_rejected")
	default:
		return "⏳ " + l.Label("room_state_sending")
	}
	var states []string
	times := map[string]int64{}
	for _, o := range p.Orders {
		state := stateIcon(o.State) + " " + roomOrderWord(l, p, o)
		if times[state]++; times[state] == 1 {
			states = append(states, state)
		}
	}
	for i, state := range states {
		if len(p.Orders) > 1 {
			states[i] = state + " × " + l.Number(times[state])
		}
	}
	return strings.Join(states, ", ")
}

// roomOrderWord is stateWord without the marketplace's own words, because everybody in the
// group reads it.
func roomOrderWord(l *locales.Localizer, p storage.RoomPurchase, o storage.RoomOrder) string {
	switch {
	case o.State == storage.OrderStale:
		return l.Label("room_state_stale")
	case o.State == storage.OrderOpen && p.Kind != storage.KindSMS:
		return l.Label("state_in_progress")
	case o.State == storage.OrderPartial && p.Kind == storage.KindProduct:
		return l.Label("state_partial") + " " + l.Isolate(fmt.Sprintf("%d/%d", o.Delivered, p.Quantity))
	default:
		return stateWord(l, storage.Order{Kind: p.Kind, State: o.State})
	}
}

// PostDaily implements room.Poster. Where pictures are not allowed it posts only the text.
func (n *Notifier) PostDaily(ctx context.Context, chat, thread int64, day time.Time) error {
	l := n.roomLocalizer()
	bought, err := n.DB.CountPlaced(ctx, day)
	if err != nil {
		return err
	}
	charges, err := n.DB.AdminOrderTotals(ctx, storage.AdminOrderFilter{})
	if err != nil {
		return err
	}
	charges = slices.DeleteFunc(charges, func(c storage.DailyCharges) bool { return c.Day.After(day) })
	var ofDay []storage.DailyCharges
	for _, c := range charges {
		if c.Day.Equal(day) {
			ofDay = append(ofDay, c)
		}
	}
	view := bot.View{Text: l.T("room_daily", locales.Args{"Day": isoDay(l, day), "Orders": l.Number(int64(bought)), "Sum": sums(l, spentSince(ofDay, day))}), L: l, Thread: thread}
	if len(spentSince(ofDay, day)) == 0 {
		view.Text = l.T("room_daily_none", locales.Args{"Day": isoDay(l, day), "Orders": l.Number(int64(bought))})
	}
	picture, _, _, err := drawCharges(charges, day)
	if err != nil {
		return err
	}
	if picture != nil {
		view.Photo = &bot.Document{Name: "daily.png", Data: picture}
	}
	_, err = n.Bot.Post(ctx, chat, outbox.PriorityStatus, view)
	if errors.Is(err, outbox.ErrNoRights) && view.Photo != nil {
		view.Photo = nil
		_, err = n.Bot.Post(ctx, chat, outbox.PriorityStatus, view)
	}
	return err
}

// roomNoticeView tells an admin that a room is lost, or one of its topics.
func roomNoticeView(l *locales.Localizer, message storage.Message) (bot.View, error) {
	notice, err := room.DecodeNotice(message)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
	}
	if message.Kind == room.MessageTopicLost {
		id := "room_topic_gone"
		if notice.Fault != "" {
			id = "room_topic_" + notice.Fault
		}
		return bot.View{Text: l.T(id, locales.Args{"Topic": topicLabel(l, notice.Topic)}), Keyboard: keyboards.RoomNoticeKeyboard(l)}, nil
	}
	if notice.Room == storage.RoomChannel {
		return channelLostView(l, notice.Fault), nil
	}
	return bot.View{Text: l.T(string(notice.Room) + "_fault_" + notice.Fault), Keyboard: keyboards.RoomNoticeKeyboard(l)}, nil
}
