package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Failover is what becomes of a PostgreSQL database when its server is lost
// (DATABASE_FAILOVER).
type Failover string

// The kinds of failover. "" is not known: it is judged by the standbys that are connected.
const (
	FailoverNone         Failover = "none"          // no standby takes its place
	FailoverSynchronous  Failover = "synchronous"   // one that has every commit
	FailoverAcceptedLoss Failover = "accepted-loss" // one that may lack the last commits
)

// ErrNotDurable says that a failover could lose a purchase that is being sent: then it
// could be confirmed a second time.
var ErrNotDurable = errors.New("storage: standbys replicate asynchronously, and a failover would lose purchases")

// durableFor is how long a result of Durable counts.
const durableFor = 30 * time.Second

// durability is the last result of DB.Durable.
type durability struct {
	mu     sync.Mutex
	readAt time.Time
	err    error
}

// Durable returns ErrNotDurable if a failover could lose what is committed now. It returns
// ErrRestored where the database was restored from a backup, or a failover may have lost
// commits and that is accepted, and no admin has looked. A file has no failover.
func (db *DB) Durable(ctx context.Context) error {
	restoration, err := db.Restoration(ctx)
	if err == nil && !restoration.At.IsZero() && (restoration.Backup || db.failover == FailoverAcceptedLoss) {
		err = ErrRestored
	}
	if err != nil || db.failover == FailoverAcceptedLoss {
		return err
	}
	if db.writes == nil || db.failover == FailoverNone {
		return nil
	}
	d := &db.durability
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.readAt.IsZero() && time.Since(d.readAt) < durableFor {
		return d.err
	}
	var server struct {
		Standbys int    `db:"standbys"`
		Names    string `db:"names"`
		Commit   string `db:"commit"`
	}
	if err := db.reader.GetContext(ctx, &server, `SELECT (SELECT COUNT(*) FROM pg_stat_replication) AS standbys,
		current_setting('synchronous_standby_names') AS names, current_setting('synchronous_commit') AS commit`); err != nil {
		return fmt.Errorf("read the server's replication: %w", err)
	}
	d.readAt, d.err = time.Now(), db.failover.judge(server.Standbys, server.Names, server.Commit)
	return d.err
}

// judge returns ErrNotDurable if a failover could lose commits. standbys are those that are
// connected; names and commit are synchronous_standby_names and synchronous_commit.
func (f Failover) judge(standbys int, names, commit string) error {
	// remote_write is lost where both machines stop, local on each failover.
	isSynchronous := names != "" && (commit == "on" || commit == "remote_apply")
	if isSynchronous || standbys == 0 && f != FailoverSynchronous {
		return nil
	}
	return ErrNotDurable
}

// Hosts returns the number of servers that a database URL names, 0 for a file.
func Hosts(databaseURL string) int {
	if file, err := FilePath(databaseURL); file != "" || err != nil {
		return 0
	}
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return 0
	}
	hosts := []string{fmt.Sprint(config.Host, config.Port)}
	for _, other := range config.Fallbacks { // also the same host without TLS
		hosts = append(hosts, fmt.Sprint(other.Host, other.Port))
	}
	slices.Sort(hosts)
	return len(slices.Compact(hosts))
}
