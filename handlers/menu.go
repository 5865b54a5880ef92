package handlers

import (
	"context"
	"strconv"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// start greets with the menu, or opens what a deep link names: p_<service> a
// product, o_<order> an order of the person's own, startKey the API key.
func (s *Screens) start(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.noticeAdmin(ctx, req.User.ID)
	if req.Args == startKey {
		return s.key(ctx, req, struct{}{})
	}
	if kind, number, ok := deepLink(req.Args); ok {
		switch kind {
		case "p":
			args := keyboards.ProductArgs{Service: number}
			return bot.RedirectTo(keyboards.Product.Data(args)), nil
		case "o":
			order, err := s.DB.OrderByExternalID(ctx, req.User.ID, number)
			if err != nil {
				return bot.View{}, err
			}
			return s.order(ctx, req, keyboards.OrderViewArgs{Order: order.ID})
		}
	}
	return greeting(req), nil
}

func greeting(req *bot.Request) bot.View {
	view := menuView(req.L)
	view.Text = req.L.T("start_text", locales.Args{"Name": req.User.FirstName})
	return view
}

func deepLink(args string) (kind string, number int64, ok bool) {
	kind, digits, found := strings.Cut(strings.TrimSpace(args), "_")
	if !found {
		return "", 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	return kind, number, err == nil && number > 0
}

func menuView(l *locales.Localizer) bot.View {
	return bot.View{Text: l.T("menu_text"), Keyboard: keyboards.MenuKeyboard(l)}
}

func (s *Screens) menu(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return menuView(req.L), nil
}

func (s *Screens) menuCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	return menuView(req.L), nil
}

// cancelCommand leaves any dialog: the view that it returns has none.
func (s *Screens) cancelCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	view := menuView(req.L)
	view.Text = req.L.T("cancel_text")
	return view, nil
}

// group answers in a group: the bot is for private chats, and a key that was
// sent there is no secret any more.
func (s *Screens) group(ctx context.Context, req *bot.Request) (bot.View, bool) {
	if req.Command == "key" && strings.TrimSpace(req.Args) != "" {
		return bot.View{Text: req.L.T("group_key"), Keyboard: s.privateLink(ctx, req)}, true
	}
	if req.Command == "" || !req.Addressed {
		return bot.View{}, false
	}
	return bot.View{Text: req.L.T("group_text"), Keyboard: s.privateLink(ctx, req)}, true
}

func (s *Screens) privateLink(ctx context.Context, req *bot.Request) keyboards.Rows {
	name := req.BotUsername(ctx)
	if name == "" {
		return nil
	}
	return keyboards.PrivateChatKeyboard(req.L, name)
}
