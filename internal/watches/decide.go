package watches

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// Kinds of messages; their body is DecodeNotification(message).
const (
	MessageRestock = "restock" // it can be had again
	MessagePrice   = "price"   // it costs what was named, or less
)

// sight is what was seen of a service. The zero value is one that can't be had;
// neither can one of which fewer are left than are sold at a time.
type sight struct {
	buyable bool
	stock   int64
	rate    decimal.Decimal
}

// decide says what a sight makes of an alert, if anything:
//
//	restock  armed    in stock   told, and waits
//	restock  waiting  sold out   armed again
//	price             at or under the named one, and in stock: told, and ends
func decide(alert storage.Watch, seen sight, now time.Time) (change storage.WatchChange, changed bool, err error) {
	change.Watch = alert
	kind := ""
	switch alert.Kind {
	case storage.WatchRestock:
		switch {
		case alert.Armed && seen.buyable:
			kind = MessageRestock
		case !alert.Armed && !seen.buyable:
			change.Rearm = true
			return change, true, nil
		}
	case storage.WatchPrice:
		// No price at all is a mistake of the marketplace's rather than a gift.
		if seen.buyable && seen.rate.IsPositive() && seen.rate.LessThanOrEqual(alert.Price) {
			kind, change.End = MessagePrice, true
		}
	}
	if kind == "" {
		return change, false, nil
	}
	body, err := json.Marshal(Notification{
		Service: alert.Service, SMM: alert.SMM, Name: alert.Name, Stock: seen.stock, Rate: seen.rate, Named: alert.Price, Currency: alert.Currency,
	})
	if err != nil {
		return change, false, fmt.Errorf("encode news: %w", err)
	}
	change.Message = storage.Message{UserID: alert.UserID, Kind: kind, Priority: outbox.PriorityStatus, Body: body, CreatedAt: now}
	return change, true, nil
}

// Notification is what a message of this package says: a service as it was seen, and of
// a MessagePrice the price that was named. Name is the one it had when the alert
// was set.
type Notification struct {
	Service  int64           `json:"service"`
	SMM      bool            `json:"smm"`
	Name     string          `json:"name"`
	Stock    int64           `json:"stock"`
	Rate     decimal.Decimal `json:"rate"`
	Named    decimal.Decimal `json:"named"`
	Currency string          `json:"currency"`
}

// DecodeNotification decodes the body of a message of this package.
func DecodeNotification(message storage.Message) (Notification, error) {
	var news Notification
	if err := json.Unmarshal(message.Body, &news); err != nil {
		return Notification{}, errors.New("decode news: malformed body")
	}
	return news, nil
}
