package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// BenchmarkStart measures a start until the program handles updates, with a million orders,
// of which 100,000 are open and due:
//
//	go test ./internal/app -run '^$' -bench Start -benchtime 5x
//	TEST_DATABASE=postgres .ci/postgres go test ./internal/app -run '^$' -bench Start -benchtime 5x
func BenchmarkStart(b *testing.B) {
	const orders = 1_000_000
	path := filepath.Join(b.TempDir(), "bot.db")
	url := testworld.DatabaseURL(b, path)
	db := testworld.OpenDB(b, path)
	for user := range int64(1000) {
		_, _, err := db.TouchUser(b.Context(), user+1, "Somebody", "en", true)
		testworld.Must(b, err)
	}
	key, err := db.SaveKey(b.Context(), 1, testworld.AnnaKey)
	testworld.Must(b, err)
	testworld.Must(b, db.Close(b.Context()))
	testworld.Exec(b, path, fmt.Sprintf(`INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock, variants, balance, origin,
			state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, balance_seen, verdict, created_at, expires_at, sent_at, settled_at)
		WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)
		SELECT (CAST(i AS BIGINT) * 7919000003) %% 9007199254740881, 1 + i %% 1000, %d, '%s', 'product', 1 + i %% 3000, 'Outlook accounts', 3, '', '0.350', 1, 'USD', 100, 0, '12.30', 's1:2:3',
			'placed', '', '', '', 0, 0, 0, NULL, '', 1700000000000, 0, 1700000000000, 1700000000000 FROM g`, orders, key.ID, key.Fingerprint))
	testworld.Exec(b, path, `INSERT INTO orders (id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity, link_sealed, origin, state, raw_status, charge, currency,
			remains, start_count, auto_delivery, delivered, created_at, updated_at, closed_at, next_poll_at, polls, failures, lease_owner, lease_until, category)
		SELECT id + 1, user_id, id, key_id, key_fingerprint, kind, CAST(id AS TEXT), 0, service, name, quantity, '', origin,
			CASE WHEN id % 10 = 0 THEN 'open' ELSE 'delivered' END, 'Completed', '1.050', 'USD', 0, NULL, 1, 3, created_at, created_at,
			CASE WHEN id % 10 = 0 THEN 0 ELSE created_at END, created_at, 5, 0, '', 0, 'Email accounts' FROM purchases`)
	marketplace, telegramServer := market.New(market.Options{}), telegram.New(telegram.Options{Token: testworld.Token, NoLog: true})
	marketURL, telegramURL := httptest.NewServer(marketplace), httptest.NewServer(telegramServer)
	b.Cleanup(func() { marketplace.Close(); telegramServer.Close(); marketURL.Close(); telegramURL.Close() })
	cfg := testworld.BaseConfig(url)
	cfg.HStockAPIURL, cfg.TelegramAPIURL = marketURL.URL, telegramURL.URL
	ann := telegramServer.Join(telegram.Person{ID: 1, FirstName: "Ann", LanguageCode: "en"})
	var handled time.Duration
	for b.Loop() {
		began, last := time.Now(), ann.Type("/menu")
		program, err := app.New(b.Context(), cfg, app.Options{Log: slog.New(slog.DiscardHandler)})
		testworld.Must(b, err)
		testworld.Must(b, program.Start(b.Context()))
		testworld.Must(b, ann.Await(b.Context(), func([]telegram.Message) bool { return ann.Last().FromBot && ann.Last().ID > last }))
		handled += time.Since(began)
		b.StopTimer()
		testworld.Must(b, program.Stop(context.WithoutCancel(b.Context())))
		b.StartTimer()
	}
	b.ReportMetric(handled.Seconds()*1000/float64(b.N), "ms/answer")
}
