package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

const (
	// deliveryTimesAge is how long outcomes are kept: the marketplace's sellers change.
	deliveryTimesAge = 14 * day
	// deliveryTimesPerSubject is how many of the last outcomes of a subject are kept and
	// read.
	deliveryTimesPerSubject = 100
)

// DeliveryTime is the outcome of an order: how long its first account or code took.
type DeliveryTime struct {
	Took    time.Duration // from the order to the first account or code, or to the end without one
	Arrived bool          // false: the order ended with none
}

// DeliveryTimes are the outcomes of the last orders of a subject, each list sorted.
type DeliveryTimes struct {
	Arrived []time.Duration // until the first account or code
	Ended   []time.Duration // until the end, of orders with none
}

// Subject names what an order's outcome says something about: the service of a product,
// or the country and project of a number; "" for an order of SMM or of something unknown.
func (o Order) Subject() string {
	switch {
	case o.Kind == KindProduct && o.Service != 0:
		return "product/" + strconv.FormatInt(o.Service, 10)
	case o.Kind == KindSMS && o.Rental.Project != "":
		return o.Rental.Subject()
	default:
		return ""
	}
}

// Subject is that of an order for such a number.
func (r Rental) Subject() string { return "sms/" + r.Country + "/" + r.Project }

// DeliveryTimes returns the outcomes of the last 14 days, at most the last hundred of
// each subject. Subjects without any are missing.
func (db *DB) DeliveryTimes(ctx context.Context, now time.Time, subjects ...string) (map[string]DeliveryTimes, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In(`SELECT subject, millis, arrived FROM (
			SELECT subject, millis, arrived, ROW_NUMBER() OVER (PARTITION BY subject ORDER BY at DESC, order_id) AS place
			  FROM delivery_times WHERE subject IN (?) AND at >= ?) AS latest
		 WHERE place <= ? ORDER BY millis`, subjects, toMillis(now.Add(-deliveryTimesAge)), deliveryTimesPerSubject)
	if err != nil {
		return nil, fmt.Errorf("read delivery times: %w", err)
	}
	rows, err := selectRows[struct {
		Subject string `db:"subject"`
		Millis  int64  `db:"millis"`
		Arrived bool   `db:"arrived"`
	}](ctx, db, db.reader, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read delivery times: %w", err)
	}
	found := map[string]DeliveryTimes{}
	for _, row := range rows {
		times, took := found[row.Subject], time.Duration(row.Millis)*time.Millisecond
		if row.Arrived {
			times.Arrived = append(times.Arrived, took)
		} else {
			times.Ended = append(times.Ended, took)
		}
		found[row.Subject] = times
	}
	return found, nil
}

// insertDeliveryTime stores the outcome of an order. A code that comes after the end
// replaces the outcome that none came.
func insertDeliveryTime(ctx context.Context, tx *sqlx.Tx, o Order, outcome DeliveryTime) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO delivery_times (order_id, subject, millis, arrived, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (order_id) DO UPDATE SET millis = excluded.millis, arrived = excluded.arrived, at = excluded.at`,
		o.ID, o.Subject(), outcome.Took.Milliseconds(), bit(outcome.Arrived), toMillis(o.UpdatedAt))
	return err
}
