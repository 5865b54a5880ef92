// Package storage owns the database: its connections and files, its migrations, the
// sealing of secrets, and every row. It contains no Telegram code, no call of the
// marketplace and no text for people.
//
// # Database
//
// SQLite or PostgreSQL, by the URL. Queries are written once, with ? for values; what the
// engines do not share is in sqlite.go, postgres.go and the files that they name.
//
// SQLite without cgo, in WAL mode with synchronous=FULL. Pragmas stand in the connection
// string, since each connection needs them, and are read back on every connection. One
// connection writes, in immediate transactions (write); four can only read. Small
// frequent writes share a transaction, and so one durable commit (submit).
//
// PostgreSQL 15 or newer, with one pool of connections. Transactions are serializable
// (write), or read committed for small, frequent writes that first touch the one row that
// decides (submit). They run again after a conflict, and for up to 10 seconds after a
// lost connection. Where a commit was sent and not answered, they look for what it has
// written, and run again if that is not there (writeOnce, submitOnce). Each method
// returns what it would have returned, or ErrAmbiguous if the database stays away;
// commit_test.go cuts connections at the commit of each. Started statements end by
// deadlines of their own only. Several processes may use the database;
// race_test.go tests what one of them must not do beside another. Notify and Listen carry
// hints between them, which may get lost.
//
// Migrations run when the database is opened. The setting schema_min is the lowest
// schema version that a program must know: an older one refuses the database
// (SchemaError).
//
// Move copies all rows to another, empty database, for the command migrate-db. Two settings
// say which databases Open refuses: moved (a database that was left) and moving (one that
// is not complete). Its statements have no deadline, so it has a connection of its own.
//
// # Backups
//
// Backup copies the file of SQLite beside running programs, Restore puts a copy in its
// place, and Open makes one before each migration. Whom Forget deletes is noted in a file
// beside the database, so that Restore can forget them again (forgotten.go).
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
// "v1.<key id>.<base64url>", or "". Table, column and row are the associated data, and
// for API keys the id of their owner, so a value or a key that was moved to another row
// or person can't be opened; a table or column that is renamed keeps its old name there.
//
// The keys are SECRET_KEY, or secret.key beside the database, which is created once. The
// first key seals, all of them open. A value keeps its key until Rotate seals it anew, which
// runs beside the program. Replicas record the ids of their keys, so that Rotate refuses
// one that does not seal with the newest. A database whose secret.key is gone is refused.
//
// Goods and API keys are recognized by keyed digests (Digest). Goods themselves are not
// stored after they were sent.
//
// A value that can't be opened does not hide its row: the field stays empty, Damaged
// says why, and no update overwrites the column with an empty value.
//
// # Files
//
// Files of SQLite are created with mode 0600, a new folder with 0700. A secret.key that others than
// the groups of the process may read is refused.
//
// # Lifetime
//
// Sweep deletes what is old (sweepRules). Forget deletes what is kept about a person;
// a test finds tables that it misses. What is deleted is removed from the files, too
// (checkpoint.go).
package storage
