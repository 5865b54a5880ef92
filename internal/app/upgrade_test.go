package app_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

const (
	readers = 4 // people who check the order of their answers
	// upgradeChanges is how often the chats change before the next copy starts or ends.
	upgradeChanges = 400
)

// hookRoots certifies all TLS servers of httptest: they have the same certificate.
var hookRoots = sync.OnceValue(func() *x509.CertPool {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return roots
})

// buildProgramBefore builds the program of the commit before the one that added the last
// migration, or of the last commit if that migration is not committed. It builds as
// .ci/run does, so that the build cache has what did not change.
func buildProgramBefore(t *testing.T) program {
	t.Helper()
	const root = "../.."
	migrations, err := filepath.Glob(filepath.Join(root, "storage", "migrations", "*.sql"))
	testworld.Must(t, err)
	last := filepath.Join("storage", "migrations", filepath.Base(slices.Max(migrations)))
	git := func(args ...string) []byte {
		t.Helper()
		output, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			missing := fmt.Sprintf("the history before %s is missing, as in a shallow clone: git %s: %v", last, args[0], err)
			if os.Getenv("CI") != "" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
		return output
	}
	before := "HEAD"
	if added := git("log", "--first-parent", "-m", "-1", "--no-renames", "--diff-filter=A", "--format=%H", "--", last); len(added) > 0 {
		before = strings.TrimSpace(string(added)) + "^"
	}
	archive := git("archive", "--format=zip", before)
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	testworld.Must(t, err)
	source, p := t.TempDir(), program{filepath.Join(t.TempDir(), "hstockbot")}
	testworld.Must(t, os.CopyFS(source, files))
	if output, err := exec.CommandContext(t.Context(), "make", "-s", "-C", source, "build", "BINARY="+p.path, "VERSION=before").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	t.Logf("%s is added after %s", last, git("log", "-1", "--format=%h %s", before))
	return p
}

// release is a copy of one built program. Its log is that of all its processes.
type release struct {
	copyOf
	command  *exec.Cmd // nil while it does not run
	settings []string
	program  program
	output   testworld.Log
	started  chan struct{}
	ended    chan error
}

// Write keeps the log.
func (r *release) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=started ")) {
		close(r.started)
	}
	return r.output.Write(p)
}

// start starts the copy and waits until it serves.
func (r *release) start(t *testing.T) {
	t.Helper()
	r.started, r.ended = make(chan struct{}), make(chan error, 1)
	command := exec.CommandContext(context.WithoutCancel(t.Context()), r.program.path)
	command.Env, command.Dir, command.Stderr = r.settings, t.TempDir(), r
	testworld.Must(t, command.Start())
	r.command = command
	go func() { r.ended <- command.Wait() }()
	select {
	case <-r.started:
	case err := <-r.ended:
		r.command = nil
		t.Fatalf("the program ends at its start: %v", err)
	case <-time.After(crashDeadline):
		t.Fatal("the program does not start")
	}
}

// end ends the copy with a signal.
func (r *release) end(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if r.command == nil {
		return
	}
	if err := r.command.Process.Signal(signal); err != nil {
		t.Errorf("the program has ended by itself: %v", err)
	}
	if err := <-r.ended; err != nil && signal == syscall.SIGTERM {
		t.Errorf("stopped with SIGTERM: %v", err)
	}
	r.command = nil
}

// read opens several products at once. The answers must come in the order of the questions.
// One that came before may come again: a process that was killed has not marked it.
func (b *buyer) read(ctx context.Context, products map[int64]string) error {
	services := slices.Collect(maps.Keys(products)) // in any order
	before := b.Type("/start")
	for _, service := range services {
		b.Type(fmt.Sprint("/start p_", service))
	}
	var inOrder bool
	err := b.Await(ctx, func(messages []telegram.Message) bool {
		answers, next := 0, 0
		for _, m := range messages {
			i := slices.IndexFunc(services, func(service int64) bool {
				return m.ID > before && m.FromBot && strings.HasPrefix(m.Text, products[service])
			})
			if i >= 0 {
				answers++
			}
			if i == next {
				next++
			}
		}
		inOrder = next == len(services)
		return inOrder || answers > len(services)+1
	})
	if err == nil && !inOrder {
		err = fmt.Errorf("the questions about the products %v are answered in another order:\n%s", services, b.Transcript())
	}
	return err
}

// read lets some people read until end is called.
func (c *crashWorld) read(ctx context.Context) (end func()) {
	products := map[int64]string{}
	for _, service := range []int64{market.GmailUSA, market.OutlookByHand, market.NetflixVariants, market.HugeStock, market.MinimumTen} {
		row, _ := c.market.Row(service)
		products[service] = row.Name
	}
	var reading sync.WaitGroup
	var ending atomic.Bool
	for i := range readers {
		reader := &buyer{Client: c.telegram.Join(telegram.Person{ID: int64(1000 + i), FirstName: "Bob", LanguageCode: "en"})}
		reading.Go(func() {
			var err error
			for err == nil && !ending.Load() {
				err = reader.read(ctx, products)
			}
			if err != nil {
				c.t.Error(err)
			}
		})
	}
	return func() {
		ending.Store(true)
		reading.Wait()
	}
}

// count returns the number that a query of the database gives.
func count(t *testing.T, database, query string) (n int) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), database)
	testworld.Must(t, err)
	testworld.Must(t, db.QueryRow(t.Context(), query).Scan(&n))
	testworld.Must(t, db.Close(t.Context()))
	return n
}

// TestRollingUpgrade runs the program from before the last migration and the present one
// on one PostgreSQL database. The present one migrates it while the other one serves. Then
// the older one stops, comes back, and goes on alone after the present one is killed.
// People notice nothing.
func TestRollingUpgrade(t *testing.T) {
	if !pgtest.Wanted() {
		t.Skip("this is about PostgreSQL, and takes half a minute")
	}
	older, present := &release{program: buildProgramBefore(t)}, &release{program: buildProgram(t)}
	database := pgtest.Empty(t)
	c := newCrashWorld(t)
	deal := &dealer{client: http.Client{Timeout: time.Second}}
	hook := httptest.NewTLSServer(deal)
	t.Cleanup(func() {
		for _, one := range []*release{older, present} {
			one.end(t, syscall.SIGKILL)
			if t.Failed() {
				t.Logf("the log of %s:\n%s", one.program.path, one.output.String())
			}
		}
		hook.Close()
	})
	for _, one := range []*release{older, present} {
		one.addr = freeAddress(t)
		deal.copies = append(deal.copies, &one.copyOf)
		one.settings = []string{
			"TELEGRAM_TOKEN=" + testworld.Token, "TELEGRAM_API_URL=" + c.telegramURL, "TELEGRAM_RATE=0",
			"HSTOCK_API_URL=" + c.marketURL, "HSTOCK_API_KEY=" + testworld.OperatorKey.Reveal(), "HSTOCK_RATE=0",
			"DATABASE_URL=" + database, "SECRET_KEY=" + testworld.SecretKey, "HTTP_ADDR=" + freeAddress(t),
			"WEBHOOK_URL=" + hook.URL, "WEBHOOK_SECRET=" + hookSecret, "WEBHOOK_ADDR=" + one.addr,
		}
	}
	const version = `SELECT MAX(version_id) FROM goose_db_version`
	older.start(t)
	before := count(t, database, version)
	ctx, cancel := context.WithCancel(t.Context())
	endBuying, endReading := c.buy(ctx), c.read(ctx)
	t.Cleanup(func() {
		cancel()
		endBuying()
		endReading()
	})
	for _, change := range []func(){
		func() {
			present.start(t)
			if now := count(t, database, version); now <= before {
				t.Errorf("the schema had version %d, and has %d after the upgrade", before, now)
			}
		},
		func() { older.end(t, syscall.SIGTERM) },
		func() { older.start(t) }, // a rollback
		func() { present.end(t, syscall.SIGKILL) },
	} {
		c.awaitChanges(upgradeChanges)
		change()
		c.awaitAnswers(time.Now())
		if t.Failed() {
			t.Logf("%d chats have unfinished updates, %d purchases are in flight", count(t, database, `SELECT COUNT(*) FROM chats`),
				count(t, database, `SELECT COUNT(*) FROM purchases WHERE state IN ('claimed', 'sending')`))
			return
		}
	}
	timeout := time.AfterFunc(crashDeadline, cancel)
	endReading()
	endBuying()
	timeout.Stop()
	c.awaitDeliveries(time.Now().Add(crashDeadline))
	older.end(t, syscall.SIGTERM)
	c.check()
	for _, b := range c.people {
		if b.givenUp > 0 {
			t.Errorf("updates were given up:\n%s", b.Transcript())
		}
	}
	if n := count(t, database, `SELECT COUNT(*) FROM inbox WHERE state = 'dead_lettered' OR finished_at IS NULL`); n > 0 {
		t.Errorf("%d updates are dead-lettered or not finished", n)
	}
	for _, one := range []*release{older, present} {
		for line := range strings.Lines(one.output.String()) {
			if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "stop incomplete") { // which may be cut off
				t.Errorf("%s logs %s", one.program.path, line)
			}
		}
	}
}
