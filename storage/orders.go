package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// OrderState is the state of an order; RawStatus is the marketplace's.
type OrderState string

const (
	// OrderOpen has delivered nothing.
	OrderOpen OrderState = "open"
	// OrderPartial has delivered a part: for products more may follow, for SMM it is final.
	OrderPartial OrderState = "partial"
	// OrderDelivered is complete.
	OrderDelivered OrderState = "delivered"
	// OrderCancelled was cancelled; what it had delivered stays.
	OrderCancelled OrderState = "cancelled"
	// OrderRefunded was paid back.
	OrderRefunded OrderState = "refunded"
	// OrderExpired is a number that expired before a code came.
	OrderExpired OrderState = "expired"
	// OrderFailed was abandoned by the marketplace.
	OrderFailed OrderState = "failed"
	// OrderStale is too old to be polled; it is updated only when a person asks.
	OrderStale OrderState = "stale"
)

// GivesBack reports whether the marketplace refunds what was not delivered.
func (s OrderState) GivesBack() bool {
	switch s {
	case OrderCancelled, OrderRefunded, OrderExpired, OrderFailed, OrderPartial:
		return true
	default:
		return false
	}
}

// Order is an order of the marketplace.
type Order struct {
	ID             int64               `db:"id"`
	UserID         int64               `db:"user_id"`
	PurchaseID     int64               `db:"purchase_id"`
	KeyID          int64               `db:"key_id"` // the key that bought it
	KeyFingerprint string              `db:"key_fingerprint"`
	Kind           Kind                `db:"kind"`
	ExternalID     string              `db:"external_id"` // the marketplace's text
	Adopted        bool                `db:"adopted"`
	External       bool                `db:"external"` // imported, not bought through the bot
	Service        int64               `db:"service"`  // 0 where External
	Name           string              `db:"name"`     // "" where External
	Category       string              `db:"category"` // in English; "" where External, and of numbers
	Quantity       int64               `db:"quantity"` // 0 where External
	Link           string              `db:"link_sealed" seal:"orders.link"`
	Rental         Rental              `seal:"orders"` // of a number
	Origin         string              `db:"origin"`
	State          OrderState          `db:"state"`
	RawStatus      string              `db:"raw_status"` // the marketplace's state
	Charge         decimal.NullDecimal `db:"charge"`     // as reported; invalid before
	Currency       string              `db:"currency"`
	Remains        *int64              `db:"remains"`
	StartCount     *int64              `db:"start_count"`
	AutoDelivery   bool                `db:"auto_delivery"`
	Refill         bool                `db:"refill"`         // an SMM service that had it when it was bought
	Delivered      int64               `db:"delivered"`      // accounts or codes sent, or pending in the outbox
	Present        int64               `db:"present"`        // accounts in the marketplace's last answer
	Replaced       int64               `db:"replaced"`       // accounts sent that others took the place of
	IncompleteFor  time.Duration       `db:"incomplete_for"` // how long polls have shown it complete with too few accounts
	ExpiresAt      time.Time           `db:"expires_at"`     // of a number, as reported; zero where it is not
	MessageID      int64               `db:"message_id"`     // of the message that shows a number; 0 before it is sent
	CancelSentAt   time.Time           `db:"cancel_sent_at"` // of a cancel that may have been done; zero: none
	CreatedAt      time.Time           `db:"created_at"`
	UpdatedAt      time.Time           `db:"updated_at"`
	DeliveredAt    time.Time           `db:"delivered_at"` // of the last delivery; zero: none
	NotifiedAt     time.Time           `db:"notified_at"`  // of the last message about it that arrived; zero: none
	ClosedAt       time.Time           `db:"closed_at"`    // zero: open
	NextPollAt     time.Time           `db:"next_poll_at"`
	Polls          int64               `db:"polls"`
	Failures       int64               `db:"failures"`     // polls in a row that failed
	Feedback       string              `db:"feedback"`     // what the person said about it: FeedbackNone and so on
	FeedbackOf     int64               `db:"feedback_of"`  // accounts delivered until then, with problems: those in the last answer
	FeedbackAt     time.Time           `db:"feedback_at"`  // zero: nothing was said
	FeedbackDue    time.Time           `db:"feedback_due"` // when the person is asked; zero: not, or not again
	orderMarkup
	Damaged error // why Link or Rental.Phone can't be read and is empty; nil where both can
}

var orderColumns = columnsOf[Order]()

// Open reports whether the order is still polled.
func (o Order) Open() bool { return o.ClosedAt.IsZero() }

// OrderFilter selects what the list of orders shows.
type OrderFilter uint8

const (
	// FilterAll shows every order.
	FilterAll OrderFilter = iota
	// FilterOpen shows orders that are still polled and not complete.
	FilterOpen
	// FilterDelivered shows complete ones.
	FilterDelivered
	// FilterProblems shows cancelled, refunded, expired, failed, stale and finally partial ones.
	FilterProblems
	// FilterSMS shows rented numbers.
	FilterSMS
)

func (f OrderFilter) where() string {
	switch f {
	case FilterOpen: // a number is polled for a while after its code
		return ` AND closed_at = 0 AND state IN ('open', 'partial')`
	case FilterDelivered:
		return ` AND state = 'delivered'`
	case FilterProblems:
		return ` AND (state IN ('cancelled', 'refunded', 'expired', 'failed', 'stale') OR (state = 'partial' AND closed_at > 0))`
	case FilterSMS:
		return ` AND kind = 'sms'`
	default:
		return ``
	}
}

// Order returns one order of this person, or ErrNotFound.
func (db *DB) Order(ctx context.Context, userID, id int64) (Order, error) {
	return db.order(ctx, `WHERE id = ? AND user_id = ?`, id, userID)
}

// OrderByExternalID returns this person's newest order with that id of the
// marketplace, or ErrNotFound.
func (db *DB) OrderByExternalID(ctx context.Context, userID int64, externalID string) (Order, error) {
	return db.order(ctx, `WHERE external_id = ? AND user_id = ? ORDER BY created_at DESC LIMIT 1`, externalID, userID)
}

// OrdersOfPurchase returns the orders of a purchase, or ErrNotFound where there is none.
// They are sorted by ExternalID, shorter ones first, so that numbers ascend.
func (db *DB) OrdersOfPurchase(ctx context.Context, userID, purchaseID int64) ([]Order, error) {
	orders, err := db.orders(ctx, "read orders of a purchase",
		`WHERE purchase_id = ? AND user_id = ? ORDER BY LENGTH(external_id), external_id`, purchaseID, userID)
	if err == nil && len(orders) == 0 {
		err = ErrNotFound
	}
	return orders, err
}

// RentedCountries returns the codes of the countries in which a person rented
// numbers, the latest first.
func (db *DB) RentedCountries(ctx context.Context, userID int64, limit int) ([]string, error) {
	var codes []string
	err := db.reader.SelectContext(ctx, &codes,
		`SELECT country FROM orders WHERE user_id = ? AND kind = 'sms' AND country <> '' GROUP BY country ORDER BY MAX(created_at) DESC LIMIT ?`, userID, limit)
	if err != nil {
		return nil, fmt.Errorf("read rented countries: %w", err)
	}
	return codes, nil
}

// Orders returns a page of this person's orders, newest first.
func (db *DB) Orders(ctx context.Context, userID int64, filter OrderFilter, limit, offset int) ([]Order, error) {
	return db.orders(ctx, "read orders",
		`WHERE user_id = ?`+filter.where()+` ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`,
		userID, limit, offset)
}

// CountOrders returns how many orders a filter selects.
func (db *DB) CountOrders(ctx context.Context, userID int64, filter OrderFilter) (int, error) {
	return db.countRows(ctx, "count orders", `SELECT COUNT(*) FROM orders WHERE user_id = ?`+filter.where(), userID)
}

// UpdateOrder stores the result of a poll: o as it is now (with Polls incremented),
// its outcome if the poll has shown it, its accounts and the messages to the person, in
// one transaction: an account is recorded as delivered together with the message that
// delivers it.
//
// compose is called within the transaction with the accounts that were not sent
// before, in the marketplace's order; copies count. A fresh account replaces one that was
// sent and is no longer in the answer. compose returns the messages to store.
// UpdateOrder reports false, and stores nothing, where another poll was stored since o
// was read. A sealed column keeps its value where the field is empty. FeedbackDue is
// stored with the first fresh accounts, and with later ones while it is not over.
func (db *DB) UpdateOrder(ctx context.Context, o Order, outcome *DeliveryTime, accounts []redact.Secret, compose func(o Order, fresh []redact.Secret) ([]Message, error)) (Order, bool, error) {
	stored := o
	// Another poll with this number has another time.
	made := finds(ctx, `SELECT 1 FROM orders WHERE id = ? AND polls = ? AND last_poll_at = ?`, o.ID, o.Polls, toMillis(o.UpdatedAt))
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		o := o
		fresh, err := db.recordDeliveries(ctx, tx, o.ID, accounts)
		if err != nil {
			return err
		}
		o.Delivered += int64(len(fresh))
		if len(fresh) > 0 {
			o.DeliveredAt = o.UpdatedAt
		}
		if o.Kind == KindProduct {
			o.Replaced += max(min(int64(len(fresh)), o.Delivered-o.Present-o.Replaced), 0)
		}
		set, args := db.assignments(&o, "state", "raw_status", "charge", "currency", "remains", "start_count", "auto_delivery", "delivered", "delivered_at", "present", "replaced", "incomplete_for",
			"updated_at", "closed_at", "next_poll_at", "polls", "failures", "expires_at", "phone_sealed")
		if len(fresh) > 0 {
			set, args = set+`, feedback_due = CASE WHEN delivered = 0 OR feedback_due > 0 THEN CAST(? AS BIGINT) ELSE 0 END`, append(args, toMillis(o.FeedbackDue))
		}
		found, err := db.transitionTx(ctx, tx, `UPDATE orders SET `+set+`, last_poll_at = ?, lease_until = 0 WHERE id = ? AND polls = ?`,
			append(args, toMillis(o.UpdatedAt), o.ID, o.Polls-1)...)
		if err != nil {
			return err
		}
		if !found {
			return errOutdated // rolls the deliveries back
		}
		if outcome != nil {
			if err := insertDeliveryTime(ctx, tx, o, *outcome); err != nil {
				return err
			}
		}
		messages, err := compose(o, fresh)
		if err != nil {
			return err
		}
		if err := db.insertMessages(ctx, tx, withIDs(messages...)); err != nil {
			return err
		}
		if err := db.recordLedger(ctx, tx, o.PurchaseID); err != nil {
			return err
		}
		if !o.Open() {
			if err := db.dropUnusedKeys(ctx, tx, o.UserID); err != nil {
				return err
			}
		}
		stored = o
		return nil
	})
	if errors.Is(err, errOutdated) {
		return o, false, nil
	}
	if err != nil {
		return o, false, fmt.Errorf("update order: %w", err)
	}
	return stored, true, nil
}

var errOutdated = errors.New("a later poll is stored")

// ResumeOrders makes this person's open orders due again, for a new key.
func (db *DB) ResumeOrders(ctx context.Context, userID int64, at time.Time) error {
	_, err := db.transition(ctx, "resume orders",
		`UPDATE orders SET next_poll_at = ?, last_poll_at = ?, failures = 0 WHERE user_id = ? AND closed_at = 0 AND next_poll_at > ?`,
		toMillis(at), toMillis(at.Add(-resumedAge)), userID, toMillis(at))
	return err
}

// OpenOrders counts this person's orders that are not complete and that their own key has
// bought.
func (db *DB) OpenOrders(ctx context.Context, userID int64) (int, error) {
	return db.countRows(ctx, "count orders of an own key", `SELECT COUNT(*) FROM orders WHERE user_id = ?`+FilterOpen.where()+`
		AND NOT EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = orders.key_id AND house = 1)`, userID)
}

// CountOpenOrders counts all people's orders that are still polled.
func (db *DB) CountOpenOrders(ctx context.Context) (int, error) {
	return db.countRows(ctx, "count open orders", `SELECT COUNT(*) FROM orders WHERE closed_at = 0`)
}

func (db *DB) insertOrder(ctx context.Context, tx *sqlx.Tx, o Order) error {
	return db.insert(ctx, tx, "orders", &o, "lease_owner", "", "lease_until", 0)
}

func (db *DB) order(ctx context.Context, where string, args ...any) (Order, error) {
	orders, err := db.orders(ctx, "read order", where, args...)
	if err == nil && len(orders) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Order{}, err
	}
	return orders[0], nil
}

func (db *DB) orders(ctx context.Context, what, where string, args ...any) ([]Order, error) {
	orders, err := selectRows[Order](ctx, db, db.reader, `SELECT `+orderColumns+` FROM orders `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return orders, nil
}

// ExternalIDShared reports whether an order of the same API key and of the other kind
// has the same ExternalID: the marketplace may count numbers for codes apart.
func (db *DB) ExternalIDShared(ctx context.Context, o Order) (bool, error) {
	n, err := db.countRows(ctx, "look for orders of that id", `SELECT COUNT(*) FROM orders
		WHERE external_id = ? AND key_fingerprint = ? AND (kind = 'sms') <> (? = 'sms')`, o.ExternalID, o.KeyFingerprint, o.Kind)
	return n > 0, err
}

// StartCancels records, durably, that a cancel of these open orders is about to be
// sent, and returns the orders for which it may be. Of concurrent callers one is given
// an order, and no other until EndCancels. Armed swaps of these orders stop.
func (db *DB) StartCancels(ctx context.Context, userID int64, ids []int64, now time.Time) ([]int64, error) {
	var started []int64
	made := func(tx *sqlx.Tx) (bool, error) {
		if len(started) == 0 {
			return false, nil
		}
		return finds(ctx, `SELECT 1 FROM orders WHERE id = ? AND cancel_sent_at = ?`, started[0], toMillis(now))(tx)
	}
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		var fresh []int64
		for _, id := range slices.Sorted(slices.Values(ids)) { // one lock order, see leasePolls
			found, err := db.startCancel(ctx, tx, userID, id, now)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE swaps SET state = ?, reason = ? WHERE order_id = ? AND state = ?`, SwapStopped, SwapCancelled, id, SwapArmed); err != nil {
				return err
			}
			fresh = append(fresh, id)
		}
		started = fresh
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start cancelling: %w", err)
	}
	return started, nil
}

func (db *DB) startCancel(ctx context.Context, tx *sqlx.Tx, userID, id int64, now time.Time) (bool, error) {
	return db.transitionTx(ctx, tx,
		`UPDATE orders SET cancel_sent_at = ? WHERE id = ? AND user_id = ? AND closed_at = 0 AND cancel_sent_at = 0`, toMillis(now), id, userID)
}

// EndCancels records that the cancels of these orders that were started at that time did
// nothing: others may be sent.
func (db *DB) EndCancels(ctx context.Context, ids []int64, startedAt time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	query, args, err := sqlx.In(`UPDATE orders SET cancel_sent_at = 0 WHERE id IN (?) AND cancel_sent_at = ?`, ids, toMillis(startedAt))
	if err != nil {
		return fmt.Errorf("end cancelling: %w", err)
	}
	_, err = db.transition(ctx, "end cancelling", query, args...)
	return err
}

// exportPage is how many orders EachOrder reads at a time.
const exportPage = 500

// ErrStop is what a callback returns to end an iteration.
var ErrStop = errors.New("stop")

// EachOrder calls do with each order of this person, newest first, reading a page at
// a time. Sealed fields are left empty. It returns do's error, or nil for ErrStop.
func (db *DB) EachOrder(ctx context.Context, userID int64, do func(Order) error) error {
	return eachOrder(func(before, id int64) ([]Order, error) {
		page, err := selectRows[Order](ctx, db, db.reader, `SELECT `+plainColumnsOf[Order]()+` FROM orders
			WHERE user_id = ? AND (created_at < ? OR created_at = ? AND id < ?) ORDER BY created_at DESC, id DESC LIMIT ?`,
			userID, before, before, id, exportPage)
		if err != nil {
			return nil, fmt.Errorf("read all orders: %w", err)
		}
		return page, nil
	}, func(o Order) (time.Time, int64) { return o.CreatedAt, o.ID }, do)
}

// eachOrder calls do with each order, newest first. read returns the page behind the
// last order: rows may be added or deleted meanwhile.
func eachOrder[T any](read func(before, id int64) ([]T, error), position func(T) (createdAt time.Time, id int64), do func(T) error) error {
	before, id := int64(math.MaxInt64), int64(math.MaxInt64)
	for {
		page, err := read(before, id)
		if err != nil {
			return err
		}
		for _, order := range page {
			if err := do(order); errors.Is(err, ErrStop) {
				return nil
			} else if err != nil {
				return err
			}
			var createdAt time.Time
			createdAt, id = position(order)
			before = toMillis(createdAt)
		}
		if len(page) < exportPage {
			return nil
		}
	}
}
