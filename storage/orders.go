package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// OrderState is what an order means to us; the marketplace's own word for it
// is kept beside.
type OrderState string

const (
	// OrderOpen has delivered nothing yet.
	OrderOpen OrderState = "open"
	// OrderPartial has delivered a part: for products more may follow, for SMM it is final.
	OrderPartial OrderState = "partial"
	// OrderDelivered is complete.
	OrderDelivered OrderState = "delivered"
	// OrderCancelled was cancelled; what it had delivered stays.
	OrderCancelled OrderState = "cancelled"
	// OrderRefunded was paid back.
	OrderRefunded OrderState = "refunded"
	// OrderExpired is a number whose time was over before a code came.
	OrderExpired OrderState = "expired"
	// OrderFailed was given up by the marketplace.
	OrderFailed OrderState = "failed"
	// OrderStale is too old to be watched; it is asked for only when a person does.
	OrderStale OrderState = "stale"
)

// Order is one order number of the marketplace. Charge is in Currency, as the
// marketplace reported it; invalid until it did. A zero ClosedAt means open.
type Order struct {
	ID             int64
	UserID         int64
	PurchaseID     int64
	KeyID          int64 // the key that bought it
	KeyFingerprint string
	Kind           Kind
	ExternalID     int64
	Adopted        bool
	External       bool   // placed elsewhere, and taken in by its number
	Service        int64  // 0 where it is not known (Elsewhere)
	Name           string // likewise ""
	Category       string // in English; likewise "", and of numbers
	Quantity       int64  // likewise 0
	Link           string
	Rental         Rental // of a number
	Origin         string
	State          OrderState
	RawStatus      string
	Charge         decimal.NullDecimal
	Currency       string
	Remains        *int64
	StartCount     *int64
	AutoDelivery   bool
	Delivered      int64     // accounts or codes sent to the person, or on their way in the outbox
	ExpiresAt      time.Time // of a number, as the marketplace says; zero when it does not
	MessageID      int64     // of the message that shows a number; 0 before it is sent
	CancelSentAt   time.Time // when a cancel left that may have been done; zero: none
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeliveredAt    time.Time // when something was last delivered; zero: nothing was
	NotifiedAt     time.Time // when a message about it last arrived; zero: none has
	ClosedAt       time.Time
	NextPollAt     time.Time
	Polls          int64
	Failures       int64
}

// Open reports whether the order is still watched.
func (o Order) Open() bool { return o.ClosedAt.IsZero() }

// OrderFilter selects what the list of orders shows.
type OrderFilter uint8

const (
	// FilterAll shows every order.
	FilterAll OrderFilter = iota
	// FilterOpen shows orders that are still watched.
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
	case FilterOpen: // a number is watched for a while after its code
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
	return db.oneOrder(ctx, `SELECT `+orderColumns+` FROM orders WHERE id = ? AND user_id = ?`, id, userID)
}

// OrderByExternalID returns this person's order of that number, or ErrNotFound.
func (db *DB) OrderByExternalID(ctx context.Context, userID, number int64) (Order, error) {
	return db.oneOrder(ctx, `SELECT `+orderColumns+` FROM orders WHERE external_id = ? AND user_id = ? ORDER BY created_at DESC LIMIT 1`, number, userID)
}

// OrdersOfPurchase returns the orders that a purchase became, in the order of
// their numbers; ErrNotFound where there is none.
func (db *DB) OrdersOfPurchase(ctx context.Context, userID, purchaseID int64) ([]Order, error) {
	orders, err := db.orders(ctx, "read orders of a purchase",
		`SELECT `+orderColumns+` FROM orders WHERE purchase_id = ? AND user_id = ? ORDER BY external_id`, purchaseID, userID)
	if err == nil && len(orders) == 0 {
		err = ErrNotFound
	}
	return orders, err
}

// RentedCountries returns the codes of the countries that a person rented
// numbers in, the latest first.
func (db *DB) RentedCountries(ctx context.Context, userID int64, limit int) ([]string, error) {
	var codes []string
	err := db.reader.SelectContext(ctx, &codes, db.bind(
		`SELECT country FROM orders WHERE user_id = ? AND kind = 'sms' AND country <> '' GROUP BY country ORDER BY MAX(created_at) DESC LIMIT ?`), userID, limit)
	if err != nil {
		return nil, fmt.Errorf("read rented countries: %w", err)
	}
	return codes, nil
}

// Orders returns a page of this person's orders, newest first.
func (db *DB) Orders(ctx context.Context, userID int64, filter OrderFilter, limit, offset int) ([]Order, error) {
	return db.orders(ctx, "read orders",
		`SELECT `+orderColumns+` FROM orders WHERE user_id = ?`+filter.where()+` ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`,
		userID, limit, offset)
}

// CountOrders returns how many orders a filter selects.
func (db *DB) CountOrders(ctx context.Context, userID int64, filter OrderFilter) (int, error) {
	var n int
	if err := db.reader.GetContext(ctx, &n, db.bind(`SELECT COUNT(*) FROM orders WHERE user_id = ?`+filter.where()), userID); err != nil {
		return 0, fmt.Errorf("count orders: %w", err)
	}
	return n, nil
}

// UnresolvedPurchases returns this person's purchases of unknown outcome, newest
// first, at most 20; with dismissed also those that they said were not placed,
// since their number may still turn up.
func (db *DB) UnresolvedPurchases(ctx context.Context, userID int64, dismissed bool) ([]Purchase, error) {
	states := `state = 'outcome_unknown'`
	if dismissed {
		states = `state IN ('outcome_unknown', 'dismissed')`
	}
	return db.purchases(ctx, "read unknown purchases",
		`SELECT `+purchaseColumns+` FROM purchases WHERE user_id = ? AND `+states+` ORDER BY created_at DESC LIMIT 20`, userID)
}

// UpdateOrder stores what a poll has found: o as it is now (with Polls counted
// up), the accounts it holds, and the messages that tell the person, all in one
// transaction, so that nothing is both marked delivered and unsent.
//
// compose is called within the transaction with the accounts that the person
// has not been sent before, in the marketplace's order; copies count. It
// returns the messages to store. UpdateOrder reports false, and stores nothing,
// when another poll has reported since o was read.
func (db *DB) UpdateOrder(ctx context.Context, o Order, accounts []redact.Secret, compose func(o Order, fresh []redact.Secret) ([]Message, error)) (Order, bool, error) {
	before, reported := o, false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		o = before
		fresh, err := db.recordDeliveries(ctx, tx, o.ID, accounts)
		if err != nil {
			return err
		}
		o.Delivered += int64(len(fresh))
		if len(fresh) > 0 {
			o.DeliveredAt = o.UpdatedAt
		}
		reported, err = db.moveTx(ctx, tx, `
			UPDATE orders SET state = ?, raw_status = ?, charge = ?, currency = ?, remains = ?, start_count = ?, auto_delivery = ?,
			       delivered = ?, delivered_at = ?, updated_at = ?, closed_at = ?, next_poll_at = ?, polls = ?, failures = ?, expires_at = ?, phone_sealed = ?,
			       last_poll_at = ?, lease_until = 0
			 WHERE id = ? AND polls = ?`,
			o.State, o.RawStatus, nullText(o.Charge), o.Currency, o.Remains, o.StartCount, toBit(o.AutoDelivery),
			o.Delivered, toMillis(o.DeliveredAt), toMillis(o.UpdatedAt), toMillis(o.ClosedAt), toMillis(o.NextPollAt), o.Polls, o.Failures,
			toMillis(o.ExpiresAt), db.sealText("orders", "phone", o.ID, o.Rental.Phone), toMillis(o.UpdatedAt), o.ID, o.Polls-1)
		if err != nil {
			return err
		}
		if !reported {
			return errSuperseded // takes the deliveries back
		}
		messages, err := compose(o, fresh)
		if err != nil {
			return err
		}
		for _, message := range messages {
			if err := db.insertMessage(ctx, tx, message); err != nil {
				return err
			}
		}
		if !o.Open() {
			return db.dropUnusedKeys(ctx, tx, o.UserID)
		}
		return nil
	})
	if errors.Is(err, errSuperseded) {
		return o, false, nil
	}
	if err != nil {
		return o, false, fmt.Errorf("report order: %w", err)
	}
	return o, reported, nil
}

var errSuperseded = errors.New("a newer poll has reported")

// RefuseKey records that the marketplace does not accept a key, with the
// message that tells its owner. It reports false when that is known already.
func (db *DB) RefuseKey(ctx context.Context, keyID int64, message Message) (bool, error) {
	return db.moveAndTell(ctx, "refuse key", message, `UPDATE api_keys SET invalid = 1 WHERE id = ? AND invalid = 0`, keyID)
}

// resumeAsIf is how long ago orders that waited for a key count as asked for:
// they are as urgent as young ones.
const resumeAsIf = time.Second

// AcceptKey records that the marketplace accepts a key again; what it bought is
// asked for at once.
func (db *DB) AcceptKey(ctx context.Context, keyID int64, now time.Time) error {
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		accepted, err := db.moveTx(ctx, tx, `UPDATE api_keys SET invalid = 0 WHERE id = ? AND invalid = 1`, keyID)
		if err != nil || !accepted {
			return err
		}
		_, err = tx.ExecContext(ctx, db.bind(`UPDATE orders SET next_poll_at = ?, last_poll_at = ?, failures = 0 WHERE key_id = ? AND closed_at = 0 AND next_poll_at > ?`),
			toMillis(now), toMillis(now.Add(-resumeAsIf)), keyID, toMillis(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("accept key: %w", err)
	}
	return nil
}

// RefusedKeys returns keys that the marketplace refused and that open orders, or
// only rented numbers, wait for, at most limit.
func (db *DB) RefusedKeys(ctx context.Context, onlyNumbers bool, limit int) ([]Key, error) {
	query := `SELECT id FROM api_keys WHERE invalid = 1 AND secret_sealed <> ''
		AND EXISTS (SELECT 1 FROM orders WHERE orders.key_id = api_keys.id AND orders.closed_at = 0`
	if onlyNumbers {
		query += ` AND orders.kind = 'sms'`
	}
	var ids []int64
	err := db.reader.SelectContext(ctx, &ids, db.bind(query+`) LIMIT ?`), limit)
	if err != nil {
		return nil, fmt.Errorf("read refused keys: %w", err)
	}
	keys := make([]Key, 0, len(ids))
	for _, id := range ids {
		key, err := db.Key(ctx, id)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ResumeOrders makes this person's open orders due again (a new key has come).
func (db *DB) ResumeOrders(ctx context.Context, userID int64, at time.Time) error {
	_, err := db.move(ctx, "resume orders",
		`UPDATE orders SET next_poll_at = ?, last_poll_at = ?, failures = 0 WHERE user_id = ? AND closed_at = 0 AND next_poll_at > ?`,
		toMillis(at), toMillis(at.Add(-resumeAsIf)), userID, toMillis(at))
	return err
}

// OpenOrders counts this person's orders that are still watched.
func (db *DB) OpenOrders(ctx context.Context, userID int64) (int, error) {
	return db.CountOrders(ctx, userID, FilterOpen)
}

// CountOpenOrders counts everyone's orders that are still watched.
func (db *DB) CountOpenOrders(ctx context.Context) (int, error) {
	var n int
	if err := db.reader.GetContext(ctx, &n, `SELECT COUNT(*) FROM orders WHERE closed_at = 0`); err != nil {
		return 0, fmt.Errorf("count open orders: %w", err)
	}
	return n, nil
}

// Delivered reports whether all of these accounts are recorded as sent or on
// their way: an answer that says the same again is no news.
func (db *DB) Delivered(ctx context.Context, orderID int64, accounts []redact.Secret) (bool, error) {
	fresh, err := db.freshDeliveries(ctx, db.reader, orderID, accounts)
	if err != nil {
		return false, fmt.Errorf("read deliveries: %w", err)
	}
	return len(fresh) == 0, nil
}

// freshDelivery is an account that was not recorded before, the copies-th of its kind.
type freshDelivery struct {
	account redact.Secret
	digest  string
	copies  int
}

// freshDeliveries holds the accounts of an answer against those recorded and
// returns the new ones. It is a difference of multisets: an account delivered
// twice is two.
func (db *DB) freshDeliveries(ctx context.Context, q sqlx.QueryerContext, orderID int64, accounts []redact.Secret) ([]freshDelivery, error) {
	var known []struct {
		Digest string `db:"digest"`
		Copies int    `db:"copies"`
	}
	if err := sqlx.SelectContext(ctx, q, &known, db.bind(`SELECT digest, copies FROM deliveries WHERE order_id = ?`), orderID); err != nil {
		return nil, err
	}
	sent := make(map[string]int, len(known))
	for _, row := range known {
		sent[row.Digest] = row.Copies
	}
	var fresh []freshDelivery
	seen := make(map[string]int, len(accounts))
	for _, account := range accounts {
		digest := db.Digest("account:"+strconv.FormatInt(orderID, 10), []byte(account.Reveal()))
		seen[digest]++
		if seen[digest] > sent[digest] {
			fresh = append(fresh, freshDelivery{account, digest, seen[digest]})
		}
	}
	return fresh, nil
}

// recordDeliveries records the accounts of an answer and returns the new ones.
func (db *DB) recordDeliveries(ctx context.Context, tx *sqlx.Tx, orderID int64, accounts []redact.Secret) ([]redact.Secret, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	fresh, err := db.freshDeliveries(ctx, tx, orderID, accounts)
	if err != nil {
		return nil, err
	}
	found := make([]redact.Secret, 0, len(fresh))
	for _, f := range fresh {
		_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO deliveries (order_id, digest, copies) VALUES (?, ?, ?)
			ON CONFLICT (order_id, digest) DO UPDATE SET copies = excluded.copies`), orderID, f.digest, f.copies)
		if err != nil {
			return nil, err
		}
		found = append(found, f.account)
	}
	return found, nil
}

// dropUnusedKeys blanks a person's keys that were replaced once no open order
// and no purchase on its way needs them.
func (db *DB) dropUnusedKeys(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, db.bind(`
		UPDATE api_keys SET secret_sealed = '' WHERE user_id = ? AND state <> 'active' AND secret_sealed <> ''
		   AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.key_id = api_keys.id AND orders.closed_at = 0)
		   AND NOT EXISTS (SELECT 1 FROM purchases WHERE purchases.key_id = api_keys.id
		                   AND purchases.state IN ('claimed', 'sending', 'outcome_unknown', 'dismissed'))`), userID)
	return err
}

const orderColumns = `id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity,
	link_sealed, origin, state, raw_status, charge, currency, remains, start_count, auto_delivery, delivered,
	created_at, updated_at, closed_at, next_poll_at, polls, failures, project, country, country_name, phone_sealed,
	expires_at, message_id, cancel_sent_at, external, category, delivered_at, notified_at`

type orderRow struct {
	ID             int64               `db:"id"`
	UserID         int64               `db:"user_id"`
	PurchaseID     int64               `db:"purchase_id"`
	KeyID          int64               `db:"key_id"`
	KeyFingerprint string              `db:"key_fingerprint"`
	Kind           Kind                `db:"kind"`
	ExternalID     int64               `db:"external_id"`
	Adopted        int64               `db:"adopted"`
	Service        int64               `db:"service"`
	Name           string              `db:"name"`
	Quantity       int64               `db:"quantity"`
	LinkSealed     string              `db:"link_sealed"`
	Origin         string              `db:"origin"`
	State          OrderState          `db:"state"`
	RawStatus      string              `db:"raw_status"`
	Charge         decimal.NullDecimal `db:"charge"`
	Currency       string              `db:"currency"`
	Remains        *int64              `db:"remains"`
	StartCount     *int64              `db:"start_count"`
	AutoDelivery   int64               `db:"auto_delivery"`
	Delivered      int64               `db:"delivered"`
	CreatedAt      int64               `db:"created_at"`
	UpdatedAt      int64               `db:"updated_at"`
	ClosedAt       int64               `db:"closed_at"`
	NextPollAt     int64               `db:"next_poll_at"`
	Polls          int64               `db:"polls"`
	Failures       int64               `db:"failures"`
	Project        string              `db:"project"`
	Country        string              `db:"country"`
	CountryName    string              `db:"country_name"`
	PhoneSealed    string              `db:"phone_sealed"`
	ExpiresAt      int64               `db:"expires_at"`
	MessageID      int64               `db:"message_id"`
	CancelSentAt   int64               `db:"cancel_sent_at"`
	Elsewhere      int64               `db:"external"`
	Category       string              `db:"category"`
	DeliveredAt    int64               `db:"delivered_at"`
	ToldAt         int64               `db:"notified_at"`
}

func (db *DB) insertOrder(ctx context.Context, tx *sqlx.Tx, o Order) error {
	_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO orders (`+orderColumns+`, lease_owner, lease_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0)`),
		o.ID, o.UserID, o.PurchaseID, o.KeyID, o.KeyFingerprint, o.Kind, o.ExternalID, toBit(o.Adopted), o.Service, o.Name, o.Quantity,
		db.sealText("orders", "link", o.ID, o.Link), o.Origin, o.State, o.RawStatus, nullText(o.Charge), o.Currency, o.Remains, o.StartCount,
		toBit(o.AutoDelivery), o.Delivered, toMillis(o.CreatedAt), toMillis(o.UpdatedAt), toMillis(o.ClosedAt), toMillis(o.NextPollAt),
		o.Polls, o.Failures, o.Rental.Project, o.Rental.Country, o.Rental.CountryName, db.sealText("orders", "phone", o.ID, o.Rental.Phone),
		toMillis(o.ExpiresAt), o.MessageID, toMillis(o.CancelSentAt), toBit(o.External), o.Category, toMillis(o.DeliveredAt), toMillis(o.NotifiedAt))
	return err
}

func (db *DB) oneOrder(ctx context.Context, query string, args ...any) (Order, error) {
	orders, err := db.orders(ctx, "read order", query, args...)
	if err != nil {
		return Order{}, err
	}
	if len(orders) == 0 {
		return Order{}, ErrNotFound
	}
	return orders[0], nil
}

func (db *DB) orders(ctx context.Context, what, query string, args ...any) ([]Order, error) {
	var rows []orderRow
	if err := db.reader.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	orders := make([]Order, 0, len(rows))
	for _, row := range rows {
		order, err := db.order(row)
		if err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	return orders, nil
}

func (db *DB) order(row orderRow) (Order, error) {
	link, err := db.unsealText("orders", "link", row.ID, row.LinkSealed)
	if err != nil {
		return Order{}, fmt.Errorf("read order: %w", err)
	}
	phone, err := db.unsealText("orders", "phone", row.ID, row.PhoneSealed)
	if err != nil {
		return Order{}, fmt.Errorf("read order: %w", err)
	}
	return Order{
		ID: row.ID, UserID: row.UserID, PurchaseID: row.PurchaseID, KeyID: row.KeyID, KeyFingerprint: row.KeyFingerprint, Kind: row.Kind,
		ExternalID: row.ExternalID, Adopted: row.Adopted == 1, Service: row.Service, Name: row.Name, Quantity: row.Quantity, Link: link,
		Origin: row.Origin, State: row.State, RawStatus: row.RawStatus, Charge: row.Charge, Currency: row.Currency,
		Remains: row.Remains, StartCount: row.StartCount, AutoDelivery: row.AutoDelivery == 1, Delivered: row.Delivered,
		CreatedAt: fromMillis(row.CreatedAt), UpdatedAt: fromMillis(row.UpdatedAt), ClosedAt: fromMillis(row.ClosedAt),
		NextPollAt: fromMillis(row.NextPollAt), Polls: row.Polls, Failures: row.Failures,
		Rental:    Rental{Project: row.Project, Country: row.Country, CountryName: row.CountryName, Phone: phone},
		ExpiresAt: fromMillis(row.ExpiresAt), MessageID: row.MessageID, CancelSentAt: fromMillis(row.CancelSentAt),
		External: row.Elsewhere == 1, Category: row.Category, DeliveredAt: fromMillis(row.DeliveredAt), NotifiedAt: fromMillis(row.ToldAt),
	}, nil
}

// ExternalIDShared reports whether this order's number is also that of an order of the
// same API key of the other kind: numbers for codes may be counted apart.
func (db *DB) ExternalIDShared(ctx context.Context, o Order) (bool, error) {
	var n int
	err := db.reader.GetContext(ctx, &n, db.bind(`SELECT COUNT(*) FROM orders
		WHERE external_id = ? AND key_fingerprint = ? AND (kind = 'sms') <> (? = 'sms')`), o.ExternalID, o.KeyFingerprint, o.Kind)
	if err != nil {
		return false, fmt.Errorf("look for orders of that number: %w", err)
	}
	return n > 0, nil
}

// StartCancels records, durably, that a cancel of these open orders is about to
// leave, and returns those of which it may. Of any number of callers one is given
// an order, and no other as long as it is not known that nothing was done
// (EndCancels).
func (db *DB) StartCancels(ctx context.Context, userID int64, ids []int64, now time.Time) ([]int64, error) {
	var begun []int64
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		begun = begun[:0]
		for _, id := range ids {
			moved, err := db.moveTx(ctx, tx,
				`UPDATE orders SET cancel_sent_at = ? WHERE id = ? AND user_id = ? AND closed_at = 0 AND cancel_sent_at = 0`, toMillis(now), id, userID)
			if err != nil {
				return err
			}
			if moved {
				begun = append(begun, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start cancelling: %w", err)
	}
	return begun, nil
}

// EndCancels records that a cancel of these orders has done nothing: another
// one may be sent.
func (db *DB) EndCancels(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	query, args, err := sqlx.In(`UPDATE orders SET cancel_sent_at = 0 WHERE id IN (?)`, ids)
	if err != nil {
		return fmt.Errorf("end cancelling: %w", err)
	}
	_, err = db.move(ctx, "end cancelling", query, args...)
	return err
}

// exportPage is how many orders EachOrder reads at a time.
const exportPage = 500

// EachOrder calls do with every order of this person, newest first, a page of
// them in memory at a time. Links and phone numbers are left out, sealed. It
// ends with do's error, or ErrStop, which is none.
func (db *DB) EachOrder(ctx context.Context, userID int64, do func(Order) error) error {
	// Where the next page begins: orders have come and gone since the last one.
	before, id := int64(math.MaxInt64), int64(math.MaxInt64)
	for {
		var rows []orderRow
		err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT `+orderColumns+` FROM orders
			WHERE user_id = ? AND (created_at < ? OR created_at = ? AND id < ?) ORDER BY created_at DESC, id DESC LIMIT ?`),
			userID, before, before, id, exportPage)
		if err != nil {
			return fmt.Errorf("read all orders: %w", err)
		}
		for _, row := range rows {
			row.LinkSealed, row.PhoneSealed = "", ""
			order, err := db.order(row)
			if err == nil {
				err = do(order)
			}
			if errors.Is(err, ErrStop) {
				return nil
			}
			if err != nil {
				return err
			}
			before, id = row.CreatedAt, row.ID
		}
		if len(rows) < exportPage {
			return nil
		}
	}
}

// ErrStop is what a callback returns to be called no more.
var ErrStop = errors.New("enough")
