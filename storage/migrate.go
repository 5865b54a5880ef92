package storage

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaMinSetting holds the lowest schema version that a program must know to
// use the database. A migration that older programs can't work with raises it to
// its own number.
const schemaMinSetting = "schema_min"

// SchemaError says that a newer program has changed the database, and that this
// program must not use it.
type SchemaError struct {
	Required int64 // the lowest schema version that a program must know
	Known    int64 // the newest that this program knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("storage: the database needs a newer program: it requires schema version %d, and this program knows version %d", e.Required, e.Known)
}

// migrate brings the tables up to date. The error is a *SchemaError, and nothing
// is written, where the database needs a newer program.
//
// Several processes may start at once: each migration commits together with its
// number, so a migration that fails although the number has advanced was made by
// another process.
func migrate(ctx context.Context, db *sqlx.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("storage: migrations: %w", err)
	}
	provider, err := goose.NewProvider(sqlDialect, db.DB, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("storage: migrations: %w", err)
	}
	sources := provider.ListSources() // by version
	if err := checkSchema(ctx, db, sources[len(sources)-1].Version); err != nil {
		return err
	}
	version := int64(-1)
	for {
		_, failed := provider.Up(ctx)
		if failed == nil {
			return nil
		}
		now, err := provider.GetDBVersion(ctx)
		if err != nil || now <= version {
			return fmt.Errorf("storage: migrating: %w", errors.Join(failed, err))
		}
		version = now
	}
}

// checkSchema refuses a database that requires more than the known schema version.
func checkSchema(ctx context.Context, db *sqlx.DB, known int64) error {
	exists, err := hasTable(ctx, db, "settings")
	if err != nil {
		return fmt.Errorf("storage: reading the schema: %w", err)
	}
	if !exists { // a new database
		return nil
	}
	text, err := setting(ctx, db, db.Rebind(selectSetting), schemaMinSetting)
	if err != nil || text == "" { // before version 10
		return err
	}
	required, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("storage: setting %s: %w", schemaMinSetting, err)
	}
	if required > known {
		return &SchemaError{Required: required, Known: known}
	}
	return nil
}
