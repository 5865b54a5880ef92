package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// NewsKind is what is new about a service.
type NewsKind string

// The kinds of news.
const (
	NewsRestock NewsKind = "restock" // it can be bought again
	NewsDrop    NewsKind = "drop"    // its price has fallen
	NewsNew     NewsKind = "new"     // the catalogue did not have it
)

// CatalogueItem is a service as it was compared last. The clocks are in milliseconds on
// the clock of the comparisons, 0 for never.
type CatalogueItem struct {
	Service      int64           `db:"service"`
	SMM          bool            `db:"smm"`
	Category     string          `db:"category"` // in English
	Price        decimal.Decimal `db:"price"`
	Currency     string          `db:"currency"`
	InStock      bool            `db:"in_stock"`
	GoneClock    int64           `db:"gone_clock"`    // since when it is not listed
	RestockClock int64           `db:"restock_clock"` // when it was last in the news as a restock
	DropClock    int64           `db:"drop_clock"`    // likewise as a price drop
}

// News is one thing that is new in the catalogue.
type News struct {
	ID        int64           `db:"id"`
	Kind      NewsKind        `db:"kind"`
	Service   int64           `db:"service"`
	SMM       bool            `db:"smm"`
	Name      string          `db:"name"`
	Category  string          `db:"category"`
	OldPrice  decimal.Decimal `db:"old_price"` // of a NewsDrop
	Price     decimal.Decimal `db:"price"`
	Currency  string          `db:"currency"`
	At        time.Time       `db:"at"`
	SeenClock int64           `db:"seen_clock"` // At on the clock of the comparisons
	// Of the post, zero while there is none.
	ChatID    int64 `db:"chat_id"`
	MessageID int64 `db:"message_id"`
	Place     int64 `db:"place"`  // from 1
	More      int64 `db:"more"`   // how many further news it counts
	Struck    bool  `db:"struck"` // it says that this is sold out
	// Of the service, as the last comparison has left it; zero if it is forgotten.
	InStock         bool            `db:"in_stock" from:"COALESCE((SELECT c.in_stock FROM catalogue AS c WHERE c.service = news.service), 0)"`
	GoneClock       int64           `db:"gone_clock" from:"COALESCE((SELECT c.gone_clock FROM catalogue AS c WHERE c.service = news.service), 0)"`
	PresentPrice    decimal.Decimal `db:"present_price" from:"COALESCE((SELECT c.price FROM catalogue AS c WHERE c.service = news.service), '0')"`
	PresentCurrency string          `db:"present_currency" from:"COALESCE((SELECT c.currency FROM catalogue AS c WHERE c.service = news.service), '')"`
}

// CatalogueChange is what a comparison has found out about a service.
type CatalogueChange struct {
	Item   CatalogueItem
	Delete bool // the item is forgotten
	News   []News
}

// newsAge is how long news are kept.
const newsAge = 14 * day

// Catalogue returns the services that were compared last.
func (db *DB) Catalogue(ctx context.Context) ([]CatalogueItem, error) {
	items, err := selectRows[CatalogueItem](ctx, db, db.reader, `SELECT `+columnsOf[CatalogueItem]()+` FROM catalogue`)
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	return items, nil
}

// CatalogueCategories returns the categories of the services that were compared last, by
// name, in English.
func (db *DB) CatalogueCategories(ctx context.Context) ([]string, error) {
	var categories []string
	err := db.reader.SelectContext(ctx, &categories, `SELECT DISTINCT category FROM catalogue WHERE gone_clock = 0 AND category <> '' ORDER BY category`)
	if err != nil {
		return nil, fmt.Errorf("read the categories: %w", err)
	}
	return categories, nil
}

// ChangeCatalogue makes changes and stores their news, in one transaction. It changes
// nothing and returns false if the setting name does not have this value: another process
// has begun a comparison since.
func (db *DB) ChangeCatalogue(ctx context.Context, name, value string, changes []CatalogueChange) (current bool, err error) {
	for i := range changes {
		for j := range changes[i].News {
			changes[i].News[j].ID = newID()
		}
	}
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		stored, err := setting(ctx, tx, selectSetting, name)
		if current = stored == value; err != nil || !current {
			return err
		}
		for _, change := range changes {
			if err := db.changeCatalogue(ctx, tx, change); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("change the catalogue: %w", err)
	}
	return current, nil
}

func (db *DB) changeCatalogue(ctx context.Context, tx *sqlx.Tx, change CatalogueChange) error {
	if change.Delete {
		_, err := tx.ExecContext(ctx, `DELETE FROM catalogue WHERE service = ?`, change.Item.Service)
		return err
	}
	query, args := db.insertion("catalogue", &change.Item)
	_, err := tx.ExecContext(ctx, query+` ON CONFLICT (service) DO UPDATE SET smm = excluded.smm, category = excluded.category, price = excluded.price,
		currency = excluded.currency, in_stock = excluded.in_stock, gone_clock = excluded.gone_clock, restock_clock = excluded.restock_clock,
		drop_clock = excluded.drop_clock`, args...)
	if err != nil {
		return err
	}
	for _, n := range change.News {
		query, args := db.insertion("news", &n, "state", "waiting")
		if _, err := tx.ExecContext(ctx, query+` ON CONFLICT (id) DO NOTHING`, args...); err != nil {
			return err
		}
	}
	return nil
}

// newsHolds selects news that still hold: the service can be bought, for no more than the
// price that has fallen.
const newsHolds = `EXISTS (SELECT 1 FROM catalogue AS c WHERE c.service = news.service AND c.in_stock = 1 AND c.gone_clock = 0
	AND (news.kind <> 'drop' OR c.currency = news.currency AND CAST(c.price AS DOUBLE PRECISION) <= CAST(news.price AS DOUBLE PRECISION)))`

// LatestNews returns the news of a kind that still hold, the newest of each service, the
// newest first, at most limit.
func (db *DB) LatestNews(ctx context.Context, kind NewsKind, now time.Time, limit int) ([]News, error) {
	found, err := db.news(ctx, `WHERE kind = ? AND at >= ? AND `+newsHolds+`
		AND NOT EXISTS (SELECT 1 FROM news AS newer WHERE newer.kind = news.kind AND newer.at > news.at AND newer.service = news.service)
		ORDER BY at DESC, service LIMIT ?`, kind, toMillis(now.Add(-newsAge)), limit)
	return found, err
}

func (db *DB) news(ctx context.Context, where string, args ...any) ([]News, error) {
	found, err := selectRows[News](ctx, db, db.reader, `SELECT `+columnsOf[News]()+` FROM news `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read news: %w", err)
	}
	return found, nil
}
