package storage

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// secretFile holds the keys when the operator gives none.
const secretFile = "secret.key"

// KeysBeside returns the keys in secret.key, in the folder of the database file at path,
// and creates it (0600) for a database that doesn't exist yet; processes that start at
// the same time agree on one. The error says so where others than the owner and the
// process's groups may read the file, and where the database exists without it: a new
// key could not open its values.
func KeysBeside(path string) (Keyring, error) {
	name := SecretFile(path)
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
	if err := makeKey(name, os.Link); err != nil {
		return Keyring{}, fmt.Errorf("storage: making %s: %w", name, err)
	}
	return readKeys(name)
}

func readKeys(name string) (Keyring, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Keyring{}, fmt.Errorf("storage: secret key: %w", err)
	}
	if OthersMay(info) != 0 {
		return Keyring{}, fmt.Errorf("storage: %s may be read by others (mode %04o): chmod 600 it, or delete it and set SECRET_KEY to its content",
			name, info.Mode().Perm())
	}
	text, err := os.ReadFile(name) //nolint:gosec // the same
	if err != nil {
		return Keyring{}, fmt.Errorf("storage: secret key: %w", err)
	}
	ring, err := ParseKeys(string(text))
	if err != nil {
		return Keyring{}, fmt.Errorf("%s: %w: put the key back, or delete the file if there is no database yet", name, err)
	}
	return ring, nil
}

// OthersMay returns the permission bits of a file or folder that let in others than its
// owner and the process's groups.
func OthersMay(info fs.FileInfo) fs.FileMode {
	groups, _ := os.Getgroups() // after an error, only the effective group counts
	return othersMay(info, append(groups, os.Getegid()))
}

// othersMay is OthersMay for a process in these groups. Kubernetes gives the files of a
// volume to the group of the pod (fsGroup), with mode 0660.
func othersMay(info fs.FileInfo, groups []int) fs.FileMode {
	mode := info.Mode().Perm()
	if slices.Contains(groups, fileGroup(info)) {
		mode &^= 0o060
	}
	return mode & 0o077
}

// makeKey writes a new key to a temporary file, syncs it and links it into place: the
// file is complete when it appears, and the first of several processes wins. On a file
// system without hard links, the key is written in place: an incomplete file, which only
// a crash can leave, has too few characters for a key and is refused.
func makeKey(name string, link func(from, to string) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), secretFile+".*") // 0600 (os.CreateTemp)
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.Remove(file.Name()); err == nil {
			err = removed
		}
	}()
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	text := base64.StdEncoding.EncodeToString(key[:]) + "\n"
	if err := writeDurably(file, text); err != nil {
		return err
	}
	err = link(file.Name(), name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = writeInPlace(name, text)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// writeInPlace creates the file, which must not exist, and removes it after an error.
func writeInPlace(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside the operator's database
	if err != nil {
		return err
	}
	if err := writeDurably(file, text); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// writeDurably writes the text, syncs the file and closes it.
func writeDurably(file *os.File, text string) error {
	_, err := file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolder makes the entries of a folder durable.
func syncFolder(name string) error {
	folder, err := os.Open(name) //nolint:gosec // the database's folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
