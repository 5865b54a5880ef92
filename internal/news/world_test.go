package news_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/news"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a testworld with a process that makes rounds.
type world struct {
	*testworld.World
	db      *storage.DB
	key     redact.Secret
	lang    string       // of the news; "": the marketplace can't tell their names
	set     atomic.Int64 // by how many nanoseconds the clock of all processes was set
	process *news.Service
}

// run runs a test whose process has made its first round.
func run(t *testing.T, test func(w *world)) {
	t.Helper()
	testworld.Run(t, func(base *testworld.World) {
		w := &world{World: base, db: base.OpenDB(), key: testworld.OperatorKey}
		w.start()
		passRounds(1)

		test(w)

		w.stop()
		w.must(w.db.Close(w.T.Context()))
	})
}

func (w *world) must(err error) {
	w.T.Helper()
	testworld.Must(w.T, err)
}

func (w *world) start() {
	client := w.Client()
	w.process = news.New(news.Options{
		DB: w.db, Market: client, OperatorKey: w.key, Log: slog.New(slog.NewTextHandler(w.Log, nil)),
		Names: func(ctx context.Context) (map[int64]string, error) {
			if w.lang == "" {
				return nil, errors.New("not now")
			}
			page, err := client.Services(ctx, w.key, hstock.Filter{Lang: w.lang})
			names := map[int64]string{}
			for i := range page.Items {
				names[page.Items[i].Service] = page.Items[i].Name
			}
			return names, err
		},
		Wall: func() time.Time { return time.Now().Add(time.Duration(w.set.Load())) },
	})
	w.process.Start()
}

func (w *world) stop() {
	w.T.Helper()
	w.must(w.process.Stop(w.T.Context()))
}

// restart stops the process and starts another one, after a time, which makes a round.
func (w *world) restart(after time.Duration) {
	w.T.Helper()
	w.stop()
	testworld.Pass(after)
	w.start()
	testworld.Pass(news.FirstRound + time.Second)
}

// passRounds lets the time of so many rounds pass.
func passRounds(n int) { testworld.Pass(time.Duration(n) * news.Every) }

func (w *world) setStock(service, n int64) {
	w.T.Helper()
	w.must(w.Market.SetStock(service, n))
}

func (w *world) setRate(service int64, rate string) {
	w.T.Helper()
	w.must(w.Market.SetRate(service, rate))
}

func (w *world) selectNews(change func(*news.Selection)) {
	w.T.Helper()
	_, err := news.ChangeSelection(w.T.Context(), w.db, change, storage.AuditEntry{Action: "news", At: time.Now()})
	w.must(err)
}

// want fails unless these are all news that are stored, in any order. Each is "kind
// service", and a drop has its prices: "drop 2 1.25→1 USD".
func (w *world) want(want ...string) {
	w.T.Helper()
	var rows []storage.News
	w.Select(&rows, `SELECT id, kind, service, old_price, price, currency FROM news`)
	var got []string
	for _, n := range rows {
		text := fmt.Sprint(n.Kind, " ", n.Service)
		if n.Kind == storage.NewsDrop {
			text += fmt.Sprint(" ", n.OldPrice, "→", n.Price, " ", n.Currency)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.T.Errorf("the news are %q, want %q\n%s", got, want, w.Log)
	}
}

// catalogue returns what is stored of the services, one in a line.
func (w *world) catalogue() string {
	w.T.Helper()
	items, err := w.db.Catalogue(w.T.Context())
	w.must(err)
	var lines []string
	for _, item := range items {
		lines = append(lines, fmt.Sprint(item))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
