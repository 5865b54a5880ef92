package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

func (s *Screens) help(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	key, arrives := "help_key", "help_arrives"
	if s.usesAllowance(ctx, req.User.ID) {
		key, arrives = "allowance_key_none", "help_arrives_allowance"
	}
	return bot.View{
		Text: req.L.T("help_text", locales.Args{
			"Support": s.SupportText, "Key": locales.HTML(req.L.T(key)), "Arrives": locales.HTML(req.L.T(arrives)),
		}),
		Keyboard: keyboards.HelpKeyboard(req.L, s.SupportText),
	}, nil
}
