package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"hstockbot/internal/backups"
	"hstockbot/internal/config"
	"hstockbot/storage"
)

// backupFacts are about the daily backups of a database file.
type backupFacts struct {
	err      error // of the folder
	noFolder bool  // it does not exist
	madeAt   time.Time
	last     databaseFacts // of the last one, if there is one
}

// readBackups looks at the folder of the backups and opens the last one.
func readBackups(ctx context.Context, cfg config.Config, path string, useKey bool) (f backupFacts) {
	folder := cfg.BackupDir
	if path == "" || folder == "" {
		return f
	}
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.noFolder = true
		return f
	case err == nil && !info.IsDir():
		err = errors.New("it is no folder")
	case err == nil:
		err = writable(folder)
	}
	if err != nil {
		f.err = err
		return f
	}
	name, at, err := storage.LastDailyBackup(folder, path, cfg.BotID())
	if err != nil || name == "" {
		f.err = err
		return f
	}
	f.madeAt, cfg.DatabaseURL = at, "sqlite:"+name
	f.last, _ = inspect(ctx, cfg, path, useKey) // nobody writes to it
	return f
}

func judgeBackups(f *facts) (found findings) {
	b, folder := f.backups, f.Config.BackupDir
	age := f.now.Sub(b.madeAt).Round(time.Second)
	level := Info // the bot makes one at its start
	if f.runs() {
		level = Bad
	}
	switch damage := b.last.damage(); {
	case !f.database.asked || !f.use("BACKUP_DIR"):
		found.notAsked()
	case f.path == "":
		found.add(Info, "let a timer run pg_dump --format=custom --file=FILE with the address of DATABASE_URL each day", "PostgreSQL makes its own, which are not seen from here")
	case folder == "":
		found.add(Info, "set BACKUP_DIR to a folder, best on another disk, and restart the bot", "none are made each day, because BACKUP_DIR is not set")
	case b.err != nil:
		found.add(Bad, "let the user of the bot own the folder of BACKUP_DIR, and run this command as that user", "none can be made in %s: %v", folder, b.err)
	case b.noFolder:
		found.add(level, "start the bot, or restart it after a change of BACKUP_DIR: it makes the folder and a backup", "the folder %s does not exist", folder)
	case b.madeAt.IsZero():
		found.add(level, "start the bot, or restart it after a change of BACKUP_DIR; then look for \"daily backup failed\" in the log", "there is none in %s", folder)
	case damage != nil:
		found.add(Bad, "delete it and restart the bot, which makes another", "the last one, made %s ago in %s, can't be restored: %v", age, folder, damage)
	case len(b.last.sealed) > 0:
		found.add(Info, "keep the older keys until there is a newer backup", "the last one, made %s ago in %s, needs a key that is not set: %v", age, folder, b.last.sealed[0])
	case age >= backups.Overdue:
		found.add(level, "start the bot; if it runs, look for \"daily backup failed\" in the log", "the last one in %s was made %s ago", folder, age)
	case errors.Is(b.last.integrityErr, context.DeadlineExceeded):
		found.add(Info, "try again when less is going on", "the last one in %s was made %s ago, and its check did not finish within %s", folder, age, timeout)
	default:
		found.ok("the last one in %s was made %s ago and can be restored", folder, age)
	}
	return found
}

// damage returns why a backup can't be restored, nil for a good one.
func (d databaseFacts) damage() error {
	switch {
	case len(d.damages) > 0:
		return fmt.Errorf("it is damaged: %s", strings.Join(d.damages, ", "))
	case d.integrityErr != nil && !errors.Is(d.integrityErr, context.DeadlineExceeded):
		return d.integrityErr
	}
	for _, err := range d.sealed {
		if _, missing := errors.AsType[*storage.UnknownKeyError](err); !missing {
			return err
		}
	}
	return errors.Join(d.err, d.schemaErr)
}
