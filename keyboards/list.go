package keyboards

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hstockbot/internal/labelwidth"
	"hstockbot/locales"
)

const (
	// PageSize is the number of entries on a page of a list.
	PageSize = 8
	// labelLength is the number of characters of a label that a phone shows where a
	// button has the whole row. The bot gives it one where it does not fit beside another.
	labelLength = 48
)

// PageArgs is a page of a list, counted from 0.
type PageArgs struct{ Page uint16 }

// Item is an entry of a list. Icon and Rest (a price, a stock) are always shown
// in full, Name is cut to fit. Data is the callback data of the button.
type Item struct{ Icon, Name, Rest, Data string }

func (i Item) button(l *locales.Localizer) Button {
	icon := ""
	if i.Icon != "" {
		icon = i.Icon + " "
	}
	return Tap(icon+fit(l, i.Name, i.Rest, labelLength-utf8.RuneCountInString(icon)), i.Data)
}

// column returns one row per item.
func column(l *locales.Localizer, items []Item) Rows {
	var rows Rows
	for _, item := range items {
		rows = append(rows, []Button{item.button(l)})
	}
	return rows
}

// grid returns rows of two items, or of one where two do not fit beside each other.
func grid(l *locales.Localizer, items []Item) (rows Rows) {
	for _, item := range items {
		button, last := item.button(l), len(rows)-1
		if last >= 0 && len(rows[last]) == 1 && labelwidth.Fit(rows[last][0].Text, button.Text) {
			rows[last] = append(rows[last], button)
			continue
		}
		rows = append(rows, []Button{button})
	}
	return rows
}

func inRows(perRow int, buttons []Button) Rows { return slices.Collect(slices.Chunk(buttons, perRow)) }

// fit cuts a name at a word so that name and rest together have at most limit
// characters. rest is never cut.
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

// Pages returns the row "‹ 2/9 ›" for a list of total entries, or nothing if they
// fit on one page. data returns the callback data of a page.
func Pages(page uint16, total int, data func(page uint16) string) Rows {
	pages := PageCount(total)
	if pages <= 1 {
		return nil
	}
	current := int(page)
	var row []Button
	if current > 0 {
		row = append(row, Tap("‹", data(PageArg(current-1))))
	}
	row = append(row, Tap(strconv.Itoa(current+1)+"/"+strconv.Itoa(pages), NoOp.Data(struct{}{})))
	if current < pages-1 {
		row = append(row, Tap("›", data(PageArg(current+1))))
	}
	return Rows{row}
}

// PageCount returns the number of pages of a list, at least 1.
func PageCount(total int) int { return max((total+PageSize-1)/PageSize, 1) }

// ClampPage returns the existing page that is nearest to page: a list may have
// become shorter since its buttons were drawn.
func ClampPage(page, total int) int { return min(max(page, 0), PageCount(total)-1) }

// PageArg converts a page for callback data.
func PageArg(page int) uint16 { return uint16(min(max(page, 0), math.MaxUint16)) }

// Page returns the entries of one page.
func Page[T any](all []T, page int) []T {
	page = ClampPage(page, len(all))
	return all[page*PageSize : min((page+1)*PageSize, len(all))]
}
