package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// messageDeadLetter is the kind of a message to a person whose update was given up. Its
// purchase or order is the one that the update was about.
const messageDeadLetter = "dead-letter"

// deadLetter is the body of a messageDeadLetter: what the person sent, or the label of
// what they tapped. Both are "" where they are not known or not to be repeated.
type deadLetter struct {
	Text   string `json:"text"`
	Label  string `json:"label"`
	Basket int64  `json:"basket,omitempty"` // that the update was about, 0 for none
}

// deadLetterLength limits what is repeated to the person, in characters.
const deadLetterLength = 200

// deadLettered implements bot.Hooks.DeadLettered: it stores what the person is told, and
// that the tapped message is to be redrawn.
func (s *Screens) deadLettered(ctx context.Context, letter bot.DeadLetter) error {
	s.Log.Error("update dead-lettered", "update", letter.UpdateID)
	if letter.UserID == 0 || !s.Allows(letter.UserID) {
		return nil
	}
	if letter.User.ID != 0 { // perhaps their first update
		if _, err := s.identify(ctx, letter.User, true); err != nil {
			return ignore(err, bot.ErrIgnored)
		}
	} else if user, err := s.DB.User(ctx, letter.UserID); err != nil || user.Blocked {
		return ignore(err, storage.ErrNotFound)
	}
	text, err := s.textToRepeat(ctx, letter)
	if err != nil {
		return err
	}
	deed, err := s.deedOf(ctx, letter)
	if err != nil {
		return err
	}
	body, err := json.Marshal(deadLetter{Text: text, Label: locales.Shorten(letter.Label, deadLetterLength), Basket: deed.basket})
	if err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	if letter.MessageID != 0 && (deed.purchase != 0 || drawsProgress(letter.Data)) {
		if err := s.Orders.RedrawCard(ctx, letter.UserID, deed.purchase, letter.MessageID); err != nil {
			return err
		}
	}
	err = s.DB.AddMessage(ctx, storage.Message{
		UserID: letter.UserID, PurchaseID: deed.purchase, OrderID: deed.order, Kind: messageDeadLetter, Priority: outbox.PriorityReply, Body: body, CreatedAt: time.Now(),
	})
	s.Wake()
	return err
}

// ignore returns err, or nil if it is the expected one.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// textToRepeat returns the text of a dead letter, "" if it may contain a key.
func (s *Screens) textToRepeat(ctx context.Context, letter bot.DeadLetter) (string, error) {
	step, _, err := s.DB.Dialog(ctx, letter.UserID)
	if err != nil {
		return "", err
	}
	if step == stepKey || step == stepKeyOfBefore || containsKey(letter.Text) || strings.HasPrefix(strings.ToLower(letter.Text), "/key") {
		return "", nil
	}
	return locales.Shorten(letter.Text, deadLetterLength), nil
}

// deed is what a button changes: a purchase, an order, a basket, or none of them.
type deed struct{ purchase, order, basket int64 }

// deedOf returns what the button of a dead letter changes.
func (s *Screens) deedOf(ctx context.Context, letter bot.DeadLetter) (deed, error) {
	name, rest := route.Split(letter.Data)
	switch name {
	case keyboards.Confirm.Name(), keyboards.Discard.Name():
		args, _ := keyboards.Confirm.Parse(rest)
		return deed{purchase: args.Purchase}, nil
	case keyboards.UnresolvedAdoptSure.Name():
		args, _ := keyboards.UnresolvedAdoptSure.Parse(rest)
		return deed{purchase: args.Purchase}, nil
	case keyboards.UnresolvedDismiss.Name():
		args, _ := keyboards.UnresolvedDismiss.Parse(rest)
		return deed{purchase: args.Purchase}, nil
	case keyboards.OrderCancelSure.Name():
		args, _ := keyboards.OrderCancelSure.Parse(rest)
		return deed{order: args.Order}, nil
	case keyboards.SwapSure.Name(): // its purchase is a draft until the number is given back
		args, _ := keyboards.SwapSure.Parse(rest)
		swap, err := s.DB.Swap(ctx, letter.UserID, args.Purchase)
		return deed{order: swap.OrderID}, ignore(err, storage.ErrNotFound)
	case keyboards.BasketConfirm.Name():
		args, _ := keyboards.BasketConfirm.Parse(rest)
		return deed{basket: args.Basket}, nil
	default:
		return deed{}, nil
	}
}

// drawsProgress reports whether a button's message may show progress without a purchase.
func drawsProgress(data string) bool {
	name, _ := route.Split(data)
	return name == keyboards.CancelAllSure.Name()
}

// deadLetterView says what was given up, and how the purchase, the order or the basket stands.
func (n *Notifier) deadLetterView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	var letter deadLetter
	if err := json.Unmarshal(message.Body, &letter); err != nil {
		return bot.View{}, fmt.Errorf("%w: decode dead letter", outbox.ErrRejected) // the decoder may quote the text
	}
	state, err := n.deedState(ctx, l, message, letter.Basket)
	if err != nil {
		return bot.View{}, err
	}
	text := l.T("given_up_unknown")
	switch {
	case letter.Text != "":
		text = l.T("given_up_text", locales.Args{"Text": l.Name(letter.Text)})
	case letter.Label != "":
		text = l.T("given_up_tap", locales.Args{"Label": l.Name(letter.Label)})
	}
	if state != "" {
		text += "\n\n" + l.T("given_up_state") + "\n" + state
	}
	return bot.View{Text: text, Keyboard: keyboards.Foot(l, "")}, nil
}

// deedState returns how the purchase, the order or the basket of a dead letter stands, "" if
// there is none.
func (n *Notifier) deedState(ctx context.Context, l *locales.Localizer, message storage.Message, basket int64) (string, error) {
	switch {
	case message.PurchaseID != 0:
		outcome, err := n.outcome(ctx, message)
		switch {
		case err != nil:
			return "", ignore(err, storage.ErrNotFound)
		case outcome.Result == orders.Drafted, outcome.Result == orders.Gone:
			return nothingBought(l, outcome.Quote.Restored), nil
		}
		return outcomeView(l, outcome).Text, nil
	case message.OrderID != 0:
		order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
		if err != nil {
			return "", ignore(err, storage.ErrNotFound)
		}
		if order.Kind == storage.KindSMS { // with what becomes of a swap
			phone, err := n.Orders.Phone(ctx, order)
			return phoneText(l, phone), err
		}
		return orderText(l, order, 0), nil
	case basket != 0:
		b, err := n.DB.Basket(ctx, message.UserID, basket)
		if err != nil {
			return "", ignore(err, storage.ErrNotFound)
		}
		if b.State == storage.BasketOpen {
			return nothingBought(l, b.Restored), nil
		}
		return basketView(l, b).Text, nil
	default:
		return "", nil
	}
}

// nothingBought says that nothing was bought, unless the database was restored since: then what
// was bought may be lost.
func nothingBought(l *locales.Localizer, restored bool) string {
	if restored {
		return l.T("confirm_restored")
	}
	return l.T("rejected_title")
}
