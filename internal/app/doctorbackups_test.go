package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/doctor"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// backedUp sets BACKUP_DIR to a folder with one daily backup, and returns its name. It was
// made some time ago.
func (w *doctorWorld) backedUp(ago time.Duration) (name string) {
	w.Helper()
	folder := w.backupDir()
	keys, err := storage.ParseKeys(w.settings["SECRET_KEY"])
	testworld.Must(w.T, err)
	id, _, _ := strings.Cut(testworld.Token, ":")
	db, err := storage.Open(w.Context(), storage.Options{URL: w.settings["DATABASE_URL"], Keys: keys, BotID: id})
	testworld.Must(w.T, err)
	testworld.Must(w.T, errors.Join(db.BackupDaily(w.Context(), folder), db.Close(w.Context())))
	name = filepath.Join(folder, names(w.T, folder, "")[0])
	before, _, _ := strings.Cut(name, ".daily-")
	made := before + ".daily-" + time.Now().UTC().Add(-ago).Format("20060102T150405") + ".bak"
	testworld.Must(w.T, os.Rename(name, made))
	return made
}

// backupDir sets BACKUP_DIR to an empty folder.
func (w *doctorWorld) backupDir() (folder string) {
	w.settings["BACKUP_DIR"] = w.TempDir()
	return w.settings["BACKUP_DIR"]
}

func doctorOfBackups(t *testing.T, base doctorBase) {
	t.Helper()
	if pgtest.Wanted() {
		runDoctorCases(t, base, []doctorCase{
			{"PostgreSQL", func(*doctorWorld) {}, "backups", doctor.Info, "PostgreSQL makes its own"},
			{"a folder with PostgreSQL", func(w *doctorWorld) { w.backupDir() }, "settings", doctor.Bad, "BACKUP_DIR takes"},
			{"a folder with PostgreSQL, backups", func(w *doctorWorld) { w.backupDir() }, "backups", doctor.Info, "not checked"},
		})
		return
	}
	runDoctorCases(t, base, []doctorCase{
		{"not set", func(*doctorWorld) {}, "backups", doctor.Info, "BACKUP_DIR is not set"},
		{"no folder", func(w *doctorWorld) { w.settings["BACKUP_DIR"] = filepath.Join(w.TempDir(), "new") }, "backups", doctor.Info, "does not exist"},
		{"no folder, running", func(w *doctorWorld) {
			w.lock()
			w.settings["BACKUP_DIR"] = filepath.Join(w.TempDir(), "new")
		}, "backups", doctor.Bad, "does not exist"},
		{"a file", func(w *doctorWorld) { w.settings["BACKUP_DIR"] = w.path }, "backups", doctor.Bad, "it is no folder"},
		{"none", func(w *doctorWorld) { w.backupDir() }, "backups", doctor.Info, "there is none in "},
		{"none, running", func(w *doctorWorld) { w.lock(); w.backupDir() }, "backups", doctor.Bad, "there is none in "},
		{"good", func(w *doctorWorld) { w.lock(); w.backedUp(time.Hour) }, "backups", doctor.OK, "was made 1h0m"},
		{"another bot's", func(w *doctorWorld) {
			name := w.backedUp(time.Hour)
			testworld.Must(w.T, os.Rename(name, strings.Replace(name, ".1234567.", ".42.", 1)))
		}, "backups", doctor.Info, "there is none in "},
		{"old", func(w *doctorWorld) { w.backedUp(50 * time.Hour) }, "backups", doctor.Info, "was made 50h0m"},
		{"old, running", func(w *doctorWorld) { w.lock(); w.backedUp(50 * time.Hour) }, "backups", doctor.Bad, "was made 50h0m"},
		{"half", func(w *doctorWorld) { testworld.Must(w.T, os.Truncate(w.backedUp(time.Hour), w.size()/8192*4096)) }, "backups", doctor.Bad, "can't be restored"},
		{"empty", func(w *doctorWorld) { testworld.Must(w.T, os.Truncate(w.backedUp(time.Hour), 0)) }, "backups", doctor.Bad, "missing or empty"},
		{"damaged", func(w *doctorWorld) { overwrite(w.T, w.backedUp(time.Hour)) }, "backups", doctor.Bad, "it is damaged"},
		{"of another key", func(w *doctorWorld) {
			testworld.Exec(w.T, w.backedUp(time.Hour), `UPDATE outbox SET body_sealed = 'v1.00000000.AAAA'`)
		}, "backups", doctor.Info, "needs a key that is not set"},
	})
	t.Run("read-only", func(t *testing.T) {
		w := newDoctorWorld(t, base)
		disk, remount := mounted(t, "size=1m")
		remount("ro")
		w.settings["BACKUP_DIR"] = disk
		_, lines := w.examine()
		w.has(lines, "backups", doctor.Bad, "read-only file system")
	})
}
