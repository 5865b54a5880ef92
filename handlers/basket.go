package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// basketLength limits the lines of a basket in a message, in characters. Longer ones are
	// shown without links, then without the words of warnings, and then cut.
	basketLength = 2400
	// listedBad and badLength limit the pasted lines that are shown because they are none, and
	// what is shown of each.
	listedBad = 10
	badLength = 40
)

// maxBasketReads is how often a basket is read that changes while it is priced.
const maxBasketReads = 3

var errBasketChanges = errors.New("the basket changes while it is priced")

// basket shows what is in the person's basket, with the prices of now, or how far it is
// bought.
func (s *Screens) basket(ctx context.Context, req *bot.Request, _ struct{}) (view bot.View, err error) {
	for range maxBasketReads {
		if view, err = s.basketNow(ctx, req); !errors.Is(err, errBasketChanges) {
			break
		}
	}
	return view, err
}

// basketNow is basket, or errBasketChanges where there is no sum to show.
func (s *Screens) basketNow(ctx context.Context, req *bot.Request) (bot.View, error) {
	b, err := s.DB.Basket(ctx, req.User.ID, 0)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return bot.View{Text: req.L.T("basket_empty"), Keyboard: keyboards.NoServicesKeyboard(req.L)}, nil
	case err != nil:
		return bot.View{}, err
	case b.State == storage.BasketRunning:
		return basketProgress(req, b), nil
	}
	var services []int64
	for _, line := range b.Lines {
		services = append(services, line.Service)
	}
	items, _, err := s.basketItems(ctx, req, services)
	if err != nil {
		return bot.View{}, err
	}
	quote, err := s.Orders.PriceBasket(ctx, b, items, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	switch {
	case quote.Priced():
		return basketCard(req.L, quote, b.Restored), nil
	case quote.State == storage.BasketOpen:
		return bot.View{}, errBasketChanges
	}
	return basketProgress(req, quote.Basket), nil
}

// basketItems returns items of the catalogue in the person's language, with English types,
// and in English.
func (s *Screens) basketItems(ctx context.Context, req *bot.Request, services []int64) (items, english map[int64]hstock.Item, err error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return nil, nil, err
	}
	english, _, err = s.Catalog.Items(ctx, access, locales.English, services, services)
	if err != nil || req.L.Lang() == locales.English {
		return english, english, err
	}
	items, _, err = s.Catalog.Items(ctx, access, req.L.Lang(), services, services)
	for service, item := range items {
		item.Type = english[service].Type
		items[service] = item
	}
	return items, english, err
}

// basketCard is the one card of a basket: each line with its price, or why it can't be
// bought, the sum, and what is left of the balance.
func basketCard(l *locales.Localizer, quote orders.BasketQuote, restored bool) bot.View {
	state := keyboards.BasketState{Blocked: quote.Blocked}
	_, some := quote.Next()
	state.Blocked = state.Blocked || !some
	var full, warned, short []string
	for _, line := range quote.Lines {
		row := lineRow(l, quote.Basket, line)
		if line.Fault != "" {
			row = "✖ " + row
		}
		warnings := warningLines(l, quote.Warnings[line.ID])
		state.Sets = state.Sets || line.Kind == storage.KindSMM
		full, warned, short = append(full, row), append(warned, row), append(short, row)
		if len(warnings) > 0 {
			state.Warned = true
			short[len(short)-1] += " ⚠️"
		}
		if line.Link != "" {
			full = append(full, linkLine(l, line))
		}
		full, warned = append(full, warnings...), append(warned, warnings...)
	}
	text := l.N("basket_title", int64(len(quote.Lines))) + "\n\n" + rowsThatFit(full, warned, short)
	if restored {
		text = l.T("confirm_restored") + "\n\n" + text
	}
	if some {
		total := "confirm_total"
		if quote.Estimate {
			total = "confirm_estimate"
		}
		text += "\n\n" + l.T(total, locales.Args{"Total": l.Money(quote.Total, quote.Currency)}) + "\n"
		switch {
		case quote.OtherTotal.Valid:
			text += l.T("confirm_other_reading", locales.Args{"Total": l.Money(quote.OtherTotal.Decimal, quote.Currency)}) + "\n"
		case quote.Estimate:
			text += l.T("confirm_estimate_smm") + "\n"
		}
		text += strings.Join(paymentLines(l, payment{
			allowance: quote.Allowance.UserID != 0, choice: quote.Choice, estimate: quote.Estimate, blocked: quote.Blocked,
			now: quote.Balance, total: quote.Hold(), short: quote.Short, currency: quote.Currency,
		}), "\n")
		text += "\n\n" + l.T("basket_hint")
	}
	return bot.View{Text: text, Keyboard: keyboards.BasketKeyboard(l, keyboards.BasketRevisionArgs{Basket: quote.ID, Revision: quote.Revision}, state)}
}

// rowsThatFit joins the first rows that are not too long, or the last ones, cut at a row.
func rowsThatFit(variants ...[]string) string {
	rows := variants[0]
	for _, shorter := range variants[1:] {
		if utf8.RuneCountInString(strings.Join(rows, "\n")) > basketLength {
			rows = shorter
		}
	}
	length := 0
	for i, row := range rows {
		if length += utf8.RuneCountInString(row) + 1; length > basketLength {
			return strings.Join(append(rows[:i:i], "…"), "\n")
		}
	}
	return strings.Join(rows, "\n")
}

// linkLine shows the link of a line, or its address for the delivery.
func linkLine(l *locales.Localizer, line storage.BasketLine) string {
	return l.T("confirm_link", locales.Args{"Link": l.Isolate(locales.Shorten(line.Link, nameLength/2))})
}

// lineRow shows a line with its price, or why it can't be bought.
func lineRow(l *locales.Localizer, b storage.Basket, line storage.BasketLine) string {
	args := locales.Args{"Place": l.Number(line.Place), "Name": l.Name(locales.CutAtWord(line.Name, wordLength/2)), "Quantity": l.Number(line.Quantity)}
	if line.Fault != "" {
		args["Why"] = l.Label(faultID(line.Fault))
		return l.T("basket_line_bad", args)
	}
	args["Total"] = l.Money(b.Shown(line), line.Currency)
	return l.T("basket_line", args)
}

// faultID returns the words for why a line can't be bought.
func faultID(fault string) string {
	switch fault {
	case orders.FaultSoldOut:
		return "basket_why_stock"
	case orders.FaultLimits:
		return "basket_why_limits"
	case orders.FaultNeedsMore:
		return "basket_why_more"
	default:
		return "basket_why_gone"
	}
}

// basketView shows a basket that is being bought, or that has ended.
func basketView(l *locales.Localizer, b storage.Basket) bot.View {
	counts, bought := map[string]int64{}, 0
	next, more := b.Next()
	begun := false // the next line, as far as the person knows
	if more && b.State == storage.BasketRunning && !b.Stopping {
		begun = !slices.ContainsFunc(b.Lines, func(line storage.BasketLine) bool {
			return line.State == storage.PurchaseClaimed || line.State == storage.PurchaseSending
		})
	}
	rows := make([]string, len(b.Lines))
	for i, line := range b.Lines {
		mark, _ := lineResult(l, line)
		if begun && line.ID == next.ID {
			mark = "⏳"
		}
		counts[mark]++
		rows[i] = mark + " " + lineRow(l, b, line)
		if line.ExternalID != "" {
			rows[i] += " · " + externalID(l, line.ExternalID)
		}
		if line.State == storage.PurchaseRejected {
			rows[i] = mark + " " + rejectedRow(l, line)
		}
		if line.State == storage.PurchasePlaced {
			bought++
		}
	}
	var summary []string
	for _, mark := range []string{"✅", "⏳", "▫️", "❔", "✖"} {
		if counts[mark] > 0 {
			summary = append(summary, mark+" "+l.Number(counts[mark]))
		}
	}
	title := strings.Join(summary, " · ")
	if b.State != storage.BasketEnded {
		text := l.T("basket_buying") + "\n" + title
		if b.Stopping {
			text += "\n" + l.T("basket_stopping")
		}
		return bot.View{Text: text, Keyboard: keyboards.BasketRunningKeyboard(l, keyboards.BasketArgs{Basket: b.ID}, b.Stopping)}
	}
	text := l.T("basket_ended")
	switch {
	case bought == len(b.Lines):
		text = l.T("basket_done")
	case counts["✖"]+counts["▫️"] == 0:
		text = l.T("basket_unclear")
	}
	if why := basketEndID(b); why != "" {
		text += "\n" + l.T(why)
	}
	text += "\n" + title + "\n\n" + rowsThatFit(rows)
	rest := int64(len(b.Rest()))
	if rest > 0 {
		text += "\n\n" + l.N("basket_rest", rest)
	}
	return bot.View{Text: text, Keyboard: keyboards.BasketEndedKeyboard(l, rest > 0)}
}

// basketProgress is basketView in the message of a request. Only the message in which the
// basket was confirmed is drawn again; another one says where the result comes.
func basketProgress(req *bot.Request, b storage.Basket) bot.View {
	view := basketView(req.L, b)
	if b.State == storage.BasketRunning && int64(req.ScreenMessageID) != b.MessageID {
		view.Text += "\n" + req.L.T("basket_below")
	}
	return view
}

func rejectedRow(l *locales.Localizer, line storage.BasketLine) string {
	_, why := lineResult(l, line)
	return l.T("basket_line_bad", locales.Args{
		"Place": l.Number(line.Place), "Name": l.Name(locales.CutAtWord(line.Name, wordLength/2)), "Quantity": l.Number(line.Quantity), "Why": why,
	})
}

// lineResult returns what became of a line, as a mark and in words.
func lineResult(l *locales.Localizer, line storage.BasketLine) (mark, words string) {
	switch line.State {
	case storage.PurchasePlaced:
		return "✅", l.Label("basket_ordered")
	case storage.PurchaseClaimed, storage.PurchaseSending:
		return "⏳", l.Label("basket_why_unknown")
	case storage.PurchaseOutcomeUnknown, storage.PurchaseDismissed:
		return "❔", l.Label("basket_why_unknown")
	case storage.PurchaseRejected:
		return "✖", l.Label(rejectedID(line.Reason))
	}
	if line.Fault != "" {
		return "✖", l.Label(faultID(line.Fault))
	}
	return "▫️", l.Label("basket_not_ordered")
}

func rejectedID(reason string) string {
	switch reason {
	case orders.ReasonPrice:
		return "basket_why_dearer"
	case orders.ReasonStock:
		return "basket_why_stock"
	case orders.ReasonGone:
		return "basket_why_gone"
	case orders.ReasonRefused:
		return "basket_why_refused"
	default:
		return "basket_why_failed"
	}
}

// basketEndID returns the sentence for why a basket has ended early, "" if it has not.
func basketEndID(b storage.Basket) string {
	switch b.Reason {
	case orders.BasketStopped:
		return "basket_end_stopped"
	case orders.BasketUnknown:
		return "basket_end_unknown"
	case orders.BasketMoney:
		if b.House {
			return "rejected_allowance"
		}
		return "rejected_balance"
	case orders.BasketKey:
		if b.House {
			return "rejected_operator"
		}
		return "swap_why_key"
	case orders.BasketPaused:
		return "swap_why_paused"
	case orders.BasketRestored:
		return "swap_why_restored"
	case orders.BasketUnreachable:
		return "swap_why_unreachable"
	default:
		return ""
	}
}

// basketTable is the result as a table (as orderTable). It contains no links, because people
// pass such files on.
func basketTable(l *locales.Localizer, b storage.Basket) []byte {
	var file bytes.Buffer
	file.WriteString("\ufeff")
	table := csv.NewWriter(&file)
	table.UseCRLF = true
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = plainCell(cells[i])
		}
		_ = table.Write(cells) // to memory
	}
	write("#", l.Label("basket_service"), l.Label("export_name"), l.Label("export_quantity"), l.Label("basket_price"), l.Label("export_currency"), l.Label("export_state"), l.Label("export_order_id"))
	for _, line := range b.Lines {
		_, words := lineResult(l, line)
		price := ""
		if line.Fault == "" {
			price = b.Shown(line).String()
		}
		write(csvNumber(line.Place), csvNumber(line.Service), line.Name, csvNumber(line.Quantity), price, line.Currency, words, line.ExternalID)
	}
	table.Flush()
	return file.Bytes()
}

// drawBasket draws the card of a basket that is being bought.
func (n *Notifier) drawBasket(ctx context.Context, l *locales.Localizer, message storage.Message) error {
	b, err := n.basketOf(ctx, message)
	if err != nil || b.State != storage.BasketRunning || b.MessageID == 0 {
		return err
	}
	return n.editBasket(ctx, l, b, basketView(l, b))
}

func (n *Notifier) basketOf(ctx context.Context, message storage.Message) (storage.Basket, error) {
	id, err := orders.DecodeBasket(message)
	if err != nil {
		return storage.Basket{}, errors.Join(outbox.ErrRejected, err)
	}
	b, err := n.DB.Basket(ctx, message.UserID, id)
	if errors.Is(err, storage.ErrNotFound) {
		return b, nil // the person is forgotten
	}
	return b, err
}

// editBasket draws the card of a basket. One that the person has deleted is skipped.
func (n *Notifier) editBasket(ctx context.Context, l *locales.Localizer, b storage.Basket, view bot.View) error {
	err := n.edit(ctx, l, b.UserID, b.MessageID, view)
	return ignore(err, outbox.ErrRejected)
}

// sendBasket shows the result of a basket on its card, and sends it as a file.
func (n *Notifier) sendBasket(ctx context.Context, l *locales.Localizer, message storage.Message) error {
	b, err := n.basketOf(ctx, message)
	if err != nil || b.ID == 0 {
		return err
	}
	view := basketView(l, b)
	if b.MessageID != 0 {
		if err := n.editBasket(ctx, l, b, view); err != nil {
			return err
		}
	}
	title, _, _ := strings.Cut(view.Text, "\n\n")
	file := bot.View{
		Text: title, Keyboard: view.Keyboard, Thread: b.Thread,
		Document: &bot.Document{Name: "basket-" + b.ChangedAt.UTC().Format(time.DateOnly) + ".csv", Data: basketTable(l, b)},
	}
	_, err = n.send(ctx, l, message, file)
	return err
}

// linesPasted puts lines into the basket, and shows it below those that are none.
func (s *Screens) linesPasted(ctx context.Context, req *bot.Request, lines []pastedLine) (bot.View, error) {
	if len(lines) > orders.MaxBasketLines {
		return bot.View{}, basketError(storage.ErrFull)
	}
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	var services []int64
	for _, line := range lines {
		if line.bad == "" {
			services = append(services, line.service)
		}
	}
	items, english, err := s.basketItems(ctx, req, services)
	if err != nil {
		return bot.View{}, err
	}
	var intents []orders.Intent
	var bad []string
	for _, line := range lines {
		item := items[line.service]
		isSMM := item.EntityType == hstock.EntitySMM
		switch {
		case line.bad != "":
		case item.Service == 0:
			line.bad = "basket_bad_service"
		case isSMM && (line.link == "" || isEmail(line.link)):
			line.bad = "basket_bad_link"
		case !isSMM && line.link != "" && !isEmail(line.link):
			line.bad = "basket_bad_goods"
		default:
			intent := orders.Intent{Item: item, Category: english[line.service].Category, Link: line.link, Quantity: line.quantity}
			if isSMM {
				intent.Misfit = links.MisfitOf(line.link, english[line.service].Name, english[line.service].Category)
			}
			intents = append(intents, intent)
		}
		if line.bad != "" {
			bad = append(bad, badRow(req.L, line))
		}
	}
	if len(bad) > listedBad {
		bad = append(bad[:listedBad], "…")
	}
	if len(intents) > 0 {
		if err := s.Orders.AddToBasket(ctx, req.User.ID, req.UpdateID, intents); err != nil {
			return bot.View{}, basketError(err)
		}
	}
	view, err := s.basket(ctx, req, struct{}{})
	if err == nil && len(bad) > 0 {
		view.Text = strings.Join(bad, "\n") + "\n\n" + view.Text
	}
	return view, bot.ErrorAt(keyboards.Basket.Data(struct{}{}), err)
}

func badRow(l *locales.Localizer, line pastedLine) string {
	return l.T("basket_pasted_bad", locales.Args{
		"Place": l.Number(line.place), "Text": l.Isolate(locales.Shorten(line.text, badLength)), "Why": l.Label(line.bad),
	})
}

// basketError returns what a person is told who can't add to their basket.
func basketError(err error) error {
	switch {
	case errors.Is(err, storage.ErrFull):
		return userErr("basket_full", locales.Args{"Most": int64(orders.MaxBasketLines)})
	case errors.Is(err, storage.ErrBasketRunning):
		return userErr("basket_running")
	default:
		return err
	}
}

// basketAdd puts what a confirm card shows into the basket.
func (s *Screens) basketAdd(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if err := s.Orders.MoveToBasket(ctx, req.User.ID, args.Purchase); err != nil {
		return bot.View{}, basketError(err)
	}
	return bot.RedirectTo(keyboards.Basket.Data(struct{}{})), nil
}

// basketConfirm begins to buy the basket. A card that is too old, or whose basket has
// changed, is drawn again.
func (s *Screens) basketConfirm(ctx context.Context, req *bot.Request, args keyboards.BasketRevisionArgs) (bot.View, error) {
	started, err := s.Orders.StartBasket(ctx, req.User.ID, args.Basket, args.Revision, int64(req.ScreenMessageID), req.Thread())
	if err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	b, err := s.DB.Basket(ctx, req.User.ID, args.Basket)
	if err == nil && !started && b.State == storage.BasketOpen {
		view, err := s.basket(ctx, req, struct{}{})
		view.Toast = req.L.Label("confirm_redrawn")
		return view, err
	}
	return basketProgress(req, b), err
}

// basketStop makes a running basket begin no further line.
func (s *Screens) basketStop(ctx context.Context, req *bot.Request, args keyboards.BasketArgs) (bot.View, error) {
	if err := s.Orders.StopBasket(ctx, req.User.ID, args.Basket); err != nil {
		return bot.View{}, err
	}
	b, err := s.DB.Basket(ctx, req.User.ID, args.Basket)
	return basketProgress(req, b), err
}

// basketChange lists the lines with their links; a tap removes one.
func (s *Screens) basketChange(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	b, err := s.DB.Basket(ctx, req.User.ID, 0)
	if errors.Is(err, storage.ErrNotFound) || b.State == storage.BasketRunning {
		return s.basket(ctx, req, struct{}{})
	}
	if err != nil {
		return bot.View{}, err
	}
	page := keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(b.Lines)))
	text := req.L.T("basket_change_text")
	var entries []keyboards.Item
	for _, line := range keyboards.Page(b.Lines, int(page)) {
		if line.Link != "" {
			text += "\n" + req.L.Number(line.Place) + ". " + linkLine(req.L, line)
		}
		entries = append(entries, keyboards.Item{
			Icon: "🗑", Name: req.L.Number(line.Place) + ". " + line.Name, Rest: " × " + req.L.Number(line.Quantity),
			Data: keyboards.BasketRemove.Data(keyboards.BasketLineArgs{Basket: b.ID, Line: line.ID, Page: page}),
		})
	}
	return bot.View{Text: text, Keyboard: keyboards.BasketChangeKeyboard(req.L, b.ID, page, entries, len(b.Lines))}, nil
}

// basketEmpty asks for confirmation.
func (s *Screens) basketEmpty(_ context.Context, req *bot.Request, args keyboards.BasketArgs) (bot.View, error) {
	return bot.View{Text: req.L.T("basket_empty_ask"), Keyboard: keyboards.BasketEmptyKeyboard(req.L, args)}, nil
}

// basketRemove removes a line, or empties the basket.
func (s *Screens) basketRemove(ctx context.Context, req *bot.Request, args keyboards.BasketLineArgs) (bot.View, error) {
	if _, err := s.DB.RemoveFromBasket(ctx, req.User.ID, args.Basket, args.Line, time.Now()); err != nil {
		return bot.View{}, err
	}
	view, err := s.basketChange(ctx, req, keyboards.PageArgs{Page: args.Page})
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}
