package credentials

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 prescribes it, and sites use it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hstockbot/internal/redact"
)

const (
	otpauth = "otpauth://"
	// Lengths of a shared secret in base32. RFC 4226 requires 128 bits, but sites give
	// out 80. Shorter ones look like passwords.
	minSecret = 16
	maxSecret = 256

	codeDigits    = 6
	defaultPeriod = 30 // seconds
)

// TOTP generates the six-digit codes of a second factor (RFC 6238).
type TOTP struct {
	key    redact.Secret // the bytes
	hash   func() hash.Hash
	period int64 // seconds
}

// ParseTOTP reads a shared secret: base32, which may have spaces and small letters, or an
// address otpauth://totp/…. ok is false for anything else, and for codes that do not have
// six digits.
func ParseTOTP(secret redact.Secret) (totp TOTP, ok bool) {
	text := secret.Reveal()
	if !strings.HasPrefix(text, otpauth) {
		key, ok := decodeBase32(text)
		return TOTP{key: key, hash: sha1.New, period: defaultPeriod}, ok
	}
	address, err := url.Parse(text)
	if err != nil || !strings.EqualFold(address.Host, "totp") {
		return TOTP{}, false
	}
	query, err := url.ParseQuery(address.RawQuery)
	if err != nil {
		return TOTP{}, false
	}
	if digits := query.Get("digits"); digits != "" && digits != strconv.Itoa(codeDigits) {
		return TOTP{}, false
	}
	totp = TOTP{period: defaultPeriod}
	switch strings.ToUpper(query.Get("algorithm")) {
	case "", "SHA1":
		totp.hash = sha1.New
	case "SHA256":
		totp.hash = sha256.New
	case "SHA512":
		totp.hash = sha512.New
	default:
		return TOTP{}, false
	}
	if period := query.Get("period"); period != "" {
		seconds, err := strconv.ParseInt(period, 10, 32)
		if err != nil || seconds < 1 || seconds > 3600 {
			return TOTP{}, false
		}
		totp.period = seconds
	}
	totp.key, ok = decodeBase32(query.Get("secret"))
	return totp, ok
}

// Code returns the code at a time, and how much longer it is valid.
func (t TOTP) Code(at time.Time) (code redact.Secret, valid time.Duration) {
	step := at.Unix() / t.period
	number := hotp([]byte(t.key.Reveal()), t.hash, uint64(step)) % 1_000_000 //nolint:gosec // no time before 1970
	end := time.Unix((step+1)*t.period, 0)
	return redact.Secret(fmt.Sprintf("%0*d", codeDigits, number)), end.Sub(at)
}

// hotp returns the number of RFC 4226, 5.3, before it is cut to its digits.
func hotp(key []byte, hash func() hash.Hash, counter uint64) uint32 {
	mac := hmac.New(hash, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, counter))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0F
	return binary.BigEndian.Uint32(sum[offset:]) & 0x7FFF_FFFF
}

// isSecret reports whether a part is a shared secret, whatever its codes are like.
func isSecret(part string) bool {
	if strings.HasPrefix(part, otpauth) {
		return true
	}
	_, ok := decodeBase32(part)
	return ok
}

// decodeBase32 decodes base32 as sites show it: in groups, with or without padding. Small
// letters need a digit among them, because words and app passwords have none.
func decodeBase32(text string) (key redact.Secret, ok bool) {
	compact := strings.TrimRight(strings.NewReplacer(" ", "", "-", "").Replace(text), "=")
	if len(compact) < minSecret || len(compact) > maxSecret {
		return "", false
	}
	switch len(compact) % 8 {
	case 1, 3, 6: // no bytes have such a length
		return "", false
	}
	if upper := strings.ToUpper(compact); upper != compact {
		if strings.ToLower(compact) != compact || !strings.ContainsAny(compact, "234567") {
			return "", false
		}
		compact = upper
	}
	decoded, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(compact)
	return redact.Secret(decoded), err == nil
}
