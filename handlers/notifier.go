package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/monitor"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/watches"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// accountsInMessage is how many accounts stand in the message itself; more
	// go as a file.
	accountsInMessage = 5
	// accountLength is how long such an account may be, in characters.
	accountLength = 256
)

// Notifier sends what people are told without a tap: it renders a stored message
// in the language of the moment and sends it, and sends the copies of a broadcast.
// It is the outbox's Sender.
type Notifier struct {
	NotifierOptions
	drawing chan struct{} // holds a token while the progress of a broadcast is drawn
}

// NotifierOptions is what a Notifier is made of. All fields are required.
type NotifierOptions struct {
	People
	Bot        *bot.Bot
	Catalog    *catalog.Catalog
	Orders     *orders.Service
	Log        *slog.Logger
	SMMRatePer int64 // pieces
	// TelegramRate is how many messages a second are sent in all, 0 = no limit.
	TelegramRate float64
}

// NewNotifier returns a Notifier.
func NewNotifier(o NotifierOptions) *Notifier {
	return &Notifier{NotifierOptions: o, drawing: make(chan struct{}, 1)}
}

// Send implements outbox.Sender. A message whose sending is uncertain counts as
// sent where a repeat would be worse than a loss.
func (n *Notifier) Send(ctx context.Context, message storage.Message) (messageID int64, err error) {
	user, err := n.DB.User(ctx, message.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, fmt.Errorf("message to nobody: %w", errors.Join(outbox.ErrRejected, err))
	}
	if err != nil {
		return 0, err
	}
	if message.Kind == monitor.MessageReport && !n.IsAdmin(user.ID) {
		return 0, nil // no longer an admin
	}
	l := n.Localizer(user)
	if message.Kind == orders.MessageRedraw {
		return 0, n.redrawPhone(ctx, l, message)
	}
	view, err := n.view(ctx, l, message, false)
	if err != nil {
		return 0, err
	}
	sent, err := n.Bot.Send(ctx, message.UserID, message.Priority, view)
	if errors.Is(err, outbox.ErrRejected) && (message.Kind == orders.MessageGoods || message.Kind == orders.MessageCode) {
		// Whatever Telegram rejects in the text, a file is bytes.
		if view, err = n.view(ctx, l, message, true); err != nil {
			return 0, err
		}
		_, err = n.Bot.Send(ctx, message.UserID, message.Priority, view)
	}
	if errors.Is(err, outbox.ErrUncertain) && !repeatIfUncertain(message.Kind) {
		return 0, nil // it probably arrived
	}
	if message.Kind == orders.MessageNumber {
		messageID = int64(sent)
	}
	return messageID, err
}

// SetUnreachable holds the messages of a person who has blocked the bot.
func (n *Notifier) SetUnreachable(ctx context.Context, userID int64) {
	if err := n.DB.SetUnreachable(ctx, userID); err != nil {
		n.Log.Error("unreachable person not recorded", "error", err)
	}
}

// redrawPhone draws the message that shows a number as it is now. One that the
// person has deleted, or that was not sent yet, needs nothing.
func (n *Notifier) redrawPhone(ctx context.Context, l *locales.Localizer, message storage.Message) error {
	order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
	if err != nil || order.MessageID == 0 {
		return err
	}
	err = n.Bot.Edit(ctx, message.UserID, int(order.MessageID), phoneView(l, order))
	if errors.Is(err, outbox.ErrRejected) || errors.Is(err, outbox.ErrUncertain) {
		return nil
	}
	return err
}

// repeatIfUncertain says of what a repeat is better than a loss, where Telegram's
// answer was lost: goods, numbers, codes, and what a person must know about their money.
func repeatIfUncertain(kind string) bool {
	switch kind {
	case orders.MessageGoods, orders.MessageCode, orders.MessageNumber, orders.MessageOutcomeUnknown, orders.MessageOutcome:
		return true
	default:
		return false
	}
}

// view renders what a stored message says; goods as a file where they
// must be one.
func (n *Notifier) view(ctx context.Context, l *locales.Localizer, message storage.Message, asFile bool) (bot.View, error) {
	switch message.Kind {
	case orders.MessageGoods:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return bot.View{}, err
		}
		goods, err := orders.DecodeGoods(message)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
		}
		return goodsView(l, order, goods.Accounts, goodsTitle(l, order, goods), asFile), nil
	case orders.MessageNumber, orders.MessageEnded, orders.MessageReminder:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return bot.View{}, err
		}
		switch message.Kind {
		case orders.MessageNumber:
			return phoneView(l, order), nil
		case orders.MessageReminder:
			return reminderView(l, order), nil
		}
		return endedView(l, order), nil
	case orders.MessageCode:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return bot.View{}, err
		}
		sms, err := orders.DecodeSMS(message)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
		}
		return codeView(l, order, sms, asFile), nil
	case orders.MessageOutcome:
		outcome, err := n.Orders.Outcome(ctx, message.UserID, message.PurchaseID)
		if err != nil {
			return bot.View{}, err
		}
		return outcomeView(l, outcome), nil
	case orders.MessageOutcomeUnknown, orders.MessageVerdict:
		p, err := n.DB.Purchase(ctx, message.UserID, message.PurchaseID)
		if err != nil {
			return bot.View{}, err
		}
		if p.State == storage.PurchasePlaced { // it was adopted meanwhile
			placed, err := n.DB.OrdersOfPurchase(ctx, message.UserID, p.ID)
			if err != nil {
				return bot.View{}, err
			}
			return placedView(l, placed, p), nil
		}
		return unresolvedView(l, p, p.BalanceSeen, p.Verdict, false), nil
	case watches.MessageRestock, watches.MessagePrice:
		return n.watchView(ctx, l, message)
	case monitor.MessageReport:
		return alarmView(l, message)
	case orders.MessageInvalidKey:
		return bot.View{Text: l.T("key_paused"), Keyboard: keyboards.Rows{{keyboards.Tap(l.Label("menu_button_key"), keyboards.Key.Data(struct{}{}))}}}, nil
	default:
		return bot.View{}, fmt.Errorf("%w: kind %q", outbox.ErrRejected, message.Kind)
	}
}

func goodsTitle(l *locales.Localizer, o storage.Order, goods orders.Goods) string {
	args := locales.Args{"Number": externalID(l, o.ExternalID), "Name": title(l, orderName(l, o))}
	switch {
	case goods.Of > 0 && goods.SoFar >= goods.Of, goods.Of == 0 && o.State == storage.OrderDelivered:
		return l.T("delivered_title", args)
	case goods.Of == 0:
		return l.T("delivered_part", args)
	}
	return l.T("delivered_part", args) + "\n" +
		l.T("delivered_so_far", locales.Args{"SoFar": l.Number(goods.SoFar), "Of": l.Number(goods.Of)})
}

// goodsView shows accounts exactly as they were delivered: a few short ones in
// the message, each to be copied, others as a file.
func goodsView(l *locales.Localizer, o storage.Order, accounts []redact.Secret, title string, asFile bool) bot.View {
	if asFile || !fitsMessage(accounts) {
		return bot.View{
			Text:     title + "\n" + l.N("delivered_file", int64(len(accounts))) + "\n\n" + l.T("delivered_hint"),
			Document: &bot.Document{Name: "order-" + strconv.FormatInt(o.ExternalID, 10) + ".txt", Data: accountsFile(accounts)},
			Keyboard: keyboards.DeliveredKeyboard(l, o.ID, repeatable(o), nil),
		}
	}
	lines := []string{title, ""}
	values := make([]string, 0, len(accounts))
	for _, account := range accounts {
		values = append(values, account.Reveal())
		lines = append(lines, "<code>"+locales.Escape(account.Reveal())+"</code>")
	}
	lines = append(lines, "", l.T("delivered_hint"))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.DeliveredKeyboard(l, o.ID, repeatable(o), values)}
}

// fitsMessage reports whether the accounts arrive unchanged within a message:
// few, short, and of characters that Telegram neither trims nor refuses.
func fitsMessage(accounts []redact.Secret) bool {
	if len(accounts) > accountsInMessage {
		return false
	}
	for _, account := range accounts {
		value := account.Reveal()
		if len([]rune(value)) > accountLength || value != strings.TrimSpace(value) || value == "" || !plainText(value) {
			return false
		}
	}
	return true
}

// accountsFile is one account a line, the bytes as they were delivered.
func accountsFile(accounts []redact.Secret) []byte {
	var file []byte
	for _, account := range accounts {
		file = append(file, account.Reveal()...)
		file = append(file, '\n')
	}
	return file
}

// endedView tells how an order ended that did not end with its goods.
func endedView(l *locales.Localizer, o storage.Order) bot.View {
	if o.Kind == storage.KindSMS {
		return bot.View{Text: phoneText(l, o), Keyboard: keyboards.PhoneEndedKeyboard(l, o.ID, o.Rental.Project != "")}
	}
	return bot.View{Text: orderText(l, o), Keyboard: keyboards.EndedKeyboard(l, o.ID, repeatable(o))}
}
