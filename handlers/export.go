package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// cellSeparators are the characters, besides the comma, at which programs split cells.
const cellSeparators = ";\t\r\n"

// maxExportSize limits a file of orders, in bytes (Bot API: sendDocument, 50 MB).
const maxExportSize = 45 << 20

// ordersExport sends the person's orders as a file.
func (s *Screens) ordersExport(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	total, err := s.DB.CountOrders(ctx, req.User.ID, storage.FilterAll)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{}, userErr("orders_empty")
	}
	table := newOrderTable(l, maxExportSize, l.Label("export_feedback"))
	if err := s.DB.EachOrder(ctx, req.User.ID, table.add); err != nil {
		return bot.View{}, err
	}
	text := l.N("export_caption", int64(table.rows))
	if table.rows < total {
		text += "\n" + l.T("export_cut", locales.Args{"Rows": l.Number(int64(table.rows)), "Total": l.Number(int64(total))})
	}
	return bot.View{
		Text:     text,
		Document: &bot.Document{Name: "orders-" + time.Now().UTC().Format(time.DateOnly) + ".csv", Data: table.bytes()},
		Keyboard: keyboards.Foot(l, ""),
	}, nil
}

// orderTable is a CSV file of orders (RFC 4180, UTF-8 with a byte order mark for
// spreadsheets). It contains no goods, codes, links, e-mail addresses and phone
// numbers, because people pass such files on.
type orderTable struct {
	l        *locales.Localizer
	maxBytes int
	rows     int
	file     bytes.Buffer
	csv      *csv.Writer
}

// newOrderTable returns a table of at most about maxBytes. more are the headings of
// additional columns.
func newOrderTable(l *locales.Localizer, maxBytes int, more ...string) *orderTable {
	t := &orderTable{l: l, maxBytes: maxBytes}
	t.file.WriteString("\ufeff")
	t.csv = csv.NewWriter(&t.file)
	t.csv.UseCRLF = true
	t.write(append([]string{
		l.Label("export_order_id"), l.Label("export_kind"), l.Label("export_name"), l.Label("export_country"), l.Label("export_quantity"),
		l.Label("export_state"), l.Label("export_word"), l.Label("export_charge"), l.Label("export_currency"), l.Label("export_placed"), l.Label("export_updated"),
	}, more...))
	return t
}

// add writes an order with what its person said about it, as a callback of EachOrder. It
// stops when the file is full.
func (t *orderTable) add(o storage.Order) error { return t.row(o, feedbackLine(t.l, o)) }

// addAdminOrder writes an order with its person and category, as a callback of
// EachAdminOrder.
func (t *orderTable) addAdminOrder(o storage.AdminOrder) error {
	return t.row(ownOrder(o), csvNumber(o.UserID), o.Category)
}

func (t *orderTable) row(o storage.Order, more ...string) error {
	if t.file.Len() >= t.maxBytes {
		return storage.ErrStop
	}
	l := t.l
	charge, placed, countryName := "", csvTime(o.CreatedAt), ""
	if o.Charge.Valid {
		charge = plainAmount(o.Shown(o.Charge.Decimal))
	}
	if o.External { // the marketplace does not say when it was placed
		placed = ""
	}
	if o.Rental.Country != "" {
		countryName = l.Country(o.Rental.Country, o.Rental.CountryName)
	}
	t.write(append([]string{
		o.ExternalID, kindWord(l, o.Kind), orderName(l, o), countryName, csvNumber(o.Quantity),
		stateWord(l, o), o.RawStatus, charge, o.Currency, placed, csvTime(o.UpdatedAt),
	}, more...))
	t.rows++
	t.csv.Flush()
	return t.csv.Error()
}

func (t *orderTable) write(cells []string) {
	for i := range cells {
		cells[i] = plainCell(cells[i])
	}
	_ = t.csv.Write(cells) // Flush reports the same error
}

func (t *orderTable) bytes() []byte {
	t.csv.Flush()
	return t.file.Bytes()
}

// csvNumber formats a number for a cell. 0 means unknown or deleted, and is empty.
func csvNumber(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// plainCell returns a text as one cell that is no formula. Programs split a file at
// semicolons or tabs as well, depending on the country, so these become commas, and line
// breaks too. An apostrophe is put before a cell that a spreadsheet may read as a
// formula, also after quotes and spaces that a program may strip.
func plainCell(cell string) string {
	if strings.ContainsAny(cell, cellSeparators) {
		var parts []string
		for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(cellSeparators, r) }) {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
		cell = strings.Join(parts, ", ")
	}
	inner := strings.TrimLeft(cell, "\"'“”‘’«» \u00a0\u200b\ufeff")
	if strings.IndexAny(inner, "=+-@＝＋－＠") == 0 {
		return "'" + cell
	}
	return cell
}

// csvTime formats a time in UTC for spreadsheets.
func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// plainAmount formats money exactly, with at least two decimals and without a currency.
func plainAmount(amount decimal.Decimal) string {
	_, decimals, _ := strings.Cut(amount.String(), ".")     // without zeros at the end
	return amount.StringFixed(int32(max(2, len(decimals)))) //nolint:gosec // a few digits
}

func kindWord(l *locales.Localizer, kind storage.Kind) string {
	switch kind {
	case storage.KindSMM:
		return l.Label("kind_smm")
	case storage.KindSMS:
		return l.Label("kind_sms")
	case storage.KindProduct:
		return l.Label("kind_product")
	default:
		return fmt.Sprint(kind)
	}
}
