// Package backups makes a backup of the database file once a day, and knows how old the
// last good one is and whether the last attempt failed.
//
// The folder of the backups is the only memory: a restart neither repeats nor leaves out
// one. The package contains neither the copying (package storage) nor what admins are told
// (package monitor). PostgreSQL has backups of its own.
package backups

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hstockbot/internal/loop"
)

// Overdue is the age from which on the last good backup is too old.
const Overdue = 48 * time.Hour

const (
	every      = 24 * time.Hour
	lookEvery  = 10 * time.Minute // also at the clock, which may be set
	retryEvery = time.Hour
)

// DB is the part of *storage.DB that makes backups.
type DB interface {
	BackupDaily(ctx context.Context, folder string) error
	LastDailyBackup(folder string) (time.Time, error)
}

// Options configures a Service.
type Options struct {
	DB     DB
	Log    *slog.Logger
	Folder string               // of the backups; "" for no backups
	Count  func(outcome string) // is called with "backup_made" and "backup_failed"
}

// Service makes the backups of one process.
type Service struct {
	Options
	loop *loop.Loop

	mu          sync.Mutex
	attemptedAt time.Time
	failedSince time.Time // zero: the last attempt did not fail
}

// New returns a Service that is not started.
func New(o Options) *Service {
	s := &Service{Options: o}
	s.loop = loop.New("backups", o.Log, s.round)
	return s
}

// Start makes a backup at once if one is due. Without a folder it does nothing.
func (s *Service) Start() {
	if s.Folder != "" {
		s.loop.Start()
	}
}

// Stop cancels a backup in progress and waits until it has ended or ctx is done.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// errNone says that there is no backup.
var errNone = errors.New("backups: none was made yet")

// Age returns the seconds since the last good backup was made, and an error where there is
// none.
func (s *Service) Age(context.Context) (seconds int64, err error) {
	last, err := s.DB.LastDailyBackup(s.Folder)
	if err == nil && last.IsZero() {
		err = errNone
	}
	if err != nil {
		return 0, err
	}
	return int64(max(0, time.Since(last).Seconds())), nil
}

// Failed returns since when backups fail: since the first of the failed attempts, or the
// last good backup if that is two days old; zero while they do not. sure is false until an
// attempt was made or was not necessary.
func (s *Service) Failed() (since time.Time, sure bool) {
	if s.Folder == "" {
		return time.Time{}, true
	}
	s.mu.Lock()
	attemptedAt, failedSince := s.attemptedAt, s.failedSince
	s.mu.Unlock()
	if attemptedAt.IsZero() || !failedSince.IsZero() {
		return failedSince, !attemptedAt.IsZero()
	}
	last, err := s.DB.LastDailyBackup(s.Folder)
	if err == nil && !last.IsZero() && time.Since(last) < Overdue {
		return time.Time{}, true
	}
	if last.IsZero() {
		last = attemptedAt
	}
	return last, true
}

// round makes a backup if one is due.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	last, err := s.DB.LastDailyBackup(s.Folder)
	s.mu.Lock()
	failing, attemptedAt := !s.failedSince.IsZero(), s.attemptedAt
	s.mu.Unlock()
	if age := now.Sub(last); err == nil && !last.IsZero() && age < every {
		s.record(now, true)
		return lookEvery, nil
	}
	if since := now.Sub(attemptedAt); failing && since >= 0 && since < retryEvery {
		return lookEvery, nil
	}
	began := time.Now()
	if err = s.DB.BackupDaily(ctx, s.Folder); ctx.Err() != nil {
		return 0, ctx.Err()
	}
	s.record(now, err == nil)
	if err != nil {
		s.Count("backup_failed")
		s.Log.Error("daily backup failed", "retry_in", retryEvery, "error", err)
		return lookEvery, nil
	}
	s.Count("backup_made")
	s.Log.Info("daily backup made", "took", time.Since(began).Round(time.Millisecond))
	return lookEvery, nil
}

func (s *Service) record(now time.Time, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attemptedAt = now
	switch {
	case good:
		s.failedSince = time.Time{}
	case s.failedSince.IsZero():
		s.failedSince = now
	}
}
