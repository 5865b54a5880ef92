package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Kinds of messages. Each refers to its purchase or its order; only goods and codes
// have a body.
const (
	MessageGoods          = "goods"       // accounts were delivered: DecodeGoods(message)
	MessageRental         = "number"      // a phone was rented: the message that shows it
	MessageCode           = "code"        // a phone has received an SMS: DecodeSMS(message)
	MessageRedraw         = "redraw"      // the message that shows a phone has to be redrawn
	MessageEnded          = "ended"       // an order ended without goods, or an SMM order is done
	MessageIncomplete     = "incomplete"  // an order is called completed, with fewer accounts than were bought
	MessageOutcome        = "outcome"     // the outcome of a purchase, which its card could not show
	MessageCard           = "card"        // a message that shows a purchase has to be redrawn: DecodeCard(message)
	MessageOutcomeUnknown = "unknown"     // the outcome of a purchase is unknown
	MessageVerdict        = "verdict"     // what the balance suggests about such a purchase
	MessageSwap           = "swap"        // a swap has ended: the message of the old number is redrawn
	MessageBasket         = "basket"      // the card of a basket has to be redrawn: DecodeBasket(message)
	MessageBasketEnded    = "basket_done" // a basket has ended: DecodeBasket(message)
	MessageReminder       = "reminder"    // an order can be cancelled from now on
	MessageFeedback       = "feedback"    // whether the goods of an order work
	MessageInvalidKey     = "invalid_key" // the marketplace refuses the key; its orders pause
)

func aboutOrder(o storage.Order, kind string, priority outbox.Priority, at time.Time) storage.Message {
	return storage.Message{UserID: o.UserID, PurchaseID: o.PurchaseID, OrderID: o.ID, Kind: kind, Priority: priority, CreatedAt: at}
}

func aboutPurchase(userID, purchaseID int64, kind string, at time.Time) storage.Message {
	return storage.Message{UserID: userID, PurchaseID: purchaseID, Kind: kind, Priority: outbox.PriorityReply, CreatedAt: at}
}

// aboutCard redraws a message of the chat. It goes behind replies, the outcome in a message of
// its own among them: Telegram may refuse edits for minutes, and accept new messages meanwhile.
func aboutCard(userID, purchaseID, messageID int64, at time.Time) storage.Message {
	return storage.Message{
		UserID: userID, PurchaseID: purchaseID, Kind: MessageCard, Priority: outbox.PriorityStatus,
		Body: strconv.AppendInt(nil, messageID, 10), CreatedAt: at,
	}
}

// DecodeCard decodes the body of a MessageCard, the id of a message in the person's chat.
// Without a purchase that message shows the cancelling of several orders.
func DecodeCard(message storage.Message) (messageID int, err error) {
	messageID, err = strconv.Atoi(string(message.Body))
	if err != nil {
		return 0, fmt.Errorf("decode card: %w", err)
	}
	return messageID, nil
}

// Goods is the body of a MessageGoods.
type Goods struct {
	Accounts []redact.Secret // as delivered, byte for byte
	// Positions are the places of Accounts in the marketplace's answer, from 0. They are
	// nil in messages of older programs.
	Positions []int
	SoFar     int64 // accounts in the marketplace's answer, with these
	Of        int64 // accounts bought
	Replaced  int64 // how many of these replace accounts that were sent before
}

type goodsBody struct {
	Accounts  [][]byte `json:"accounts"` // bytes, because a JSON string would change invalid UTF-8
	Positions []int    `json:"positions,omitempty"`
	SoFar     int64    `json:"so_far"`
	Of        int64    `json:"of"`
	Replaced  int64    `json:"replaced,omitempty"`
}

func goodsMessage(o storage.Order, accounts, all []redact.Secret, replaced int64, at time.Time) (storage.Message, error) {
	body := goodsBody{SoFar: o.Present, Of: o.Quantity, Replaced: replaced}
	places := make(map[redact.Secret]int, len(all)) // of equal accounts any one
	for i, account := range all {
		places[account] = i
	}
	for _, account := range accounts {
		body.Accounts = append(body.Accounts, []byte(account.Reveal()))
		if place, found := places[account]; found {
			body.Positions = append(body.Positions, place)
		}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode goods: %w", err)
	}
	message := aboutOrder(o, MessageGoods, outbox.PriorityGoods, at)
	message.Body = encoded
	return message, nil
}

// DecodeGoods decodes the body of a MessageGoods.
func DecodeGoods(message storage.Message) (Goods, error) {
	var body goodsBody
	if err := json.Unmarshal(message.Body, &body); err != nil {
		// The decoder's error may quote the body, which is secret.
		return Goods{}, errors.New("decode goods: malformed body")
	}
	goods := Goods{SoFar: body.SoFar, Of: body.Of, Replaced: body.Replaced}
	for _, account := range body.Accounts {
		goods.Accounts = append(goods.Accounts, redact.Secret(account))
	}
	if len(body.Positions) == len(body.Accounts) {
		goods.Positions = body.Positions
	}
	return goods, nil
}

// pauseRefusedKey pauses a key if err says that the marketplace refuses it, and notifies
// its owner once. About the operator's key the monitor alerts admins.
func (s *Service) pauseRefusedKey(ctx context.Context, keyID, userID int64, err error) {
	if kind, _ := hstock.KindOf(err); kind != hstock.InvalidKey {
		return
	}
	refused, storeErr := s.db.RefuseKey(context.WithoutCancel(ctx), keyID, storage.Message{
		UserID: userID, Kind: MessageInvalidKey, Priority: outbox.PriorityStatus, CreatedAt: time.Now(),
	})
	if storeErr != nil {
		s.log.Error("refused key not paused", "error", storeErr)
	}
	if refused {
		s.wakeOutbox()
	}
}
