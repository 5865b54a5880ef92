package orders

import (
	"context"
	"errors"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Orders that were placed elsewhere with the person's key: found by their
// number, and taken in when the person says so.

// externalOrder is an order as the marketplace describes it, with what it has
// delivered. Nothing of it is stored.
type externalOrder struct {
	order     storage.Order
	delivered []redact.Secret
	sms       SMS
}

// FindExternal asks the marketplace, with the person's own key, about an order
// that is not here. hstock.ErrOrderNotFound: the key has none of this number.
func (s *Service) FindExternal(ctx context.Context, userID, number int64) (storage.Order, error) {
	found, err := s.fetchExternal(ctx, userID, number)
	return found.order, err
}

// ImportOrder records such an order: it is watched like any other from now on, and
// what it has delivered already is sent. The marketplace is asked again, since
// the number came back through a button. Whoever has it already gets that one.
func (s *Service) Import(ctx context.Context, userID, number int64) (storage.Order, error) {
	found, err := s.fetchExternal(ctx, userID, number)
	if err != nil {
		return storage.Order{}, err
	}
	now := time.Now().Add(cardDelay)
	order, err := s.db.ImportOrder(ctx, found.order, found.delivered, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		if o.Kind != storage.KindSMS {
			return orderMessages(o, o, fresh, now)
		}
		messages, err := rentalMessages(o, o, found.sms, len(fresh) > 0, now)
		if o.State == storage.OrderOpen {
			messages = append(messages, announceRental(o)...)
		}
		return messages, err
	})
	if errors.Is(err, storage.ErrExternalIDTaken) {
		return s.db.OrderByExternalID(ctx, userID, number)
	}
	if err != nil {
		return storage.Order{}, err
	}
	s.wakeOutbox()
	s.watchLoop.Wake()
	return order, nil
}

// fetchExternal asks for an order of goods and for a number beside each other.
// Whoever's number it is, if anybody's, a refusal is the same answer.
func (s *Service) fetchExternal(ctx context.Context, userID, number int64) (externalOrder, error) {
	key, err := s.db.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return externalOrder{}, ErrNoKey
	}
	if err != nil {
		return externalOrder{}, err
	}
	var (
		answer    rentalAnswer
		answerErr error
		done      = make(chan struct{})
	)
	go func() {
		defer close(done)
		answerErr = loop.Recover(s.log, "ask for a number", func() (err error) {
			answer, err = s.askRental(ctx, key.Secret, number, true, hstock.SMSUnknown)
			return err
		})
	}()
	status, err := s.market.Status(ctx, key.Secret, number)
	<-done
	now := time.Now()
	order := storage.Order{
		UserID: userID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, ExternalID: number, External: true,
		State: storage.OrderOpen, AutoDelivery: true, CreatedAt: now,
	}
	isProduct := err == nil && (status.EntityType == hstock.EntityProduct || len(status.Accounts) > 0)
	switch {
	case answerErr == nil && !isProduct: // status may know numbers, too, but not as such
		order.Kind, order.Quantity, order.Rental.Phone = storage.KindSMS, 1, answer.phone
		found := externalOrder{order: afterRental(order, answer, now), sms: answer.sms}
		if !answer.sms.empty() {
			found.delivered = []redact.Secret{answer.sms.record()}
		}
		return found, nil
	// Without its type it may still be a number, of which nothing was heard for now.
	case err == nil && (isProduct || status.EntityType == hstock.EntitySMM || refused(answerErr)):
		order.Kind = storage.KindSMM
		if isProduct {
			order.Kind, order.Quantity = storage.KindProduct, quantityOf(status)
		}
		return externalOrder{order: afterStatus(order, status, now), delivered: status.Accounts}, nil
	case refused(err) && refused(answerErr):
		return externalOrder{}, hstock.ErrOrderNotFound
	case err == nil, refused(err):
		err = answerErr
	}
	s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
	return externalOrder{}, err
}

// quantityOf is how many pieces an order of goods is for, 0 where that can't be
// told: status names what is there, and what remains.
func quantityOf(status hstock.Status) int64 {
	have := int64(len(status.Accounts))
	switch {
	case status.Remains != nil && *status.Remains > 0:
		return have + *status.Remains
	case status.State == hstock.StateCompleted:
		return have
	default:
		return 0
	}
}
