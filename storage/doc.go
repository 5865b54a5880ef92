// Package storage owns the database: its connections and files, its migrations, the
// sealing of secrets, and every row. It contains no Telegram code, no call of the
// marketplace and no text for people.
//
// # Database
//
// SQLite without cgo, in WAL mode with synchronous=FULL. Pragmas stand in the connection
// string, since each connection needs them, and are read back on every connection. One
// connection writes, in immediate transactions (write); four can only read. Small
// frequent writes share a transaction, and so one durable commit (submit). SQL stays in
// the subset that SQLite and PostgreSQL share; PostgreSQL itself is not supported.
//
// Migrations run when the database is opened. The setting schema_min is the lowest
// schema version that a program must know: an older one refuses the database
// (SchemaError).
//
// # Rows
//
// A struct says by its tags how its fields stand in columns (row.go), so a new column is
// written once in the struct, once in a migration, and once more only where an update
// names it. Times are unix milliseconds, money is the marketplace's decimal text, ids
// are random (newID).
//
// Each change of a state is a compare-and-set (transition.go). Messages to people and
// audit entries are stored in the transaction of the change that they are about.
//
// # Sealing
//
// What people typed or bought is sealed: API keys, links and e-mails, phone numbers,
// the marketplace's sentences, bodies of messages, payloads of updates, the data of
// dialogs and searches. Columns named *_sealed hold AES-256-GCM as
// "v1.<key id>.<base64url>", or "". Table, column and row are the associated data, so a
// value that was moved to another row can't be opened; a table or column that is renamed
// keeps its old name there.
//
// The keys are SECRET_KEY, or secret.key beside the database, which is created once. The
// first key seals, all of them open; no value is sealed again by itself, so an old key
// stays needed. A database whose secret.key is gone is refused.
//
// Goods and API keys are recognized by keyed digests (Digest). Goods themselves are not
// stored after they were sent.
//
// A value that can't be opened does not hide its row: the field stays empty, Damaged
// says why, and no update overwrites the column with an empty value.
//
// # Files
//
// Files are created with mode 0600, a new folder with 0700. A secret.key that others may
// read is refused.
//
// # Lifetime
//
// Sweep deletes what is old (sweepRules). Forget deletes what is kept about a person;
// a test finds tables that it misses.
package storage
