package market

import (
	"fmt"
	"strings"
)

// credential makes one delivered piece of a kind ("mail gmail.com", "login",
// "social", "cookies", "awkward proton.me", "code", "key", "proxy"). It is unique
// for the serial number, and the same in every run with the same seed. A quarter
// of the passwords are awkward: see password.
func credential(seed, serial uint64, kind string) string {
	r := newRandom(seed, serial)
	kind, domain, _ := strings.Cut(kind, " ")
	user := userName(r, serial)
	awkward := r.below(4) == 0
	switch kind {
	case "mail":
		return user + "@" + domain + ":" + password(r, awkward)
	case "factor": // with the secret of a second factor, and a recovery e-mail
		return user + "@" + domain + ":" + password(r, false) + "|" + base32Letters(r, 32) + "|" + user + "@mail.example"
	case "social":
		return user + ":" + password(r, awkward) + ":" + user + "@mail.example:" + password(r, false)
	case "cookies":
		return user + ":" + password(r, awkward) + ":" + cookies(r)
	case "awkward":
		return user + "@" + domain + ":" + password(r, true)
	case "code":
		return grouped(r, serial, 4, 4)
	case "key":
		return grouped(r, serial, 5, 5)
	case "proxy":
		return fmt.Sprintf("203.0.113.%d:%d:%s:%s", r.below(255), 10000+r.below(40000), user, letters(r, 10))
	default:
		return user + ":" + password(r, awkward)
	}
}

const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

func letters(r *prng, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.below(len(alphabet))]
	}
	return string(out)
}

// base32Letters makes the secret of a second factor.
func base32Letters(r *prng, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.below(len(alphabet))]
	}
	return string(out)
}

// unique encodes a serial number in five characters so that neighbours look
// different. The factor is odd, so no two of 2^25 numbers are the same.
func unique(serial uint64) string {
	n := (serial*11_400_719 + 7_654_321) % (1 << 25)
	out := make([]byte, 5)
	for i := range out {
		out[i] = alphabet[n%32]
		n /= 32
	}
	return string(out)
}

func userName(r *prng, serial uint64) string {
	firsts := []string{"user", "anna", "max", "lena", "dmitry", "chen", "sofia", "omar", "kim", "raj", "maria", "tom"}
	return firsts[r.below(len(firsts))] + "_" + unique(serial)
}

// password makes a password. An awkward one contains &, <, > and a space, which
// HTML, shells and trimming would damage, and may look like a tag, an entity or
// a link.
func password(r *prng, awkward bool) string {
	if !awkward {
		return "P" + letters(r, 9) + "!"
	}
	middles := []string{"&ss<w>0r d", "&amp;<b> x", "<i>&lt; \"q\"", " & <a@b.c>", "'<`&> *_~"}
	return "Pa" + letters(r, 3) + middles[r.below(len(middles))] + letters(r, 2)
}

// grouped makes a code like ABCDE-FGHIJ. Its first group makes it unique.
func grouped(r *prng, serial uint64, groups, size int) string {
	parts := []string{unique(serial)}
	for range groups - 1 {
		parts = append(parts, letters(r, size))
	}
	return strings.ToUpper(strings.Join(parts, "-"))
}

func cookies(r *prng) string {
	var b strings.Builder
	b.WriteString("[")
	for i, name := range []string{"c_user", "xs", "fr", "datr", "sb"} {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"domain":".example.com","name":%q,"value":"%s"}`, name, letters(r, 40))
	}
	return b.String() + "]"
}
