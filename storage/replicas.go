package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Replica is a copy of the program that runs on the database. It is alive until its time
// is over, which it renews.
type Replica struct {
	ID        string    `db:"id"`
	Version   string    `db:"version"`
	Settings  string    `db:"settings"` // a digest of those that all replicas must share
	Keys      string    `db:"keys"`     // ids of those of its Keyring, with commas between; set by AddReplica
	StartedAt time.Time `db:"started_at"`
	Until     time.Time `db:"until"`
}

var replicaColumns = columnsOf[Replica]()

// selectReplicas gives those that are alive at a time.
var selectReplicas = `SELECT ` + replicaColumns + ` FROM replicas WHERE until > ? ORDER BY started_at, id`

// Beat is the result of DB.Beat.
type Beat struct {
	Removed bool      // others have counted the replica as dead; nothing was done
	Held    bool      // the replica has the lease
	Ended   bool      // the replica has ended leases of others
	Others  []Replica // that are alive
}

// leaseOver is an expiry that has passed, whatever the clock says. 0 is that of rows
// without a lease.
const leaseOver = 1

// AddReplica adds a replica with the keys of the DB. The error is ErrMoved where the
// database was moved, and an *UnknownKeyError where it is rotated to a key that the DB lacks.
func (db *DB) AddReplica(ctx context.Context, r Replica) error {
	r.Keys = db.keys.ids()
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		query, args := db.insertion("replicas", &r)
		_, err := tx.ExecContext(ctx, query+` ON CONFLICT (id) DO NOTHING`, args...)
		return err
	})
	if err == nil { // afterwards: Move sees the replica, or the replica sees its mark
		err = checkNotMoved(ctx, db.reader)
	}
	if err == nil { // afterwards: Rotate sees the replica, or the replica sees its key
		err = db.checkDigestKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("add replica: %w", err)
	}
	return nil
}

// Beat renews a replica until then. It gives the lease of this name to the replica if no
// other that is alive has it; "" asks for none. The one that has the lease removes dead
// replicas and ends the leases of their purchases; their chats are orphaned then. With
// the lease all leases of polls, messages, broadcasts and cancels of swaps end. The error is
// ErrMoved where the database was moved meanwhile.
func (db *DB) Beat(ctx context.Context, id, lease string, now, until time.Time) (Beat, error) {
	var beat Beat
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		beat = Beat{}
		renewed, err := db.transitionTx(ctx, tx, `UPDATE replicas SET until = ? WHERE id = ?`, toMillis(until), id)
		if err != nil || !renewed {
			beat.Removed = err == nil
			return err
		}
		beat.Others, err = selectRows[Replica](ctx, db, tx, `SELECT `+replicaColumns+` FROM replicas WHERE id <> ? AND until > ? ORDER BY started_at, id`, id, toMillis(now))
		if err != nil || lease == "" {
			return err
		}
		return db.takeLease(ctx, tx, &beat, id, lease, now)
	})
	if err == nil {
		err = checkNotMoved(ctx, db.reader)
	}
	if err != nil {
		return Beat{}, fmt.Errorf("renew replica: %w", err)
	}
	return beat, nil
}

func (db *DB) takeLease(ctx context.Context, tx *sqlx.Tx, beat *Beat, id, lease string, now time.Time) error {
	var owner string
	err := tx.GetContext(ctx, &owner, `SELECT owner FROM leases WHERE name = ?`, lease)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, other := range beat.Others {
		if other.ID == owner {
			return nil
		}
	}
	beat.Held = true
	beat.Ended, err = db.transitionTx(ctx, tx, `DELETE FROM replicas WHERE until <= ?`, toMillis(now))
	if err != nil {
		return err
	}
	if owner != id {
		beat.Ended = true
		if _, err := tx.ExecContext(ctx, `INSERT INTO leases (name, owner) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET owner = excluded.owner`, lease, id); err != nil {
			return err
		}
		for _, query := range []string{
			`UPDATE orders SET lease_until = ? WHERE closed_at = 0 AND lease_until > 0`,
			`UPDATE outbox SET lease_until = ? WHERE state = 'pending' AND lease_until > 0`,
			`UPDATE broadcasts SET lease_until = ? WHERE state IN ('sending', 'done', 'stopped') AND lease_until > 0`,
			`UPDATE swaps SET due_at = ? WHERE state = 'cancelling'`,
		} {
			if _, err := tx.ExecContext(ctx, query, leaseOver); err != nil {
				return err
			}
		}
	}
	if beat.Ended {
		_, err = tx.ExecContext(ctx, `UPDATE purchases SET lease_until = ? WHERE state IN ('claimed', 'sending')
			AND NOT EXISTS (SELECT 1 FROM replicas WHERE purchases.lease_owner LIKE replicas.id || '/%')`, leaseOver)
	}
	return err
}

// RemoveReplica removes a replica and frees its leases.
func (db *DB) RemoveReplica(ctx context.Context, id string) error {
	return db.removeReplicas(ctx, `DELETE FROM leases WHERE owner = ?`, `DELETE FROM replicas WHERE id = ?`, id)
}

// RemoveReplicas removes all replicas. Call it only when no other process uses the
// database.
func (db *DB) RemoveReplicas(ctx context.Context) error {
	return db.removeReplicas(ctx, `DELETE FROM leases`, `DELETE FROM replicas`)
}

func (db *DB) removeReplicas(ctx context.Context, leases, replicas string, args ...any) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, leases, args...)
		if err == nil {
			_, err = tx.ExecContext(ctx, replicas, args...)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove replicas: %w", err)
	}
	return nil
}

// Replicas returns the replicas that are alive.
func (db *DB) Replicas(ctx context.Context, now time.Time) (replicas []Replica, err error) {
	replicas, err = selectRows[Replica](ctx, db, db.reader, selectReplicas, toMillis(now))
	if err != nil {
		return nil, fmt.Errorf("read replicas: %w", err)
	}
	return replicas, nil
}

// ClockOffset returns by how much the clock of this machine is ahead of the database
// server's. A file has no clock of its own.
func (db *DB) ClockOffset(ctx context.Context) (time.Duration, error) {
	if db.writes == nil {
		return 0, nil
	}
	before := time.Now()
	var millis int64
	if err := db.reader.GetContext(ctx, &millis, selectClock); err != nil {
		return 0, fmt.Errorf("read the server's clock: %w", err)
	}
	after := time.Now()
	return before.Add(after.Sub(before) / 2).Sub(fromMillis(millis)), nil
}
