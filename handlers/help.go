package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func (s *Screens) helpView(l *locales.Localizer) bot.View {
	return bot.View{
		Text:     l.T("help_text", locales.Args{"Support": s.SupportText}),
		Keyboard: keyboards.HelpKeyboard(l, s.SupportText),
	}
}

func (s *Screens) help(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return s.helpView(req.L), nil
}

func (s *Screens) helpCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	return s.helpView(req.L), nil
}
