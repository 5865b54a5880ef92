package storage

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secretFile holds the keys when the operator gives none.
const secretFile = "secret.key"

// KeysBeside returns the keys in secret.key, in the folder of the database file at path,
// and creates it (0600) for a database that doesn't exist yet; processes that start at
// the same time agree on one. The error says so where others may read the file, and
// where the database exists without it: a new key could not open its values.
func KeysBeside(path string) (Keyring, error) {
	name := filepath.Join(filepath.Dir(path), secretFile)
	ring, err := readKeys(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 { //nolint:gosec // the operator names the file
		// Another process may have created both meanwhile.
		ring, err := readKeys(name)
		if errors.Is(err, fs.ErrNotExist) {
			return Keyring{}, fmt.Errorf("storage: %s is missing, and the database beside it can't be read without: put it back, or set SECRET_KEY", name)
		}
		return ring, err
	}
	if err := createFolder(filepath.Dir(path)); err != nil {
		return Keyring{}, fmt.Errorf("storage: making %s: %w", name, err)
	}
	if err := makeKey(name); err != nil {
		return Keyring{}, fmt.Errorf("storage: making %s: %w", name, err)
	}
	return readKeys(name)
}

func readKeys(name string) (Keyring, error) {
	info, err := os.Stat(name) //nolint:gosec // beside the operator's database
	if err != nil {
		return Keyring{}, fmt.Errorf("storage: secret key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Keyring{}, fmt.Errorf("storage: %s may be read by others (mode %04o): chmod 600 it", name, mode)
	}
	text, err := os.ReadFile(name) //nolint:gosec // the same
	if err != nil {
		return Keyring{}, fmt.Errorf("storage: secret key: %w", err)
	}
	ring, err := ParseKeys(string(text))
	if err != nil {
		return Keyring{}, fmt.Errorf("%s: %w", name, err)
	}
	return ring, nil
}

// makeKey writes a new key to a temporary file, syncs it and links it into place: the
// file is complete when it appears, and the first of several processes wins.
func makeKey(name string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), secretFile+".*") // 0600 (os.CreateTemp)
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.Remove(file.Name()); err == nil { //nolint:gosec // just made
			err = removed
		}
	}()
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder makes the entries of a folder durable.
func syncFolder(name string) error {
	folder, err := os.Open(name) //nolint:gosec // the database's folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
