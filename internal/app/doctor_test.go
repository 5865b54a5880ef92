package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/doctor"
	"hstockbot/internal/replica"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

const (
	goodsCanary    = "canary-goods-0123456789"
	passwordCanary = "canary-password-0123456789"
)

// doctorWorld is a bot that is well, and what the doctor asks.
type doctorWorld struct {
	*testing.T
	program  program
	market   *market.Server
	telegram *telegram.Server
	path     string // of the database
	settings map[string]string
	// results are what Telegram answers instead, by method, and telegramDate its time.
	results      map[string]string
	telegramDate time.Time
	mu           sync.Mutex
	served       map[string]string // results since the doctor was started last, and telegramDate
	servedDate   time.Time
	wrapper      []string // a command that runs the program
}

// doctorBase is what all worlds of a test begin with.
type doctorBase struct {
	program  program
	database []byte // with all tables; PostgreSQL has its own template
}

func newDoctorBase(t *testing.T) doctorBase {
	t.Helper()
	base := doctorBase{program: buildProgram(t)}
	if pgtest.Wanted() {
		return base
	}
	name := filepath.Join(t.TempDir(), "bot.db")
	testworld.Must(t, testworld.OpenDB(t, name).Close(t.Context()))
	var err error
	base.database, err = os.ReadFile(name)
	testworld.Must(t, err)
	return base
}

func newDoctorWorld(t *testing.T, base doctorBase) *doctorWorld {
	t.Helper()
	w := &doctorWorld{T: t, program: base.program, results: map[string]string{}, path: filepath.Join(t.TempDir(), "bot.db")}
	if !pgtest.Wanted() {
		testworld.Must(t, os.WriteFile(w.path, base.database, 0o600))
	}
	w.market, w.telegram = market.New(market.Options{}), telegram.New(telegram.Options{Token: testworld.Token, Username: "shop_bot"})
	marketURL := httptest.NewServer(w.market)
	telegramURL := httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(func() {
		w.telegram.Close()
		w.market.Close()
		marketURL.Close()
		telegramURL.Close()
		if n := w.telegram.Count("getUpdates"); n > 0 {
			t.Errorf("the doctor has asked for updates %d times", n)
		}
		if violations := w.market.Violations(); len(violations) > 0 {
			t.Errorf("the marketplace was asked what the document does not allow: %q", violations)
		}
	})
	w.market.AddKey(testworld.OperatorKey.Reveal(), "100.00", "USD")
	w.settings = map[string]string{
		"TELEGRAM_TOKEN": testworld.Token, "TELEGRAM_API_URL": telegramURL.URL,
		"HSTOCK_API_URL": marketURL.URL, "HSTOCK_API_KEY": testworld.OperatorKey.Reveal(),
		"DATABASE_URL": testworld.DatabaseURL(t, w.path), "SECRET_KEY": testworld.SecretKey, "ADMIN_IDS": "1",
	}
	w.change(func(ctx context.Context, db *storage.DB) error {
		_, _, err := db.TouchUser(ctx, 1, "Olga", "en", true)
		if err == nil {
			_, err = db.SaveKey(ctx, 1, testworld.AnnaKey)
		}
		return errors.Join(err, db.AddMessage(ctx, storage.Message{UserID: 1, Kind: "goods", Body: []byte(goodsCanary), CreatedAt: time.Now()}))
	})
	return w
}

// answer is Telegram's.
func (w *doctorWorld) answer(to http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	date, result := w.servedDate, w.served[path.Base(r.URL.Path)]
	w.mu.Unlock()
	if !date.IsZero() {
		to.Header().Set("Date", date.UTC().Format(http.TimeFormat))
	}
	if result != "" {
		_, _ = fmt.Fprintf(to, `{"ok":true,"result":%s}`, result)
		return
	}
	w.telegram.ServeHTTP(to, r)
}

// change changes the database by its own program.
func (w *doctorWorld) change(do func(ctx context.Context, db *storage.DB) error) {
	w.Helper()
	db := testworld.OpenDB(w.T, w.path)
	testworld.Must(w.T, errors.Join(do(w.Context(), db), db.Close(w.Context())))
}

// set stores a setting in the database.
func (w *doctorWorld) set(name, value string) {
	w.Helper()
	w.change(func(ctx context.Context, db *storage.DB) error { return db.SetSetting(ctx, name, value) })
}

func (w *doctorWorld) exec(query string, args ...any) {
	w.Helper()
	testworld.Exec(w.T, w.path, query, args...)
}

// newKey replaces the key.
func (w *doctorWorld) newKey() { w.settings["SECRET_KEY"] = moveKey }

// lock takes the lock of a running bot.
func (w *doctorWorld) lock() {
	w.Helper()
	file, err := os.Create(w.path + ".lock")
	testworld.Must(w.T, err)
	w.Cleanup(func() { _ = file.Close() })
	testworld.Must(w.T, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
}

// run runs the doctor. Its output must contain no secret, and it must leave all files as
// they are.
func (w *doctorWorld) run(args ...string) (status int, stdout, stderr string) {
	w.Helper()
	w.mu.Lock()
	w.served, w.servedDate = maps.Clone(w.results), w.telegramDate
	w.mu.Unlock()
	var settings []string
	for name, value := range w.settings {
		settings = append(settings, name+"="+value)
	}
	before := w.files()
	p := w.program
	args = append([]string{"doctor"}, args...)
	if len(w.wrapper) > 0 {
		args = append(append(w.wrapper[1:len(w.wrapper):len(w.wrapper)], p.path), args...)
		p.path = w.wrapper[0]
	}
	status, stdout, stderr = p.command(w.T, settings, args...)
	if after := w.files(); after != before {
		w.Errorf("the doctor has changed files:\n%s\nafter:\n%s", before, after)
	}
	for _, canary := range []string{
		testworld.Token, strings.SplitAfter(testworld.Token, ":")[1], testworld.SecretKey, moveKey, testworld.AnnaKey.Reveal(),
		testworld.OperatorKey.Reveal(), hookSecret, goodsCanary, passwordCanary,
	} {
		if strings.Contains(stdout+stderr, canary) {
			w.Errorf("the secret %q is shown:\n%s%s", canary, stdout, stderr)
		}
	}
	return status, stdout, stderr
}

// files returns the names, sizes and contents of all files beside the database. SQLite
// keeps what it must not lose in the -wal; the -shm is an index of it.
func (w *doctorWorld) files() string {
	w.Helper()
	var all strings.Builder
	testworld.Must(w.T, filepath.WalkDir(filepath.Dir(w.path), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(name, "-shm") {
			return err
		}
		content, err := os.ReadFile(name)
		_, _ = fmt.Fprintf(&all, "%s %d\n", name, len(content))
		if len(content) > 0 {
			_, _ = fmt.Fprintf(&all, "%x\n", sha256.Sum256(content))
		}
		return err
	}))
	return all.String()
}

// examine runs the doctor and returns its lines.
func (w *doctorWorld) examine() (status int, lines []doctor.Line) {
	w.Helper()
	status, stdout, stderr := w.run("-json")
	testworld.Must(w.T, json.Unmarshal([]byte(stdout), &lines))
	if bad := doctor.HasBad(lines); bad != (status == exitFailed) || strings.Count(stderr, "\n") != status {
		w.Errorf("something bad: %v, and the exit status is %d: %q", bad, status, stderr)
	}
	return status, lines
}

// has looks for a line. Each that is bad must say what to do.
func (w *doctorWorld) has(lines []doctor.Line, check string, level doctor.Level, text string) {
	w.Helper()
	found := false
	for _, line := range lines {
		found = found || line.Check == check && line.Level == level && strings.Contains(line.Text, text)
		if line.Level == doctor.Bad && line.Advice == "" {
			w.Errorf("no advice: %v", line)
		}
	}
	if !found {
		w.Errorf("there is no line %s %s %q in:\n%v", level, check, text, lines)
	}
}

// TestDoctor builds the program once.
func TestDoctor(t *testing.T) {
	base := newDoctorBase(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, doctorBase)
	}{
		{"OfHealthyBot", doctorOfHealthyBot},
		{"CommandLine", doctorCommandLine},
		{"Lines", doctorLines},
		{"OfFile", doctorOfFile},
		{"BesideBot", doctorBesideBot},
		{"BesideHangingServers", doctorBesideHangingServers},
		{"OnDisks", doctorOnDisks},
		{"OfPostgres", doctorOfPostgres},
		{"OfBackups", doctorOfBackups},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, base) })
	}
}

// doctorCase is what makes a line of the doctor.
type doctorCase struct {
	name   string
	change func(w *doctorWorld)
	check  string
	level  doctor.Level
	text   string
}

func runDoctorCases(t *testing.T, base doctorBase, cases []doctorCase) {
	t.Helper()
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			w := newDoctorWorld(t, base)
			test.change(w)
			_, lines := w.examine()
			w.has(lines, test.check, test.level, test.text)
		})
	}
}

func doctorOfHealthyBot(t *testing.T, base doctorBase) {
	t.Helper()
	w := newDoctorWorld(t, base)
	status, lines := w.examine()
	if status != exitOK {
		t.Errorf("the status is %d:\n%v", status, lines)
	}
	var names []string
	for _, line := range lines {
		names = append(names, line.Check)
		if line.Level != doctor.OK && line.Check != "running" && line.Check != "backups" {
			t.Errorf("not ok: %v", line)
		}
	}
	want := "version settings token inline webhook marketplace call-rate operator-key clock database schema integrity keys files disk backups running admins dead-letters unknown-purchases"
	if pgtest.Wanted() {
		want = "version settings token inline webhook marketplace call-rate operator-key clock database schema keys backups server replication running admins dead-letters unknown-purchases"
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the checks are\n%s, want\n%s", got, want)
	}
	status, stdout, stderr := w.run()
	if status != exitOK || stderr != "" || strings.Count(stdout, "\n") != len(lines) || !strings.Contains(stdout, "ok    token              the bot is @shop_bot\n") {
		t.Errorf("got %d %q\n%s", status, stderr, stdout)
	}
}

func doctorCommandLine(t *testing.T, base doctorBase) {
	t.Helper()
	w := newDoctorWorld(t, base)
	for _, args := range [][]string{{testworld.Token}, {"-json", testworld.Token}, {"-" + testworld.Token}} {
		if status, stdout, stderr := w.run(args...); status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%d arguments: got %d %q %q", len(args), status, stdout, stderr)
		}
	}
	if status, stdout, stderr := w.run("-h"); status != exitOK || !strings.Contains(stdout, "doctor") || stderr != "" {
		t.Errorf("-h: got %d %q %q", status, stdout, stderr)
	}
}

const (
	inlineOff  = `{"id":1,"is_bot":true,"first_name":"Shop","username":"shop_bot","supports_inline_queries":false}`
	unwell     = `{"id":1,"is_bot":true,"first_name":"Shop","username":"shop\u001b[31m\n` + testworld.Token + `"}`
	hookURL    = "https://bot.example/hook-canary"
	hookFailed = `{"url":"` + hookURL + `","pending_update_count":3,"last_error_date":%d,"last_error_message":"Wrong response from the webhook: 502 Bad Gateway"}`
)

func doctorLines(t *testing.T, base doctorBase) {
	t.Helper()
	webhook := func(w *doctorWorld) {
		w.settings["WEBHOOK_URL"], w.settings["WEBHOOK_SECRET"] = hookURL, hookSecret
	}
	runDoctorCases(t, base, []doctorCase{
		{"no token", func(w *doctorWorld) { delete(w.settings, "TELEGRAM_TOKEN") }, "settings", doctor.Bad, "TELEGRAM_TOKEN is required"},
		{"no token, token", func(w *doctorWorld) { delete(w.settings, "TELEGRAM_TOKEN") }, "token", doctor.Info, "not checked"},
		{"an invalid token", func(w *doctorWorld) { w.settings["TELEGRAM_TOKEN"] = passwordCanary }, "settings", doctor.Bad, "TELEGRAM_TOKEN takes"},
		{"an invalid rate", func(w *doctorWorld) { w.settings["HSTOCK_RATE"] = passwordCanary }, "settings", doctor.Bad, "HSTOCK_RATE takes"},
		{"an invalid proxy", func(w *doctorWorld) { w.settings["HTTPS_PROXY"] = "http://:" + passwordCanary }, "settings", doctor.Bad, "HTTPS_PROXY takes"},
		{"an invalid proxy, token", func(w *doctorWorld) { w.settings["HTTPS_PROXY"] = "http://:" + passwordCanary }, "token", doctor.Info, "not checked"},
		{"several problems", func(w *doctorWorld) { w.settings["HSTOCK_RATE"], w.settings["CATALOG_TTL"] = "-1", "x" }, "settings", doctor.Bad, "CATALOG_TTL takes"},
		{"several problems, the other", func(w *doctorWorld) { w.settings["HSTOCK_RATE"], w.settings["CATALOG_TTL"] = "-1", "x" }, "settings", doctor.Bad, "HSTOCK_RATE takes"},
		{"another's marketplace by http", func(w *doctorWorld) { w.settings["HSTOCK_API_URL"] = "http://market.example" }, "marketplace", doctor.Info, "not checked"},
		{"an invalid database address", func(w *doctorWorld) { w.settings["DATABASE_URL"] = "mysql://bot:" + passwordCanary + "@db" }, "database", doctor.Info, "not checked"},
		{"an invalid key", func(w *doctorWorld) { w.settings["SECRET_KEY"] = passwordCanary }, "keys", doctor.Bad, "can't be used"},
		{"refused token", func(w *doctorWorld) { w.settings["TELEGRAM_TOKEN"] = "1234567:AAcanary-token-of-another-bot-1" }, "token", doctor.Bad, "refuses the token"},
		{"Telegram fails", func(w *doctorWorld) { w.telegram.Fault(telegram.Fault{Method: "getMe", HTML: true}) }, "token", doctor.Bad, "does not answer"},
		{"no Telegram", func(w *doctorWorld) { w.settings["TELEGRAM_API_URL"] = "http://127.0.0.1:1" }, "token", doctor.Bad, "does not answer"},
		{"no Telegram, webhook", func(w *doctorWorld) { w.settings["TELEGRAM_API_URL"] = "http://127.0.0.1:1" }, "webhook", doctor.Info, "not known"},
		{"a name that controls the terminal", func(w *doctorWorld) { w.results["getMe"] = unwell }, "token", doctor.OK, "@shop[31m [redacted]"},
		{"inline mode is off", func(w *doctorWorld) { w.results["getMe"] = inlineOff }, "inline", doctor.Info, "off"},
		{"webhook", func(w *doctorWorld) { webhook(w); w.results["getWebhookInfo"] = `{"url":"` + hookURL + `"}` }, "webhook", doctor.OK, "WEBHOOK_URL, 0 wait"},
		{"no webhook yet", webhook, "webhook", doctor.Info, "has no webhook"},
		{"no secret", func(w *doctorWorld) { w.settings["WEBHOOK_URL"] = hookURL }, "settings", doctor.Bad, "WEBHOOK_SECRET is required"},
		{"webhook info fails", func(w *doctorWorld) { w.telegram.Fault(telegram.Fault{Method: "getWebhookInfo", Cut: true}) }, "webhook", doctor.Bad, "does not tell"},
		{"another webhook", func(w *doctorWorld) {
			webhook(w)
			w.running()
			w.results["getWebhookInfo"] = `{"url":"https://other.example/x"}`
		}, "webhook", doctor.Bad, "at other.example"},
		{"lost webhook", func(w *doctorWorld) { webhook(w); w.running() }, "webhook", doctor.Bad, "has no webhook"},
		{"unwanted webhook", func(w *doctorWorld) { w.running(); w.results["getWebhookInfo"] = `{"url":"https://other.example/x"}` }, "webhook", doctor.Bad, "WEBHOOK_URL is not set"},
		{
			"failing webhook", func(w *doctorWorld) {
				webhook(w)
				w.running()
				w.results["getWebhookInfo"] = fmt.Sprintf(hookFailed, time.Now().Unix())
			},
			"webhook", doctor.Bad, "3 updates wait: Wrong response from the webhook: 502 Bad Gateway",
		},
		{"webhook that failed", func(w *doctorWorld) {
			webhook(w)
			w.results["getWebhookInfo"] = fmt.Sprintf(hookFailed, time.Now().Add(-time.Hour).Unix())
		}, "webhook", doctor.OK, "3 wait"},

		{"no marketplace", func(w *doctorWorld) { w.settings["HSTOCK_API_URL"] = "http://127.0.0.1:1" }, "marketplace", doctor.Bad, "no usable answer"},
		{"no marketplace, key", func(w *doctorWorld) { w.settings["HSTOCK_API_URL"] = "http://127.0.0.1:1" }, "operator-key", doctor.Info, "not known"},
		{"marketplace fails", func(w *doctorWorld) { w.market.Fault(market.Fault{Kind: market.HTML502}) }, "marketplace", doctor.Bad, "502"},
		{"no key", func(w *doctorWorld) { delete(w.settings, "HSTOCK_API_KEY") }, "operator-key", doctor.Info, "no operator's key"},
		{"no key, marketplace", func(w *doctorWorld) { delete(w.settings, "HSTOCK_API_KEY") }, "marketplace", doctor.OK, "answered in"},
		{"refused key", func(w *doctorWorld) { w.market.RemoveKey(testworld.OperatorKey.Reveal()) }, "operator-key", doctor.Bad, "refuses"},
		{"key without a balance", func(w *doctorWorld) {
			w.market.Fault(market.Fault{Kind: market.Refuse, Message: "Locked " + testworld.OperatorKey.Reveal()})
		}, "operator-key", doctor.Bad, "Locked"},
		{"no money", func(w *doctorWorld) { testworld.Must(w.T, w.market.SetBalance(testworld.OperatorKey.Reveal(), "0")) }, "operator-key", doctor.Info, "low: 0 USD"},
		{"little money", func(w *doctorWorld) { w.set(storage.OperatorThreshold, "100.01") }, "operator-key", doctor.Info, "low: 100 USD"},
		{"enough money", func(w *doctorWorld) { w.set(storage.OperatorThreshold, "99.99") }, "operator-key", doctor.OK, "100 USD"},

		{"wrong clock", func(w *doctorWorld) { w.telegramDate = time.Now().Add(-time.Minute) }, "clock", doctor.Bad, "Telegram's by 1m"},
		{"wrong clock of the marketplace", func(w *doctorWorld) { w.market.SetClock(time.Hour, false) }, "clock", doctor.Info, "the marketplace's by -1h"},
		{"wrong clock without Telegram", func(w *doctorWorld) {
			w.settings["TELEGRAM_API_URL"] = "http://127.0.0.1:1"
			w.market.SetClock(time.Hour, false)
		}, "clock", doctor.Bad, "the marketplace's by -1h"},

		{"another key", (*doctorWorld).newKey, "keys", doctor.Bad, "lacks"},
		{"older schema", func(w *doctorWorld) { w.exec(`DELETE FROM goose_db_version WHERE version_id > 20`) }, "schema", doctor.Info, "version 20, and"},
		{"older schema, admins", func(w *doctorWorld) { w.exec(`DELETE FROM goose_db_version WHERE version_id > 20`) }, "admins", doctor.Info, "not checked"},
		{"newer schema", func(w *doctorWorld) {
			w.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)`, 900, true)
		}, "schema", doctor.Info, "version 900, of a newer"},
		{"newer schema, admins", func(w *doctorWorld) {
			w.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)`, 900, true)
		}, "admins", doctor.OK, "all 1"},
		{"schema of a newer program", func(w *doctorWorld) { w.set("schema_min", "900") }, "schema", doctor.Bad, "requires version 900"},
		{"another program's tables", func(w *doctorWorld) { w.exec(`DROP TABLE goose_db_version`) }, "database", doctor.Bad, "no database of this program"},
		{"another bot's", func(w *doctorWorld) { w.set("bot_id", "42") }, "database", doctor.Bad, "belongs to another bot: it is that of bot 42, and TELEGRAM_TOKEN is of bot "},
		{"moved", func(w *doctorWorld) { w.set("moved", "1") }, "database", doctor.Bad, "moved by migrate-db"},
		{"half moved", func(w *doctorWorld) { w.set("moving", "1") }, "database", doctor.Bad, "cut off"},

		{"running", (*doctorWorld).running, "running", doctor.Info, "a bot runs on the database, version v1"},
		{"not running", func(*doctorWorld) {}, "running", doctor.Info, "no bot runs"},
		{"no admins", func(w *doctorWorld) { delete(w.settings, "ADMIN_IDS") }, "admins", doctor.Info, "no admins"},
		{"admin who never wrote", func(w *doctorWorld) { w.settings["ADMIN_IDS"] = "2" }, "admins", doctor.Bad, "never wrote to the bot, so alerts don't reach them: 2"},
		{"one admin who never wrote", func(w *doctorWorld) { w.settings["ADMIN_IDS"] = "1,2" }, "admins", doctor.Info, "reach them: 2"},
		{"support who never wrote", func(w *doctorWorld) { w.settings["SUPPORT_IDS"] = "1,2" }, "admins", doctor.Info, "these of SUPPORT_IDS: 2"},
		{"admin who left", func(w *doctorWorld) { w.exec(`UPDATE users SET unreachable = 1`) }, "admins", doctor.Bad, "have blocked the bot"},
		{"dead letter", func(w *doctorWorld) {
			w.exec(`INSERT INTO inbox (update_id, chat_id, payload_sealed, received_at, state, finished_at, attempts, position) VALUES (1, 1, '', 1, 'dead_lettered', 1, 3, 0)`)
		}, "dead-letters", doctor.Info, "1 update could not"},
		{"unknown purchase", (*doctorWorld).addUnknown, "unknown-purchases", doctor.Info, "1 purchase of unknown outcome"},
	})
}

// running makes it look as if a bot ran.
func (w *doctorWorld) running() {
	w.Helper()
	w.addReplica("a", "v1", "settings")
	if !pgtest.Wanted() {
		w.lock()
	}
}

func (w *doctorWorld) addReplica(id, version, settings string) {
	w.Helper()
	w.change(func(ctx context.Context, db *storage.DB) error {
		return db.AddReplica(ctx, storage.Replica{ID: id, Version: version, Settings: settings, StartedAt: time.Now(), Until: time.Now().Add(5 * replica.Life)})
	})
}

// addUnknown adds a purchase of unknown outcome.
func (w *doctorWorld) addUnknown() {
	w.Helper()
	w.change(func(ctx context.Context, db *storage.DB) error {
		_, err := db.InsertDraft(ctx, storage.Purchase{UserID: 1, Kind: storage.KindProduct, Quantity: 1, RatePer: 1, Currency: "USD", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}, 0)
		return err
	})
	w.exec(`UPDATE purchases SET state = 'outcome_unknown'`)
}

func doctorOfFile(t *testing.T, base doctorBase) {
	t.Helper()
	pgtest.SQLiteOnly(t)
	runDoctorCases(t, base, []doctorCase{
		{"missing", func(w *doctorWorld) { w.settings["DATABASE_URL"] = "sqlite:" + filepath.Join(w.TempDir(), "new.db") }, "database", doctor.Info, "none yet"},
		{"in a missing folder", func(w *doctorWorld) {
			w.settings["DATABASE_URL"] = "sqlite:" + filepath.Join(w.TempDir(), "data", "new.db")
		}, "files", doctor.Info, "does not exist yet"},
		{"empty", func(w *doctorWorld) { testworld.Must(w.T, os.Truncate(w.path, 0)) }, "database", doctor.Info, "none yet"},
		{"a folder", func(w *doctorWorld) { w.settings["DATABASE_URL"] = "sqlite:" + filepath.Dir(w.path) }, "database", doctor.Bad, "it is a folder"},
		{"in a file", func(w *doctorWorld) { w.settings["DATABASE_URL"] = "sqlite:" + filepath.Join(w.path, "bot.db") }, "database", doctor.Bad, "can't be opened"},
		{"a text", func(w *doctorWorld) {
			testworld.Must(w.T, os.WriteFile(w.path, []byte(strings.Repeat(passwordCanary, 1000)), 0o600))
		}, "database", doctor.Bad, "no database of this program"},
		{"cut off", func(w *doctorWorld) { testworld.Must(w.T, os.Truncate(w.path, w.size()/8192*4096)) }, "database", doctor.Bad, "damaged or incomplete"},
		{"damaged", func(w *doctorWorld) { overwrite(w.T, w.path) }, "integrity", doctor.Bad, "damaged"},
		{"key file", func(w *doctorWorld) { w.keyFile(0o600) }, "keys", doctor.OK, "opened"},
		{"key file missing", func(w *doctorWorld) { delete(w.settings, "SECRET_KEY") }, "keys", doctor.Bad, "the key is missing"},
		{"key file that others may read", func(w *doctorWorld) { w.keyFile(0o604) }, "keys", doctor.Bad, "may be read by others"},
		{"key file that others may read, files", func(w *doctorWorld) { w.keyFile(0o604) }, "files", doctor.Bad, "secret.key (mode 0604)"},
		{"file that others may read", func(w *doctorWorld) { testworld.Must(w.T, os.Chmod(w.path, 0o604)) }, "files", doctor.Bad, "others may read"},
		{"folder that others may change", func(w *doctorWorld) { testworld.Must(w.T, os.Chmod(filepath.Dir(w.path), 0o703)) }, "files", doctor.Bad, "others may change"},
		{"folder that others may list", func(w *doctorWorld) { testworld.Must(w.T, os.Chmod(filepath.Dir(filepath.Dir(w.path)), 0o705)) }, "files", doctor.Bad, "others may list"},
		{"running", func(w *doctorWorld) { w.lock() }, "running", doctor.OK, "a bot runs"},
		{"killed", func(w *doctorWorld) { w.running(); testworld.Must(w.T, os.Remove(w.path+".lock")) }, "running", doctor.Info, "no bot runs"},
	})
}

func (w *doctorWorld) size() int64 {
	w.Helper()
	info, err := os.Stat(w.path)
	testworld.Must(w.T, err)
	return info.Size()
}

// overwrite overwrites the root page of a table.
func overwrite(t *testing.T, name string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	testworld.Must(t, err)
	_, err = file.WriteAt([]byte(strings.Repeat("x", 4096)), 20*4096)
	testworld.Must(t, errors.Join(err, file.Close()))
}

// keyFile puts the key beside the database.
func (w *doctorWorld) keyFile(mode os.FileMode) {
	w.Helper()
	delete(w.settings, "SECRET_KEY")
	name := storage.SecretFile(w.path)
	testworld.Must(w.T, os.WriteFile(name, []byte(testworld.SecretKey), 0o600))
	testworld.Must(w.T, os.Chmod(name, mode))
}

// The doctor reads what a running bot has written, and what one that was killed has left.
func doctorBesideBot(t *testing.T, base doctorBase) {
	t.Helper()
	w := newDoctorWorld(t, base)
	db := testworld.OpenDB(t, w.path)
	defer func() { testworld.Must(t, db.Close(t.Context())) }()
	_, _, err := db.TouchUser(t.Context(), 2, "Amal", "ar", true)
	testworld.Must(t, err)
	w.settings["ADMIN_IDS"] = "1,2"
	_, lines := w.examine()
	w.has(lines, "admins", doctor.OK, "all 2")
	if pgtest.Wanted() {
		return
	}
	left := filepath.Join(t.TempDir(), "bot.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.path + suffix)
		testworld.Must(t, err)
		testworld.Must(t, os.WriteFile(left+suffix, content, 0o600))
	}
	w.path, w.settings["DATABASE_URL"] = left, "sqlite:"+left
	_, lines = w.examine()
	w.has(lines, "admins", doctor.OK, "all 2")
	w.has(lines, "integrity", doctor.OK, "no damage")
}

// Servers that hang don't keep the doctor from saying what it knows.
func doctorBesideHangingServers(t *testing.T, base doctorBase) {
	t.Helper()
	w := newDoctorWorld(t, base)
	w.telegram.Fault(telegram.Fault{Method: "getMe", Delay: time.Hour})
	w.market.Fault(market.Fault{Kind: market.Slow, Delay: time.Hour})
	_, lines := w.examine()
	w.has(lines, "token", doctor.Bad, "does not answer")
	w.has(lines, "marketplace", doctor.Bad, "no usable answer")
	w.has(lines, "keys", doctor.OK, "opened")
}

// The doctor reads from a disk on which nothing can be written, or little.
func doctorOnDisks(t *testing.T, base doctorBase) {
	t.Helper()
	pgtest.SQLiteOnly(t)
	const mount = `mount -t tmpfs -o size=8m none "$0" && cp "$1" "$0/bot.db" && shift && `
	if output, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", "mount -t tmpfs none "+t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no disk can be mounted here: %v: %s", err, output)
	}
	for _, test := range []struct {
		name, command, check, text string
	}{
		{"small", `exec "$@"`, "disk", "MiB are free"},
		{"read-only", `mount -o remount,ro "$0" && exec "$@"`, "files", "read-only file system"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newDoctorWorld(t, base)
			folder := t.TempDir()
			w.settings["DATABASE_URL"] = "sqlite:" + filepath.Join(folder, "bot.db")
			unshare, err := exec.LookPath("unshare")
			testworld.Must(t, err)
			w.wrapper = []string{unshare, "-rm", "sh", "-c", mount + test.command, folder, w.path}
			_, lines := w.examine()
			w.has(lines, test.check, doctor.Bad, test.text)
			w.has(lines, "integrity", doctor.OK, "")
			w.has(lines, "keys", doctor.OK, "")
		})
	}
}

// commitUnsafely makes the server confirm what it may lose.
func (w *doctorWorld) commitUnsafely() {
	w.Helper()
	address, err := url.Parse(w.settings["DATABASE_URL"])
	testworld.Must(w.T, err)
	query := address.Query()
	query.Set("synchronous_commit", "off")
	address.RawQuery = query.Encode()
	w.settings["DATABASE_URL"] = address.String()
}

func doctorOfPostgres(t *testing.T, base doctorBase) {
	t.Helper()
	if !pgtest.Wanted() {
		t.Skip("this is about PostgreSQL")
	}
	runDoctorCases(t, base, []doctorCase{
		{"empty", func(w *doctorWorld) { w.settings["DATABASE_URL"] = pgtest.Empty(w.T) }, "database", doctor.Info, "none yet"},
		{"no server", func(w *doctorWorld) {
			w.settings["DATABASE_URL"] = "postgres://bot:" + passwordCanary + "@127.0.0.1:1/bot"
		}, "database", doctor.Bad, "can't be opened"},
		{"two servers", func(w *doctorWorld) {
			w.settings["DATABASE_URL"] = "postgres://bot:" + passwordCanary + "@127.0.0.1:1,127.0.0.1:2/bot"
		}, "settings", doctor.Bad, "DATABASE_FAILOVER is required"},
		{"no key", func(w *doctorWorld) { delete(w.settings, "SECRET_KEY") }, "settings", doctor.Bad, "SECRET_KEY is required"},
		{"unsafe server", (*doctorWorld).commitUnsafely, "server", doctor.Bad, "would lose purchases"},
		{"no standby", func(w *doctorWorld) { w.settings["DATABASE_FAILOVER"] = "synchronous" }, "replication", doctor.Bad, "not synchronous"},
		{"accepted loss", func(w *doctorWorld) { w.settings["DATABASE_FAILOVER"] = "accepted-loss" }, "replication", doctor.Info, "may lose purchases"},
		{"no failover", func(w *doctorWorld) { w.settings["DATABASE_FAILOVER"] = "none" }, "replication", doctor.OK, "0 standbys connected, DATABASE_FAILOVER is none"},
		{"copies", func(w *doctorWorld) { w.addReplica("a", "v1", "x"); w.addReplica("b", "v1", "x") }, "running", doctor.Info, "2 copies of the bot run on the database, version v1;"},
		{"versions", func(w *doctorWorld) { w.addReplica("a", "v1", "x"); w.addReplica("b", "v2", "x") }, "running", doctor.Info, "version v1 and v2;"},
		{"settings", func(w *doctorWorld) { w.addReplica("a", "v1", "x"); w.addReplica("b", "v1", "y") }, "running", doctor.Bad, "different settings"},
	})
}
