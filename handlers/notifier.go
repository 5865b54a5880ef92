package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/funds"
	"hstockbot/internal/monitor"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/room"
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
	SupportText string // whom people should write to
	Bot         *bot.Bot
	Catalog     *catalog.Catalog
	Orders      *orders.Service
	Log         *slog.Logger
	SMMRatePer  int64 // how many pieces the rate of an SMM service is for
	// TelegramRate limits all messages, per second; 0 = no limit.
	TelegramRate float64
	// Quiet reports whether news and the progress of orders make no sound at a time.
	Quiet func(time.Time) bool
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
	if message.Kind == monitor.MessageReport && !n.getsReport(user, message) {
		return 0, nil
	}
	l := n.Localizer(user)
	switch message.Kind {
	case room.MessageLost, room.MessageTopicLost:
		if !n.IsAdmin(user.ID) {
			return 0, nil // any more
		}
	case orders.MessageRedraw:
		return 0, n.redrawPhone(ctx, l, message)
	case orders.MessageCard:
		return 0, n.redrawCard(ctx, l, message)
	case orders.MessageBasket:
		return 0, n.drawBasket(ctx, l, message)
	case orders.MessageBasketEnded:
		return 0, n.sendBasket(ctx, l, message)
	case orders.MessageSwap:
		return 0, n.sendSwap(ctx, l, message)
	}
	view, err := n.view(ctx, l, message, false)
	if err != nil || view.Text == "" { // the question about goods, when it is too late
		return 0, err
	}
	thread, err := n.DB.ThreadOf(ctx, message.UserID, message.PurchaseID, message.OrderID)
	if err != nil {
		return 0, err
	}
	view.Thread, view.Silent = thread, n.silent(message.Kind)
	sent, err := n.send(ctx, l, message, view)
	if errors.Is(err, outbox.ErrRejected) && (message.Kind == orders.MessageGoods || message.Kind == orders.MessageCode) {
		view, err = n.sendRejected(ctx, l, message, thread)
	}
	if err == nil && message.Kind == orders.MessageGoods && view.Document != nil {
		n.sendColumns(ctx, l, message, thread)
	}
	if errors.Is(err, outbox.ErrUncertain) && !repeatIfUncertain(message.Kind) {
		return 0, nil // it probably arrived
	}
	if message.Kind == orders.MessageRental {
		messageID = int64(sent)
	}
	return messageID, err
}

// send sends a view of a message in the language of its person.
func (n *Notifier) send(ctx context.Context, l *locales.Localizer, message storage.Message, view bot.View) (messageID int, err error) {
	view.L = l
	return n.Bot.Send(ctx, message.UserID, message.Priority, view)
}

// sendRejected sends goods or a code again: Telegram may reject what is in the text, but not
// the bytes of a file. If it rejects these, too, the person gets the order, whose button
// fetches what was delivered.
func (n *Notifier) sendRejected(ctx context.Context, l *locales.Localizer, message storage.Message, thread int64) (view bot.View, err error) {
	if view, err = n.view(ctx, l, message, true); err != nil {
		return bot.View{}, err
	}
	view.Thread = thread
	if _, err = n.send(ctx, l, message, view); !errors.Is(err, outbox.ErrRejected) {
		return view, err
	}
	n.Log.Error("telegram rejects what was delivered", "message", message.ID, "kind", message.Kind, "error", err)
	order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
	if err != nil {
		return bot.View{}, err
	}
	view = orderView(l, order, keyboards.OrderViewArgs{Order: order.ID}, 0)
	view.Thread = thread
	_, err = n.send(ctx, l, message, view)
	return view, err
}

// edit draws a message of a person's in their language.
func (n *Notifier) edit(ctx context.Context, l *locales.Localizer, userID, messageID int64, view bot.View) error {
	view.L = l
	return n.Bot.Edit(ctx, userID, int(messageID), view)
}

// getsReport reports whether a person may still get a message about alerts.
func (n *Notifier) getsReport(user storage.User, message storage.Message) bool {
	if n.IsAdmin(user.ID) {
		return true
	}
	report, err := monitor.DecodeReport(message)
	return err == nil && report.AboutPurchases() && n.IsStaff(user.ID) && !user.Blocked
}

// isFirstDelivery reports whether a message has the first goods or the first code that a
// person ever gets.
func (n *Notifier) isFirstDelivery(ctx context.Context, message storage.Message, order storage.Order) (bool, error) {
	if message.Kind == orders.MessageGoods {
		goods, err := orders.DecodeGoods(message)
		if err != nil || goods.SoFar != int64(len(goods.Accounts)) {
			return false, nil //nolint:nilerr // a body that can't be decoded was reported with the view
		}
	} else if order.Delivered > 1 {
		return false, nil
	}
	before, err := n.DB.DeliveredBefore(ctx, order)
	return !before, err
}

// silent reports whether a message of a kind makes no sound now: news and the progress
// of orders in quiet hours.
func (n *Notifier) silent(kind string) bool {
	switch kind {
	case orders.MessageFeedback:
		return true
	case orders.MessageEnded, orders.MessageIncomplete, watches.MessageRestock, watches.MessagePrice, funds.MessageLow:
		return n.Quiet(time.Now())
	default:
		return false
	}
}

// sendColumns sends the second file of goods. It contains nothing new and is never worth
// sending the goods again, so an error is only logged.
func (n *Notifier) sendColumns(ctx context.Context, l *locales.Localizer, message storage.Message, thread int64) {
	goods, err := orders.DecodeGoods(message)
	if err != nil {
		return // so it was not sent
	}
	order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
	var view bot.View
	if err == nil {
		view, err = columnsView(l, order, goods.Accounts)
	}
	if err == nil && view.Document != nil {
		view.Thread, view.ReplyTo = thread, order.MessageID
		_, err = n.send(ctx, l, message, view)
	}
	if err != nil {
		n.Log.Warn("columns of goods not sent", "order", order.ExternalID, "error", err)
	}
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
	if err != nil {
		return err
	}
	phone, err := n.Orders.Phone(ctx, order)
	if err != nil {
		return err
	}
	return n.drawPhone(ctx, l, phone)
}

func (n *Notifier) drawPhone(ctx context.Context, l *locales.Localizer, phone orders.Phone) error {
	if phone.MessageID == 0 {
		return nil
	}
	err := n.edit(ctx, l, phone.UserID, phone.MessageID, phoneView(l, phone))
	return ignore(err, outbox.ErrRejected)
}

// redrawCard draws a message that shows a purchase, or the cancelling of orders, in its
// present state. One that the person has deleted is skipped, and so is that of a purchase
// that the person doesn't have.
func (n *Notifier) redrawCard(ctx context.Context, l *locales.Localizer, message storage.Message) error {
	messageID, err := orders.DecodeCard(message)
	if err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrRejected, err)
	}
	view, outcome := openOrdersView(l), orders.Outcome{}
	if message.PurchaseID != 0 {
		if outcome, err = n.outcome(ctx, message); err != nil {
			return ignore(err, storage.ErrNotFound)
		}
		view = outcomeView(l, outcome)
	}
	err = n.edit(ctx, l, message.UserID, int64(messageID), view)
	switch {
	case errors.Is(err, outbox.ErrRejected):
		return nil
	case err != nil:
		return err
	case outcome.Result == orders.Waiting:
		return n.Orders.SetTurnCard(ctx, message.UserID, message.PurchaseID, messageID)
	case outcome.Result == orders.Placed:
		return n.DB.ShowOrders(ctx, message.UserID, message.PurchaseID, int64(messageID))
	}
	return nil
}

// outcome returns the outcome of a message's purchase. The error is transient while the
// purchase is in progress.
func (n *Notifier) outcome(ctx context.Context, message storage.Message) (orders.Outcome, error) {
	outcome, err := n.Orders.Outcome(ctx, message.UserID, message.PurchaseID)
	if err == nil && outcome.Result == orders.InProgress {
		err = errors.New("the purchase is in progress")
	}
	return outcome, err
}

// repeatIfUncertain reports whether a message is sent again if Telegram's answer was
// lost: goods, phones, codes, and messages about money.
func repeatIfUncertain(kind string) bool {
	switch kind {
	case orders.MessageGoods, orders.MessageCode, orders.MessageRental, orders.MessageOutcomeUnknown, orders.MessageOutcome, storage.MessageOverHold:
		return true
	default:
		return false
	}
}

// view renders a stored message. asFile puts goods and codes into a file.
func (n *Notifier) view(ctx context.Context, l *locales.Localizer, message storage.Message, asFile bool) (bot.View, error) {
	switch message.Kind {
	case orders.MessageGoods, orders.MessageCode, orders.MessageRental, orders.MessageEnded, orders.MessageIncomplete, orders.MessageReminder, orders.MessageFeedback:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return bot.View{}, err
		}
		if message.Kind == orders.MessageRental {
			phone, err := n.Orders.Phone(ctx, order)
			return phoneView(l, phone), err
		}
		if message.Kind == orders.MessageFeedback && (!order.FeedbackAt.IsZero() || time.Since(message.CreatedAt) > feedbackWait) {
			return bot.View{}, nil
		}
		view, err := orderMessageView(l, message, order, asFile)
		if err != nil {
			return bot.View{}, err
		}
		switch message.Kind {
		case orders.MessageFeedback:
			view.ReplyTo = order.MessageID
		case orders.MessageGoods, orders.MessageCode:
			view.ReplyTo = order.MessageID
			view.Party, err = n.isFirstDelivery(ctx, message, order)
		}
		return view, err
	case orders.MessageOutcome:
		outcome, err := n.outcome(ctx, message)
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
			return placedView(l, placed, p, n.Orders.Usual(ctx, placed[0])), nil
		}
		if p.House && message.Kind == orders.MessageVerdict { // about the operator's balance
			return bot.View{}, nil
		}
		if p.House {
			return houseUnresolvedView(l, p, false), nil
		}
		return unresolvedView(l, p, p.BalanceSeen, p.Verdict, false), nil
	case watches.MessageRestock, watches.MessagePrice:
		return n.watchView(ctx, l, message)
	case funds.MessageArrived, funds.MessageGone, funds.MessagePaused, funds.MessageLow:
		return n.fundsView(ctx, l, message)
	case monitor.MessageReport:
		return alertsView(l, message)
	case room.MessageLost, room.MessageTopicLost:
		return roomNoticeView(l, message)
	case messageAllowanceGiven, messageAllowanceChanged, messageAllowanceRemoved:
		return n.allowanceView(ctx, l, message)
	case storage.MessageOverHold:
		return n.overHoldView(ctx, l, message)
	case messageLetter:
		return letterView(l, message, n.SupportText)
	case messageDeadLetter:
		return n.deadLetterView(ctx, l, message)
	case orders.MessageInvalidKey:
		return bot.View{Text: l.T("key_paused"), Keyboard: keyboards.Rows{{keyboards.Primary(keyboards.Tap(l.Label("menu_button_key"), keyboards.Key.Data(struct{}{})))}}}, nil
	default:
		return bot.View{}, outbox.ErrUnknownKind
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
		return goodsView(l, order, goods.Accounts, goods.Positions, goodsTitle(l, order, goods), asFile), nil
	case orders.MessageCode:
		sms, err := orders.DecodeSMS(message)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", outbox.ErrRejected, err)
		}
		return codeView(l, order, sms, asFile), nil
	case orders.MessageReminder:
		return reminderView(l, order), nil
	case orders.MessageFeedback:
		return feedbackView(l, order, false), nil
	case orders.MessageIncomplete:
		return orderView(l, order, keyboards.OrderViewArgs{Order: order.ID}, 0), nil
	default:
		return endedView(l, order), nil
	}
}

func goodsTitle(l *locales.Localizer, o storage.Order, goods orders.Goods) string {
	args := locales.Args{"Number": externalID(l, o.ExternalID), "Name": title(l, orderName(l, o))}
	var text string
	switch {
	case goods.Of > 0 && goods.SoFar >= goods.Of, goods.Of == 0 && o.State == storage.OrderDelivered:
		text = l.T("delivered_title", args)
	case goods.Of == 0:
		text = l.T("delivered_part", args)
	default:
		text = l.T("delivered_part", args) + "\n" +
			l.T("delivered_so_far", locales.Args{"SoFar": l.Number(goods.SoFar), "Of": l.Number(goods.Of)})
	}
	if numbers := numbersOf(len(goods.Accounts), goods.Positions); len(numbers) > 0 && (numbers[0] != 1 || numbers[len(numbers)-1] != len(numbers)) {
		text += "\n" + l.T("delivered_numbers", locales.Args{"Numbers": l.Isolate(formatPositions(numbers, ", "))})
	}
	if goods.Replaced > 0 {
		text += "\n" + l.N("delivered_replaced", goods.Replaced)
	}
	return text
}

// goodsView shows accounts exactly as they were delivered: a few short ones in the
// message with buttons that copy them and their parts, others in a file. positions are
// as in accountButtons. asFile means that Telegram has refused the message.
func goodsView(l *locales.Localizer, o storage.Order, accounts []redact.Secret, positions []int, title string, asFile bool) bot.View {
	inMessage := !asFile && fitsMessage(accounts)
	var buttons []keyboards.Account
	if !asFile && len(accounts) <= accountsInMessage {
		buttons = accountButtons(accounts, positions, inMessage)
	}
	keyboard := keyboards.DeliveredKeyboard(l, o.ID, repeatable(o), buttons, feedbackState(o))
	if !inMessage {
		file, id := accountsFile(accounts), "delivered_file"
		if slices.ContainsFunc(accounts, hasLines) {
			file, id = numberedFile(accounts, numbersOf(len(accounts), positions)), "delivered_blocks"
		}
		return bot.View{
			Text:     title + "\n" + l.N(id, int64(len(accounts))) + "\n\n" + l.T("delivered_hint"),
			Document: &bot.Document{Name: fileName("order", o.ExternalID, ".txt"), Data: file},
			Keyboard: keyboard,
		}
	}
	lines := []string{title, ""}
	for _, account := range accounts {
		lines = append(lines, "<code>"+locales.Escape(account.Reveal())+"</code>")
	}
	lines = append(lines, "", l.T("delivered_hint"))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboard}
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

// hasLines reports whether an account consists of several lines.
func hasLines(account redact.Secret) bool { return strings.ContainsAny(account.Reveal(), "\r\n") }

// numberedFile returns the accounts one after another, each after its number, in the
// bytes that were delivered. A single one has no number.
func numberedFile(accounts []redact.Secret, numbers []int) []byte {
	if len(accounts) == 1 {
		return accountsFile(accounts)
	}
	var file []byte
	for i, account := range accounts {
		file = fmt.Appendf(file, "# %d\n%s\n\n", numbers[i], account.Reveal())
	}
	return file
}

// endedView shows an order that ended without its goods.
func endedView(l *locales.Localizer, o storage.Order) bot.View {
	if o.Kind == storage.KindSMS {
		return bot.View{Text: phoneText(l, orders.Phone{Order: o}), Keyboard: keyboards.PhoneEndedKeyboard(l, o.ID, o.Rental.Project != "")}
	}
	text := orderText(l, o, 0)
	if o.State == storage.OrderRefunded {
		text += "\n\n" + refundGoesTo(l, o)
	}
	return bot.View{Text: text, Keyboard: keyboards.EndedKeyboard(l, o.ID, repeatable(o), feedbackState(o))}
}
