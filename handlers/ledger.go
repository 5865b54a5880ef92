package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// ledgerTotals says what entries add up to, per currency.
func ledgerTotals(l *locales.Localizer, entries []storage.LedgerSum) string {
	charged, held, cost := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	for _, sum := range entries {
		charged[sum.Currency] = charged[sum.Currency].Add(sum.Owed())
		held[sum.Currency] = held[sum.Currency].Add(sum.Held)
		cost[sum.Currency] = cost[sum.Currency].Add(sum.Cost)
	}
	return l.T("ledger_totals", locales.Args{"Charged": sums(l, charged), "Held": sums(l, held), "Cost": sums(l, cost)})
}

// ledger lists the people who have bought with an allowance: those below zero first, then
// by what they were charged.
func (s *Screens) ledger(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	l := req.L
	people, err := s.DB.LedgerByPerson(ctx, storage.LedgerFilter{})
	if err != nil {
		return bot.View{}, err
	}
	if len(people) == 0 {
		return bot.View{Text: l.T("ledger_title") + "\n\n" + l.T("ledger_empty"), Keyboard: keyboards.LedgerKeyboard(l, 0, nil, 0)}, nil
	}
	allowances, _, err := s.DB.Allowances(ctx, time.Now(), math.MaxInt32, 0)
	if err != nil {
		return bot.View{}, err
	}
	left := map[int64]decimal.Decimal{}
	for _, a := range allowances {
		left[a.UserID] = a.Available()
	}
	debt := func(sum storage.LedgerSum) decimal.Decimal { return decimal.Min(left[sum.UserID], decimal.Zero) }
	slices.SortStableFunc(people, func(a, b storage.LedgerSum) int { return debt(a).Cmp(debt(b)) })
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(people)))
	var items []keyboards.Item
	for _, sum := range keyboards.Page(people, int(args.Page)) {
		item := keyboards.Item{
			Name: shortPersonLabel(l, sum.UserID, sum.Person), Rest: " · " + l.Money(sum.Owed(), sum.Currency),
			Data: keyboards.LedgerPerson.Data(keyboards.LedgerPersonArgs{Person: sum.UserID, ListPage: args.Page}),
		}
		if debt(sum).IsNegative() {
			item.Icon, item.Rest = "🔻", item.Rest+" · "+l.Money(debt(sum), sum.Currency)
		}
		if sum.UserID == 0 {
			item.Data = keyboards.NoOp.Data(struct{}{})
		}
		items = append(items, item)
	}
	return bot.View{Text: l.T("ledger_title") + "\n\n" + ledgerTotals(l, people), Keyboard: keyboards.LedgerKeyboard(l, args.Page, items, len(people))}, nil
}

// ledgerDays shows the sums of each day.
func (s *Screens) ledgerDays(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	l := req.L
	days, err := s.DB.LedgerByDay(ctx, storage.LedgerFilter{})
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("ledger_title"), ""}
	if len(days) == 0 {
		lines = append(lines, l.T("ledger_empty"))
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(days)))
	for _, sum := range keyboards.Page(days, int(args.Page)) {
		lines = append(lines, "<b>"+locales.Escape(isoDay(l, sum.Day))+"</b>", ledgerTotals(l, []storage.LedgerSum{sum}), "")
	}
	return bot.View{Text: strings.TrimSpace(strings.Join(lines, "\n")), Keyboard: keyboards.LedgerDaysKeyboard(l, args.Page, len(days))}, nil
}

// ledgerPerson shows a person's purchases with what they cost, beside what the marketplace
// has charged.
func (s *Screens) ledgerPerson(ctx context.Context, req *bot.Request, args keyboards.LedgerPersonArgs) (bot.View, error) {
	l := req.L
	if args.Person <= 0 {
		return bot.View{}, storage.ErrNotFound
	}
	filter := storage.LedgerFilter{Person: args.Person}
	people, err := s.DB.LedgerByPerson(ctx, filter)
	if err != nil {
		return bot.View{}, err
	}
	user, err := s.DB.User(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	a, has, err := s.allowance(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("ledger_title") + " · " + locales.Escape(personLabel(l, user.ID, user.Name)), ""}
	if has {
		lines = append(lines, allowanceLine(l, a))
	}
	if len(people) == 0 {
		return bot.View{Text: strings.Join(append(lines, l.T("ledger_empty")), "\n"), Keyboard: keyboards.LedgerPersonKeyboard(l, args, 0)}, nil
	}
	lines = append(lines, ledgerTotals(l, people))
	total := 0
	for _, sum := range people {
		total += sum.Purchases
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), total))
	entries, total, err := s.DB.Ledger(ctx, filter, keyboards.PageSize, int(args.Page)*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	for _, entry := range entries {
		lines = append(append(lines, ""), ledgerEntry(l, entry)...)
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.LedgerPersonKeyboard(l, args, total)}, nil
}

// ledgerEntry describes a purchase in the ledger.
func ledgerEntry(l *locales.Localizer, e storage.LedgerLine) []string {
	args := itemArgs(l, e.Name, e.Quantity)
	args["Time"], args["Sum"], args["Cost"] = clock(l, e.At), l.Money(e.Charged.Sub(e.Refunded), e.Currency), l.Money(e.Cost, e.Currency)
	lines := []string{l.T("ledger_entry", args), l.T("ledger_charged", args)}
	if e.Held.IsPositive() {
		lines = append(lines, l.T("allowance_held", locales.Args{"Sum": l.Money(e.Held, e.Currency)}))
	}
	if e.Refunded.IsPositive() {
		lines = append(lines, l.T("ledger_refunded", locales.Args{"Sum": l.Money(e.Refunded, e.Currency)}))
	}
	return lines
}

// ledgerExport sends the whole ledger as a file.
func (s *Screens) ledgerExport(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	var file bytes.Buffer
	file.WriteString("\ufeff")
	table := csv.NewWriter(&file)
	table.UseCRLF = true
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = plainCell(cells[i])
		}
		err := table.Write(cells)
		table.Flush()
		return err
	}
	rows := 0
	err := write(l.Label("ledger_day"), l.Label("export_person"), l.Label("export_order_id"), l.Label("export_name"), l.Label("export_quantity"), l.Label("export_currency"),
		l.Label("ledger_shown"), l.Label("ledger_held"), l.Label("export_charge"), l.Label("ledger_back"), l.Label("ledger_cost"), l.Label("ledger_markup"))
	if err != nil {
		return bot.View{}, err
	}
	err = s.DB.EachLedgerLine(ctx, storage.LedgerFilter{}, func(e storage.LedgerLine) error {
		if file.Len() >= maxExportSize {
			return storage.ErrStop
		}
		rows++
		return write(e.Day.Format(time.DateOnly), csvNumber(e.UserID), e.ExternalID, e.Name, csvNumber(e.Quantity), e.Currency,
			plainAmount(e.Hold), plainAmount(e.Held), plainAmount(e.Charged), plainAmount(e.Refunded), plainAmount(e.Cost), e.Markup.String())
	})
	if err != nil {
		return bot.View{}, err
	}
	if rows == 0 {
		return bot.View{}, userErr("ledger_empty")
	}
	_, total, err := s.DB.Ledger(ctx, storage.LedgerFilter{}, 0, 0)
	if err != nil {
		return bot.View{}, err
	}
	text := l.N("ledger_caption", int64(rows))
	if rows < total {
		text += "\n" + l.T("adminorders_cut", locales.Args{"Rows": l.Number(int64(rows)), "Total": l.Number(int64(total))})
	}
	// The audit entry comes first: an entry without an export does no harm.
	if err := s.DB.RecordAudit(ctx, storage.AuditEntry{AdminID: req.User.ID, Action: actionLedger, Detail: strconv.Itoa(rows), At: time.Now()}); err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     text,
		Document: &bot.Document{Name: "ledger-" + time.Now().UTC().Format(time.DateOnly) + ".csv", Data: file.Bytes()},
		Keyboard: keyboards.Foot(l, keyboards.Ledger.Data(keyboards.PageArgs{})),
	}, nil
}

// overHoldView tells an admin or the buyer that a purchase has cost more than its card showed.
func (n *Notifier) overHoldView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	e, err := n.DB.LedgerEntry(ctx, message.PurchaseID)
	if err != nil {
		return bot.View{}, err
	}
	args := itemArgs(l, e.Name, e.Quantity)
	args["Who"], args["Hold"], args["Sum"], args["Cost"] = personLabel(l, e.UserID, e.Person), l.Money(e.Hold, e.Currency), l.Money(e.Charged.Sub(e.Refunded), e.Currency), l.Money(e.Cost, e.Currency)
	switch {
	case n.IsAdmin(message.UserID):
		return bot.View{Text: l.T("over_hold", args), Keyboard: keyboards.OverHoldKeyboard(l, e.UserID)}, nil
	case message.UserID == e.UserID:
		return bot.View{Text: l.T("over_hold_own", args), Keyboard: keyboards.ToOrdersKeyboard(l)}, nil
	default: // an admin of before
		return bot.View{}, nil
	}
}
