package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Whom Forget has deleted is still in the backups made before. The list of forgotten
// people is a file beside the database, by which Restore forgets them again. A line is a
// time in unix milliseconds and a keyed digest of the person's id (Digest): without the
// database and its key it says nothing about anyone. The key of the digests is in each
// backup, and a rotation of the secret keys does not change it.

const (
	forgottenSuffix = ".forgotten"
	forgottenDomain = "forgotten" // of the digests
	// forgottenFor is how long a line is kept: in backups that are older, people may be
	// found again.
	forgottenFor = 90 * day
)

// forgottenDigest is the digest of a person in the list.
func (db *DB) forgottenDigest(userID int64) string {
	return db.Digest(forgottenDomain, []byte(strconv.FormatInt(userID, 10)))
}

// noteForgotten adds a person to the list of the database file, durably. PostgreSQL has
// none.
func (db *DB) noteForgotten(userID int64, now time.Time) error {
	if db.path == "" {
		return nil
	}
	line := fmt.Sprint(toMillis(now), " ", db.forgottenDigest(userID), "\n")
	if err := addForgotten(realPath(db.path)+forgottenSuffix, line, now); err != nil {
		return fmt.Errorf("storage: the list of forgotten people: %w", err)
	}
	return nil
}

// addForgotten adds lines to a list and drops those that are too old.
func addForgotten(name, lines string, now time.Time) error {
	before, err := os.ReadFile(name) //nolint:gosec // beside the operator's database
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	kept := ""
	for line := range bytes.Lines(before) {
		if at, _, ok := parseForgotten(string(line)); ok && now.Sub(at) < forgottenFor {
			kept += string(line)
		}
	}
	if err == nil && kept == string(before) {
		return appendDurably(name, lines)
	}
	return replaceDurably(name, kept+lines)
}

// parseForgotten reads a line. A process that was killed may have left a part of one.
func parseForgotten(line string) (at time.Time, digest string, ok bool) {
	text, digest, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	return fromMillis(ms), digest, found && err == nil && digest != "" && strings.HasSuffix(line, "\n")
}

func appendDurably(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0) //nolint:gosec // beside the operator's database
	if err != nil {
		return err
	}
	return writeDurably(file, text)
}

// replaceDurably writes a file (0600) in place of the one before.
func replaceDurably(name, text string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*"+partSuffix) // 0600 (os.CreateTemp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if err := writeDurably(file, text); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// readForgotten returns when each person of the list beside a database file was forgotten
// last, by digest.
func readForgotten(path string) (map[string]time.Time, error) {
	text, err := os.ReadFile(realPath(path) + forgottenSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("storage: the list of forgotten people: %w", withoutPath(err))
	}
	found := map[string]time.Time{}
	for line := range bytes.Lines(text) {
		if at, digest, ok := parseForgotten(string(line)); ok && found[digest].Before(at) {
			found[digest] = at
		}
	}
	return found, nil
}

// CopyForgotten adds the list of forgotten people of one database file to that of another,
// to which the database was moved: its backups remain those of the first.
func CopyForgotten(from, to string) error {
	lines, err := os.ReadFile(realPath(from) + forgottenSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = addForgotten(realPath(to)+forgottenSuffix, string(lines), time.Now())
	}
	if err != nil {
		return fmt.Errorf("storage: the list of forgotten people: %w", withoutPath(err))
	}
	return nil
}
