package bot

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
	"golang.org/x/text/unicode/norm"
)

// rowWidth is the room for the labels of a row on a phone whose screen is 360 points wide, in
// points: two buttons have 143 each, three have 88. buttonEdge is what each button takes of it.
const (
	rowWidth   = 326
	buttonEdge = 20
)

// labelRoom returns the room for each label in a row of so many buttons, in points.
func labelRoom(buttons int) float64 {
	return float64(rowWidth-buttonEdge*buttons) / float64(buttons)
}

// fitRows splits rows whose labels a phone would cut off: in one language two buttons fit
// beside each other, in another one they do not. Labels in a row of their own may be cut.
func fitRows(rows [][]models.InlineKeyboardButton) (fitting [][]models.InlineKeyboardButton) {
	for _, row := range rows {
		var widest float64
		from := 0
		for i, button := range row {
			width := labelWidth(button.Text)
			if i > from && max(widest, width) > labelRoom(i-from+1) {
				fitting = append(fitting, row[from:i:i])
				from, widest = i, 0
			}
			widest = max(widest, width)
		}
		fitting = append(fitting, row[from:])
	}
	return fitting
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

// wideEnds are the Arabic letters that are drawn wider at the end of a word.
const wideEnds = "بپتٹثسشصضفقکكگيىیےنںل"

// labelWidth estimates the width of a label on a phone, in points.
func labelWidth(label string) (width float64) {
	var before rune
	for _, r := range label + " " {
		if !unicode.IsLetter(r) && strings.ContainsRune(wideEnds, before) {
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
	case r == '\u094d' || r == '\u09cd': // two letters of India's scripts become one
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
