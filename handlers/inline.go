package handlers

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// Inline mode shows product cards for what a person types behind the bot's name in
// any chat. Everyone in that chat sees the chosen card, so a card contains only
// what the catalogue contains: nothing of orders, keys or balances.

const (
	inlinePageSize = 20 // cards per answer
	// maxInlineItems limits the cards if nothing was typed.
	maxInlineItems = 200
	// inlineCacheTime is how long Telegram may show the person the same answer again.
	// Prices and languages make answers personal.
	inlineCacheTime = time.Minute
	// inlineShortCacheTime is for answers that may change at any moment.
	inlineShortCacheTime = 5 * time.Second
	// inlineDescriptionLength limits the description in the list, in characters.
	inlineDescriptionLength = 100
)

var errNoUsername = errors.New("the bot's username is not known yet")

// inline implements bot.Hooks.Inline.
func (s *Screens) inline(ctx context.Context, req *bot.InlineRequest) (bot.InlineAnswer, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return s.inlineError(ctx, req, err)
	}
	items, stale, err := s.inlineItems(ctx, req, access)
	if err != nil {
		return s.inlineError(ctx, req, err)
	}
	answer := bot.InlineAnswer{Cache: inlineCacheTime}
	if stale {
		answer.Cache = inlineShortCacheTime
	}
	if len(items) == 0 {
		answer.Button = &bot.InlineButton{Text: req.L.Label("inline_button_none"), Start: startMenu}
		return answer, nil
	}
	username := req.BotUsername(ctx)
	if username == "" {
		return bot.InlineAnswer{}, errNoUsername
	}
	from, err := strconv.Atoi("0" + req.Offset)
	if err != nil || from > len(items) {
		from = len(items)
	}
	to := min(from+inlinePageSize, len(items))
	if to < len(items) {
		answer.Next = strconv.Itoa(to)
	}
	for _, item := range items[from:to] {
		answer.Results = append(answer.Results, s.inlineCard(req.L, username, item))
	}
	return answer, nil
}

// inlineError offers a button for giving a key if the key is missing or refused. Those who
// buy with an allowance need none.
func (s *Screens) inlineError(ctx context.Context, req *bot.InlineRequest, err error) (bot.InlineAnswer, error) {
	kind, _ := hstock.KindOf(err)
	refused := kind == hstock.InvalidKey && !s.usesAllowance(ctx, req.User.ID)
	if !refused && !errors.Is(err, orders.ErrNoKey) {
		return bot.InlineAnswer{}, err
	}
	return bot.InlineAnswer{Cache: inlineShortCacheTime, Button: &bot.InlineButton{Text: req.L.Label("inline_button_key"), Start: startKey}}, nil
}

// inlineItems searches for what was typed. If nothing was typed, it returns what
// the marketplace recommends, or else the first items of the catalogue.
func (s *Screens) inlineItems(ctx context.Context, req *bot.InlineRequest, access catalog.Access) (items []hstock.Item, stale bool, err error) {
	if service, ok := keyboards.ParseInlineProduct(req.Query); ok { // what Share types
		if item, fresh, err := s.Catalog.Product(ctx, access, req.L.Lang(), service); err == nil {
			return []hstock.Item{item}, fresh.Stale, nil
		}
	}
	if query := trimQuery(req.Query); query != "" {
		items, fresh, err := s.Catalog.Search(ctx, access, req.L.Lang(), query)
		return inStockFirst(items), fresh.Stale, err
	}
	items, fresh, err := s.Catalog.Shelf(ctx, access, req.L.Lang(), "", "")
	if err != nil {
		return nil, false, err
	}
	return firstItems(items), fresh.Stale, nil
}

// firstItems returns at most maxInlineItems items that are in stock: the recommended
// ones, or if there are none the first ones. It runs whenever a person types the
// bot's name, so it does not copy the whole catalogue.
func firstItems(items []hstock.Item) []hstock.Item {
	var recommended, first []hstock.Item
	for i := range items {
		switch item := &items[i]; {
		case item.SoldOut():
		case item.Recommended && len(recommended) < maxInlineItems:
			recommended = append(recommended, *item)
		case len(first) < maxInlineItems:
			first = append(first, *item)
		}
	}
	if len(recommended) > 0 {
		return recommended
	}
	return first
}

// inlineCard returns an item as the list shows it, and the message that is posted
// when it is chosen.
func (s *Screens) inlineCard(l *locales.Localizer, username string, item hstock.Item) bot.InlineResult {
	id, args := priceMessage(l, l.Money(item.Rate, item.Currency), ratePer(item.EntityType == hstock.EntitySMM, s.SMMRatePer))
	description := l.Label(id, args)
	switch {
	case item.SoldOut():
		description += " · " + l.Label("product_sold_out")
	case !item.StockUnknown:
		description += " · " + l.Label("product_stock", locales.Args{"Stock": l.Number(item.Stock)})
	}
	if text := strings.Join(strings.Fields(item.Description), " "); text != "" {
		description += "\n" + locales.Shorten(text, inlineDescriptionLength)
	}
	name := title(l, item.Name)
	if strings.TrimSpace(name) == "" { // Telegram would refuse the whole answer
		name = "#" + strconv.FormatInt(item.Service, 10)
	}
	return bot.InlineResult{
		ID:          strconv.FormatInt(item.Service, 10),
		Title:       name,
		Description: description,
		Picture:     picture(item.ImageURL),
		Message: bot.View{
			L:        l,
			Text:     "<b>" + locales.Escape(name) + "</b>\n" + l.T(id, args),
			Keyboard: keyboards.CardKeyboard(l, username, item.Service),
			Picture:  picture(item.ImageURL),
		},
	}
}
