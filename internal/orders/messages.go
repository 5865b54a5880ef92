package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	MessageOutcome        = "outcome"     // the outcome of a purchase, which its card could not show
	MessageOutcomeUnknown = "unknown"     // the outcome of a purchase is unknown
	MessageVerdict        = "verdict"     // what the balance suggests about such a purchase
	MessageReminder       = "reminder"    // an order can be cancelled from now on
	MessageInvalidKey     = "invalid_key" // the marketplace refuses the key; its orders pause
)

func aboutOrder(o storage.Order, kind string, priority outbox.Priority, at time.Time) storage.Message {
	return storage.Message{UserID: o.UserID, PurchaseID: o.PurchaseID, OrderID: o.ID, Kind: kind, Priority: priority, CreatedAt: at}
}

func aboutPurchase(userID, purchaseID int64, kind string, at time.Time) storage.Message {
	return storage.Message{UserID: userID, PurchaseID: purchaseID, Kind: kind, Priority: outbox.PriorityReply, CreatedAt: at}
}

// Goods is the body of a MessageGoods.
type Goods struct {
	Accounts []redact.Secret // as delivered, byte for byte
	SoFar    int64           // accounts delivered, with these
	Of       int64           // accounts bought
}

type goodsBody struct {
	Accounts [][]byte `json:"accounts"` // bytes, because a JSON string would change invalid UTF-8
	SoFar    int64    `json:"so_far"`
	Of       int64    `json:"of"`
}

func goodsMessage(o storage.Order, accounts []redact.Secret, at time.Time) (storage.Message, error) {
	body := goodsBody{SoFar: o.Delivered, Of: o.Quantity}
	for _, account := range accounts {
		body.Accounts = append(body.Accounts, []byte(account.Reveal()))
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
	goods := Goods{SoFar: body.SoFar, Of: body.Of}
	for _, account := range body.Accounts {
		goods.Accounts = append(goods.Accounts, redact.Secret(account))
	}
	return goods, nil
}

// pauseRefusedKey pauses a key if err says that the marketplace refuses it, and notifies
// its owner once.
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
