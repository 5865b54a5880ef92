package storage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hstockbot/internal/redact"
)

// ErrSealed says that a sealed value was changed, was sealed for another row, column
// or owner, or is not sealed.
var ErrSealed = errors.New("storage: a sealed value can't be read")

// UnknownKeyError says that a value is sealed with a key that the Keyring lacks.
type UnknownKeyError struct {
	KeyID string // the first 8 hex digits of the key's SHA-256
}

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("storage: sealed with key %s, which SECRET_KEY (or secret.key) lacks", e.KeyID)
}

const (
	sealVersion = "v1"
	keySize     = 32 // bytes, AES-256
)

// Keyring holds the keys that seal, newest first. It prints as a placeholder.
type Keyring struct {
	keys []sealKey
}

type sealKey struct {
	id   string
	aead cipher.AEAD
}

// ParseKeys reads keys of 32 bytes in base64 (standard or URL alphabet, with
// or without padding), comma-separated, newest first. Errors never show the
// value.
func ParseKeys(secretKey string) (Keyring, error) {
	var ring Keyring
	for i, text := range strings.Split(secretKey, ",") {
		raw, err := decodeKey(text)
		if err != nil {
			return Keyring{}, fmt.Errorf("storage: secret key %d: %w", i+1, err)
		}
		key, err := newSealKey(raw)
		if err != nil {
			return Keyring{}, fmt.Errorf("storage: secret key %d: %w", i+1, err)
		}
		ring.keys = append(ring.keys, key)
	}
	return ring, nil
}

// String implements fmt.Stringer.
func (Keyring) String() string { return redact.Placeholder }

// GoString implements fmt.GoStringer.
func (Keyring) GoString() string { return redact.Placeholder }

// ids returns the ids of the keys with commas between, the newest first.
func (k Keyring) ids() string {
	ids := make([]string, len(k.keys))
	for i, key := range k.keys {
		ids[i] = key.id
	}
	return strings.Join(ids, ",")
}

func decodeKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		// Not wrapped: the error must not quote the secret.
		return nil, errors.New("not base64")
	}
	if len(raw) != keySize {
		return nil, fmt.Errorf("is %d bytes long, must be %d", len(raw), keySize)
	}
	return raw, nil
}

func newSealKey(raw []byte) (sealKey, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return sealKey{}, fmt.Errorf("cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealKey{}, fmt.Errorf("cipher: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sealKey{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// seal returns plain as "v1.<key id>.<base64url>". It can be opened only for the same
// table, column, row and owner (the id of a person, for columns that are sealed for one).
func (db *DB) seal(table, column string, row int64, plain []byte, owner ...int64) string {
	key := db.keys.keys[0]
	box := key.aead.Seal(nil, nil, plain, associatedData(table, column, row, owner...)) //nolint:gosec // the AEAD makes the nonce (NewGCMWithRandomNonce)
	return sealVersion + "." + key.id + "." + base64.RawURLEncoding.EncodeToString(box)
}

// unseal is the inverse of seal. The error is ErrSealed (with table, column and row) or
// an *UnknownKeyError.
func (db *DB) unseal(table, column string, row int64, sealed string, owner ...int64) ([]byte, error) {
	version, rest, _ := strings.Cut(sealed, ".")
	id, box, ok := strings.Cut(rest, ".")
	if version != sealVersion || !ok {
		return nil, fmt.Errorf("%w: %s.%s of row %d is not sealed", ErrSealed, table, column, row)
	}
	raw, err := base64.RawURLEncoding.DecodeString(box)
	if err != nil {
		return nil, fmt.Errorf("%w: %s.%s of row %d is not base64", ErrSealed, table, column, row)
	}
	for _, key := range db.keys.keys {
		if key.id != id {
			continue
		}
		plain, err := key.aead.Open(nil, nil, raw, associatedData(table, column, row, owner...))
		if err != nil {
			return nil, fmt.Errorf("%w: %s.%s of row %d", ErrSealed, table, column, row)
		}
		return plain, nil
	}
	return nil, &UnknownKeyError{KeyID: id}
}

// sealText is seal for text that may be missing: "" stays "".
func (db *DB) sealText(table, column string, row int64, plain string, owner ...int64) string {
	if plain == "" {
		return ""
	}
	return db.seal(table, column, row, []byte(plain), owner...)
}

// unsealText is the inverse of sealText.
func (db *DB) unsealText(table, column string, row int64, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	plain, err := db.unseal(table, column, row, sealed)
	return string(plain), err
}

// associatedData binds a sealed value to its table, column, row and owner. The names are
// part of the data: they stay as they were when a table or a column is renamed, or
// no value that was sealed before could be opened. Names hold no zero byte, so no
// two places give the same bytes.
func associatedData(table, column string, row int64, owner ...int64) []byte {
	data := table + "\x00" + column
	for _, id := range append([]int64{row}, owner...) {
		data += "\x00" + strconv.FormatInt(id, 10)
	}
	return []byte(data)
}

// Digest returns a keyed digest by which data is recognized without being stored:
// HMAC-SHA256 in base64url, 43 characters. Digests of different domains never match.
// Its key is random, made once and stored sealed in the settings: rotating the secret
// keys changes no digest.
func (db *DB) Digest(domain string, data []byte) string {
	mac := hmac.New(sha256.New, db.digest)
	mac.Write([]byte(domain))
	mac.Write([]byte{0})
	mac.Write(data)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
