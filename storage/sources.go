package storage

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"
)

const (
	// sourcePrefix begins the settings that count new people by the link by which they came.
	sourcePrefix = "source:"
	// maxSources limits the counted links: anyone can make one up.
	maxSources = 100
)

// Source is a link of the operator's, and how many new people have come by it.
type Source struct {
	Name   string `db:"name"`
	People int64  `db:"people"`
}

// CountSource counts a new person who came by the link of this name. Links after the
// first hundred are not counted.
func (db *DB) CountSource(ctx context.Context, name string) error {
	name = sourcePrefix + name
	var value string
	counted := func(tx *sqlx.Tx) (bool, error) {
		return finds(ctx, `SELECT 1 FROM settings WHERE name = ? AND value = ?`, name, value)(tx)
	}
	err := db.writeOnce(ctx, counted, func(tx *sqlx.Tx) error {
		before, err := setting(ctx, tx, selectSetting, name)
		if err != nil {
			return err
		}
		if before == "" {
			var others int
			if err := tx.GetContext(ctx, &others, `SELECT COUNT(*) FROM settings WHERE name LIKE ?`, sourcePrefix+"%"); err != nil || others >= maxSources {
				return err
			}
		}
		people, _ := strconv.ParseInt(before, 10, 64) // "" is 0
		value = strconv.FormatInt(people+1, 10)
		return setSetting(ctx, tx, upsertSetting, name, value)
	})
	if err != nil {
		return fmt.Errorf("count where a person comes from: %w", err)
	}
	return nil
}

// Sources returns the counted links, those of most people first.
func (db *DB) Sources(ctx context.Context) ([]Source, error) {
	var sources []Source
	err := db.reader.SelectContext(ctx, &sources, `SELECT SUBSTR(name, `+strconv.Itoa(len(sourcePrefix)+1)+`) AS name, CAST(value AS BIGINT) AS people
		FROM settings WHERE name LIKE ? ORDER BY CAST(value AS BIGINT) DESC, name`, sourcePrefix+"%")
	if err != nil {
		return nil, fmt.Errorf("read where people come from: %w", err)
	}
	return sources, nil
}
