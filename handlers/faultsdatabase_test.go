package handlers_test

import (
	"bytes"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/disk"
	"hstockbot/internal/sandbox/testworld"
)

const databaseHeading = `
## The database

On SQLite. In flight the fault lasts until the person has seen something, at most a minute, and ten seconds more. At the
start it lasts a minute.

- **another program writes**: a connection that is not the program’s holds SQLite’s lock for writing, **has all of it**: for
  reading, too. **another copy runs**: of this program, on the same file.
- **the disk is full, read-only**, **COMMIT fails**: SQLite’s calls for files fail as they do where the kernel answers ENOSPC,
  EROFS, and an error of fsync. The last one is a COMMIT without an answer: what it has written stands in the file.
- **damaged pages**: bytes of the file are overwritten under the open connections. For the end the program is stopped, and
  what is still damaged is put back.
- **refused**: a trigger refuses one kind of change, and all others succeed.

What is not here: a disk that is read-only at the start (` + "`TestBadInput`" + ` mounts one for each command of the program), and a
COMMIT whose answer PostgreSQL’s client does not get (` + "`TestCommitWithoutAnswer`" + ` cuts that of each write).

| When | Fault | The person sees | Stored, and what the operator sees | Afterwards |
|---|---|---|---|---|
`

const pageSize = 4096

// databaseScene is where the program writes.
type databaseScene struct {
	when    string
	prepare func(w *world)
	act     func(w *world)
	usual   string // is on the screen where nothing is broken
	mend    func(w *world) string
}

// databaseFault is what is wrong with the database in flight.
type databaseFault struct {
	name  string
	begin func(w *world) (end func())
	stops bool // the operator stops the program for the end
}

var databaseFaults = []databaseFault{
	{name: "another program writes", begin: (*world).occupy},
	{name: "the disk is full", begin: breaks(disk.Full)},
	{name: "the disk is read-only", begin: breaks(disk.ReadOnly)},
	{name: "COMMIT fails", begin: breaks(disk.Unsynced)},
	{name: "damaged pages: orders", begin: damages(`name = 'orders'`), stops: true},
	{name: "damaged pages: indexes of orders", begin: damages(`type = 'index' AND tbl_name = 'orders'`), stops: true},
	{name: "damaged pages: purchases", begin: damages(`name = 'purchases'`), stops: true},
	{name: "damaged pages: updates from Telegram", begin: damages(`name = 'inbox'`), stops: true},
	{name: "refused: messages to people", begin: refuses("INSERT ON outbox")},
	{name: "refused: purchases", begin: refuses("UPDATE ON purchases")},
	{name: "refused: new orders", begin: refuses("INSERT ON orders")},
	{name: "refused: orders", begin: refuses("UPDATE ON orders")},
	{name: "refused: updates from Telegram", begin: refuses("INSERT ON inbox")},
}

var databaseScenes = []databaseScene{
	{when: "a message", usual: "Commands:", act: types("/help"), mend: func(w *world) string {
		return "answered " + w.until("the answer", func() bool { return count(w.chat, "Commands:") > 0 })
	}},
	{when: "✅ Confirm", usual: "Order #23501 placed", prepare: (*world).heldCard, act: taps("confirm_button_confirm"), mend: func(w *world) string {
		pass(time.Minute)
		return w.goodsInTheEnd()
	}},
	{when: "goods", usual: "delivered", prepare: (*world).heldOrder, act: (*world).finish, mend: (*world).goodsInTheEnd},
	{when: "a code", usual: "424242", prepare: func(w *world) { w.rent("1") }, act: (*world).finish, mend: (*world).codeInTheEnd},
}

func databaseTrials() (trials []trial) {
	disk.Install()
	for _, scene := range databaseScenes {
		for _, fault := range databaseFaults {
			trials = append(trials, trial{scene: scene.when, fault: fault.name, run: func(t *testing.T) cell { return scene.run(t, fault) }})
		}
	}
	for _, fault := range startFaults {
		trials = append(trials, trial{scene: "the start", fault: fault.name, run: func(t *testing.T) cell { return startsWith(t, fault) }})
	}
	return trials
}

// run breaks the database and finds out what becomes of it.
func (s *databaseScene) run(t *testing.T, fault databaseFault) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		if s.prepare != nil {
			s.prepare(w)
		}
		before := w.screen()
		end := fault.begin(w)
		w.Log.Reset()
		s.act(w)
		found.saw = w.wait(before, s.usual)
		pass(10 * time.Second)
		alarms := w.alarms()
		if fault.stops {
			_ = w.app.Stop(w.T.Context()) // it may say what could not be stored
			end()
			found.stored = w.stored() + "<br>" + alarms
			w.start()
		} else {
			found.stored = w.stored() + "<br>" + alarms
			end()
		}
		found.then = s.mend(w)
		w.checkMoney()
	})
	return found
}

// refuses makes the database refuse a change.
func refuses(change string) func(w *world) (end func()) {
	return func(w *world) func() { return w.Refuse(change) }
}

// breaks breaks the disk.
func breaks(fault disk.Fault) func(w *world) (end func()) {
	return func(w *world) func() {
		disk.Break(w.DatabasePath(), fault)
		return func() { disk.Mend(w.DatabasePath()) }
	}
}

// occupy begins to write as another program does.
func (w *world) occupy() (end func()) { return w.alongside(`BEGIN IMMEDIATE`) }

// alongside opens the database as a program does that takes no lock of the bot.
func (w *world) alongside(statements ...string) (end func()) {
	endWaits := disk.WaitInBubble()
	db, err := sql.Open("sqlite", "file:"+w.DatabasePath())
	must(w.T, err)
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		_, err = db.ExecContext(w.T.Context(), statement)
		must(w.T, err)
	}
	return func() {
		must(w.T, db.Close())
		endWaits()
	}
}

// damages overwrites the first pages of tables or indexes in the file, and puts back those that were
// not written since.
func damages(which string) func(w *world) (end func()) {
	return func(w *world) func() {
		var pages []int64
		w.Select(&pages, `SELECT rootpage FROM sqlite_master WHERE rootpage > 0 AND `+which)
		w.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
		file, err := os.OpenFile(w.DatabasePath(), os.O_RDWR, 0)
		must(w.T, err)
		damaged := bytes.Repeat([]byte{0xa5}, pageSize)
		whole := map[int64][]byte{}
		for _, page := range pages {
			whole[page] = make([]byte, pageSize)
			_, err = file.ReadAt(whole[page], (page-1)*pageSize)
			must(w.T, err)
			_, err = file.WriteAt(damaged, (page-1)*pageSize)
			must(w.T, err)
		}
		return func() {
			for page, content := range whole {
				now := make([]byte, pageSize)
				_, err := file.ReadAt(now, (page-1)*pageSize)
				must(w.T, err)
				if bytes.Equal(now, damaged) {
					_, err = file.WriteAt(content, (page-1)*pageSize)
					must(w.T, err)
				}
			}
			must(w.T, file.Close())
		}
	}
}

// alarms says what the operator sees: whether the program is ready, and what the log has.
func (w *world) alarms() string {
	w.T.Helper()
	ready := "/readyz: database ok"
	if w.app.DB.Ping(w.T.Context()) != nil {
		ready = "/readyz: database failed"
	}
	switch log := w.Log.String(); {
	case strings.Contains(log, "malformed") || strings.Contains(log, "damaged"):
		return ready + "; the log says that the file is damaged"
	case strings.Contains(log, "level=ERROR"):
		return ready + "; errors in the log"
	case strings.Contains(log, "level=WARN"):
		return ready + "; warnings in the log"
	default:
		return ready
	}
}

var startFaults = []databaseFault{
	{name: "another program writes", begin: (*world).occupy},
	{name: "another program has all of it", begin: func(w *world) func() {
		return w.alongside(`PRAGMA locking_mode = EXCLUSIVE`, `BEGIN EXCLUSIVE`)
	}},
	{name: "another copy runs", begin: func(w *world) func() {
		first := w.Start(w.cfg, testworld.Options{})
		return func() { must(w.T, first.Stop(w.T.Context())) }
	}},
	{name: "the disk is full", begin: breaks(disk.Full)},
	{name: "COMMIT fails", begin: breaks(disk.Unsynced)},
	{name: "damaged pages: orders", begin: damages(`name = 'orders'`)},
	{name: "damaged pages: indexes of orders", begin: damages(`type = 'index' AND tbl_name = 'orders'`)},
	{name: "damaged page: the schema", begin: changes(func(content []byte) []byte { return overwrite(content, 200, pageSize) })},
	{name: "damaged pages: all others", begin: changes(func(content []byte) []byte { return overwrite(content, pageSize, len(content)) })},
	{name: "half a file", begin: changes(func(content []byte) []byte { return content[:len(content)/2/pageSize*pageSize] })},
	{name: "another file", begin: changes(func(content []byte) []byte { return bytes.Repeat([]byte("text "), len(content)/5) })},
}

// changes changes the closed file, and puts it back.
func changes(change func(content []byte) []byte) func(w *world) (end func()) {
	return func(w *world) func() {
		content, err := os.ReadFile(w.DatabasePath())
		must(w.T, err)
		must(w.T, os.WriteFile(w.DatabasePath(), change(content), 0o600))
		return func() { must(w.T, os.WriteFile(w.DatabasePath(), content, 0o600)) }
	}
}

func overwrite(content []byte, from, to int) []byte {
	damaged := bytes.Clone(content)
	copy(damaged[from:to], bytes.Repeat([]byte{0xa5}, to-from))
	return damaged
}

// startsWith starts the program on a broken database. It waits, ends, or runs until the
// fault is over.
func startsWith(t *testing.T, fault databaseFault) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.heldOrder()
		w.stop()
		before := w.screen()
		end := fault.begin(w)
		w.Log.Reset()
		started := make(chan error, 1)
		go func() {
			app, err := w.Build(w.cfg, testworld.Options{Version: "v1.2.3"})
			if err == nil {
				if err = app.Start(w.T.Context()); err != nil {
					_ = app.Stop(w.T.Context()) // as the end of the process does
				}
				w.app = app
			}
			started <- err
		}()
		pass(time.Minute)
		var became string
		select {
		case err := <-started:
			if err != nil {
				became = "the program ends: " + strings.ReplaceAll(err.Error(), w.Dir, "")
			} else {
				became = "the program runs; " + w.alarms()
				_ = w.app.Stop(w.T.Context()) // it may say what could not be stored
			}
			end()
			found.stored = w.stored() + "<br>" + became
			w.start()
		default:
			if !strings.Contains(w.Log.String(), "another process uses this database; waiting until it stops") {
				w.T.Error("the log does not say what the program waits for")
			}
			end()
			found.stored = w.stored() + "<br>the program waits, and says so in the log"
			must(w.T, <-started)
		}
		found.saw = w.glance(before)
		w.finish()
		found.then = w.goodsInTheEnd()
		w.checkMoney()
	})
	return found
}

// glance returns what the person sees without waiting for it.
func (w *world) glance(before screen) string {
	if last, _, ok := w.news(before); ok {
		return gist(last.Text)
	}
	return nothing
}
