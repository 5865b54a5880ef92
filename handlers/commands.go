package handlers

import (
	"github.com/go-telegram/bot/models"

	"hstockbot/locales"
)

// commands are the listed commands, in the order of the list. Their descriptions are
// the messages command_<name>.
var commands = []string{"menu", "catalog", "search", "sms", "orders", "balance", "key", "language", "help", "forget", "cancel", "start"}

// adminCommand is listed only for admins.
const adminCommand = "admin"

// commandList returns the list of commands in one language.
func commandList(l *locales.Localizer) []models.BotCommand {
	list := make([]models.BotCommand, 0, len(commands)+1)
	for _, name := range commands {
		list = append(list, models.BotCommand{Command: name, Description: l.Label("command_" + name)})
	}
	return list
}
