package doctor

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/config"
	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/storage"
)

const token = "1234567:AAcanary-token-of-the-pretend-bot"

// All checks together take at most 15 seconds, although Telegram, the marketplace and the
// disk hang.
func TestEverythingHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		network := memnet.New()
		hang := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end })
		_, stopTelegram := network.Serve("telegram", hang)
		_, stopMarket := network.Serve("market", hang)
		database := filepath.Join(t.TempDir(), "bot.db")
		if err := storage.CreateFile(database); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		lines := Examine(t.Context(), Options{
			Config: config.Config{
				TelegramToken: token, TelegramAPIURL: "http://telegram", HStockAPIURL: "http://market", DatabaseURL: "sqlite:" + database,
			},
			Dial:     network.Dial,
			IsLocked: func(string) (bool, error) { <-end; return false, nil },
		})
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it takes %s", took)
		}
		for check, text := range map[string]string{"token": "does not answer", "marketplace": "no usable answer", "files": errLate.Error(), "database": "none yet"} {
			if !has(lines, check, text) {
				t.Errorf("no line about %s in %v", check, lines)
			}
		}
		close(end)
		synctest.Wait()
		stopTelegram()
		stopMarket()
	})
}

func has(lines []Line, check, text string) bool {
	for _, line := range lines {
		if line.Check == check && strings.Contains(line.Text, text) {
			return true
		}
	}
	return false
}

func TestJudgements(t *testing.T) {
	sqlite := func(change func(f *facts)) *facts {
		f := &facts{path: "data/bot.db", now: time.Now(), files: fileFacts{folder: "data", free: 1 << 40}}
		f.Version = "v1"
		f.database = databaseFacts{asked: true, known: true}
		f.market.asked = true
		change(f)
		return f
	}
	running := []storage.Replica{{Version: "v1", Settings: "x", StartedAt: time.Unix(0, 0)}}
	for _, test := range []struct {
		name   string
		judge  func(*facts) findings
		change func(f *facts)
		level  Level
		text   string
	}{
		{"enough space", judgeDisk, func(f *facts) { f.files.size, f.files.free = 1<<30, 1<<30+leastFree }, OK, "1280 MiB are free for data"},
		{"too little space", judgeDisk, func(f *facts) { f.files.size, f.files.free = 1<<30, 1<<30+leastFree-1 }, Bad, "only 1279 MiB"},
		{"unknown space", judgeDisk, func(f *facts) { f.files.free = -1 }, Info, "not known"},
		{"slow marketplace", judgeMarketplace, func(f *facts) { f.market.clock.took = slow + time.Millisecond }, Info, "slow"},
		{"balance below zero", judgeOperatorKey, func(f *facts) {
			f.Config.HStockAPIKey, f.market.balance = "a-key", hstock.Balance{Amount: decimal.NewFromInt(-1), Currency: "USD"}
		}, Info, "low: -1 USD"},
		{"integrity not finished", judgeIntegrity, func(f *facts) { f.database.integrityErr = context.DeadlineExceeded }, Info, "not finished"},
		{"integrity fails", judgeIntegrity, func(f *facts) { f.database.integrityErr = errors.New("disk I/O error") }, Bad, "disk I/O error"},
		{"keys not finished", judgeKeys, func(f *facts) { f.database.sealedErr = context.DeadlineExceeded }, Info, "not finished"},
		{"damaged value", judgeKeys, func(f *facts) { f.database.sealed = []error{storage.ErrSealed} }, Bad, "can't be read"},
		{"query fails", judgeDeadLetters, func(f *facts) { f.database.waitingErr = errors.New("disk I/O error") }, Bad, "disk I/O error"},
		{"schema can't be read", judgeSchema, func(f *facts) { f.database.schemaErr = errors.New("disk I/O error") }, Bad, "disk I/O error"},
		{"runs", judgeRunning, func(f *facts) { f.files.locked, f.database.replicas = true, running }, OK, "version v1, since 1970-01-01T00:00:00Z"},
		{"lock can't be read", judgeRunning, func(f *facts) { f.files.lockedErr = errors.New("permission denied") }, Info, "permission denied"},
		{"clock of the database's server", judgeClock, func(f *facts) { f.path, f.database.offset = "", -databaseClock-time.Millisecond }, Bad, "database server's by -2.001s"},
		{"clocks agree", judgeClock, func(f *facts) { f.path, f.database.offset = "", databaseClock }, OK, "the database server's"},
		{"clock within what is allowed", judgeClock, func(f *facts) {
			f.market.clock = clock{date: f.now, at: f.now.Add(httpClock + 2*time.Second), took: 2 * time.Second}
		}, OK, "the marketplace's"},
		{"clock beyond", judgeClock, func(f *facts) {
			f.market.clock = clock{date: f.now, at: f.now.Add(httpClock + 2*time.Second + time.Millisecond), took: 2 * time.Second}
		}, Bad, "the marketplace's by 7s"},
		{"restored file", judgeRestored, func(f *facts) { f.database.durable = storage.ErrRestored }, Bad, "nobody can buy"},
		{"replication of what was restored", judgeReplication, func(f *facts) { f.path, f.database.durable = "", storage.ErrRestored }, Info, "not checked"},
		{"replication can't be read", judgeReplication, func(f *facts) { f.path, f.database.durable = "", errors.New("gone") }, Bad, "gone"},
	} {
		found := test.judge(sqlite(test.change))
		if len(found) != 1 || found[0].Level != test.level || !strings.Contains(found[0].Text, test.text) {
			t.Errorf("%s: got %v", test.name, found)
		}
	}
}

// Machines read this form.
func TestForm(t *testing.T) {
	lines := []Line{{"token", OK, "the bot is @shop_bot", ""}, {"disk", Bad, "only 1 MiB is free", "make room"}}
	var text, asJSON bytes.Buffer
	if err := errors.Join(Print(&text, lines), PrintJSON(&asJSON, lines)); err != nil {
		t.Fatal(err)
	}
	if want := "ok    token              the bot is @shop_bot\nbad   disk               only 1 MiB is free; make room\n"; text.String() != want {
		t.Errorf("got\n%swant\n%s", &text, want)
	}
	const want = `[
  {
    "check": "token",
    "level": "ok",
    "text": "the bot is @shop_bot",
    "advice": ""
  },
  {
    "check": "disk",
    "level": "bad",
    "text": "only 1 MiB is free",
    "advice": "make room"
  }
]
`
	if asJSON.String() != want {
		t.Errorf("got\n%s", &asJSON)
	}
	if !HasBad(lines) || HasBad(lines[:1]) {
		t.Error("HasBad")
	}
}

func TestNamesFitTheirColumn(t *testing.T) {
	longest := 0
	for _, name := range Names() {
		longest = max(longest, len(name))
	}
	if longest != longestName {
		t.Errorf("the longest name has %d characters", longest)
	}
}

func TestCallRate(t *testing.T) {
	for _, test := range []struct {
		most         config.CallRate
		stored, want string
		level        Level
	}{
		{300, "", "at most 300 calls a second; nothing is known", OK},
		{300, `{"rate":`, "nothing is known", OK},
		{300, `{"rate":84.4}`, "84 calls a second, at most 300", OK},
		{50, `{"rate":84.4,"limit":95.6}`, "50 calls a second, at most 50; the marketplace refused more than about 96", OK},
		{0, `{"rate":84.4}`, "without limit", OK},
		{300, `{"rate":84,"banned_until":"2999-01-01T12:00:00Z"}`, "not looked for until 2999-01-01T12:00:00Z", Info},
	} {
		f := &facts{}
		f.Config.HStockRate = test.most
		f.database.asked, f.database.known, f.database.callRate = true, true, test.stored
		if lines := judgeCallRate(f); len(lines) != 1 || lines[0].Level != test.level || !strings.Contains(lines[0].Text, test.want) {
			t.Errorf("%v, %s: %+v", test.most, test.stored, lines)
		}
	}
}
