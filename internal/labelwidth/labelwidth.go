// Package labelwidth estimates how wide labels are on a phone, and whether several fit beside
// each other. Telegram cuts off what does not fit.
//
// The estimates need no font. Tests compare them with real fonts (package labels of the
// sandbox): they are right to some points for Latin, Cyrillic, Chinese, Japanese and Korean
// letters, and up to a fifth too large for the scripts whose letters join.
package labelwidth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The width of a row of buttons on a phone whose screen is 360 points wide, and what the
// edges of each button take of it, in points. Two buttons have 143 for their labels and
// three 88, which is a little less than there is: these are estimates.
const (
	row   = 326
	edges = 20
)

// Fit reports whether a phone shows these labels whole in one row. A single one always fits.
func Fit(labels ...string) bool {
	room := float64(row-edges*len(labels)) / float64(len(labels))
	for _, label := range labels {
		if len(labels) > 1 && Of(label) > room {
			return false
		}
	}
	return true
}

// letterWidths are the widths of Roboto Medium's letters at 15 points, in points. Letters
// with an accent are as wide as those without.
var letterWidths = func() map[rune]float64 {
	widths := map[rune]float64{}
	for width, letters := range map[float64]string{
		4:    " !'|`,.:;Iijl·‹›’‚",
		5.3:  "\"()[]{}-/frt“”„",
		6.3:  "*^_\\г",
		7.5:  "?<>vxyzksc«»утхз",
		8.3:  "abdeghnopqu0123456789$#+=JLEFабвеийклнопрсчэяьГ",
		9.3:  "ABKPRSTVXYZ~ơư&ÐđĐ–ВБЕЗРТУХЯЬдцъ",
		10.3: "CDGHNOQU…—АИЙКЛНОПСЧЭЪДЦф",
		13.5: "@MWmwЖМШЩЫЮ",
		5.5:  "اأإآلدذرزژٹںءینتبيپ",
		9:    "محجخچهةفقعغو",
		12:   "%жмшыющФصضسشطظكک",
	} {
		for _, letter := range letters {
			widths[letter] = width
		}
	}
	return widths
}()

// finalForms are the Arabic letters that are drawn wider at the end of a word.
const finalForms = "بپتٹثسشصضفقکكگيىیےنںل"

// Of estimates the width of a label on a phone, in points.
func Of(label string) (width float64) {
	var before rune
	for _, r := range label + " " {
		if !unicode.IsLetter(r) && strings.ContainsRune(finalForms, before) {
			width += 7
		}
		width += runeWidth(r)
		before = r
	}
	return width - runeWidth(' ')
}

func runeWidth(r rune) float64 {
	if known, ok := letterWidths[r]; ok {
		return known
	}
	switch {
	case r == '\u094d' || r == '\u09cd': // a virama joins two consonants
		return -3
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf): // accents, variations of emoji, isolates
		return 0
	case unicode.Is(unicode.Mc, r):
		return 5
	case unicode.Is(unicode.Arabic, r):
		return 6.5
	case unicode.Is(unicode.Devanagari, r):
		return 9.7
	case unicode.Is(unicode.Bengali, r):
		return 10.9
	case unicode.In(r, unicode.Latin, unicode.Cyrillic, unicode.Greek):
		if letter, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r))); letter != r { // without its accent
			return runeWidth(letter)
		}
		return 9
	default: // emoji, and the letters of Chinese, Japanese and Korean, are squares
		return 15
	}
}
