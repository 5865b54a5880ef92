package room

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

const (
	defaultHour = 9 // of daily figures
	// maxLate is how late the figures of a day are posted that were due while the program
	// did not run.
	maxLate = 12 * time.Hour
)

// SetHour sets the hour of daily figures, 0 to 23 or storage.NoDailyHour. The next ones are
// those that are due next, on a day on which none were posted.
func (s *Service) SetHour(ctx context.Context, admin, hour int64) error {
	r, err := s.DB.Room(ctx, storage.RoomStaff)
	if err != nil {
		return err
	}
	detail, day := "", r.DailyDay
	if hour != storage.NoDailyHour {
		detail, day = fmt.Sprintf("%02d:00", hour), max(day, s.dueDay(hour, time.Now()).Format(time.DateOnly))
	}
	_, err = s.DB.SetDailyHour(ctx, r, hour, day, s.entry(r, admin, actionHour, detail))
	return err
}

// due returns when daily figures were due last, in Zone.
func (s *Service) due(hour int64, now time.Time) time.Time {
	now = now.In(s.Zone)
	at := time.Date(now.Year(), now.Month(), now.Day(), int(hour), 0, 0, 0, s.Zone)
	if at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()-1, int(hour), 0, 0, 0, s.Zone)
	}
	return at
}

// dueDay returns the day of due.
func (s *Service) dueDay(hour int64, now time.Time) time.Time {
	year, month, day := s.due(hour, now).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// postDaily posts the figures of the day before, once on each day, at the hour or at most
// maxLate after it.
func (s *Service) postDaily(ctx context.Context, r storage.Room, now time.Time) error {
	if r.DailyHour == storage.NoDailyHour {
		return nil
	}
	day := s.dueDay(r.DailyHour, now)
	text := day.Format(time.DateOnly)
	switch {
	case r.DailyDay > day.AddDate(0, 0, 1).Format(time.DateOnly): // the clock was ahead
		_, err := s.DB.MarkDaily(ctx, r, text)
		return err
	case r.DailyDay >= text, now.Sub(s.due(r.DailyHour, now)) >= maxLate:
		return nil
	}
	err := s.Poster.PostDaily(ctx, r.ChatID, r.DailyTopic, day.AddDate(0, 0, -1))
	switch {
	case errors.Is(err, outbox.ErrRejected):
		s.Log.Error("daily figures rejected in the room", "error", err)
	case errors.Is(err, outbox.ErrUncertain): // they probably arrived
	default:
		if err := s.handle(ctx, r, storage.TopicDaily, err); err != nil {
			return err
		}
	}
	return s.record(ctx, func(ctx context.Context) error {
		_, err := s.DB.MarkDaily(ctx, r, text)
		return err
	})
}
