package handlers_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/testworld"
)

const databaseHeading = `
## The database

On SQLite. In flight a write fails as it does on a full or read-only disk, and after five seconds while another program
writes: for a minute, all writes or those of one table. At the start the file is damaged, and is put back from a backup
afterwards.

What is not here: a disk that is full or read-only at the start (` + "`TestBadInput`" + ` runs each command of the program on
one), a lock at the start (the program waits for it), and a COMMIT whose answer is cut off, which only PostgreSQL can have
(` + "`TestCommitWithoutAnswer`" + ` cuts that of each write).

| When | Fault | The person sees | The operator sees | Afterwards |
|---|---|---|---|---|
`

// databaseScene is where the program writes.
type databaseScene struct {
	when    string
	prepare func(w *world)
	act     func(w *world)
	usual   string // is on the screen where nothing is broken
	mend    func(w *world) string
}

// databaseFaults are the changes that fail, by what the page calls them; "": all.
var databaseFaults = []struct{ name, change string }{
	{"no write succeeds", ""},
	{"messages to people", "INSERT ON outbox"},
	{"purchases", "UPDATE ON purchases"},
	{"new orders", "INSERT ON orders"},
	{"orders", "UPDATE ON orders"},
	{"updates from Telegram", "INSERT ON inbox"},
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
	for _, scene := range databaseScenes {
		for _, fault := range databaseFaults {
			trials = append(trials, trial{scene: scene.when, fault: fault.name, run: func(t *testing.T) cell { return scene.run(t, fault.change) }})
		}
	}
	for _, damage := range damages {
		trials = append(trials, trial{scene: "the start", fault: damage.name, run: func(t *testing.T) cell { return startsOn(t, damage.change) }})
	}
	return trials
}

// run refuses changes and finds out what becomes of them.
func (s *databaseScene) run(t *testing.T, change string) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		if s.prepare != nil {
			s.prepare(w)
		}
		before := w.screen()
		changes := []string{change}
		if change == "" {
			changes = nil
			for _, table := range w.Tables() {
				changes = append(changes, "INSERT ON "+table, "UPDATE ON "+table, "DELETE ON "+table)
			}
		}
		w.refuse(changes)
		w.Log.Reset()
		s.act(w)
		found.saw = w.wait(before, s.usual)
		pass(10 * time.Second)
		found.stored = w.alarms()
		w.accept(changes)
		found.then = s.mend(w)
		w.checkMoney()
	})
	return found
}

// refuse makes the database refuse changes, with one statement for all.
func (w *world) refuse(changes []string) {
	w.T.Helper()
	var statements strings.Builder
	for i, change := range changes {
		fmt.Fprintf(&statements, "CREATE TRIGGER refuse%d BEFORE %s BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;\n", i, change)
	}
	w.Exec(statements.String())
}

// accept ends refuse.
func (w *world) accept(changes []string) {
	w.T.Helper()
	var statements strings.Builder
	for i := range changes {
		fmt.Fprintf(&statements, "DROP TRIGGER refuse%d;\n", i)
	}
	w.Exec(statements.String())
}

// alarms says what the operator sees: whether the program is ready, and what the log has.
func (w *world) alarms() string {
	w.T.Helper()
	ready := "/readyz: database ok"
	if w.app.DB.Ping(w.T.Context()) != nil {
		ready = "/readyz: database failed"
	}
	switch log := w.Log.String(); {
	case strings.Contains(log, "level=ERROR"):
		return ready + "; errors in the log"
	case strings.Contains(log, "level=WARN"):
		return ready + "; warnings in the log"
	default:
		return ready
	}
}

// damages are what is wrong with the file at the start.
var damages = []struct {
	name   string
	change func(content []byte) []byte
}{
	{"a damaged page of the schema", func(content []byte) []byte { return overwrite(content, 200, 4096) }},
	{"damaged pages of tables", func(content []byte) []byte { return overwrite(content, 4096, len(content)) }},
	{"half a file", func(content []byte) []byte { return content[:len(content)/8192*4096] }},
	{"another file", func(content []byte) []byte { return bytes.Repeat([]byte("text "), len(content)/5) }},
}

func overwrite(content []byte, from, to int) []byte {
	damaged := bytes.Clone(content)
	copy(damaged[from:to], bytes.Repeat([]byte{0xa5}, to-from))
	return damaged
}

// startsOn starts the program on a damaged file, and then on the file as it was.
func startsOn(t *testing.T, damage func(content []byte) []byte) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.heldOrder()
		w.stop()
		content, err := os.ReadFile(w.DatabasePath())
		must(w.T, err)
		must(w.T, os.WriteFile(w.DatabasePath(), damage(content), 0o600))
		found.saw = nothing
		app, err := w.Build(w.cfg, testworld.Options{Version: "v1.2.3"})
		if err == nil {
			_ = app.Stop(w.T.Context())
			w.T.Fatal("it starts")
		}
		found.stored = "the program ends: " + strings.ReplaceAll(err.Error(), w.Dir, "")
		must(w.T, os.WriteFile(w.DatabasePath(), content, 0o600))
		w.start()
		w.finish()
		found.then = w.goodsInTheEnd()
	})
	return found
}
