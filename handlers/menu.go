package handlers

import (
	"context"
	"time"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func menuView(l *locales.Localizer) bot.View {
	return bot.View{Text: l.T("menu_text"), Keyboard: keyboards.MenuKeyboard(l, keyboards.MenuParts{})}
}

func (s *Screens) menu(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return s.menuIn(ctx, req.L, req.User)
}

// menuIn is the menu in a language.
func (s *Screens) menuIn(ctx context.Context, l *locales.Localizer, user bot.User) (bot.View, error) {
	contents, err := s.DB.MenuContents(ctx, user.ID, time.Now())
	if err != nil {
		return bot.View{}, err
	}
	view, err := s.greetingWith(ctx, l, user, contents)
	view.Text = l.T("menu_text")
	if err != nil || !contents.Allowance {
		return view, err
	}
	allowance, has, err := s.allowance(ctx, user.ID)
	if has {
		view.Text += "\n\n" + allowanceLine(l, allowance)
	}
	return view, err
}

// cancelCommand leaves any dialog, because its view has none.
func (s *Screens) cancelCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	view := menuView(req.L)
	view.Text = req.L.T("cancel_text")
	return view, nil
}
