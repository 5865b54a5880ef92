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

// Kinds of stored messages; DecodeNotification reads their bodies.
const (
	MessageRestock = "restock" // the service is back in stock
	MessagePrice   = "price"   // its price is at or below the target price
)

// observation is what an answer of the marketplace says about a service. The zero
// value is a service that is out of stock.
type observation struct {
	inStock      bool // the smallest order can be filled
	stock        int64
	stockUnknown bool
	rate         decimal.Decimal
	currency     string // of rate
}

// decide returns the change that an observation makes to a watch, if any. The
// package comment has the table of changes.
func decide(watch storage.Watch, seen observation, now time.Time) (change storage.WatchChange, changed bool, err error) {
	change.Watch = watch
	seen.rate = storage.ShownRate(seen.rate, watch.Markup) // what the person would pay
	kind := ""
	switch watch.Kind {
	case storage.WatchRestock:
		switch {
		case watch.Armed && seen.inStock:
			kind = MessageRestock
		case !watch.Armed && !seen.inStock:
			change.Rearm = true
			return change, true, nil
		}
	case storage.WatchPrice:
		// A price of zero is an error of the marketplace and not an offer.
		if seen.inStock && seen.currency == watch.Currency && seen.rate.IsPositive() && seen.rate.LessThanOrEqual(watch.Price) {
			kind, change.End = MessagePrice, true
		}
	}
	if kind == "" {
		return change, false, nil
	}
	body, err := json.Marshal(Notification{
		Service: watch.Service, SMM: watch.SMM, Name: watch.Name, Stock: seen.stock, StockUnknown: seen.stockUnknown,
		Rate: seen.rate, Target: watch.Price, Currency: seen.currency,
	})
	if err != nil {
		return change, false, fmt.Errorf("encode watch notification: %w", err)
	}
	change.Message = storage.Message{UserID: watch.UserID, Kind: kind, Priority: outbox.PriorityStatus, Body: body, CreatedAt: now}
	return change, true, nil
}

// Notification is the body of a message: a service as the marketplace described
// it when the watch fired.
type Notification struct {
	Service  int64           `json:"service"`
	SMM      bool            `json:"smm"`
	Name     string          `json:"name"` // when the watch was set
	Stock    int64           `json:"stock"`
	Rate     decimal.Decimal `json:"rate"`
	Target   decimal.Decimal `json:"named"`    // the target price; zero in a MessageRestock
	Currency string          `json:"currency"` // of both

	StockUnknown bool `json:"stock_unknown,omitempty"` // then Stock is 0
}

// DecodeNotification reads the body of a message of this package. Its error does
// not repeat the body.
func DecodeNotification(message storage.Message) (Notification, error) {
	var notification Notification
	if err := json.Unmarshal(message.Body, &notification); err != nil {
		return Notification{}, errors.New("decode watch notification: malformed body")
	}
	return notification, nil
}
