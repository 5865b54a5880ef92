package backups_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/backups"
)

// folder is a pretend folder of backups.
type folder struct {
	mu     sync.Mutex
	last   time.Time
	failed error
	log    strings.Builder
	events []string
}

func (f *folder) BackupDaily(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.last = time.Now()
	}
	return f.failed
}

func (f *folder) LastDailyBackup(string) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, nil
}

func (f *folder) set(failed error, last time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed, f.last = failed, last
}

func (f *folder) took() (events string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events = strings.Join(f.events, " ")
	f.events = nil
	return events
}

func run(t *testing.T, f *folder, test func(s *backups.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := backups.New(backups.Options{DB: f, Folder: "x", Log: slog.New(slog.NewTextHandler(&f.log, nil)), Count: func(event string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, event)
		}})
		s.Start()
		synctest.Wait()
		test(s)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want(t *testing.T, s *backups.Service, failing bool, age time.Duration) {
	t.Helper()
	since, sure := s.Failed()
	if failing == since.IsZero() || !sure {
		t.Errorf("failing since %v, sure %v, want %v", since, sure, failing)
	}
	if got, err := s.Age(t.Context()); err != nil && age >= 0 || time.Duration(got)*time.Second != max(0, age) {
		t.Errorf("age %ds, %v, want %v", got, err, age)
	}
}

func TestOneBackupADay(t *testing.T) {
	var f folder
	run(t, &f, func(s *backups.Service) {
		want(t, s, false, 0)
		pass(7 * 24 * time.Hour)
		if n := len(f.events); n != 8 || slices.Contains(f.events, "backup_failed") {
			t.Errorf("%d backups in a week: %v", n, f.events)
		}
	})
	f.took()
	f.last = time.Date(1999, 12, 31, 12, 0, 0, 0, time.UTC) // 12 hours before each bubble begins
	run(t, &f, func(s *backups.Service) {
		want(t, s, false, 12*time.Hour) // a restart makes none
		if events := f.took(); events != "" {
			t.Errorf("at the start: %s", events)
		}
		pass(13 * time.Hour)
		if events := f.took(); events != "backup_made" {
			t.Errorf("a day after the last: %s", events)
		}
	})
}

func TestFailedBackupIsTriedEachHour(t *testing.T) {
	f := folder{failed: errors.New("no space")}
	run(t, &f, func(s *backups.Service) {
		want(t, s, true, -1)
		began, _ := s.Failed()
		pass(3*time.Hour + time.Minute)
		if events := f.took(); events != strings.TrimSpace(strings.Repeat("backup_failed ", 4)) {
			t.Errorf("in three hours: %s", events)
		}
		if since, _ := s.Failed(); !since.Equal(began) {
			t.Errorf("failing since %v, want %v", since, began)
		}
		f.set(nil, time.Time{})
		pass(time.Hour)
		if events := f.took(); events != "backup_made" {
			t.Errorf("then: %s", events)
		}
		if since, _ := s.Failed(); !since.IsZero() {
			t.Errorf("failing since %v", since)
		}
	})
	if log := f.log.String(); !strings.Contains(log, "daily backup failed") || !strings.Contains(log, "no space") || !strings.Contains(log, "daily backup made") {
		t.Errorf("the log says %s", log)
	}
}

// TestDeletedBackup: backups that somebody deletes are made again.
func TestDeletedBackup(t *testing.T) {
	var f folder
	run(t, &f, func(s *backups.Service) {
		f.set(nil, time.Time{})
		if since, sure := s.Failed(); since.IsZero() || !sure {
			t.Errorf("without a backup: since %v, sure %v", since, sure)
		}
		pass(11 * time.Minute)
		if events := f.took(); events != "backup_made backup_made" {
			t.Errorf("made: %s", events)
		}
	})
}

func TestWithoutAFolder(t *testing.T) {
	s := backups.New(backups.Options{Log: slog.New(slog.DiscardHandler)})
	s.Start()
	if since, sure := s.Failed(); !since.IsZero() || !sure {
		t.Errorf("since %v, sure %v", since, sure)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
