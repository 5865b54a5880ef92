// Package keyboards owns what a person can tap: for each screen one file with
// its routes (the typed callback data of its buttons) and its keyboard, a pure
// function of what the screen shows.
//
// It knows labels and routes; it reads nothing and decides nothing. A button
// carries ids, never a price, a limit or a right: those are read again when it
// is tapped.
package keyboards

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Rows is an inline keyboard (Bot API: InlineKeyboardMarkup).
type Rows = [][]models.InlineKeyboardButton

// Button is one button of a row.
type Button = models.InlineKeyboardButton

const (
	// PageSize is how many entries a list shows at a time.
	PageSize = 8
	// OneColumn and TwoColumns are how many characters of a label a phone
	// shows where a button has the whole row, and where it has half of it.
	OneColumn  = 48
	TwoColumns = 28
)

// NoOp is the route of buttons that only show something, like "2/9".
var NoOp = route.New[struct{}]("n")

// Tap returns a button that carries callback data.
func Tap(label, data string) Button { return Button{Text: label, CallbackData: data} }

// Copy returns a button that puts text on the person's clipboard. ok is false
// where Telegram takes no such text (Bot API: CopyTextButton, 1-256 characters).
func Copy(label, text string) (button Button, ok bool) {
	if text == "" || utf16Len(text) > 256 {
		return Button{}, false
	}
	return Button{Text: label, CopyText: &models.CopyTextButton{Text: text}}, true
}

// Pages returns the row "‹ 2/9 ›" for a list of total entries, or nothing
// where they fit on one page. page counts from 0; data gives the callback data
// of a page.
func Pages(page, total int, data func(page int) string) Rows {
	pages := PageCount(total)
	if pages <= 1 {
		return nil
	}
	var row []Button
	if page > 0 {
		row = append(row, Tap("‹", data(page-1)))
	}
	row = append(row, Tap(strconv.Itoa(page+1)+"/"+strconv.Itoa(pages), NoOp.Data(struct{}{})))
	if page < pages-1 {
		row = append(row, Tap("›", data(page+1)))
	}
	return Rows{row}
}

// PageCount returns the number of pages of a list, at least 1.
func PageCount(total int) int { return max((total+PageSize-1)/PageSize, 1) }

// ClampPage returns the page that exists nearest to the one asked for: a list
// may have become shorter since its button was drawn.
func ClampPage(page, total int) int { return min(max(page, 0), PageCount(total)-1) }

// PageArg is a page as callback data carries it.
func PageArg(page int) uint16 { return uint16(min(max(page, 0), math.MaxUint16)) }

// Page returns the entries of one page.
func Page[T any](all []T, page int) []T {
	page = ClampPage(page, len(all))
	return all[page*PageSize : min((page+1)*PageSize, len(all))]
}

// Foot returns the last row of a screen: Back, to the given data ("" where the
// screen hangs below the menu), and Menu.
func Foot(l *locales.Localizer, back string) Rows {
	menu := Tap(l.Label("nav_button_menu"), Menu.Data(struct{}{}))
	if back == "" {
		return Rows{{menu}}
	}
	return Rows{{Tap(l.Label("nav_button_back"), back), menu}}
}

// pairs lays buttons out in two columns.
func pairs(buttons []Button) Rows {
	var rows Rows
	for i := 0; i < len(buttons); i += 2 {
		rows = append(rows, buttons[i:min(i+2, len(buttons))])
	}
	return rows
}

// fit cuts a name at a word so that name and rest together show limit
// characters. rest (a price, a stock) is never cut.
func fit(l *locales.Localizer, name, rest string, limit int) string {
	room := limit - utf8.RuneCountInString(rest)
	if utf8.RuneCountInString(name) <= room {
		return l.Name(name) + rest
	}
	runes := []rune(name)[:max(room-1, 1)]
	cut := string(runes)
	if space := strings.LastIndexByte(cut, ' '); space > len(cut)/2 {
		cut = cut[:space]
	}
	return l.Name(strings.TrimRight(cut, " -·,|")+"…") + rest
}

// utf16Len returns the length in UTF-16 units, which Telegram counts.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
