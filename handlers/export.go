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

// exportMost is how large a file of orders may become: Telegram takes 50 MB (Bot
// API: sendDocument).
const exportMost = 45 << 20

// ordersExport sends all orders of the person as a file.
func (s *Screens) ordersExport(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	total, err := s.DB.CountOrders(ctx, req.User.ID, storage.FilterAll)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{}, message("orders_empty")
	}
	table := newOrderTable(l, exportMost)
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

// orderTable is orders as CSV (RFC 4180), in UTF-8 with a byte order mark, by
// which spreadsheets know it. No goods, codes, links, addresses and phone numbers
// are in it: a file of figures is passed on more lightly than a chat.
type orderTable struct {
	l    *locales.Localizer
	most int
	rows int
	file bytes.Buffer
	csv  *csv.Writer
}

// newOrderTable begins a table. more are headings of columns behind the usual
// ones.
func newOrderTable(l *locales.Localizer, most int, more ...string) *orderTable {
	t := &orderTable{l: l, most: most}
	t.file.WriteString("\ufeff")
	t.csv = csv.NewWriter(&t.file)
	t.csv.UseCRLF = true
	t.write(append([]string{
		l.Label("export_number"), l.Label("export_kind"), l.Label("export_name"), l.Label("export_country"), l.Label("export_quantity"),
		l.Label("export_state"), l.Label("export_word"), l.Label("export_charge"), l.Label("export_currency"), l.Label("export_placed"), l.Label("export_updated"),
	}, more...))
	return t
}

// add writes one order, as a callback of EachOrder; a full file ends it.
func (t *orderTable) add(o storage.Order) error { return t.row(o) }

// addAnybodys writes an order with whose it is and of what category, as a callback
// of EachAdminOrder.
func (t *orderTable) addAnybodys(o storage.AdminOrder) error {
	return t.row(ownOrder(o), nonzero(o.UserID), o.Category)
}

func (t *orderTable) row(o storage.Order, more ...string) error {
	if t.file.Len() >= t.most {
		return storage.ErrStop
	}
	l := t.l
	charge, placed, where := "", stamp(o.CreatedAt), ""
	if o.Charge.Valid {
		charge = plainAmount(o.Charge.Decimal)
	}
	if o.External { // when it was placed the marketplace does not say
		placed = ""
	}
	if o.Rental.Country != "" {
		where = l.Country(o.Rental.Country, o.Rental.CountryName)
	}
	t.write(append([]string{
		nonzero(o.ExternalID), kindWord(l, o.Kind), orderName(l, o), where, nonzero(o.Quantity),
		stateWord(l, o), o.RawStatus, charge, o.Currency, placed, stamp(o.UpdatedAt),
	}, more...))
	t.rows++
	t.csv.Flush()
	return t.csv.Error()
}

func (t *orderTable) write(cells []string) {
	for i := range cells {
		cells[i] = defused(cells[i])
	}
	_ = t.csv.Write(cells) // its error is that of the flush, and a buffer has none
}

func (t *orderTable) bytes() []byte {
	t.csv.Flush()
	return t.file.Bytes()
}

// nonzero is a number as a cell; what is not known, or was forgotten, is 0 and is
// left empty.
func nonzero(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// defused returns a cell that no spreadsheet takes for a formula: what begins
// like one, also behind quotes and spaces that a program may strip, gets an
// apostrophe.
func defused(cell string) string {
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	inner := strings.TrimLeft(cell, "\"'“”‘’«» \u00a0\u200b\ufeff\t\r\n")
	if strings.HasPrefix(inner, "=") || strings.HasPrefix(inner, "+") || strings.HasPrefix(inner, "-") || strings.HasPrefix(inner, "@") ||
		strings.HasPrefix(inner, "＝") || strings.HasPrefix(inner, "＋") || strings.HasPrefix(inner, "－") || strings.HasPrefix(inner, "＠") {
		return "'" + cell
	}
	return cell
}

// stamp is a time in UTC as spreadsheets read it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// plainAmount is money as a number, exactly, with at least two decimals.
func plainAmount(amount decimal.Decimal) string {
	return amount.StringFixed(max(2, -amount.Exponent()))
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
