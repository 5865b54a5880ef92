package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"modernc.org/sqlite"
)

// What survives a kill is what the process has committed and what it has called. So a
// process that is killed at each of these events, before it happens, was killed everywhere.

// events are those of a process that is to be killed at one of them. They have a name and,
// as names repeat, a number: "call add 1".
type events struct {
	kill       func()         // ends the process, and returns when it has ended
	unfinished func() []int64 // what messages may be sent for just now, by id; of unmarked

	mu       sync.Mutex
	armed    bool
	at       string // the event to kill at; "": none
	counts   map[string]int
	happened []string
	killed   string
	unmarked [][]int64      // messages that Telegram has sent, and of which the database does not know yet; what they may be sent for
	sent     map[string]int // how often Telegram has sent messages, by chat and text
}

// arm begins to count.
func (e *events) arm(at string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed, e.at, e.counts, e.sent = true, at, map[string]int{}, map[string]int{}
}

// disarm ends counting, and returns all events and the one at which the process was killed,
// "" if it was not.
func (e *events) disarm() (happened []string, killed string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed = false
	return e.happened, e.killed
}

// event is called right before something happens that survives. It must not happen if the
// process was killed.
func (e *events) event(name string) (killed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.armed {
		return false
	}
	e.counts[name]++
	name = fmt.Sprintf("%s %d", name, e.counts[name])
	e.happened = append(e.happened, name)
	e.countUnmarked(strings.HasPrefix(name, "answer send"))
	if name == e.at {
		e.armed, e.killed = false, name
		e.kill()
		return true
	}
	return false
}

// countUnmarked counts what would come again after a kill. What a commit writes does not tell
// which message it marks: while goods are on their way, others are stored and updates are
// done. So a message counts as marked when all that it could have been sent for is finished.
func (e *events) countUnmarked(sent bool) {
	if !sent && len(e.unmarked) == 0 {
		return
	}
	now := e.unfinished()
	e.unmarked = slices.DeleteFunc(e.unmarked, func(of []int64) bool {
		return !slices.ContainsFunc(of, func(id int64) bool { return slices.Contains(now, id) })
	})
	if sent {
		e.unmarked = append(e.unmarked, now)
	}
}

// A message may come again until it is marked itself, whatever else is marked meanwhile.
func TestUnmarkedMessages(t *testing.T) {
	const tap, goods, file = 1, 2, 3
	var unfinished []int64
	e := &events{unfinished: func() []int64 { return unfinished }}
	e.arm("")
	for _, step := range []struct {
		event      string
		unfinished []int64 // when it is about to happen
		want       int
	}{
		{"commit orders:delivered,outbox:pending", nil, 0},
		{"answer sendMessage", []int64{goods}, 1},
		{"commit orders:delivered,outbox:pending", []int64{goods}, 1}, // another order
		{"commit chats,inbox:received", []int64{goods}, 1},
		{"answer sendMessage", []int64{goods, tap}, 2},
		{"commit chats,inbox:done", []int64{goods, tap}, 2},
		{"commit outbox:sent", []int64{goods}, 2}, // which of the two was marked?
		{"answer sendDocument", []int64{file}, 1},
		{"call add", nil, 0},
	} {
		unfinished = step.unfinished
		e.event(step.event)
		if len(e.unmarked) != step.want {
			t.Errorf("at %q %d messages are unmarked, want %d", step.event, len(e.unmarked), step.want)
		}
	}
}

// aroundCalls makes the calls of a pretend server events: that of the request, before
// anything is done, and that of the answer, when it is done. name returns "" for calls that
// change nothing.
func (e *events) aroundCalls(name func(r *http.Request, body []byte) string, server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) == "getUpdates" { // it waits, and may see that the caller leaves
			server.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		what := name(r, body)
		if what == "" {
			server.ServeHTTP(w, r)
			return
		}
		if e.event("call " + what) {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		if strings.HasPrefix(what, "send") && answer.Code == http.StatusOK {
			r.Body = io.NopCloser(bytes.NewReader(body))
			e.noteSent(r, body)
		}
		if e.event("answer " + what) {
			panic(http.ErrAbortHandler)
		}
		for header, values := range answer.Header() {
			w.Header()[header] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the caller may have gone
	})
}

// noteSent counts a message that was sent.
func (e *events) noteSent(r *http.Request, body []byte) {
	var message struct {
		Chat    json.RawMessage `json:"chat_id"`
		Text    string          `json:"text"`
		Caption string          `json:"caption"`
	}
	if json.Unmarshal(body, &message) != nil { // it has a file
		message.Chat, message.Text, message.Caption = json.RawMessage(r.FormValue("chat_id")), r.FormValue("text"), r.FormValue("caption")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sent != nil {
		e.sent[fmt.Sprintf("%s %s%s", message.Chat, message.Text, message.Caption)]++
	}
}

// repeated returns how many messages were sent again.
func (e *events) repeated() (repeated int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, times := range e.sent {
		repeated += times - 1
	}
	return repeated
}

// marketCall names the calls of the marketplace that change something.
func marketCall(_ *http.Request, body []byte) string {
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	if action := fields.Get("action"); slices.Contains([]string{"add", "add_sms", "cancel", "sms_code"}, action) {
		return action
	}
	return ""
}

// telegramCall names the calls of Telegram that people see.
func telegramCall(r *http.Request, _ []byte) string {
	method := path.Base(r.URL.Path)
	for _, prefix := range []string{"send", "edit", "deleteMessage", "answer"} {
		if strings.HasPrefix(method, prefix) && method != "sendChatAction" {
			return method
		}
	}
	return ""
}

// The pipes between the process that is killed and the test: it writes the name of a commit
// and waits until it reads that it may commit.
const (
	fdCommits = 3
	fdMay     = 4
)

// announceCommits is for the process that is killed, on SQLite.
func announceCommits() {
	commits, may := os.NewFile(fdCommits, "commits"), os.NewFile(fdMay, "may")
	var mu sync.Mutex
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		hooks, ok := conn.(sqlite.HookRegisterer)
		if !ok {
			return fmt.Errorf("%T has no hooks", conn)
		}
		changed := map[string]bool{}
		hooks.RegisterPreUpdateHook(func(change sqlite.SQLitePreUpdateData) { changed[nameChange(&change)] = true })
		hooks.RegisterRollbackHook(func() { clear(changed) })
		hooks.RegisterCommitHook(func() int32 {
			if len(changed) == 0 {
				return 0
			}
			name := nameCommit(changed)
			clear(changed)
			mu.Lock()
			defer mu.Unlock()
			if _, err := fmt.Fprintln(commits, name); err != nil {
				return 1
			}
			if _, err := may.Read(make([]byte, 1)); err != nil {
				select {} // the test ends this process
			}
			return 0
		})
		return nil
	})
}

// nameCommit returns what a commit writes: "commit orders:open,purchases:placed".
func nameCommit(changed map[string]bool) string {
	var tables []string
	for table := range changed {
		tables = append(tables, table)
	}
	slices.Sort(tables)
	return "commit " + strings.Join(tables, ",")
}

// states are those of rows that a commit's name contains.
var states = []string{
	"draft", "superseded", "claimed", "sending", "placed", "rejected", "outcome_unknown", "dismissed", // purchases
	"open", "partial", "delivered", "cancelled", "refunded", "expired", "failed", // orders
	"received", "pending", "sent", "held", "done", "dead_lettered", // inbox, outbox
	"armed", "cancelling", "ending", "renting", "stopped", // swaps
	"running", "ended", "waiting", // baskets and broadcasts
}

// nameChange returns the table of a changed row, with the row's new state if it has one.
func nameChange(change *sqlite.SQLitePreUpdateData) string {
	if change.TableName == "settings" {
		return change.TableName
	}
	columns := make([]any, change.Count())
	if err := change.New(columns...); err != nil {
		return change.TableName // deleted
	}
	for _, column := range columns {
		if text, ok := column.(string); ok && slices.Contains(states, text) {
			return change.TableName + ":" + text
		}
	}
	return change.TableName
}

// awaitCommits is the test's end of announceCommits. It returns when the process has ended.
func (e *events) awaitCommits(commits io.Reader, may io.Writer) {
	for lines := bufio.NewScanner(commits); lines.Scan(); {
		if e.event(lines.Text()) {
			return
		}
		if _, err := may.Write([]byte{'\n'}); err != nil {
			return
		}
	}
}
