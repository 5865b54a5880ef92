package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
)

// scrape returns what the bot's page of metrics says, "" while it does not answer.
func scrape(ctx context.Context, address string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return ""
	}
	client := http.Client{Timeout: crashDeadline, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, _ := io.ReadAll(response.Body)         // what came
	return string(body)
}

var backupAge = regexp.MustCompile(`(?m)^hstockbot_backup_age_seconds (\d+)$`)

// TestBackupsUnderLoad: what the command and the running bot back up while people buy is one
// state of the database, and can be restored. The bot serves the age of its own backup.
func TestBackupsUnderLoad(t *testing.T) {
	pgtest.SQLiteOnly(t)
	r := newBuiltWorld(t)
	folder, address := t.TempDir(), freeAddress(t)
	r.settings = append(r.settings, "BACKUP_DIR="+folder, "HTTP_ADDR="+address)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.restart(testworld.SecretKey)
	end := r.buy(ctx)
	settings := append(r.settings[:len(r.settings):len(r.settings)], "SECRET_KEY="+testworld.SecretKey)
	for n := range 3 {
		r.awaitPurchases(crashPeople / 2)
		if status, _, stderr := r.program.command(t, settings, "backup", filepath.Join(folder, fmt.Sprint("copy", n))); status != exitOK {
			t.Errorf("backup: %d %s", status, stderr)
		}
	}
	var age []string
	for deadline := time.Now().Add(crashDeadline); age == nil && time.Now().Before(deadline); r.awaitPurchases(1) {
		age = backupAge.FindStringSubmatch(scrape(ctx, address))
	}
	if age == nil {
		t.Fatalf("the age is not served; the log is:\n%s", &r.log)
	}
	if seconds, err := strconv.Atoi(age[1]); err != nil || seconds > int(time.Minute.Seconds()) {
		t.Errorf("the age is %s", age[1])
	}
	r.awaitPurchases(1)
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	timeout.Stop()
	r.kill()

	before := -1
	for _, name := range append(names(t, folder, "bot.db."), names(t, folder, "copy")...) {
		restored := filepath.Join(t.TempDir(), "bot.db")
		status, stdout, stderr := r.program.command(t, append(settings, "DATABASE_URL=sqlite:"+restored), "restore", filepath.Join(folder, name))
		if status != exitOK {
			t.Errorf("restore: %d %q %q", status, stdout, stderr)
			continue
		}
		orders := ordersOf(t, restored)
		t.Logf("%s has %d orders of %d", name, orders, r.requests())
		if orders < before || orders > r.requests() {
			t.Errorf("%s has %d orders, and the backup before it %d", name, orders, before)
		}
		before = orders
	}
	if before < crashPeople/2 { // each person has at most one in hand
		t.Errorf("the last backup has %d orders", before)
	}
}

// ordersOf counts the orders of a database, which is whole: each bought purchase has its
// order, and each order its purchase.
func ordersOf(t *testing.T, path string) (orders int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, db.Close()) }()
	var integrity string
	var alone int
	testworld.Must(t, db.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&integrity))
	testworld.Must(t, db.QueryRowContext(t.Context(), `SELECT
		(SELECT COUNT(*) FROM purchases p WHERE p.state = 'placed' AND NOT EXISTS (SELECT 1 FROM orders WHERE purchase_id = p.id))
		+ (SELECT COUNT(*) FROM orders o WHERE NOT EXISTS (SELECT 1 FROM purchases WHERE id = o.purchase_id AND state = 'placed')),
		(SELECT COUNT(*) FROM orders)`).Scan(&alone, &orders))
	if integrity != "ok" || alone > 0 {
		t.Errorf("%s: integrity %s, %d purchases without an order or orders without a purchase", path, integrity, alone)
	}
	return orders
}
