package market

import (
	"fmt"
	"strings"
)

// credential makes one delivered good of a kind ("mail gmail.com", "login",
// "social", "cookies", "awkward", "code", "key", "proxy"). The serial number
// makes it unlike all others of this server; the seed makes it the same in the
// next run. Passwords of one in four have characters that HTML, shells and
// trimming would damage.
func credential(seed, serial uint64, kind string) string {
	random := newDice(seed, serial)
	kind, domain, _ := strings.Cut(kind, " ")
	user := userName(random, serial)
	awkward := random.below(4) == 0
	switch kind {
	case "mail":
		return user + "@" + domain + ":" + password(random, awkward)
	case "social":
		return user + ":" + password(random, awkward) + ":" + user + "@mail.example:" + password(random, false)
	case "cookies":
		return user + ":" + password(random, awkward) + ":" + cookies(random)
	case "awkward":
		return user + "@" + domain + ":" + password(random, true)
	case "code":
		return grouped(random, serial, 4, 4)
	case "key":
		return grouped(random, serial, 5, 5)
	case "proxy":
		return fmt.Sprintf("203.0.113.%d:%d:%s:%s", random.below(255), 10000+random.below(40000), user, letters(random, 10))
	default:
		return user + ":" + password(random, awkward)
	}
}

const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

func letters(random *dice, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[random.below(len(alphabet))]
	}
	return string(out)
}

// unique writes a serial number in five characters, spread so that neighbours
// look unlike: the factor is odd, so all 2^25 are different.
func unique(serial uint64) string {
	n := (serial*11_400_719 + 7_654_321) % (1 << 25)
	out := make([]byte, 5)
	for i := range out {
		out[i] = alphabet[n%32]
		n /= 32
	}
	return string(out)
}

func userName(random *dice, serial uint64) string {
	firsts := []string{"user", "anna", "max", "lena", "dmitry", "chen", "sofia", "omar", "kim", "raj", "maria", "tom"}
	return firsts[random.below(len(firsts))] + "_" + unique(serial)
}

// password makes one; an awkward one has &, <, > and a space in it, and
// sometimes what looks like a tag, an entity or a link.
func password(random *dice, awkward bool) string {
	if !awkward {
		return "P" + letters(random, 9) + "!"
	}
	middles := []string{"&ss<w>0r d", "&amp;<b> x", "<i>&lt; \"q\"", " & <a@b.c>", "'<`&> *_~"}
	return "Pa" + letters(random, 3) + middles[random.below(len(middles))] + letters(random, 2)
}

// grouped makes a code like ABCDE-FGHIJ; its first group is the serial number's.
func grouped(random *dice, serial uint64, groups, size int) string {
	parts := []string{unique(serial)}
	for range groups - 1 {
		parts = append(parts, letters(random, size))
	}
	return strings.ToUpper(strings.Join(parts, "-"))
}

func cookies(random *dice) string {
	var b strings.Builder
	b.WriteString("[")
	for i, name := range []string{"c_user", "xs", "fr", "datr", "sb"} {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"domain":".example.com","name":%q,"value":"%s"}`, name, letters(random, 40))
	}
	return b.String() + "]"
}
