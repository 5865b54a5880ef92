package handlers

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// Inline mode: product cards for what a person types behind the bot's name in
// any chat. Whoever is in that chat sees what they choose, so a card holds what
// the catalogue holds: nothing of orders, keys or balances.

const (
	inlinePage = 20 // cards of one answer
	// inlineMost is how many cards there are where nothing was typed: who looks for
	// more than ten pages types a word.
	inlineMost = 200
	// inlineLife is how long Telegram may show a person the same cards again.
	inlineLife = time.Minute
	// inlineSoon is for answers that something else may change at any moment.
	inlineSoon = 5 * time.Second
	// inlineDescription is what of a description stands in the list, in characters.
	inlineDescription = 100

	// startKey and startShop are what the button above the cards starts the bot with.
	startKey  = "key"
	startShop = "shop"
)

var errNoName = errors.New("the bot's own name is not known yet")

func (s *Screens) inline(ctx context.Context, req *bot.InlineRequest) (bot.InlineAnswer, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return inlineTrouble(req.L, err)
	}
	rows, stale, err := s.inlineRows(ctx, req, key)
	if err != nil {
		return inlineTrouble(req.L, err)
	}
	answer := bot.InlineAnswer{Cache: inlineLife}
	if stale {
		answer.Cache = inlineSoon
	}
	if len(rows) == 0 {
		answer.Button = &bot.InlineButton{Text: req.L.Label("inline_button_none"), Start: startShop}
		return answer, nil
	}
	username := req.BotUsername(ctx)
	if username == "" {
		return bot.InlineAnswer{}, errNoName
	}
	from, err := strconv.Atoi("0" + req.Offset)
	if err != nil || from > len(rows) {
		from = len(rows)
	}
	to := min(from+inlinePage, len(rows))
	if to < len(rows) {
		answer.Next = strconv.Itoa(to)
	}
	currency := s.currency(ctx, req.User.ID)
	for _, row := range rows[from:to] {
		answer.Results = append(answer.Results, s.card(req.L, username, row, currency))
	}
	return answer, nil
}

// inlineTrouble offers the way to a key where one is missing or was refused.
func inlineTrouble(l *locales.Localizer, err error) (bot.InlineAnswer, error) {
	if kind, _ := hstock.KindOf(err); !errors.Is(err, orders.ErrNoKey) && kind != hstock.InvalidKey {
		return bot.InlineAnswer{}, err
	}
	return bot.InlineAnswer{Cache: inlineSoon, Button: &bot.InlineButton{Text: l.Label("inline_button_key"), Start: startKey}}, nil
}

// inlineRows finds what was typed. Where nothing was, it is what the
// marketplace recommends, or else the beginning of the catalogue.
func (s *Screens) inlineRows(ctx context.Context, req *bot.InlineRequest, key redact.Secret) (rows []hstock.Item, stale bool, err error) {
	if query := typedQuery(req.Query); query != "" {
		rows, fresh, err := s.Catalog.Search(ctx, key, req.L.Lang(), query)
		return inStockFirst(rows), fresh.Stale, err
	}
	rows, fresh, err := s.Catalog.Shelf(ctx, key, req.L.Lang(), "", "")
	if err != nil {
		return nil, false, err
	}
	return beginning(rows), fresh.Stale, nil
}

// beginning returns what of the catalogue is recommended, or else what it begins
// with, as far as it is in stock. It is asked for whenever somebody types the bot's
// name, so it is no copy of the whole.
func beginning(rows []hstock.Item) []hstock.Item {
	var recommended, first []hstock.Item
	for i := range rows {
		switch row := &rows[i]; {
		case row.Stock <= 0:
		case row.Recommended && len(recommended) < inlineMost:
			recommended = append(recommended, *row)
		case len(first) < inlineMost:
			first = append(first, *row)
		}
	}
	if len(recommended) > 0 {
		return recommended
	}
	return first
}

// card is a row as the list shows it, and as a chat does.
func (s *Screens) card(l *locales.Localizer, username string, row hstock.Item, currency string) bot.InlineResult {
	id, args := "product_price", locales.Args{"Price": l.Money(row.Rate, currency)}
	if row.EntityType == hstock.EntitySMM && s.SMMRatePer > 1 {
		id, args["Per"] = "product_price_per", l.Number(s.SMMRatePer)
	}
	stock := l.Label("product_sold_out")
	if soldOut(row) == 0 {
		stock = l.Label("product_stock", locales.Args{"Stock": l.Number(row.Stock)})
	}
	description := l.Label(id, args) + " · " + stock
	if text := strings.Join(strings.Fields(row.Description), " "); text != "" {
		description += "\n" + shorten(text, inlineDescription)
	}
	name := title(l, row.Name)
	if strings.TrimSpace(name) == "" { // Telegram would refuse the whole answer
		name = "#" + strconv.FormatInt(row.Service, 10)
	}
	return bot.InlineResult{
		ID:          strconv.FormatInt(row.Service, 10),
		Title:       name,
		Description: description,
		Picture:     picture(row.ImageURL),
		Message: bot.View{
			Text:     "<b>" + locales.Escape(name) + "</b>\n" + l.T(id, args),
			Keyboard: keyboards.CardKeyboard(l, username, row.Service),
			Picture:  picture(row.ImageURL),
		},
	}
}
