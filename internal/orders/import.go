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

// externalOrder is an order that was placed outside the bot, as the marketplace
// describes it. It is not stored.
type externalOrder struct {
	order     storage.Order
	delivered []redact.Secret
	received  []SMS
}

// FindExternal fetches an order that is not stored here, with the person's own key.
// hstock.ErrOrderNotFound: the key has no order with this id. So it is with the operator's
// key, for every id and without a request: orders of that account are other people's.
func (s *Service) FindExternal(ctx context.Context, userID int64, externalID string) (storage.Order, error) {
	key, err := s.importKey(ctx, userID)
	if err != nil {
		return storage.Order{}, err
	}
	found, err := s.fetchExternal(ctx, key, externalID)
	return found.order, err
}

// importKey returns the key that a person looks for orders with.
func (s *Service) importKey(ctx context.Context, userID int64) (storage.Key, error) {
	key, err := s.db.OwnKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		paying, err := s.db.ActiveKey(ctx, userID)
		switch {
		case err == nil && paying.House:
			return key, hstock.ErrOrderNotFound
		case err == nil, errors.Is(err, storage.ErrNotFound):
			return key, ErrNoKey
		}
		return key, err
	}
	if err == nil && s.db.IsOperatorKey(key.Secret) {
		return key, hstock.ErrOrderNotFound
	}
	return key, err
}

// Import stores an order that was placed outside the bot. From then on it is polled, and
// what it has already delivered is sent. It is fetched again, because the id comes from
// a button's data. An order that the person already has is returned as it is.
func (s *Service) Import(ctx context.Context, userID int64, externalID string) (storage.Order, error) {
	key, err := s.importKey(ctx, userID)
	if err != nil {
		return storage.Order{}, err
	}
	return s.importWith(ctx, key, externalID)
}

// importWith is Import with any key of the person's.
func (s *Service) importWith(ctx context.Context, key storage.Key, externalID string) (storage.Order, error) {
	found, err := s.fetchExternal(ctx, key, externalID)
	if err != nil {
		return storage.Order{}, err
	}
	now := time.Now().Add(cardDelay)
	order, err := s.db.ImportOrder(ctx, found.order, found.delivered, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		if o.Kind != storage.KindSMS {
			return orderMessages(o, o, fresh, found.delivered, now)
		}
		messages, err := rentalMessages(o, o, found.received, now, swapAfter)
		if o.State == storage.OrderOpen {
			messages = append(messages, announceRental(o)...)
		}
		return messages, err
	})
	if errors.Is(err, storage.ErrExternalIDTaken) {
		return s.db.OrderByExternalID(ctx, key.UserID, externalID)
	}
	if err != nil {
		return storage.Order{}, err
	}
	s.wakeOutbox()
	s.wakePolls()
	return order, nil
}

// fetchExternal fetches the id as an order of goods and as a phone in parallel. The
// answer to another person's order is the same as to one that does not exist.
func (s *Service) fetchExternal(ctx context.Context, key storage.Key, externalID string) (externalOrder, error) {
	var (
		answer    rentalAnswer
		answerErr error
		done      = make(chan struct{})
	)
	go func() {
		defer close(done)
		answerErr = loop.Recover(s.log, "fetch a phone", func() (err error) {
			answer, err = s.readRental(ctx, storage.DueOrder{Order: storage.Order{ExternalID: externalID}, Key: key.Secret}, true)
			return err
		})
	}()
	status, err := s.market.Status(ctx, key.Secret, externalID)
	<-done
	now := time.Now()
	order := storage.Order{
		UserID: key.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, ExternalID: externalID, External: true,
		State: storage.OrderOpen, AutoDelivery: true, CreatedAt: now,
	}
	isProduct := err == nil && (status.EntityType == hstock.EntityProduct || len(status.Accounts) > 0)
	switch {
	case answerErr == nil && !isProduct: // status may answer for phones too
		order.Kind, order.Quantity, order.Rental.Phone = storage.KindSMS, 1, answer.phone
		found := externalOrder{order: afterRental(order, answer, now), received: answer.received}
		found.order.NextPollAt = nextPoll(found.order, nil, now)
		for _, sms := range answer.received {
			found.delivered = append(found.delivered, sms.record())
		}
		return found, nil
	// Without a type it may be a phone, unless the phone's actions refuse the id.
	case err == nil && (isProduct || status.EntityType == hstock.EntitySMM || refused(answerErr)):
		order.Kind = storage.KindSMM
		if isProduct {
			order.Kind, order.Quantity = storage.KindProduct, quantityOf(status)
		}
		return externalOrder{order: afterStatus(order, status, nil, now), delivered: status.Accounts}, nil
	case refused(err) && refused(answerErr):
		return externalOrder{}, hstock.ErrOrderNotFound
	case err == nil, refused(err):
		err = answerErr
	}
	s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
	return externalOrder{}, err
}

// importLate imports orders whose ids came after their purchase was settled with others:
// the person adopted another order meanwhile. They are real, so none may be lost: the
// error is one that may pass, for a while also that there is no such order. They are fetched
// with the key that has bought them: the person may have another one by now, which does not
// know them.
func (s *Service) importLate(ctx context.Context, p storage.Purchase, placements []storage.Placement) error {
	var failures []error
	for _, placement := range placements {
		taken, err := s.db.ExternalIDTaken(ctx, p.UserID, p.Kind, placement.ExternalID)
		switch {
		case err != nil, taken:
		case p.House: // nobody imports with the operator's key; an operator finds it in the log
			s.log.Error("late order of the operator's key not stored", "purchase", p.ID, "order", placement.ExternalID)
		default:
			s.log.Warn("order placed after its purchase was settled", "purchase", p.ID, "order", placement.ExternalID)
			err = s.importBought(ctx, p, placement.ExternalID)
		}
		kind, _ := hstock.KindOf(err)
		lost := errors.Is(err, hstock.ErrOrderNotFound) && time.Since(p.SentAt) > importPatience
		if errors.Is(err, ErrNoKey) || kind == hstock.InvalidKey || lost {
			s.log.Error("late order not imported", "purchase", p.ID, "order", placement.ExternalID, "error", err)
			err = nil
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (s *Service) importBought(ctx context.Context, p storage.Purchase, externalID string) error {
	key, err := s.keyFor(ctx, p.UserID, p.KeyID)
	if err == nil {
		_, err = s.importWith(ctx, key, externalID)
	}
	return err
}

// quantityOf returns how many pieces an order of goods is for, 0 if that is not known:
// status has only the delivered ones and those that remain.
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
