package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
)

// TestCommitWithoutAnswer: whether the commit of a method reached the server or not, or
// is still under way, its caller learns the same, and the database has the same rows, as
// if it had been answered.
func TestCommitWithoutAnswer(t *testing.T) {
	pgtest.Require(t)
	for _, test := range commitCases {
		t.Run(test.name, func(t *testing.T) {
			run := func(cut pgtest.Cut) string {
				url := postgresURL(t, filepath.Join(t.TempDir(), fmt.Sprint(cut)))
				proxy := pgtest.NewProxy(t, url)
				db := openURL(t, proxy.URL())
				touch(t, db, 7)
				w := &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now()}
				call := test.prepare(w)
				release := func(<-chan struct{}) {}
				if cut == pgtest.CutDuringCommit {
					release = holdCommits(t, url)
				}
				proxy.Cut(cut)
				var result any
				done := make(chan struct{})
				go func() {
					defer close(done)
					var err error
					if result, err = call(); err != nil {
						t.Errorf("cut %d: %v", cut, err)
					}
				}()
				release(done)
				<-done
				if cuts := proxy.Cuts(); (cuts == 1) != (cut != pgtest.CutNever) {
					t.Errorf("cut %d: %d connections were cut", cut, cuts)
				}
				return fmt.Sprintf("%v\n%s", result, contents(t, db))
			}
			want := run(pgtest.CutNever)
			equal(t, "cut before the commit", want, run(pgtest.CutBeforeCommit))
			equal(t, "cut during the commit", want, run(pgtest.CutDuringCommit))
			equal(t, "cut after the commit", want, run(pgtest.CutAfterCommit))
		})
	}
}

// holdCommits makes commits wait. release lets them go on when one waits and another
// transaction waits for it, or the call that makes them is done.
func holdCommits(t *testing.T, url string) (release func(done <-chan struct{})) {
	t.Helper()
	const atCommit = `(42)` // an advisory lock
	db := openURL(t, url)
	holder, err := db.writer.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string) {
		if _, err := holder.ExecContext(t.Context(), query); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_advisory_xact_lock_shared` + atCommit + `; RETURN NULL; END $f$`)
	for _, table := range tables(t, db) {
		run(`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE OR DELETE ON ` + table + ` DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()`)
	}
	run(`SELECT pg_advisory_lock` + atCommit)
	return func(done <-chan struct{}) {
		for waiting := 0; waiting < 2; {
			select {
			case <-done:
				waiting = 2
			default:
				// The server pauses between two looks, so that new connections get their turn.
				waiting = db.count(t, `SELECT COUNT(*) FROM pg_locks JOIN pg_stat_activity USING (pid), pg_sleep(0.002) WHERE NOT granted AND datname = current_database()`)
			}
		}
		run(`SELECT pg_advisory_unlock` + atCommit)
		if err := holder.Close(); err != nil {
			t.Error(err)
		}
	}
}

func tables(t *testing.T, db *DB) []string {
	t.Helper()
	return selectStrings(t, db, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE 'goose%' ORDER BY 1`)
}

// contents returns all rows without what differs from one world to the next: ids, times,
// and what is sealed.
func contents(t *testing.T, db *DB) string {
	t.Helper()
	var lines []string
	for _, table := range tables(t, db) {
		columns := selectStrings(t, db, `SELECT column_name FROM information_schema.columns WHERE table_name = '`+table+`'
			AND column_name NOT LIKE '%id' AND column_name NOT LIKE '%\_at' AND column_name NOT LIKE '%\_until' AND column_name NOT LIKE '%\_sealed'
			AND column_name NOT IN ('at', 'since', 'fingerprint', 'key_fingerprint', 'value', 'digest', 'position') ORDER BY 1`)
		if len(columns) == 0 {
			columns = []string{"1"}
		}
		rows := selectStrings(t, db, `SELECT CONCAT_WS('|', `+strings.Join(columns, ", ")+`) FROM `+table)
		slices.Sort(rows)
		for _, row := range rows {
			lines = append(lines, table+": "+row)
		}
	}
	return strings.Join(lines, "\n")
}

// TestUnresolvedCommitStaysAmbiguous: where the database does not say what became of a
// commit, its caller must not take it for rolled back.
func TestUnresolvedCommitStaysAmbiguous(t *testing.T) {
	pgtest.Require(t)
	proxy := pgtest.NewProxy(t, postgresURL(t, filepath.Join(t.TempDir(), "bot.db")))
	db := openURL(t, proxy.URL())
	for name, failure := range map[string]error{"closed": ErrClosed, "refused": &pgconn.PgError{Code: "57014"}} {
		t.Run(name, func(t *testing.T) {
			proxy.Cut(pgtest.CutAfterCommit)
			runs := 0
			err := db.writeOnce(t.Context(), func(*sqlx.Tx) (bool, error) { return false, failure }, func(tx *sqlx.Tx) error {
				runs++
				return set(t.Context(), tx, name)
			})
			if !errors.Is(err, ErrAmbiguous) || runs != 1 {
				t.Errorf("%d runs: %v", runs, err)
			}
		})
	}
}

// TestCommitWithoutStandbyIsAmbiguous: where the server gives up waiting for its
// synchronous standby, the commit succeeds with a warning, and a failover would lose it.
func TestCommitWithoutStandbyIsAmbiguous(t *testing.T) {
	db := openPostgresTest(t)
	touch(t, db, 7)
	w := &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now()}
	p := w.claimed()
	for _, query := range []string{
		`CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE WARNING 'canceling wait for synchronous replication' USING ERRCODE = '01000'; RETURN NULL; END $f$`,
		`CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON purchases DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()`,
	} {
		if _, err := db.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	started, err := db.StartSending(t.Context(), p.ID, "owner", Terms{Rate: p.Rate, Currency: "USD"}, w.now, w.now.Add(time.Minute))
	if !errors.Is(err, ErrAmbiguous) || started {
		t.Errorf("started %v: %v", started, err)
	}
	if err := db.AddMessage(t.Context(), w.message()); err != nil {
		t.Errorf("the next commit of the connection: %v", err)
	}
}

func (w *commitWorld) purchase() Purchase {
	return Purchase{
		UserID: 7, KeyID: w.key.ID, KeyFingerprint: w.key.Fingerprint, Kind: KindProduct, Service: 2, Name: "Goods", Quantity: 1,
		Rate: decimal.New(1, 0), RatePer: 1, Currency: "USD", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Minute),
	}
}

func (w *commitWorld) draft() Purchase {
	w.Helper()
	p, err := w.db.InsertDraft(w.Context(), w.purchase(), 0)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *commitWorld) claimed() Purchase {
	w.Helper()
	p := w.draft()
	if claimed, err := w.db.ClaimPurchase(w.Context(), 7, p.ID, "owner", w.now, w.now.Add(time.Minute)); err != nil || !claimed {
		w.Fatalf("claimed %v: %v", claimed, err)
	}
	return p
}

// another stores another purchase, which is already as the call is going to leave its own.
func (w *commitWorld) another(is string, times ...time.Time) {
	w.Helper()
	p := w.draft()
	args := []any{}
	for _, at := range times {
		args = append(args, toMillis(at))
	}
	if _, err := w.db.transition(w.Context(), "prepare", `UPDATE purchases SET key_fingerprint = 'another', `+is+` WHERE id = ?`, append(args, p.ID)...); err != nil {
		w.Fatal(err)
	}
}

func (w *commitWorld) orderIDs() (ids []int64) {
	w.Helper()
	for _, o := range rented(w.T, w.db, 7, w.key, 1, 2) {
		ids = append(ids, o.ID)
	}
	return ids
}

func (w *commitWorld) message() Message { return Message{UserID: 7, Kind: "x", CreatedAt: w.now} }

func (w *commitWorld) announce(Order) []Message { return []Message{w.message()} }

func (w *commitWorld) compose(Order, []redact.Secret) ([]Message, error) {
	return []Message{w.message()}, nil
}

func (w *commitWorld) entry() AuditEntry { return AuditEntry{AdminID: 1, Action: "x", At: w.now} }

func (w *commitWorld) watch() Watch {
	return Watch{UserID: 7, Service: 2, Kind: WatchRestock, Name: "Goods"}
}

func (w *commitWorld) addMessage() {
	w.Helper()
	if err := w.db.AddMessage(w.Context(), w.message()); err != nil {
		w.Fatal(err)
	}
}

func (w *commitWorld) claimedMessage() Message {
	w.Helper()
	w.addMessage()
	messages, err := w.db.ClaimMessages(w.Context(), "owner", w.now.Add(time.Second), w.now.Add(time.Minute), 1)
	if err != nil || len(messages) != 1 {
		w.Fatalf("claimed %v: %v", messages, err)
	}
	return messages[0]
}

func (w *commitWorld) storeUpdate() {
	w.Helper()
	if _, _, err := w.db.StoreUpdates(w.Context(), me, []int64{1}, []int64{7}, [][]byte{{'a'}}); err != nil {
		w.Fatal(err)
	}
}

func (w *commitWorld) claimedBroadcast() Broadcast {
	w.Helper()
	confirmed(w.T, w.db, 1)
	b, err := w.db.ClaimBroadcast(w.Context(), "owner", w.now, w.now.Add(time.Minute))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func (w *commitWorld) takeRecipient(b Broadcast) {
	w.Helper()
	_, held, err := w.db.TakeRecipients(w.Context(), Take{ID: b.ID, Owner: "owner", Until: w.now.Add(time.Minute), Cursor: 7, People: []Recipient{{UserID: 7}}})
	if err != nil || !held {
		w.Fatalf("held %v: %v", held, err)
	}
}
