package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
)

// group implements bot.Hooks.Group. It answers commands that name this bot with a
// link to the private chat, and warns a person who sent an API key to the group.
func (s *Screens) group(ctx context.Context, req *bot.Request) (bot.View, bool) {
	id := ""
	switch {
	case req.Command == "key" && strings.TrimSpace(req.Args) != "":
		id = "group_key"
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
