package handlers

import (
	"context"
	"errors"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
)

// text answers text that is not the answer to a question: the id of an order opens
// it, for a link there are services, and other words are searched for in the
// catalogue. A new person is greeted first.
func (s *Screens) text(ctx context.Context, req *bot.Request) (bot.View, error) {
	typed := strings.TrimSpace(req.Text)
	if n, ok := parseExternalID(typed); ok {
		view, err := s.orderByExternalID(ctx, req, n)
		marked := strings.HasPrefix(typed, "#")
		if marked || !errors.Is(err, errExternalNotFound) && !errors.Is(err, orders.ErrNoKey) {
			return view, err
		}
		// Digits without # may also be words: 163 is a mail provider.
	}
	user, err := s.DB.User(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	isNew := !user.CreatedAt.Before(req.Received.Truncate(time.Millisecond)) // this update created them
	if !isNew {
		return s.linkOrWords(ctx, req, typed)
	}
	if err := req.Show(ctx, greeting(req)); err != nil {
		return bot.View{}, err
	}
	return inNewMessage(s.linkOrWords(ctx, req, typed))
}

// linkOrWords answers a link, or words to search for.
func (s *Screens) linkOrWords(ctx context.Context, req *bot.Request, typed string) (bot.View, error) {
	if link, ok := pastedLink(typed); ok {
		return s.linkPasted(ctx, req, link)
	}
	if isCommand := strings.HasPrefix(typed, "/"); isCommand || !containsKey(typed) && (!searchable(typed) || tooLong(typed)) {
		view := menuView(req.L)
		view.Text = req.L.T("text_not_understood")
		return view, nil
	}
	return s.searchFor(ctx, req, typed, bot.View{Keyboard: keyboards.MenuKeyboard(req.L)})
}
