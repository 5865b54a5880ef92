package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func (s *Screens) help(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("help_text", locales.Args{"Support": s.SupportText}),
		Keyboard: keyboards.HelpKeyboard(req.L, s.SupportText),
	}, nil
}
