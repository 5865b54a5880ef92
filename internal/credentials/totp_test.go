package credentials_test

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/internal/credentials"
	"hstockbot/internal/redact"
)

// TestRFC6238 has the values of appendix B. Six digits are the end of its eight.
func TestRFC6238(t *testing.T) {
	seed := "1234567890"
	for algorithm, length := range map[string]int{"SHA1": 20, "SHA256": 32, "SHA512": 64} {
		secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(strings.Repeat(seed, 7)[:length]))
		totp, ok := credentials.ParseTOTP(redact.Secret("otpauth://totp/RFC?secret=" + secret + "&algorithm=" + algorithm))
		if !ok {
			t.Fatalf("%s: refused", algorithm)
		}
		for at, codes := range map[int64]map[string]string{
			59:          {"SHA1": "94287082", "SHA256": "46119246", "SHA512": "90693936"},
			1111111109:  {"SHA1": "07081804", "SHA256": "68084774", "SHA512": "25091201"},
			1111111111:  {"SHA1": "14050471", "SHA256": "67062674", "SHA512": "99943326"},
			1234567890:  {"SHA1": "89005924", "SHA256": "91819424", "SHA512": "93441116"},
			2000000000:  {"SHA1": "69279037", "SHA256": "90698825", "SHA512": "38618901"},
			20000000000: {"SHA1": "65353130", "SHA256": "77737706", "SHA512": "47863826"},
		} {
			if code, _ := totp.Code(time.Unix(at, 0)); code.Reveal() != codes[algorithm][2:] {
				t.Errorf("%s at %d: %s, want %s", algorithm, at, code.Reveal(), codes[algorithm][2:])
			}
		}
	}
}

func TestParseTOTP(t *testing.T) {
	at := time.Unix(59, 0)
	want := "287082" // of RFC 6238
	const rfc = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for _, secret := range []string{
		rfc, strings.ToLower(rfc), "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ",
		"otpauth://totp/Ex:anna?secret=" + rfc, "otpauth://totp/Ex?secret=" + strings.ToLower(rfc) + "&digits=6&period=30&algorithm=sha1",
	} {
		totp, ok := credentials.ParseTOTP(redact.Secret(secret))
		if !ok {
			t.Errorf("%q is refused", secret)
			continue
		}
		if code, _ := totp.Code(at); code.Reveal() != want {
			t.Errorf("%q: %s, want %s", secret, code.Reveal(), want)
		}
	}
	for _, secret := range []string{
		"", "pass", rfc[:15], "JBSWY3DPEHPK3PX1", "Jbswy3dpehpk3pxp", "abcd efgh ijkl mnop", "12345678", strings.Repeat("A", 257), "ABCDEFGHIJKLMNOPA",
		"otpauth://hotp/Ex?secret=" + rfc, "otpauth://totp/Ex", "otpauth://totp/Ex?secret=short", "otpauth://totp/Ex?secret=" + rfc + "&algorithm=MD5",
		"otpauth://totp/Ex?secret=" + rfc + "&digits=7", "otpauth://totp/Ex?secret=" + rfc + "&digits=8", "otpauth://totp/Ex?secret=" + rfc + "&period=0",
		"otpauth://totp/Ex?secret=" + rfc + "&period=x", "otpauth://totp/Ex?secret=%zz", "otpauth://[",
	} {
		if _, ok := credentials.ParseTOTP(redact.Secret(secret)); ok {
			t.Errorf("%q is accepted", secret)
		}
	}
}

// TestCodeValidity: a code stays the same as long as it says, and no longer.
func TestCodeValidity(t *testing.T) {
	for secret, want := range map[string]time.Duration{
		"JBSWY3DPEHPK3PXP": 29 * time.Second, "otpauth://totp/Ex?secret=JBSWY3DPEHPK3PXP&period=60": 59 * time.Second,
	} {
		totp, _ := credentials.ParseTOTP(redact.Secret(secret))
		if _, valid := totp.Code(time.Unix(1_800_000_001, 0)); valid != want {
			t.Errorf("%q is valid for %v, want %v", secret, valid, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		totp, _ := credentials.ParseTOTP("JBSWY3DPEHPK3PXP")
		at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at"))
		code, valid := totp.Code(at)
		if len(code.Reveal()) != 6 || strings.Trim(code.Reveal(), "0123456789") != "" || valid <= 0 || valid > 30*time.Second {
			t.Fatalf("%q, valid for %v", code.Reveal(), valid)
		}
		if last, _ := totp.Code(at.Add(valid - 1)); last != code {
			t.Fatalf("it has changed before its end")
		}
		if _, fresh := totp.Code(at.Add(valid)); fresh != 30*time.Second {
			t.Fatalf("the next one is valid for %v", fresh)
		}
	})
}
