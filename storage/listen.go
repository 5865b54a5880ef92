package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Processes on one PostgreSQL database send each other hints with NOTIFY. They may get
// lost, and nothing depends on them but how soon something happens.

const (
	// hintChannel is the channel of all hints. A notification's text is the sender's id,
	// a space, and the hint: none, where a listener checks that it would be notified.
	hintChannel  = "hints"
	closeTimeout = time.Second
)

// listenTiming is the time between two checks of a listener, and how long a notification
// may take.
type listenTiming struct{ interval, timeout time.Duration }

var defaultListenTiming = listenTiming{interval: 10 * time.Second, timeout: time.Second}

// sendHint is a transaction of its own, which waits neither for the disk nor for a
// standby. Within the transaction that stores something it would make commits wait for
// each other (PostgreSQL: PreCommit_Notify).
const sendHint = `SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, ?)`

var errNotNotified = errors.New("notifications do not arrive")

// prepareHints takes the settings of the listening connection from those of the pool.
func (db *DB) prepareHints(config *pgx.ConnConfig) {
	db.listener, db.hintSender = config.Copy(), rand.Text()
	// A pooler may notify connections that don't listen; pgx would keep that for ever.
	config.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
}

// Notify gives a hint to the other processes on the database that listen. It must not be
// empty. A file has one process.
func (db *DB) Notify(ctx context.Context, hint string) error {
	if db.writes == nil {
		return nil
	}
	if _, err := db.writer.ExecContext(ctx, sendHint, hintChannel, db.hintSender+" "+hint); err != nil {
		return fmt.Errorf("storage: notifying other processes: %w", err)
	}
	return nil
}

// Listen calls receive with each hint of another process, over a connection of its own,
// until that is lost or ctx is done. It first calls receive with "" when hints arrive
// from then on: those of before may have been missed. With a file it waits for ctx.
//
// It blocks in the network, so no synctest bubble may contain it.
func (db *DB) Listen(ctx context.Context, receive func(hint string)) error {
	if db.writes == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := db.listen(ctx, defaultListenTiming, receive); err != nil {
		return fmt.Errorf("storage: listening for other processes: %w", err)
	}
	return nil
}

func (db *DB) listen(ctx context.Context, timing listenTiming, receive func(hint string)) error {
	conn, err := pgx.ConnectConfig(ctx, db.listener)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+hintChannel); err != nil {
		return err
	}
	for first := true; ; first = false {
		// By the connections that hints are sent over: a pooler may lead this one to a
		// session that is another's a moment later, and an old server may still answer here.
		if err := db.Notify(ctx, ""); err != nil {
			return err
		}
		err := db.awaitHint(ctx, conn, timing.timeout, receive, true)
		if isTimeout(ctx, err) {
			return errNotNotified
		}
		if err != nil {
			return err
		}
		if first {
			receive("")
		}
		if err := db.awaitHint(ctx, conn, timing.interval, receive, false); !isTimeout(ctx, err) {
			return err
		}
	}
}

// isTimeout reports whether a wait ended because its time was over, and not because of
// ctx or the connection.
func isTimeout(ctx context.Context, err error) bool { return ctx.Err() == nil && pgconn.Timeout(err) }

// awaitHint passes the hints of other processes on, until the listener's own notification
// arrives, if that ends the wait, or the time is over.
func (db *DB) awaitHint(ctx context.Context, conn *pgx.Conn, limit time.Duration, receive func(hint string), own bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		sender, hint, _ := strings.Cut(notification.Payload, " ")
		switch {
		case sender != db.hintSender && hint != "":
			receive(hint)
		case sender == db.hintSender && hint == "" && own:
			return nil
		}
	}
}
