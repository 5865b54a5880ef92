package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hstockbot/storage"
)

// readable reports whether the tables of the database could be read.
func (d databaseFacts) readable() bool {
	return d.asked && d.err == nil && d.schemaErr == nil && d.known
}

// unread adds the line of a check that needs the tables, or whose query failed.
func (f *findings) unread(d databaseFacts, err error) {
	switch {
	case !d.asked:
		f.notAsked()
	case errors.Is(d.err, storage.ErrNoDatabase):
		f.add(Info, "start the bot", "nothing yet")
	case d.err != nil:
		f.add(Info, "see database", "not checked")
	case d.schemaErr != nil || !d.known:
		f.add(Info, "see schema", "not checked")
	case errors.Is(err, context.DeadlineExceeded):
		f.add(Info, "try again when less is going on", "not finished within %s", timeout)
	default:
		f.add(Bad, "see database; if it is fine, report it", "the database can't be read: %v", err)
	}
}

func judgeDatabase(f *facts) (found findings) {
	switch err := f.database.err; {
	case !f.database.asked:
		found.notAsked()
	case errors.Is(err, storage.ErrNoDatabase):
		found.add(Info, "start the bot, which makes it; if you expected one, check DATABASE_URL and the folder in which the bot runs", "there is none yet")
	case errors.Is(err, storage.ErrForeign):
		found.add(Bad, "set DATABASE_URL to the bot's own database, or to a new one", "it is no database of this program")
	case errors.Is(err, storage.ErrMoved):
		found.add(Bad, "set DATABASE_URL to the database that it was moved to", "it was moved by migrate-db")
	case errors.Is(err, storage.ErrMoveUnfinished):
		found.add(Bad, "run migrate-db again with the same databases", "it is the target of a migrate-db that was cut off")
	case err != nil && f.path != "":
		found.add(Bad, "set DATABASE_URL to a file that this user can read; if it is damaged, restore a backup", "it can't be opened: %v", err)
	case err != nil:
		found.add(Bad, "check that PostgreSQL runs, DATABASE_URL with its password, and the network", "it can't be opened: %v", err)
	case errors.Is(f.database.botErr, storage.ErrOtherBot):
		found.add(Bad, "set TELEGRAM_TOKEN and DATABASE_URL to those of one bot; the bot does not start as it is", "%v", f.database.botErr)
	case f.path != "":
		found.ok("%s is readable, %d MiB", f.path, (f.files.size+mebibyte-1)/mebibyte)
	default:
		found.ok("PostgreSQL answers")
	}
	return found
}

func judgeSchema(f *facts) (found findings) {
	switch d, s := f.database, f.database.schema; {
	case !d.asked || d.err != nil:
		found.unread(d, nil)
	case d.schemaErr != nil:
		found.add(Bad, "see database", "its version can't be read: %v", d.schemaErr)
	case s.Required > s.Known:
		found.add(Bad, "update this program, or restore the backup from before the update", "a newer program is needed: the database requires version %d, this program knows %d", s.Required, s.Known)
	case s.Version > s.Known:
		found.add(Info, "update this program", "version %d, of a newer program; this one knows %d and may use it", s.Version, s.Known)
	case s.Version < s.Known:
		found.add(Info, "make a backup; the bot brings it up to date at its next start", "version %d, and this program makes %d", s.Version, s.Known)
	default:
		found.ok("version %d, as this program makes it", s.Version)
	}
	return found
}

func judgeIntegrity(f *facts) (found findings) {
	const restore = "stop the bot, copy its files away, and restore a backup"
	switch d := f.database; {
	case f.path == "" && d.asked:
		return nil
	case !d.asked || d.err != nil:
		found.unread(d, nil)
	case errors.Is(d.integrityErr, context.DeadlineExceeded):
		found.unread(databaseFacts{asked: true, known: true}, d.integrityErr)
	case d.integrityErr != nil:
		found.add(Bad, restore, "it can't be checked: %v", d.integrityErr)
	case len(d.damages) > 0:
		found.add(Bad, restore, "the database is damaged: %s", strings.Join(d.damages, ", "))
	case d.schemaErr == nil:
		found.ok("SQLite finds no damage")
	default:
		found.add(Info, "see schema", "not checked")
	}
	return found
}

func judgeKeys(f *facts) (found findings) {
	d := f.database
	switch {
	case !d.readable():
		found.unread(d, nil)
	case errors.Is(d.keysErr, errNoKey):
		found.add(Bad, "put secret.key back beside the database, or set SECRET_KEY to its content: the bot does not start without", "the key is missing")
	case d.keysErr != nil:
		found.add(Bad, "correct SECRET_KEY or secret.key", "the keys can't be used: %v", d.keysErr)
	case d.sealedErr != nil:
		found.unread(d, d.sealedErr)
	case len(d.sealed) == 0:
		found.ok("%s opened, one of each column and key", count(int64(d.opened), "sealed value"))
	}
	var lacking []string // ids of keys, which are no secrets
	for _, err := range d.sealed {
		unknown, ok := errors.AsType[*storage.UnknownKeyError](err)
		switch {
		case !ok:
			found.add(Bad, "the key is another one of the same id, or the values are damaged: restore a backup", "%v", err)
		case !slices.Contains(lacking, unknown.KeyID):
			lacking = append(lacking, unknown.KeyID)
			found.add(Bad, "put the missing key back, after the newest one", "%v", err)
		}
	}
	return found
}

func judgeServer(f *facts) (found findings) {
	if f.path != "" || !f.database.asked || f.database.err != nil {
		return nil
	}
	if err := f.database.serverErr; err != nil {
		found.add(Bad, "change the server; the bot refuses it as it is", "%v", err)
	} else {
		found.ok("its version and settings are as the bot needs them")
	}
	return found
}

func judgeReplication(f *facts) (found findings) {
	d := f.database
	if f.path != "" || !d.asked || d.err != nil {
		return nil
	}
	failover := f.Config.DatabaseFailover
	if failover == "" {
		failover = "not set"
	}
	switch {
	case errors.Is(d.durable, storage.ErrNotDurable):
		found.add(Bad, "make replication synchronous, or set DATABASE_FAILOVER to what becomes of a lost server: nobody can buy as it is",
			"%s connected, DATABASE_FAILOVER is %s, and replication is not synchronous", count(d.standbys, "standby"), failover)
	case errors.Is(d.durable, storage.ErrRestored):
		found.add(Info, "see restored", "not checked")
	case d.durable != nil:
		found.add(Bad, "see server", "it can't be read: %v", d.durable)
	case failover == string(storage.FailoverAcceptedLoss):
		found.add(Info, "nothing, if you meant it", "DATABASE_FAILOVER is accepted-loss: a failover may lose purchases")
	default:
		found.ok("%s connected, DATABASE_FAILOVER is %s", count(d.standbys, "standby"), failover)
	}
	return found
}

// judgeRestored has a line only while an admin has to look.
func judgeRestored(f *facts) (found findings) {
	if errors.Is(f.database.durable, storage.ErrRestored) {
		found.add(Bad, "compare the orders on HStockPlus with those of the bot, then tap the button in /admin", "the database was restored, and nobody can buy until an admin has looked")
	}
	return found
}

func judgeRunning(f *facts) (found findings) {
	d := f.database
	locked := f.path != "" && f.files.locked
	switch {
	case !d.asked:
		found.notAsked()
	case f.path != "" && (f.files.err != nil || f.files.lockedErr != nil):
		found.add(Info, "see files; run this command as the user of the bot", "not known: %v", errors.Join(f.files.err, f.files.lockedErr))
	case f.path != "" && !locked:
		found.add(Info, "start the bot", "no bot runs on the database")
	case locked && (!d.readable() || d.replicasErr != nil || len(d.replicas) == 0):
		found.ok("a bot runs on the database")
	case !d.readable() || d.replicasErr != nil:
		found.unread(d, d.replicasErr)
	case len(d.replicas) == 0:
		found.add(Info, "start the bot", "no bot runs on the database")
	default:
		found.copies(d.replicas, f.Version)
	}
	return found
}

// copies adds the lines about copies of the bot that run.
func (f *findings) copies(replicas []storage.Replica, version string) {
	var versions, settings []string
	for _, r := range replicas {
		versions, settings = append(versions, r.Version), append(settings, r.Settings)
	}
	slices.Sort(versions)
	slices.Sort(settings)
	versions, settings = slices.Compact(versions), slices.Compact(settings)
	text := "a bot runs on the database"
	if len(replicas) > 1 {
		text = fmt.Sprintf("%d copies of the bot run on the database", len(replicas))
	}
	if len(settings) > 1 {
		f.add(Bad, "give all copies the same settings, except addresses, and restart them", "%s, with different settings", text)
	}
	text += ", version " + strings.Join(versions, " and ")
	switch {
	case len(versions) > 1 || versions[0] != version:
		f.add(Info, "restart what is older, unless you are updating right now", "%s; this program has version %s", text, version)
	case len(settings) == 1:
		f.ok("%s, since %s", text, replicas[0].StartedAt.UTC().Format(time.RFC3339))
	}
}
