package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func menuView(l *locales.Localizer) bot.View {
	return bot.View{Text: l.T("menu_text"), Keyboard: keyboards.MenuKeyboard(l)}
}

func (s *Screens) menu(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return menuView(req.L), nil
}

// cancelCommand leaves any dialog, because its view has none.
func (s *Screens) cancelCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	view := menuView(req.L)
	view.Text = req.L.T("cancel_text")
	return view, nil
}
