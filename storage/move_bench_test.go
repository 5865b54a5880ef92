package storage

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// largeShop returns the URL of a file with n placed purchases with an order each.
func largeShop(b *testing.B, n int) string {
	b.Helper()
	url := newFile(b)
	openOnce(b, url)
	db := &DB{keys: testKeys(b, 1)}
	sealed := db.seal("orders", "link", 1, []byte(strings.Repeat("anna@example.com ", 6)))
	execute(b, url,
		fmt.Sprintf(`INSERT INTO users (id, name, telegram_lang, lang, unreachable, created_at, seen_at)
			WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i, 'Somebody', 'en', '', 0, 1, 1 FROM g`, n/4),
		fmt.Sprintf(`INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock, variants, balance, origin,
				state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, balance_seen, verdict, created_at, expires_at, sent_at, settled_at)
			WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)
			SELECT (i * 7919000003) %% 9007199254740881, i %% 50000, i %% 60000, 'cHJpbnQtb2YtYS1rZXktdGhhdC1pcy00My1jaGFyYWN0ZXJz', 'product', i %% 3000, 'Outlook accounts, aged, with IMAP', 3, '',
				'0.350', 1, 'USD', 100, 0, '12.30', 's1:2:3', 'placed', '', '', 'OWNEROWNEROWNEROWNEROWNER/123456789', 0, 0, 0, NULL, '',
				1700000000000 + i * 1000, 0, 1700000000000 + i * 1000, 1700000000000 + i * 1000 FROM g`, n),
		`INSERT INTO orders (id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity, link_sealed, origin, state, raw_status, charge, currency,
				remains, start_count, auto_delivery, delivered, created_at, updated_at, closed_at, next_poll_at, polls, failures, lease_owner, lease_until, category)
			SELECT id + 1, user_id, id, key_id, key_fingerprint, kind, CAST(id % 100000000 AS TEXT), 0, service, name, quantity, '`+sealed+`', origin,
				CASE WHEN id % 10 = 0 THEN 'open' ELSE 'delivered' END, 'Completed', '1.050', 'USD', 0, NULL, 1, 3, created_at, created_at,
				CASE WHEN id % 10 = 0 THEN 0 ELSE created_at END, created_at, 5, 0, '', 0, 'Email accounts' FROM purchases`,
		`UPDATE orders SET link_sealed = '' WHERE rowid % 2 = 0`, // as many orders have none
		`UPDATE orders SET link_sealed = '`+db.seal("orders", "link", 1, nil)+`', id = 1 WHERE rowid = 1`)
	return url
}

// BenchmarkMove moves a shop with 200,000 orders, or a million, and as many purchases from
// SQLite to PostgreSQL and back:
//
//	.ci/postgres go test ./storage -run '^$' -bench 'Move/200000' -benchtime 1x -timeout 30m
func BenchmarkMove(b *testing.B) {
	pgtest.Require(b)
	for _, n := range []int{200_000, 1_000_000} {
		file := largeShop(b, n)
		info, err := os.Stat(strings.TrimPrefix(file, sqliteScheme))
		if err != nil {
			b.Fatal(err)
		}
		bench := func(name string, to func(testing.TB) string) {
			b.Run(fmt.Sprint(n, " ", name), func(b *testing.B) {
				b.ReportMetric(float64(info.Size())/1e6, "MB")
				for b.Loop() {
					url := to(b)
					if err := moveTo(b, file, url); err != nil {
						b.Fatal(err)
					}
					file = url
				}
			})
		}
		bench("to PostgreSQL", func(testing.TB) string { return pgtest.Empty(b) })
		bench("to SQLite", func(testing.TB) string { return newFile(b) })
	}
}
