package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the image contains no zones
)

// Zone is the name of a time zone; "" is UTC.
type Zone string

// Decode implements envconfig.Decoder.
func (z *Zone) Decode(value string) error {
	value = strings.TrimSpace(value)
	_, err := time.LoadLocation(value)
	*z = Zone(value)
	return err
}

// Location returns the zone.
func (z Zone) Location() *time.Location {
	location, err := time.LoadLocation(string(z))
	if err != nil { // Decode has checked the name
		return time.UTC
	}
	return location
}

// Hours is a part of each day, in minutes after midnight. It may pass midnight; it is
// empty where From is To.
type Hours struct{ From, To int }

// Decode implements envconfig.Decoder.
func (h *Hours) Decode(value string) error {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	from, to, ok := strings.Cut(value, "-")
	if !ok {
		return errors.New("no two times")
	}
	var err error
	if h.From, err = minuteOf(from); err != nil {
		return err
	}
	if h.To, err = minuteOf(to); err != nil {
		return err
	}
	if h.From == h.To {
		return errors.New("equal times")
	}
	return nil
}

// minuteOf reads a time of the day, 7 or 07:00.
func minuteOf(text string) (int, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, ":") {
		text += ":00"
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("time of the day: %w", err)
	}
	return at.Hour()*60 + at.Minute(), nil
}

// Contain reports whether the clock of the zone shows a time of these hours at t.
func (h Hours) Contain(t time.Time, zone *time.Location) bool {
	local := t.In(zone)
	minute := local.Hour()*60 + local.Minute()
	if h.From <= h.To {
		return h.From <= minute && minute < h.To
	}
	return minute >= h.From || minute < h.To
}
