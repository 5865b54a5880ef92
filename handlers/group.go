package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
)

// group implements bot.Hooks.Group. It answers commands that name this bot with a
// link to the private chat. It deletes an API key that a person sent to the group, and
// warns them. /here is the exception: it makes the group the shop's room.
func (s *Screens) group(ctx context.Context, req *bot.Request) (bot.View, bool) {
	if req.Command == hereCommand {
		return s.here(ctx, req)
	}
	id := ""
	switch {
	case req.Command == "key" && strings.TrimSpace(req.Args) != "":
		id = "group_key"
		_ = req.Delete(ctx) // only an admin of the group may; the warning is the same without
	case req.Command != "" && req.Addressed:
		id = "group_text"
	default:
		return bot.View{}, false
	}
	view := bot.View{Text: req.L.T(id)}
	if name := req.BotUsername(ctx); name != "" {
		view.Keyboard = keyboards.PrivateChatKeyboard(req.L, name)
	}
	return view, true
}
