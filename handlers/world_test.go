package handlers_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hstockbot/internal/ops"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/locales"
)

var update = flag.Bool("update", false, "write the golden transcripts again")

func TestMain(m *testing.M) {
	if tapped := os.Getenv(envTapped); tapped != "" {
		if err := runUntilEOF(tapped); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	annaKey     = string(testworld.AnnaKey)
	poorKey     = string(testworld.PoorKey)
	operatorKey = string(testworld.OperatorKey)
	adminID     = 4000
	supportID   = 4500
	malloryID   = 6666
)

var (
	anna = telegram.Person{ID: 1001, FirstName: "Anna", Username: "anna", LanguageCode: "en"}
	bob  = telegram.Person{ID: 2002, FirstName: "Bob", LanguageCode: "en"}
)

var (
	must = testworld.Must
	pass = testworld.Pass
)

// world is a test world with the whole program and the chat of one person.
type world struct {
	*testworld.World

	cfg        testworld.Config // a change takes effect at the next start
	app        *testworld.App
	marketDown atomic.Pointer[time.Time] // since when the marketplace counts as down; nil: it is up

	chat   *telegram.Client // of the person whom the scenario is about, at first Anna
	bundle *locales.Bundle
	l      *locales.Localizer // of the chat

	tooWide []string // labels that do not fit
	typed   []string // by people, so it may stand in no log, in no file and in no button
}

// inWorld runs a scenario with a person whose Telegram speaks lang. A secret in
// the log or in the database file and a call that Telegram refuses fail it.
func inWorld(t *testing.T, lang string, scenario func(w *world)) {
	t.Helper()
	testworld.Run(t, func(tw *testworld.World) {
		w := &world{World: tw, cfg: tw.Config()}
		w.cfg.AdminIDs, w.cfg.SupportIDs = []int64{adminID}, []int64{supportID}
		var err error
		w.bundle, err = testworld.Languages()
		must(w.T, err)
		w.l = w.bundle.Localizer(w.bundle.Match(lang, "en"))
		w.start()
		defer func() { // also after a scenario that ended early
			w.stop()
			w.checkSecrets()
			for _, m := range w.chat.Messages() {
				w.checkWidths(m)
			}
		}()
		person := anna
		person.LanguageCode = lang
		w.chat = w.Telegram.Join(person)
		scenario(w)
	})
}

// start builds and starts the program on the world's database.
func (w *world) start() {
	w.T.Helper()
	w.app = w.Start(w.cfg, testworld.Options{
		Version: "v1.2.3", GoVersion: "go1.26",
		CallStats: func() (market, telegram ops.Snapshot) {
			market = ops.Snapshot{Calls: 320, Errors: 3, LastError: "balance: unreachable", LastErrorAt: time.Now().Add(-time.Minute), Answers: true}
			if since := w.marketDown.Load(); since != nil {
				market.DownSince = *since
			}
			return market, ops.Snapshot{Calls: 1234}
		},
	})
	pass(0) // it has asked for its profile
}

// stop stops the program. The servers go on.
func (w *world) stop() {
	w.T.Helper()
	must(w.T, w.app.Stop(context.WithoutCancel(w.T.Context())))
}

// restart stops the program and starts it on the same database.
func (w *world) restart() {
	w.T.Helper()
	w.stop()
	w.start()
}

// types sends a text, and lets a second pass.
func (w *world) types(text string) {
	w.T.Helper()
	w.chat.Type(text)
	pass(time.Second)
}

// tap taps the button whose label is the message with this key.
func (w *world) tap(key string) {
	w.T.Helper()
	w.tapLabel(w.l.Label(key))
}

func (w *world) tapLabel(label string) {
	w.T.Helper()
	must(w.T, w.chat.Tap(label))
	pass(time.Second)
}

// tapLike taps the newest button whose label contains part.
func (w *world) tapLike(part string) {
	w.T.Helper()
	w.tapWhere(part, w.chat.Messages(), func(b telegram.Button) bool { return strings.Contains(b.Text, part) })
}

// tapTo taps the button of the newest message that carries this data.
func (w *world) tapTo(data string) {
	w.T.Helper()
	w.tapWhere(data, []telegram.Message{w.chat.Last()}, func(b telegram.Button) bool { return b.CallbackData == data })
}

func (w *world) tapWhere(what string, messages []telegram.Message, matches func(telegram.Button) bool) {
	w.T.Helper()
	for _, m := range slices.Backward(messages) {
		buttons := slices.Concat(m.Keyboard...)
		if i := slices.IndexFunc(buttons, matches); i >= 0 && !m.Deleted {
			must(w.T, w.chat.TapOn(m.ID, buttons[i].Text))
			pass(time.Second)
			return
		}
	}
	w.T.Fatalf("no button has %q; the chat is:\n%s", what, w.chat.Transcript())
}

// forge sends a tap with data of the test's own, as a modified app could, and
// returns the answer to the last tap.
func (w *world) forge(chat *telegram.Client, message int, data string) (answer string) {
	w.T.Helper()
	chat.TapData(message, data)
	pass(time.Second)
	return lastAnswer(chat)
}

func lastAnswer(chat *telegram.Client) string {
	answers := chat.Answers()
	if len(answers) == 0 {
		return ""
	}
	return answers[len(answers)-1].Text
}

// become continues the test in the chat of another person.
func (w *world) become(person telegram.Person) *telegram.Client {
	w.T.Helper()
	w.chat = w.Telegram.Join(person)
	return w.chat
}

// becomeAdmin continues the test in the chat of an admin.
func (w *world) becomeAdmin() *telegram.Client {
	w.T.Helper()
	return w.become(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: w.l.Lang()})
}

// becomeSupport continues the test in the chat of support.
func (w *world) becomeSupport() *telegram.Client {
	w.T.Helper()
	return w.become(telegram.Person{ID: supportID, FirstName: "Sam", LanguageCode: w.l.Lang()})
}

// as runs a part of the test in the chat of another person.
func (w *world) as(person telegram.Person, act func()) {
	w.T.Helper()
	before := w.chat
	w.become(person)
	act()
	w.chat = before
}

// mallory joins another person, who sends one text and then forges buttons.
func (w *world) mallory(text string) *telegram.Client {
	w.T.Helper()
	mallory := w.Telegram.Join(telegram.Person{ID: malloryID, FirstName: "Mallory", LanguageCode: "en"})
	mallory.Type(text)
	pass(time.Second)
	return mallory
}

// open opens a product by its deep link.
func (w *world) open(service string) {
	w.T.Helper()
	w.types("/start p_" + service)
}

// withKey stores a key.
func (w *world) withKey(key string) {
	w.T.Helper()
	w.types("/key " + key)
}

// says fails unless a message of the chat contains the text.
func (w *world) says(text string) {
	w.T.Helper()
	if !strings.Contains(w.chat.Transcript(), text) {
		w.T.Errorf("the chat does not say %q:\n%s", text, w.chat.Transcript())
	}
}

// buttonData is the data of the message's button with this label, or empty.
func buttonData(m telegram.Message, label string) string {
	for _, b := range slices.Concat(m.Keyboard...) {
		if b.Text == label {
			return b.CallbackData
		}
	}
	return ""
}

// count is the number of the chat's messages that contain the text.
func count(chat *telegram.Client, text string) (n int) {
	for _, m := range chat.Messages() {
		if strings.Contains(m.Text, text) {
			n++
		}
	}
	return n
}

// file is the content of the last message's file, or of the one before if that is its
// Excel file.
func (w *world) file() string {
	w.T.Helper()
	messages := w.chat.Messages()
	document := messages[len(messages)-1].Document
	if document != nil && strings.HasSuffix(document.Name, ".xlsx") {
		document = messages[len(messages)-2].Document
	}
	if document == nil {
		w.T.Fatalf("no file arrived:\n%s", w.chat.Transcript())
	}
	return string(document.Data)
}

// linkCode matches the random code of a link to an allowance.
var linkCode = regexp.MustCompile(`\ba_[A-Z2-7]{26}\b`)

// golden compares the chat's history with a file of testdata.
func (w *world) golden(name string) {
	w.T.Helper()
	w.goldenOf(name, w.chat.History())
}

// goldenOf compares a history with a file of testdata.
func (w *world) goldenOf(name, got string) {
	w.T.Helper()
	got = linkCode.ReplaceAllString(got, "a_CODE")
	path := filepath.Join("testdata", name+".txt")
	if *update {
		must(w.T, os.MkdirAll("testdata", 0o750))
		must(w.T, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	must(w.T, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		w.T.Errorf("the transcript has changed (go test ./handlers -update writes it again; -want +got):\n%s", diff)
	}
}

// secrets are the keys, the bot's token, and what was bought, given or received with them.
func (w *world) secrets() []string {
	secrets := []string{annaKey, poorKey, operatorKey, testworld.Token}
	for _, order := range w.Market.Orders() {
		secrets = append(append(secrets, order.Accounts...), order.Link)
	}
	for _, phone := range w.Market.Numbers() {
		secrets = append(secrets, phone.Phone)
		for _, sms := range phone.Received {
			secrets = append(secrets, sms.Content)
		}
	}
	return slices.DeleteFunc(secrets, func(secret string) bool { return secret == "" })
}

// checkSecrets fails if a secret can be read in the log, in the files of the database or in
// the data of a button.
func (w *world) checkSecrets() {
	w.T.Helper()
	secrets := append(w.secrets(), w.typed...)
	for _, phone := range w.Market.Numbers() {
		for _, sms := range phone.Received {
			if len(sms.Code) > 5 { // shorter ones may be ids, too
				secrets = append(secrets, "+"+sms.Code+"\n") // as callbackData writes it
			}
		}
	}
	files, err := filepath.Glob(w.DatabasePath() + "*")
	must(w.T, err)
	contents := map[string]string{"the log": w.Log.String()}
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(w.T, err)
		contents[filepath.Base(file)] = string(content)
	}
	contents["the data of a button"] = w.callbackData()
	for name, content := range contents {
		for _, secret := range secrets {
			if strings.Contains(content, secret) {
				w.T.Errorf("%s holds a secret: %q", name, secret)
			}
		}
	}
	for _, call := range w.Telegram.Calls() {
		w.checkTimes(call)
		w.checkStyles(call)
		expected := slices.ContainsFunc([]string{
			"not modified",
			"query is too old",          // answered before a kill
			"to delete not found",       // deleted before an answer was lost
			"thread not found",          // of a topic that a test has deleted
			"message to edit not found", // likewise
			"need administrator rights", // of a channel in which the bot may not post
			"message can't be edited",   // likewise
			"message can't be deleted",  // of another person in a group, or after 48 hours
			"chat is not a forum",       // a group without topics
			"not enough rights",         // that a test has taken
			"upgraded to a supergroup",  // by a test
		}, func(part string) bool { return strings.Contains(call.Description, part) })
		if !call.OK && call.Code == 400 && call.Fault == "" && !expected {
			w.T.Errorf("Telegram refused %s: %s", call.Method, call.Description)
		}
	}
}

// callbackData are the data of all buttons that were sent, and the numbers in them as those
// of phones are written, each in a line.
func (w *world) callbackData() string {
	distinct := map[string]bool{}
	for _, call := range w.Telegram.Calls() {
		for _, match := range buttonDatum.FindAllStringSubmatch(call.Fields["reply_markup"], -1) {
			distinct[match[1]] = true
		}
	}
	var all strings.Builder
	for data := range distinct {
		all.WriteString(data + "\n")
		_, args := route.Split(data)
		for _, arg := range strings.FieldsFunc(args, func(r rune) bool { return r == ':' || r == '.' }) {
			if number, err := strconv.ParseUint(arg, 36, 64); err == nil {
				fmt.Fprintf(&all, "+%d\n", number)
			}
		}
	}
	return all.String()
}

var buttonDatum = regexp.MustCompile(`"callback_data":"([^"]*)"`)

var (
	localTime = regexp.MustCompile(`<tg-time unix="\d+" format="\w+">[^<]*</tg-time>`)
	utcTime   = regexp.MustCompile(`\d\d:\d\d UTC`)
)

// checkTimes fails if a message has a time that is not shown in the reader's zone, or if
// anything else has the markup of one.
func (w *world) checkTimes(call telegram.Call) {
	w.T.Helper()
	for name, value := range call.Fields {
		if name == "text" && call.Fields["parse_mode"] != "" {
			if value = localTime.ReplaceAllString(value, ""); utcTime.MatchString(value) {
				w.T.Errorf("%s: a time is not local: %s", call.Method, value)
			}
		}
		if strings.Contains(value, "tg-time") {
			w.T.Errorf("%s: %s has markup of a time: %s", call.Method, name, value)
		}
	}
}

// checkStyles fails if a screen has more than one main action, or one beside a question.
func (w *world) checkStyles(call telegram.Call) {
	w.T.Helper()
	var styles []string
	for _, match := range style.FindAllStringSubmatch(call.Fields["reply_markup"], -1) {
		if match[1] == "primary" || match[1] == "success" {
			styles = append(styles, match[1])
		}
	}
	if len(styles) > 1 {
		w.T.Errorf("%s: the buttons %v on one screen: %s", call.Method, styles, call.Fields["reply_markup"])
	}
}

var style = regexp.MustCompile(`"style":"(\w+)"`)

// skipDays lets days pass while the program is stopped: its polls would take long to
// simulate.
func (w *world) skipDays(days int) {
	w.T.Helper()
	pass(time.Second) // what was sent is handled
	w.stop()
	pass(time.Duration(days) * 24 * time.Hour)
	w.start()
}

// fixPolls replaces the times and the counts of polls, which are random, and lets no
// other poll happen for ten minutes. It waits for the next full minute, because a time
// that lies ahead would be one of a clock that was set back.
func (w *world) fixPolls() {
	w.T.Helper()
	w.stop()
	pass(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
	for _, column := range []string{"updated_at", "last_poll_at", "delivered_at", "notified_at", "closed_at"} {
		w.Exec(`UPDATE orders SET ` + column + ` = (created_at / 60000 + 1) * 60000 WHERE ` + column + ` > 0`)
	}
	w.Exec(`UPDATE orders SET polls = 1 + CAST(external_id AS BIGINT) % 5, failures = CASE WHEN closed_at = 0 THEN CAST(external_id AS BIGINT) % 3 ELSE 0 END,
		next_poll_at = ? WHERE last_poll_at > 0`, time.Now().Add(10*time.Minute).UnixMilli())
	w.start()
}
