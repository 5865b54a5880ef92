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
// use the database. A migration raises it to a version that the program of the
// release before knows, because that program runs beside the new one during an upgrade.
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

// schema is how migrations run on a database engine.
type schema struct {
	dialect goose.Dialect
	options []goose.ProviderOption
	tables  string // counts the tables of a name
	// before is called before tables with content are migrated to a version; nil for nothing.
	before func(version int64) error
}

// newProvider returns what runs the migrations on a database.
func (s schema) newProvider(db *sqlx.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.dialect, db.DB, folder, append(s.options, goose.WithDisableGlobalRegistry(true))...)
}

// migrate brings the tables up to date. The error is a *SchemaError, and nothing
// is written, where the database needs a newer program.
//
// Several processes may start at once: each migration commits together with its
// number, so a migration that fails although the number has advanced was made by
// another process.
func migrate(ctx context.Context, db *sqlx.DB, on schema) error {
	provider, err := on.newProvider(db)
	if err != nil {
		return fmt.Errorf("storage: migrations: %w", err)
	}
	sources := provider.ListSources() // by version
	if err := checkSchema(ctx, db, on, sources[len(sources)-1].Version); err != nil {
		return err
	}
	if err := on.beforeMigration(ctx, provider, sources[len(sources)-1].Version); err != nil {
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

// beforeMigration calls before where the database is of an older version than the known
// one. A new database has no version.
func (s schema) beforeMigration(ctx context.Context, provider *goose.Provider, known int64) error {
	if s.before == nil {
		return nil
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("storage: reading the schema: %w", err)
	}
	if version == 0 || version >= known {
		return nil
	}
	return s.before(known)
}

// checkSchema refuses a database that requires more than the known schema version, or
// that was moved.
func checkSchema(ctx context.Context, db *sqlx.DB, on schema, known int64) error {
	var exists int
	if err := db.GetContext(ctx, &exists, db.Rebind(on.tables), "settings"); err != nil {
		return fmt.Errorf("storage: reading the schema: %w", err)
	}
	if exists == 0 { // a new database
		return nil
	}
	if err := checkNotMoved(ctx, db); err != nil {
		return err
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
