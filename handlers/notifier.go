package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	// accountsInMessage limits the accounts in a message. More are sent as a file.
	accountsInMessage = 5
	// maxValueLength limits an account or code in a message, in characters.
	maxValueLength = 256
)

// Notifier is the outbox.Sender. It renders a stored message in the person's present
// language and sends it. It also sends the copies of broadcasts.
type Notifier struct {
	NotifierOptions
	drawing chan struct{} // a token while the progress of a broadcast is drawn
}

// NotifierOptions configures a Notifier. All fields are required.
type NotifierOptions struct {
	People
	Bot        *bot.Bot
	Catalog    *catalog.Catalog
	Orders     *orders.Service
	Log        *slog.Logger
	SMMRatePer int64 // how many pieces the rate of an SMM service is for
	// TelegramRate limits all messages, per second; 0 = no limit.
	TelegramRate float64
}

// NewNotifier returns a Notifier.
func NewNotifier(o NotifierOptions) *Notifier {
	return &Notifier{NotifierOptions: o, drawing: make(chan struct{}, 1)}
}

// Send implements outbox.Sender. A message that may have been sent counts as sent if a
// loss is better than a repeat.
func (n *Notifier) Send(ctx context.Context, message storage.Message) (messageID int64, err error) {
	user, err := n.DB.User(ctx, message.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, fmt.Errorf("message to an unknown person: %w", errors.Join(outbox.ErrRejected, err))
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
		// Telegram may reject what is in the text, but not the bytes of a file.
		if view, err = n.view(ctx, l, message, true); err != nil {
			return 0, err
		}
		_, err = n.Bot.Send(ctx, message.UserID, message.Priority, view)
	}
	if errors.Is(err, outbox.ErrUncertain) && !repeatIfUncertain(message.Kind) {
		return 0, nil // it probably arrived
	}
	if message.Kind == orders.MessageRental {
		messageID = int64(sent)
	}
	return messageID, err
}

// SetUnreachable records that a person has blocked the bot, which holds their messages.
func (n *Notifier) SetUnreachable(ctx context.Context, userID int64) {
	if err := n.DB.SetUnreachable(ctx, userID); err != nil {
		n.Log.Error("recording an unreachable person failed", "error", err)
	}
}

// redrawPhone draws the message that shows a phone in its present state. A message that
// the person has deleted, or that was not sent yet, is skipped.
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

// repeatIfUncertain reports whether a message is sent again if Telegram's answer was
// lost: goods, phones, codes, and messages about money.
func repeatIfUncertain(kind string) bool {
	switch kind {
	case orders.MessageGoods, orders.MessageCode, orders.MessageRental, orders.MessageOutcomeUnknown, orders.MessageOutcome:
		return true
	default:
		return false
	}
}

// view renders a stored message. asFile puts goods and codes into a file.
func (n *Notifier) view(ctx context.Context, l *locales.Localizer, message storage.Message, asFile bool) (bot.View, error) {
	switch message.Kind {
	case orders.MessageGoods, orders.MessageCode, orders.MessageRental, orders.MessageEnded, orders.MessageReminder:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return bot.View{}, err
		}
		return orderMessageView(l, message, order, asFile)
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
		if p.State == storage.PurchasePlaced { // adopted in the meantime
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
		return alertsView(l, message)
	case orders.MessageInvalidKey:
		return bot.View{Text: l.T("key_paused"), Keyboard: keyboards.Rows{{keyboards.Tap(l.Label("menu_button_key"), keyboards.Key.Data(struct{}{}))}}}, nil
	default:
		return bot.View{}, fmt.Errorf("%w: kind %q", outbox.ErrRejected, message.Kind)
	}
}

// orderMessageView renders a stored message about an order.
func orderMessageView(l *locales.Localizer, message storage.Message, order storage.Order, asFile bool) (bot.View, error) {
	switch message.Kind {
	case orders.MessageGoods:
		goods, err := orders.DecodeGoods(message)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
		}
		return goodsView(l, order, goods.Accounts, goodsTitle(l, order, goods), asFile), nil
	case orders.MessageCode:
		sms, err := orders.DecodeSMS(message)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
		}
		return codeView(l, order, sms, asFile), nil
	case orders.MessageRental:
		return phoneView(l, order), nil
	case orders.MessageReminder:
		return reminderView(l, order), nil
	default:
		return endedView(l, order), nil
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

// goodsView shows accounts exactly as they were delivered: a few short ones in the
// message with buttons that copy them, others in a file.
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

// fitsMessage reports whether a message can show the accounts unchanged.
func fitsMessage(accounts []redact.Secret) bool {
	return len(accounts) <= accountsInMessage && !slices.ContainsFunc(accounts, func(account redact.Secret) bool {
		return account == "" || !fitsLine(account.Reveal())
	})
}

// accountsFile returns one account per line, in the bytes that were delivered.
func accountsFile(accounts []redact.Secret) []byte {
	var file []byte
	for _, account := range accounts {
		file = append(file, account.Reveal()...)
		file = append(file, '\n')
	}
	return file
}

// endedView shows an order that ended without its goods.
func endedView(l *locales.Localizer, o storage.Order) bot.View {
	if o.Kind == storage.KindSMS {
		return bot.View{Text: phoneText(l, o), Keyboard: keyboards.PhoneEndedKeyboard(l, o.ID, o.Rental.Project != "")}
	}
	return bot.View{Text: orderText(l, o), Keyboard: keyboards.EndedKeyboard(l, o.ID, repeatable(o))}
}
