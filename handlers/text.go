package handlers

import (
	"context"
	"errors"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
)

// labelTyped opens the screen of a button whose label was typed.
func (s *Screens) labelTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return inNewMessage(bot.RedirectTo(req.CallbackData), s.greetIfNew(ctx, req))
}

// text answers text that is not the answer to a question: lines of a basket are put
// into it, the id of an order opens it, for a link there are services, and other words are searched for in the
// catalogue. A new person is greeted first.
func (s *Screens) text(ctx context.Context, req *bot.Request) (bot.View, error) {
	if s.IsAdmin(req.User.ID) { // the dialog has ended, and its keyboard is left over
		switch {
		case req.SharedUsers != nil:
			return s.allowancePersonTyped(ctx, req)
		case req.SharedChat != nil && req.SharedChat.RequestID == requestChannel:
			return s.channelChosen(ctx, req)
		case req.SharedChat != nil && (req.SharedChat.RequestID == requestGroup || req.SharedChat.RequestID == requestForum):
			return s.roomChosen(ctx, req)
		}
	}
	typed := strings.TrimSpace(req.Text)
	if req.SharedChat != nil || req.SharedUsers != nil || typed == req.L.Label("confirm_button_cancel") {
		// A keyboard that asked for it is left over.
		if err := req.RemoveReplyKeyboard(ctx); err != nil {
			return bot.View{}, err
		}
		typed = ""
	}
	if lines, ok := parseLines(typed); ok {
		if err := s.greetIfNew(ctx, req); err != nil {
			return bot.View{}, err
		}
		return inNewMessage(s.linesPasted(ctx, req, lines))
	}
	if id, ok := parseExternalID(typed); ok {
		find, marked := s.orderByExternalID, strings.HasPrefix(typed, "#")
		if !marked && (!isDigits(id) || containsKey(id)) {
			find = s.storedOrder // it may be a name or an API key, which the marketplace must not get as an order id
		}
		view, err := find(ctx, req, id)
		if marked || !errors.Is(err, errExternalNotFound) && !errors.Is(err, orders.ErrNoKey) {
			return view, err
		}
		// Without # it may also be words: 163 is a mail provider.
	}
	if err := s.greetIfNew(ctx, req); err != nil {
		return bot.View{}, err
	}
	return inNewMessage(s.linkOrWords(ctx, req, typed))
}

// greetIfNew greets a person who is new.
func (s *Screens) greetIfNew(ctx context.Context, req *bot.Request) error {
	isNew, err := s.receiveIfNew(ctx, req)
	if err != nil || !isNew {
		return err
	}
	view, err := s.greeting(ctx, req.L, req.User)
	if err != nil {
		return err
	}
	return req.Show(ctx, view)
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
	return s.searchFor(ctx, req, typed, bot.View{Keyboard: keyboards.MenuKeyboard(req.L, keyboards.MenuParts{})})
}
