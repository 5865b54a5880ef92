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

// Kinds of messages. Each says which of the purchase and the order it is
// about; only goods and codes carry a body.
const (
	MessageGoods          = "goods"       // accounts were delivered: DecodeGoods(message)
	MessageRental         = "number"      // a number was rented: the message that shows it
	MessageCode           = "code"        // a number has received an SMS: SMSOf(message)
	MessageRedraw         = "redraw"      // the message that shows a number says something else now
	MessageEnded          = "ended"       // an order ended otherwise, or an SMM order is done
	MessageOutcome        = "outcome"     // what has become of a purchase, which its card could not say
	MessageOutcomeUnknown = "unknown"     // nobody knows what became of a purchase
	MessageVerdict        = "verdict"     // what the balance suggests about it
	MessageReminder       = "reminder"    // an order can be cancelled from now on
	MessageInvalidKey     = "invalid_key" // the key is refused; its orders wait for a new one
)

// Goods is the body of a MessageGoods: accounts as delivered, byte for byte,
// with how many of how many the person then has.
type Goods struct {
	Accounts []redact.Secret
	SoFar    int64
	Of       int64
}

type goodsBody struct {
	Accounts [][]byte `json:"accounts"` // bytes: JSON text would mend invalid UTF-8
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
	return storage.Message{
		UserID: o.UserID, PurchaseID: o.PurchaseID, OrderID: o.ID, Kind: MessageGoods, Priority: outbox.PriorityGoods, Body: encoded, CreatedAt: at,
	}, nil
}

// DecodeGoods decodes the body of a MessageGoods.
func DecodeGoods(message storage.Message) (Goods, error) {
	var body goodsBody
	if err := json.Unmarshal(message.Body, &body); err != nil {
		// The decoder's error may quote what it read, which is secret.
		return Goods{}, errors.New("decode goods: malformed body")
	}
	goods := Goods{SoFar: body.SoFar, Of: body.Of}
	for _, account := range body.Accounts {
		goods.Accounts = append(goods.Accounts, redact.Secret(account))
	}
	return goods, nil
}

// pauseRefusedKey pauses a key that the marketplace refuses, and stores the one
// message that tells its owner.
func (s *Service) pauseRefusedKey(ctx context.Context, keyID, userID int64, err error) {
	if kind, _ := hstock.KindOf(err); kind != hstock.InvalidKey {
		return
	}
	refused, storeErr := s.db.RefuseKey(context.WithoutCancel(ctx), keyID, storage.Message{
		UserID: userID, Kind: MessageInvalidKey, Priority: outbox.PriorityStatus, CreatedAt: time.Now(),
	})
	if storeErr != nil {
		s.log.Error("pausing a refused key failed", "error", storeErr)
	}
	if refused {
		s.wakeOutbox()
	}
}
