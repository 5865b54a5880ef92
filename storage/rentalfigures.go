package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

const (
	// minFigureRentals and minFigurePeople are from how many rentals and people on there
	// are figures: fewer say little about a number, and much about a person.
	minFigureRentals = 5
	minFigurePeople  = 2
	// changedMind is the age up to which a cancelled rental says nothing about the number.
	changedMind = time.Minute
	// mostUsedRentals is how many of the last rentals are counted to find the projects
	// that are rented most.
	mostUsedRentals = 10_000
)

// RentalFigures says how the last rentals of a project in a country went, at most the
// last hundred of 14 days, of all people.
type RentalFigures struct {
	Rentals int           `db:"rentals"` // that have ended, or got a code
	Codes   int           `db:"codes"`   // rentals that got one, also after their end
	Median  time.Duration // until the first code; 0 if none came
}

// rentalFigures is one statement, so that a person who opens a list waits for one. The rows
// of delivery_times bound it: a hundred of each subject are kept.
const rentalFigures = `WITH latest AS (
		SELECT d.subject, d.millis, d.arrived, o.user_id, CASE WHEN o.delivered > 0 THEN 1 ELSE 0 END AS came,
		       ROW_NUMBER() OVER (PARTITION BY d.subject ORDER BY d.at DESC, d.order_id) AS place
		  FROM delivery_times d JOIN orders o ON o.id = d.order_id
		 WHERE d.subject IN (?) AND d.at >= ? AND (o.delivered > 0 OR o.cancel_sent_at = 0 OR o.cancel_sent_at >= o.created_at + ?)),
	sorted AS (
		SELECT subject, millis, arrived, user_id, came,
		       ROW_NUMBER() OVER (PARTITION BY subject, arrived ORDER BY millis) AS position, COUNT(*) OVER (PARTITION BY subject, arrived) AS alike
		  FROM latest WHERE place <= ?)
	SELECT subject, COUNT(*) AS rentals, CAST(SUM(came) AS BIGINT) AS codes, MAX(CASE WHEN arrived = 1 AND position = alike / 2 + 1 THEN millis ELSE 0 END) AS median
	  FROM sorted GROUP BY subject HAVING COUNT(*) >= ? AND COUNT(DISTINCT user_id) >= ?`

// RentalFigures returns the figures of rentals by Subject. Those with too few rentals, or
// people, are missing. Rentals that were cancelled within a minute do not count, nor do
// those of forgotten people.
func (db *DB) RentalFigures(ctx context.Context, now time.Time, subjects []string) (map[string]RentalFigures, error) {
	figures := map[string]RentalFigures{}
	if len(subjects) == 0 {
		return figures, nil
	}
	query, args, err := sqlx.In(rentalFigures, subjects, toMillis(now.Add(-deliveryTimesAge)), changedMind.Milliseconds(), deliveryTimesPerSubject, minFigureRentals, minFigurePeople)
	if err != nil {
		return nil, fmt.Errorf("read figures of rentals: %w", err)
	}
	rows, err := selectRows[struct {
		RentalFigures
		Subject string `db:"subject"`
		Median  int64  `db:"median"`
	}](ctx, db, db.reader, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read figures of rentals: %w", err)
	}
	for _, row := range rows {
		row.RentalFigures.Median = time.Duration(row.Median) * time.Millisecond
		figures[row.Subject] = row.RentalFigures
	}
	return figures, nil
}

// mostRentedProjects reads the newest rentals by orders_sms.
const mostRentedProjects = `SELECT project FROM (
		SELECT project, user_id, created_at FROM orders WHERE kind = 'sms' ORDER BY created_at DESC, id DESC LIMIT ?) AS latest
	 WHERE project <> '' AND user_id <> 0 AND created_at >= ?
	 GROUP BY project HAVING COUNT(DISTINCT user_id) >= ? ORDER BY COUNT(*) DESC, project LIMIT ?`

// MostRentedProjects returns the ids of the projects that several people rented numbers
// for most often in the last 14 days, the most used first.
func (db *DB) MostRentedProjects(ctx context.Context, now time.Time, limit int) ([]string, error) {
	var ids []string
	err := db.reader.SelectContext(ctx, &ids, mostRentedProjects, mostUsedRentals, toMillis(now.Add(-deliveryTimesAge)), minFigurePeople, limit)
	if err != nil {
		return nil, fmt.Errorf("read the most rented projects: %w", err)
	}
	return ids, nil
}

// RentedProjects returns the ids of the projects for which a person rented numbers, the
// latest first.
func (db *DB) RentedProjects(ctx context.Context, userID int64, limit int) ([]string, error) {
	var ids []string
	err := db.reader.SelectContext(ctx, &ids,
		`SELECT project FROM orders WHERE user_id = ? AND kind = 'sms' AND project <> '' GROUP BY project ORDER BY MAX(created_at) DESC LIMIT ?`, userID, limit)
	if err != nil {
		return nil, fmt.Errorf("read rented projects: %w", err)
	}
	return ids, nil
}
