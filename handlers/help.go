package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func (s *Screens) help(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	key := "help_key"
	if s.usesAllowance(ctx, req.User.ID) {
		key = "allowance_key_none"
	}
	return bot.View{
		Text:     req.L.T("help_text", locales.Args{"Support": s.SupportText, "Key": locales.HTML(req.L.T(key))}),
		Keyboard: keyboards.HelpKeyboard(req.L, s.SupportText),
	}, nil
}
